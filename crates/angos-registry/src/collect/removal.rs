//! Marking a digest, and removing what nothing needs of it.
//!
//! The order is: mark, look for publishers, wait for the fence, look again, remove ownerships, remove bytes, end the mark.
//! A process that dies in between leaves the mark, which the next one lifts: everything before is either done or not.

use std::time::Duration;

use angos_oci::Digest;
use angos_storage::Batch;
use bytes::Bytes;

use super::Candidate;
use super::liveness::Liveness;
use crate::commit::{Action, Change};
use crate::fence::Publishing;
use crate::gc_report::Collected;
use crate::limits::{
    COLLECTOR_CHECK_INTERVAL, COLLECTOR_TIMEOUT, GC_ABANDONED_AFTER, GC_CANDIDATES_PER_PAGE, GC_FENCE,
};
use crate::record::{REMOVED, Record as _, Timestamp};
use crate::{Error, Registry, Result, key};

impl Registry {
    /// Registers a publisher of a digest, after a collector that removes it is done.
    ///
    /// [`Error::Contended`] if the collector is not done within [`COLLECTOR_TIMEOUT`].
    pub(crate) async fn begin_publishing(&self, digest: &Digest) -> Result<Publishing> {
        let publishing = self.0.fence.publish(digest);
        self.wait_for_mark(digest).await?;
        Ok(publishing)
    }

    /// After a conflict on `key`: if it is the mark of a collector, waits until that is done.
    pub(crate) async fn wait_for_collector(&self, key: &[u8]) -> Result<()> {
        match key::digest_after(key, key::CONDEMNED) {
            Some(digest) => self.wait_for_mark(&digest).await,
            None => Ok(()),
        }
    }

    /// Waits until no collector removes a digest. Lifts the mark of a process that ended.
    pub(crate) async fn wait_for_mark(&self, digest: &Digest) -> Result<()> {
        let key = key::condemned(digest);
        let wait = async {
            while let Some(mark) = self.metadata().read(&key).await? {
                if self.is_abandoned(digest, &mark.value) {
                    let lift = Batch::new().replace(key.clone(), mark.version, REMOVED).delete(key.clone());
                    unless_conflict(self.apply(lift).await)?;
                } else {
                    tokio::time::sleep(COLLECTOR_CHECK_INTERVAL).await;
                }
            }
            Ok(())
        };
        tokio::time::timeout(COLLECTOR_TIMEOUT, wait).await.unwrap_or(Err(Error::Contended))
    }

    /// Whether the collector that made a mark is gone: it belonged to a process that ended.
    fn is_abandoned(&self, digest: &Digest, mark: &Bytes) -> bool {
        if self.0.fence.is_collecting(digest) {
            return false;
        }
        let since = Timestamp::decode(mark.clone()).map_or(0, |since| since.0);
        let age = Duration::from_nanos(self.now().0.saturating_sub(since));
        !self.metadata().guarantees().is_shared || age > GC_ABANDONED_AFTER
    }

    /// Lifts the marks that a process left when it ended.
    pub(super) async fn lift_abandoned_marks(&self) -> Result<()> {
        let mut after: Option<Bytes> = None;
        loop {
            let page = self.metadata().scan(key::CONDEMNED, after.as_deref(), GC_CANDIDATES_PER_PAGE).await?;
            for entry in &page {
                let digest = key::digest_after(&entry.key, key::CONDEMNED);
                let digest = digest.ok_or(Error::Corrupt { what: "mark of a collector" })?;
                if self.is_abandoned(&digest, &entry.value) {
                    self.make_candidate(&digest).await?;
                    self.wait_for_mark(&digest).await?;
                }
            }
            match page.last() {
                Some(last) if page.len() == GC_CANDIDATES_PER_PAGE => after = Some(last.key.clone()),
                _ => return Ok(()),
            }
        }
    }

