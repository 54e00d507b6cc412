//! Metadata in one redb file.
//!
//! Reads run on the calling thread against the last commit. All changes go through one thread, which takes
//! whatever is waiting into one transaction, so that concurrent batches share their syncs.

mod commit;
mod database;
mod file;
mod snapshot;
#[cfg(test)]
mod tests;

use std::{
    ops::Bound,
    path::{Path, PathBuf},
    sync::Arc,
    thread::{Builder, JoinHandle},
};

use bytes::Bytes;
use redb::{ReadableDatabase, TableDefinition};
use tokio::sync::{mpsc, oneshot};

use self::{commit::Request, database::Shared, snapshot::RedbSnapshot};
use crate::limits::{BATCH_MAX_BYTES, BATCH_QUEUE_MAX, INLINE_SCAN_MAX, KEY_MAX_BYTES, METADATA_PROBE_BYTES};
use crate::{Batch, BoxFuture, Entry, Error, Health, MetadataStore, Snapshot, Version, Versioned};

/// Key → version (8 bytes) and value.
const ENTRIES: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("entries");

/// Metadata in one redb file.
///
/// **Guarantee:** a batch is applied whole or not at all, also across a crash or (with `sync`) a power loss.
/// An error other than [`Error::Conflict`] leaves open which of the two; the store goes on once the cause is
/// gone. Opening takes the same time whatever the file holds and however the last process ended.
///
/// Limits: keys of 4 KiB, batches of 64 MiB.
pub struct RedbMetadata {
    shared: Arc<Shared>,
    queue: Option<mpsc::Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

impl RedbMetadata {
    /// Opens `metadata.redb` in a folder; both are created when missing.
    pub fn open(root_dir: &Path, cache_bytes: usize, sync: bool) -> Result<RedbMetadata, Error> {
        let shared = Arc::new(Shared::open(root_dir, cache_bytes, sync)?);
        let (queue, waiting) = mpsc::channel(BATCH_QUEUE_MAX);
        let worker = Arc::clone(&shared);
        let thread = Builder::new()
            .name("angos-metadata".into())
            .spawn(move || commit::run(&worker, waiting))
            .map_err(|error| Error::from_io("start a thread for", shared.path(), error))?;
        Ok(RedbMetadata { shared, queue: Some(queue), thread: Some(thread) })
    }

    /// The file in a folder of metadata.
    pub(crate) fn file(root_dir: &Path) -> PathBuf {
        root_dir.join(database::FILE)
    }

    /// Gives the store an id: that of its blobs, or a new one.
    pub(crate) fn make_store_id(&self, of_blobs: Option<u64>) -> Result<u64, Error> {
        let fresh = |error| Error::from_io("read", "random generator", error);
        let id = of_blobs.map_or_else(database::new_store_id, Ok).map_err(fresh)?;
        self.shared.set_store_id(id).map(|()| id)
    }

    /// Whether anything was ever recorded.
    pub(crate) fn has_entries(&self) -> Result<bool, Error> {
        self.shared.has_entries()
    }
}

impl RedbMetadata {
    /// Whether a folder has such a file.
    pub(crate) fn is_in(root_dir: &Path) -> bool {
        RedbMetadata::file(root_dir).exists()
    }
}

impl Shared {
    fn get(&self, key: &[u8]) -> Result<Option<Versioned>, Error> {
        self.read(|database| {
            let table = database.begin_read()?.open_table(ENTRIES)?;
            Ok(table.get(key)?.map(|stored| decode(stored.value())))
        })?
        .transpose()
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Entry>, Error> {
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        self.read(|database| {
            let table = database.begin_read()?.open_table(ENTRIES)?;
            let mut entries = Vec::new();
            for item in table.range::<&[u8]>((start, Bound::Unbounded))?.take(limit) {
                let (key, stored) = item?;
                if !key.value().starts_with(prefix) {
                    break;
                }
                entries.push((Bytes::copy_from_slice(key.value()), decode(stored.value())));
            }
            Ok(entries)
        })?
        .into_iter()
        .map(|(key, stored)| Ok(Entry { key, value: stored?.value }))
        .collect()
    }
}

/// Splits a stored entry into version and value.
fn decode(stored: &[u8]) -> Result<Versioned, Error> {
    let (version, value) = stored
        .split_first_chunk::<8>()
        .ok_or_else(|| Error::Corrupt("a metadata entry is shorter than its version".into()))?;
    let version = Version::from_number(u64::from_le_bytes(*version));
    Ok(Versioned { value: Bytes::copy_from_slice(value), version })
}

impl RedbMetadata {
    /// Writes as much as a large record takes, under a key that no record has, and deletes it again: a full disk may
    /// still have room for small commits.
    async fn try_write(&self) -> Result<(), Error> {
        static RECORD: [u8; METADATA_PROBE_BYTES] = [0; METADATA_PROBE_BYTES];
        self.apply(Batch::new().put(Bytes::new(), Bytes::from_static(&RECORD))).await?;
        self.apply(Batch::new().delete(Bytes::new())).await
    }
}

impl MetadataStore for RedbMetadata {
    fn read<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Versioned>, Error>> {
        Box::pin(async move { self.shared.get(key) })
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a [u8],
        after: Option<&'a [u8]>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Entry>, Error>> {
        Box::pin(async move {
            if limit <= INLINE_SCAN_MAX {
                return self.shared.scan(prefix, after, limit);
            }
            let (shared, prefix, after) =
                (Arc::clone(&self.shared), prefix.to_vec(), after.map(<[u8]>::to_vec));
            let scan = move || shared.scan(&prefix, after.as_deref(), limit);
            tokio::task::spawn_blocking(scan).await.unwrap_or(Err(Error::Closed))
        })
    }

    fn apply(&self, batch: Batch) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            if batch.is_empty() {
                return Ok(());
            }
            check_size(&batch)?;
            let (reply, answer) = oneshot::channel();
            let queue = self.queue.as_ref().ok_or(Error::Closed)?;
            queue.send(Request { batch, reply }).await.map_err(|_| Error::Closed)?;
            answer.await.unwrap_or(Err(Error::Closed))
        })
    }

    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>, Error>> {
        Box::pin(async move {
            let snapshot = RedbSnapshot::take(&self.shared)?;
            Ok(Box::new(snapshot) as Box<dyn Snapshot>)
        })
    }

    fn store_id(&self) -> Result<Option<u64>, Error> {
        self.shared.store_id()
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(async move {
            let shared = Arc::clone(&self.shared);
            let look = move || (shared.backend().space(), shared.location().check());
            let (space, mut outcome) =
                tokio::task::spawn_blocking(look).await.unwrap_or((None, Err(Error::Closed)));
            if outcome.is_ok() && self.shared.is_failing() {
                outcome = self.try_write().await;
                self.shared.set_failing(outcome.is_err());
            }
            Health { space, outcome }
        })
    }

    fn ended(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // The thread holds the receiver, and drops it when it panics, too.
            if let Some(queue) = &self.queue {
                queue.closed().await;
            }
        })
    }
}

/// Refuses what is too large to be a record.
fn check_size(batch: &Batch) -> Result<(), Error> {
    if batch.operations().iter().any(|operation| operation.key().len() > KEY_MAX_BYTES) {
        return Err(Error::TooLarge { what: "a metadata key", limit: KEY_MAX_BYTES });
    }
    if batch.weight() > BATCH_MAX_BYTES {
        return Err(Error::TooLarge { what: "a metadata batch", limit: BATCH_MAX_BYTES });
    }
    Ok(())
}

impl Drop for RedbMetadata {
    /// Waits for the batches under way, so that the file is closed and free afterwards.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
