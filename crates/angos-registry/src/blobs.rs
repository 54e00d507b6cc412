//! Blobs: readable where they are owned, shared as records and never as copies.

use angos_oci::{ByteRange, Digest, Name};
use angos_storage::{Batch, BlobReader};
use bytes::Bytes;

use crate::limits::OWNERS_PER_PAGE_MAX;
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

    /// The recorded size of a blob that this namespace owns; from memory where possible.
    async fn owned(&self, name: &Name, digest: &Digest) -> Result<u64> {
        let cache = &self.0.cache;
        if let Some(size) = cache.blob(name, digest) {
            return Ok(size);
        }
        let ticket = cache.ticket(name);
        let ownership: Option<Ownership> = self.record(&key::ownership(name, digest)).await?;
        let size = ownership.ok_or(Error::BlobUnknown)?.size;
        cache.keep_blob(&ticket, name, digest, size);
        Ok(size)
    }

    /// Ends the ownership of a blob by this namespace; others are untouched.
    ///
    /// The bytes are left to a collector, which looks for remaining owners itself: two last owners leaving at once
    /// could each still see the other.
    pub async fn delete_blob(&self, name: &Name, digest: &Digest) -> Result<()> {
        self.owned(name, digest).await?;
        let now = Timestamp(self.0.clock.nanoseconds()).encode();
        let batch = Batch::new()
            .delete(key::ownership(name, digest))
            .delete(key::owner(digest, name))
            .put(key::gc_candidate(digest), now);
        let (registry, name, digest) = (self.clone(), name.clone(), *digest);
        run_detached(async move {
            registry.approve(&[]).await?;
            let applied = registry.apply(batch).await;
            registry.0.cache.invalidate_blob(&name, &digest);
            applied
        })
        .await
    }

    /// Makes `name` an owner of a blob that `from` owns; `false` if `from` does not, or if its bytes are damaged.
    pub async fn mount_blob(&self, from: &Name, name: &Name, digest: &Digest) -> Result<bool> {
        let Some(source) = self.record::<Ownership>(&key::ownership(from, digest)).await? else {
            return Ok(false);
        };
        if !self.has_bytes(digest, source.size).await? {
            return Ok(false);
        }
        let batch = self.ownership_batch(name, digest, source.size).await?;
        self.approve(&[]).await?;
        self.apply(batch).await?;
        Ok(true)
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

    /// What records that `name` owns a blob whose bytes are there; nothing if it is recorded. The way back comes first:
    /// without it a collector could take bytes that are owned.
    pub(crate) async fn ownership_batch(&self, name: &Name, digest: &Digest, size: u64) -> Result<Batch> {
        let recorded = self.metadata().read(&key::ownership(name, digest)).await?;
        // A damaged record is written anew, as one that is missing.
        let recorded = recorded.and_then(|found| record::present::<Ownership>(found.value).ok().flatten());
        if recorded.is_some_and(|recorded| recorded.size == size) {
            return Ok(Batch::new());
        }
        let ownership = Ownership { size, time: self.0.clock.nanoseconds() };
        let batch = self.batch_in_repository(name).await?.put(key::owner(digest, name), Bytes::new());
        Ok(batch.put(key::ownership(name, digest), ownership.encode()))
    }

    pub(crate) async fn apply(&self, batch: Batch) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        Ok(self.metadata().apply(batch).await?)
    }
}
