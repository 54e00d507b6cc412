//! A look at every blob of the store, for those that nothing needs and that are no candidates: a process ended between the
//! bytes and their record, a manifest was damaged when it was deleted, or the store is of an older format.

use std::sync::atomic::Ordering;
use std::time::Instant;

use angos_oci::Digest;
use angos_storage::Batch;

use crate::gc_report::{Collected, Space};
use crate::limits::{GC_SWEEP_PAGE, GC_SWEEP_YIELD};
use crate::record::{Record as _, SweepPosition, Timestamp};
use crate::{Error, Registry, Result, key};

impl Registry {
    /// Makes every blob that nothing needs a candidate. Goes on where a sweep that was cut short had come to.
    pub(super) async fn sweep(
        &self,
        dry_run: bool,
        collected: &mut Collected,
        progress: &(impl Fn(Collected) + Send),
    ) -> Result<()> {
        let mut after = if dry_run { None } else { self.sweep_position().await? };
        let is_whole = after.is_none();
        let (mut owned, mut unowned) = (Space::default(), Space::default());
        loop {
            let started = Instant::now();
            let page = self.0.storage.blobs.scan(after.as_ref(), GC_SWEEP_PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(*last);
            let count = page.len() as u64;
            for (index, (digest, size)) in page.into_iter().enumerate() {
                collected.swept += 1;
                let liveness = match self.liveness(&digest).await {
                    Err(Error::Corrupt { what }) => {
                        tracing::error!(target: "angos::registry", %digest, what, "damaged record: its blob is kept");
                        collected.skipped += 1;
                        continue;
                    }
                    liveness => liveness?,
                };
                let space = if liveness.has_owner() { &mut owned } else { &mut unowned };
                space.blobs += 1;
                space.bytes = space.bytes.saturating_add(size);
                if !liveness.is_all_needed() && !dry_run {
                    self.make_candidate(&digest).await?;
                    for name in &liveness.unneeded {
                        self.0.cache.invalidate_blob(name, &digest);
                    }
                }
                if index.is_multiple_of(GC_SWEEP_YIELD) {
                    tokio::task::yield_now().await;
                }
            }
            if let (Some(position), false) = (&after, dry_run) {
                self.apply(Batch::new().put(key::SWEEP, SweepPosition(*position).encode())).await?;
            }
            progress(*collected);
            self.pace(count, started).await;
        }
        if !dry_run {
            self.apply(Batch::new().put(key::SWEPT, self.now().encode()).delete(key::SWEEP)).await?;
        }
        if is_whole {
            for (counters, space) in [(&self.0.gc.owned, owned), (&self.0.gc.unowned, unowned)] {
                let [blobs, bytes] = counters;
                blobs.store(space.blobs, Ordering::Relaxed);
                bytes.store(space.bytes, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Whether the last sweep was cut short, or ended longer ago than `gc_sweep_interval`.
    pub async fn is_sweep_due(&self) -> Result<bool> {
        if self.metadata().read(key::SWEEP).await?.is_some() {
            return Ok(true);
        }
        let swept: Option<Timestamp> = self.record(key::SWEPT).await?;
        let interval = u64::try_from(self.0.settings.gc_sweep_interval.as_nanos()).unwrap_or(u64::MAX);
        Ok(swept.is_none_or(|swept| self.now().0.saturating_sub(swept.0) >= interval))
    }

    async fn sweep_position(&self) -> Result<Option<Digest>> {
        let found = self.metadata().read(key::SWEEP).await?;
        // A position that cannot be read starts a new sweep.
        Ok(found.and_then(|found| SweepPosition::decode(found.value).ok()).map(|position| position.0))
    }
}