    /// Removes what nothing needs of a candidate, unless something changed since it was examined.
    pub(super) async fn remove(&self, candidate: Candidate) -> Result<Collected> {
        let Candidate { digest, since, version, liveness } = candidate;
        let Some(_collecting) = self.0.fence.collect(&digest) else { return Ok(Collected::default()) };
        let (mark, candidate_key) = (key::condemned(&digest), key::gc_candidate(&digest));
        // Another value than any other writer writes, which tells whether the key was written since.
        let marked = Timestamp(since.0.saturating_sub(1));
        let batch = Batch::new().create(mark.clone(), self.now().encode()).replace(
            candidate_key.clone(),
            version,
            marked.encode(),
        );
        match self.apply(batch).await {
            Err(Error::Storage(angos_storage::Error::Conflict { key })) => {
                self.lift_half_applied(mark, &key).await?;
                return Ok(Collected::default());
            }
            outcome => outcome?,
        }
        let outcome = self.remove_marked(&digest, &liveness).await;
        let mut end = Batch::new();
        if let Ok((_, Rest::Nothing)) = &outcome
            && let Some((since, version)) = self.versioned::<Timestamp>(&candidate_key).await?
            && since == marked
        {
            end = end.replace(candidate_key.clone(), version, REMOVED).delete(candidate_key);
        }
        match self.apply(end.delete(mark.clone())).await {
            // It became a candidate again meanwhile.
            Err(Error::Storage(angos_storage::Error::Conflict { .. })) => {
                self.apply(Batch::new().delete(mark)).await?;
            }
            ended => ended?,
        }
        outcome.map(|(collected, _)| collected)
    }

    /// Removes what nothing needed when the candidate was examined, and nothing needs now. What lost its last reference
    /// since keeps its grace time.
    async fn remove_marked(&self, digest: &Digest, examined: &Liveness) -> Result<(Collected, Rest)> {
        if !self.metadata().guarantees().is_atomic {
            // A batch that looked for the mark before it was there may still be at work.
            tokio::time::sleep(GC_FENCE).await;
        }
        if self.0.fence.is_publishing(digest) {
            return Ok((Collected::default(), Rest::Something));
        }
        let found = self.liveness(digest).await?;
        let mut collected = Collected::default();
        for name in found.unneeded.iter().filter(|name| examined.unneeded.contains(name)) {
            let batch = self.without_owner(Batch::new(), name, digest);
            let change = Change::new(Action::Collect, name, Some(digest), batch);
            self.commit(Change { blobs: &[*digest], ..change }).await?;
            collected.ownerships += 1;
        }
        if examined.has_more || found.has_more || collected.ownerships < found.unneeded.len() as u64 {
            return Ok((collected, Rest::Something));
        }
        if !examined.is_needed && !found.is_needed {
            // A backup that began later copies metadata that does not name the blob any more.
            if self.0.storage.blobs.are_deletions_paused() {
                return Ok((collected, Rest::Something));
            }
            self.remove_bytes(digest, &mut collected).await?;
        }
        Ok((collected, Rest::Nothing))
    }

    /// After a conflict on `key`: lifts the mark that was created before it, where batches are not atomic.
    pub(crate) async fn lift_half_applied(&self, mark: Vec<u8>, key: &[u8]) -> Result<()> {
        if self.metadata().guarantees().is_atomic || key == mark {
            return Ok(());
        }
        self.apply(Batch::new().delete(mark)).await
    }

    async fn remove_bytes(&self, digest: &Digest, collected: &mut Collected) -> Result<()> {
        let blobs = &self.0.storage.blobs;
        // Something that is no blob counts as 0 bytes.
        let size = match blobs.stat(digest).await {
            Err(angos_storage::Error::Corrupt(_)) => Some(0),
            found => found?,
        };
        if blobs.delete(digest).await? {
            let size = size.unwrap_or(0);
            collected.blobs += 1;
            collected.bytes += size;
            self.count_reclaimed(size);
        }
        Ok(())
    }
}

/// Whether a digest needs another look.
enum Rest {
    Nothing,
    Something,
}

fn unless_conflict(outcome: Result<()>) -> Result<()> {
    match outcome {
        Err(Error::Storage(angos_storage::Error::Conflict { .. })) => Ok(()),
        outcome => outcome,
    }
}
