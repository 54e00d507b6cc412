//! Garbage collection while the registry serves: what no manifest needs is removed after a grace time.
//!
//! `docs/explanation/garbage-collection.md` specifies it, with its invariants. In short: whatever adds or removes an owner
//! or a reference of a blob writes the candidate key of the blob in the same batch. A collector looks at candidates whose
//! key is older than the grace time. To remove something it marks the digest, in a batch that conflicts if the candidate
//! key was written since; while the mark is there, no batch that adds an owner or a reference is applied.
//!
//! | what | file |
//! |---|---|
//! | one round | `collect.rs` |
//! | its report and counters | `gc_report.rs` |
//! | who owns and needs a blob | `collect/liveness.rs` |
//! | the command `gc` of the control socket | `collect/command.rs` |
//! | marking and removing | `collect/removal.rs` |
//! | blobs without any record | `collect/sweep.rs` |
//! | empty repositories | `collect/repositories.rs` |

mod command;
mod liveness;
mod removal;
mod repositories;
mod sweep;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use angos_oci::Digest;
use angos_storage::{Batch, Version};
use bytes::Bytes;
use tokio::task::JoinSet;

pub use self::command::GcCommand;
use self::liveness::Liveness;
use crate::gc_report::{CollectOptions, Collected, GcStatus, Space};
use crate::limits::{GC_CANDIDATES_PER_PAGE, GC_REMOVALS_AT_ONCE};
use crate::record::{REMOVED, Record as _, Timestamp};
use crate::registry::run_detached;
use crate::{Error, Registry, Result, key};

/// A candidate that is due, as it was while its key had `version`.
struct Candidate {
    digest: Digest,
    since: Timestamp,
    version: Version,
    liveness: Liveness,
}

impl Registry {
    /// One round: everything that has been garbage for the grace time is removed. `progress` is called now and then.
    ///
    /// An error ends the round and keeps what it had not come to; the next round goes on. Dropping the future does the
    /// same. The first round on a store of an older format records what its manifests reference.
    pub async fn collect(
        &self,
        options: CollectOptions,
        progress: impl Fn(Collected) + Send,
    ) -> Result<Collected> {
        let started = Instant::now();
        if !options.dry_run {
            self.migrate().await?;
            self.lift_abandoned_marks().await?;
        }
        let mut collected = Collected::default();
        if options.sweep {
            self.sweep(options.dry_run, &mut collected, &progress).await?;
        }
        self.collect_candidates(options.dry_run, &mut collected, &progress).await?;
        collected.repositories = self.collect_repositories(options.dry_run).await?;
        progress(collected);
        let counters = &self.0.gc;
        counters.oldest_candidate_seconds.store(collected.oldest.as_secs(), Ordering::Relaxed);
        counters.waiting.store(collected.waiting, Ordering::Relaxed);
        let took = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        counters.duration_milliseconds.store(took, Ordering::Relaxed);
        Ok(collected)
    }

    /// What the collector did since the start.
    pub fn gc_status(&self) -> GcStatus {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let space = |[blobs, bytes]: &[AtomicU64; 2]| Space { blobs: read(blobs), bytes: read(bytes) };
        let counters = &self.0.gc;
        GcStatus {
            reclaimed_blobs: read(&counters.reclaimed_blobs),
            reclaimed_bytes: read(&counters.reclaimed_bytes),
            oldest_candidate_seconds: read(&counters.oldest_candidate_seconds),
            waiting: read(&counters.waiting),
            duration_milliseconds: read(&counters.duration_milliseconds),
            owned: space(&counters.owned),
            unowned: space(&counters.unowned),
        }
    }

    /// The grace time, in nanoseconds.
    pub(crate) fn grace(&self) -> u64 {
        u64::try_from(self.0.settings.gc_grace.as_nanos()).unwrap_or(u64::MAX)
    }

    async fn collect_candidates(
        &self,
        dry_run: bool,
        collected: &mut Collected,
        progress: &(impl Fn(Collected) + Send),
    ) -> Result<()> {
        let mut after: Option<Bytes> = None;
        loop {
            let started = Instant::now();
            let page = self.scan(key::GC_CANDIDATES, after.as_deref(), GC_CANDIDATES_PER_PAGE).await?;
            let is_last = page.len() < GC_CANDIDATES_PER_PAGE;
            after = page.last().map(|entry| entry.key.clone());
            let mut due = Vec::new();
            for entry in page {
                let digest = key::digest_after(&entry.key, key::GC_CANDIDATES);
                match (digest, crate::record::present::<Timestamp>(entry.value)) {
                    (Some(digest), Ok(Some(since))) => {
                        let age = self.now().0.saturating_sub(since.0);
                        collected.oldest = collected.oldest.max(Duration::from_nanos(age));
                        if age >= self.grace() { due.push(digest) } else { collected.waiting += 1 }
                    }
                    (_, Ok(None)) => {}
                    _ => collected.skipped += 1,
                }
            }
            let examined = due.len() as u64;
            let done = if dry_run { self.count_dead(due).await? } else { self.collect_page(due).await? };
            collected.examined += examined;
            collected.add(done);
            progress(*collected);
            if is_last {
                return Ok(());
            }
            self.pace(examined, started).await;
        }
    }

