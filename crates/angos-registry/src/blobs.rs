//! Blobs: readable where they are owned, shared as records and never as copies.

use angos_oci::{ByteRange, Digest, Name};
use angos_storage::{Batch, BlobReader};
use bytes::Bytes;

use crate::cache::OwnedBlob;
use crate::commit::{Action, Change};
use crate::limits::{ATTEMPTS_MAX, COLLECTOR_CHECK_INTERVAL, GC_FENCE, OWNERS_PER_PAGE_MAX};
use crate::record::{self, Ownership, Record as _, Timestamp};
use crate::registry::run_detached;
use crate::{Error, Registry, Result, key};

impl Registry {
    /// The size of a blob that this namespace owns, and whose bytes are there in this number.
    ///
    /// Each call looks at the bytes: one that are gone or have another length is [`Error::BlobUnknown`], so that its
    /// client pushes it again.
    pub async fn blob(&self, name: &Name, digest: &Digest) -> Result<u64> {
        let size = self.owned(name, digest).await?;
        if self.has_bytes(digest, size).await? { Ok(size) } else { Err(Error::BlobUnknown) }
    }

    /// The same as an answer.
    pub(crate) async fn has_blob(&self, name: &Name, digest: &Digest) -> Result<bool> {
        match self.blob(name, digest).await {
            Ok(_) => Ok(true),
            Err(Error::BlobUnknown) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A stream over a blob that this namespace owns, or over a range of it.
    ///
    /// The reader knows the size of the whole and the range it yields. A range without a single existing byte is
    /// [`Error::RangeNotSatisfiable`].
    pub async fn read_blob(
        &self,
        name: &Name,
        digest: &Digest,
        range: Option<ByteRange>,
    ) -> Result<BlobReader> {
        let size = self.owned(name, digest).await?;
        let range = match range {
            None => None,
            Some(range) => Some(range.resolve(size).ok_or(Error::RangeNotSatisfiable { size })?),
        };
        let found = self.0.storage.blobs.read(digest, range).await;
        self.intact(digest, size, found)?.ok_or(Error::BlobUnknown)
    }

    /// The recorded size of a blob that this repository owns; from memory where possible.
    ///
    /// The answer holds for the grace time of the collector at least: a client that finds a blob and does not push it
    /// again has that long to push the manifest that references it.
    async fn owned(&self, name: &Name, digest: &Digest) -> Result<u64> {
        let cache = &self.0.cache;
        if let Some(blob) = cache.blob(name, digest)
            && (blob.safe_until == u64::MAX || blob.safe_until > self.0.clock.nanoseconds())
        {
            return Ok(blob.size);
        }
        let ticket = cache.ticket(name);
        let ownership: Option<Ownership> = self.record(&key::ownership(name, digest)).await?;
        let size = ownership.ok_or(Error::BlobUnknown)?.size;
        let safe_until = self.keep_from_collector(name, digest).await?;
        cache.keep_blob(&ticket, name, digest, OwnedBlob { size, safe_until });
        Ok(size)
    }

    /// Until when an owned blob cannot be collected. One that no manifest references, and that could be collected soon,
    /// starts its grace time again.
    async fn keep_from_collector(&self, name: &Name, digest: &Digest) -> Result<u64> {
        let half = self.grace() / 2;
        let candidate: Option<Timestamp> = self.record(&key::gc_candidate(digest)).await?;
        let Some(Timestamp(since)) = candidate else { return Ok(u64::MAX) };
        let (now, safe_until) = (self.now(), since.saturating_add(half));
        if safe_until > now.0 {
            return Ok(safe_until);
        }
        if self.is_referenced(name, digest).await? {
            return Ok(u64::MAX);
        }
        let batch = Batch::new()
            .put(key::gc_candidate(digest), now.encode())
            .require_absent(key::condemned(digest))
            .require_present(key::ownership(name, digest));
        match self.commit(Change::new(Action::Collect, name, Some(digest), batch)).await {
            Ok(()) => Ok(now.0.saturating_add(half)),
            Err(angos_storage::Error::Conflict { .. }) => Err(Error::BlobUnknown),
            Err(error) => {
                // A full disk must not keep anybody from reading.
                tracing::debug!(target: "angos::registry", %digest, %error, "cannot extend the grace time of a blob");
                Ok(0)
            }
        }
    }

    /// Ends the ownership of a blob by this repository; others are untouched. A blob that a manifest of the repository
    /// references stays ([`Error::BlobReferenced`]).
    ///
    /// The bytes are left to the collector, which looks for remaining owners itself: two last owners leaving at once
    /// could each still see the other.
    pub async fn delete_blob(&self, name: &Name, digest: &Digest) -> Result<()> {
        self.owned(name, digest).await?;
        let (registry, name, digest) = (self.clone(), name.clone(), *digest);
        run_detached(async move { registry.end_ownership(&name, &digest).await }).await
    }

    async fn end_ownership(&self, name: &Name, digest: &Digest) -> Result<()> {
        for _ in 0..ATTEMPTS_MAX {
            self.wait_for_mark(digest).await?;
            // This is the collector of the blob for as long as the batch takes.
            let Some(_collecting) = self.0.fence.collect(digest) else {
                tokio::time::sleep(COLLECTOR_CHECK_INTERVAL).await;
                continue;
            };
            let candidate_key = key::gc_candidate(digest);
            let candidate = self.metadata().read(&candidate_key).await?;
            if self.is_referenced(name, digest).await? {
                return Err(Error::BlobReferenced);
            }
            self.approve(&[]).await?;
            // A push of a manifest writes the candidate key before it adds a reference, so it meets a conflict, or this
            // does. While the mark is there no push adds a reference.
            let (mark, now) = (key::condemned(digest), self.now().encode());
            let mut batch = Batch::new().create(mark.clone(), now.clone());
            batch = match candidate {
                Some(found) => batch.replace(candidate_key, found.version, now),
                None => batch.create(candidate_key, now),
            };
            let is_atomic = self.metadata().guarantees().is_atomic;
            if is_atomic {
                batch = self.without_owner(batch, name, digest).delete(mark.clone());
            }
            let change = Change::new(Action::DeleteBlob, name, Some(digest), batch);
            match self.commit(Change { blobs: &[*digest], ..change }).await {
                Ok(()) if is_atomic => return Ok(()),
                Ok(()) => {}
                Err(angos_storage::Error::Conflict { key }) => {
                    self.lift_half_applied(mark, &key).await?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            return self.end_marked_ownership(name, digest).await;
        }
        Err(Error::Contended)
    }

    /// The rest of a deletion, on an engine whose batches are not atomic.
    async fn end_marked_ownership(&self, name: &Name, digest: &Digest) -> Result<()> {
        // A batch that looked for the mark before it was there may still be at work.
        tokio::time::sleep(GC_FENCE).await;
        let mark = key::condemned(digest);
        if self.is_referenced(name, digest).await? {
            self.apply(Batch::new().delete(mark)).await?;
            return Err(Error::BlobReferenced);
        }
        let batch = self.without_owner(Batch::new(), name, digest).delete(mark);
        let change = Change::new(Action::DeleteBlob, name, Some(digest), batch);
        Ok(self.commit(Change { blobs: &[*digest], ..change }).await?)
    }

    /// Adds the removal of an owner.
    pub(crate) fn without_owner(&self, batch: Batch, name: &Name, digest: &Digest) -> Batch {
        let batch = batch.put(key::emptied(name), self.now().encode());
        batch.delete(key::ownership(name, digest)).delete(key::owner(digest, name))
    }

    /// Makes `name` an owner of a blob that `from` owns; `false` if `from` does not, or if its bytes are damaged.
    pub async fn mount_blob(&self, from: &Name, name: &Name, digest: &Digest) -> Result<bool> {
        let source_key = key::ownership(from, digest);
        let Some(source) = self.record::<Ownership>(&source_key).await? else {
            return Ok(false);
        };
        if !self.has_bytes(digest, source.size).await? {
            return Ok(false);
        }
        self.approve(&[]).await?;
        let batch = self.ownership_batch(name, digest, source.size, Some(source_key)).await?;
        match self.commit(Change::new(Action::MountBlob, name, Some(digest), batch)).await {
            // The source lost it, or it is being collected: the client pushes it.
            Err(angos_storage::Error::Conflict { .. }) => Ok(false),
            outcome => Ok(outcome.map(|()| true)?),
        }
    }

    /// Up to `limit` (at most [`OWNERS_PER_PAGE_MAX`]) namespaces after `after`, in order, that may own a blob.
    ///
    /// An owner may be listed that owns the blob no more; [`Registry::blob`] tells for sure.
    pub async fn blob_owners(
        &self,
        digest: &Digest,
        after: Option<&Name>,
        limit: usize,
    ) -> Result<Vec<Name>> {
        let prefix = key::owners(digest);
        let after = after.map(|name| key::owner(digest, name));
        let limit = limit.min(OWNERS_PER_PAGE_MAX);
        let page = self.metadata().scan(&prefix, after.as_deref(), limit).await?;
        let name = |key: &[u8]| key::text_after(key, &prefix);
        page.iter().map(|entry| name(&entry.key).ok_or(Error::Corrupt { what: "owner" })).collect()
    }

    /// The batch that records `name` as an owner of a blob whose bytes are there. It is empty if that is recorded and a
    /// manifest references the blob, which keeps it from being collected.
    ///
    /// The candidate key comes first, and starts the grace time; the entry from blob to owner comes before the ownership:
    /// without it a collector could take bytes that are owned. `source`: the key of an ownership that has to be there.
    pub(crate) async fn ownership_batch(
        &self,
        name: &Name,
        digest: &Digest,
        size: u64,
        source: Option<Vec<u8>>,
    ) -> Result<Batch> {
        let recorded = self.metadata().read(&key::ownership(name, digest)).await?;
        // A damaged record is written again, as one that is missing.
        let recorded = recorded.and_then(|found| record::present::<Ownership>(found.value).ok().flatten());
        let is_recorded = recorded.is_some_and(|recorded| recorded.size == size);
        if is_recorded && self.is_referenced(name, digest).await? {
            return Ok(Batch::new());
        }
        let now = self.now();
        let ownership = Ownership { size, time: now.0 };
        let batch = self.batch_in_repository(name).await?;
        let batch = batch.put(key::gc_candidate(digest), now.encode()).require_absent(key::condemned(digest));
        let batch = source.into_iter().fold(batch, Batch::require_present);
        Ok(batch
            .put(key::owner(digest, name), Bytes::new())
            .put(key::ownership(name, digest), ownership.encode()))
    }

    /// Makes bytes that no record owns a candidate for collection.
    pub(crate) async fn leave_to_collector(&self, digest: &Digest) -> Result<()> {
        self.apply(Batch::new().put(key::gc_candidate(digest), self.now().encode())).await
    }

    pub(crate) async fn apply(&self, batch: Batch) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        Ok(self.metadata().apply(batch).await?)
    }
}