    /// Keeps the collector within its rate.
    async fn pace(&self, examined: u64, started: Instant) {
        let rate = self.0.settings.gc_rate;
        if rate > 0 {
            let allowed = Duration::from_nanos(examined.saturating_mul(1_000_000_000) / u64::from(rate));
            tokio::time::sleep(allowed.saturating_sub(started.elapsed())).await;
        }
        tokio::task::yield_now().await;
    }

    /// Ends the candidacy of what is needed, and removes the rest.
    async fn collect_page(&self, due: Vec<Digest>) -> Result<Collected> {
        let (mut needed, mut removals, mut collected) = (Vec::new(), JoinSet::new(), Collected::default());
        for digest in due {
            match self.examine(&digest).await {
                Ok(None) => {}
                Ok(Some(candidate)) if candidate.liveness.is_all_needed() => needed.push(candidate),
                Ok(Some(candidate)) => {
                    // Concurrent, so that they share their commits.
                    if removals.len() >= GC_REMOVALS_AT_ONCE
                        && let Some(removed) = removals.join_next().await
                    {
                        collected.add(removed.map_err(|_| Error::Stopping)??);
                    }
                    let registry = self.clone();
                    // Detached: once a removal has begun it comes to its end, whatever becomes of this round.
                    removals.spawn(run_detached(async move { registry.remove(candidate).await }));
                }
                Err(Error::Corrupt { what }) => {
                    tracing::error!(target: "angos::registry", %digest, what, "damaged record: its blob is kept");
                    collected.skipped += 1;
                }
                Err(error) => return Err(error),
            }
        }
        self.end_candidacy(needed).await?;
        while let Some(removed) = removals.join_next().await {
            collected.add(removed.map_err(|_| Error::Stopping)??);
        }
        Ok(collected)
    }

    /// A candidate and its owners; the key is read first. `None` if it is no longer due.
    async fn examine(&self, digest: &Digest) -> Result<Option<Candidate>> {
        let found = self.versioned::<Timestamp>(&key::gc_candidate(digest)).await?;
        let Some((since, version)) = found else { return Ok(None) };
        if self.now().0.saturating_sub(since.0) < self.grace() {
            return Ok(None);
        }
        let liveness = self.liveness(digest).await?;
        Ok(Some(Candidate { digest: *digest, since, version, liveness }))
    }

    /// Removes candidate keys that were not written since they were read; others stay for the next round.
    async fn end_candidacy(&self, candidates: Vec<Candidate>) -> Result<()> {
        let end = |batch: Batch, candidate: &Candidate| {
            let key = key::gc_candidate(&candidate.digest);
            batch.replace(key.clone(), candidate.version, REMOVED).delete(key)
        };
        let together = candidates.iter().fold(Batch::new(), end);
        match self.apply(together).await {
            Err(Error::Storage(angos_storage::Error::Conflict { .. })) => {}
            outcome => return outcome,
        }
        for candidate in &candidates {
            match self.apply(end(Batch::new(), candidate)).await {
                Ok(()) | Err(Error::Storage(angos_storage::Error::Conflict { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What a round would remove.
    async fn count_dead(&self, due: Vec<Digest>) -> Result<Collected> {
        let mut collected = Collected::default();
        for digest in due {
            let liveness = match self.liveness(&digest).await {
                Err(Error::Corrupt { .. }) => {
                    collected.skipped += 1;
                    continue;
                }
                liveness => liveness?,
            };
            collected.ownerships += liveness.unneeded.len() as u64;
            if !liveness.has_owner()
                && let Some(size) = self.0.storage.blobs.stat(&digest).await?
            {
                collected.blobs += 1;
                collected.bytes += size;
            }
        }
        Ok(collected)
    }

    fn count_reclaimed(&self, size: u64) {
        self.0.gc.reclaimed_blobs.fetch_add(1, Ordering::Relaxed);
        self.0.gc.reclaimed_bytes.fetch_add(size, Ordering::Relaxed);
    }

    /// Makes a digest a candidate, unless it is one.
    async fn make_candidate(&self, digest: &Digest) -> Result<()> {
        let batch = Batch::new().create(key::gc_candidate(digest), self.now().encode());
        match self.apply(batch).await {
            Err(Error::Storage(angos_storage::Error::Conflict { .. })) => Ok(()),
            outcome => outcome,
        }
    }
}
