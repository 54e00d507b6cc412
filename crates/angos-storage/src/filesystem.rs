//! Blobs as files.
//!
//! ```text
//! blobs.lock                    held while the store is open; where it is, the folder is
//! store.id                      which store the blobs belong to; the metadata has the same
//! blobs/sha256/ab/abcd…         published: whole, checked, durable
//! uploads/<id>.sha256           the content of a session
//! uploads/<id>.state            how much of it is acknowledged, and the hash so far
//! staging/…                     files of one request without a session; emptied at start
//! ```
//!
//! Content gets its name in `blobs` by one link or rename, after it is checked and synced, so a digest names whole
//! content at every moment. A session that outlives its request is a named file, and stays one until it is aborted:
//! published, it is the blob under two names. Content of a single request has no name at all (`O_TMPFILE`) where the
//! system can do that.

mod append;
mod content;
mod directories;
mod disk;
mod health;
mod identity;
mod lease;
mod listing;
mod names;
mod pool;
mod publish;
mod read;
mod record;
mod sessions;
#[cfg(test)]
mod tests;

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::SystemTime,
};

use angos_oci::{Algorithm, Digest};

use self::{
    append::Append,
    content::Content,
    directories::Directories,
    disk::{Cached, Disk},
    identity::FolderContents,
    lease::Leases,
    pool::Pool,
};
use crate::{BlobReader, BlobStore, BoxFuture, DeletionPause, Error, Health, Progress, SessionId, Writer};

/// Blobs as files in one folder.
///
/// **Guarantee:** see [`BlobStore`]. With `sync`, a commit returns after the content (`fdatasync`) and its
/// name (a sync of its folder, shared by concurrent commits) are on the disk, and an acknowledgement of a session
/// returns after its bytes and its record are (one `fdatasync` each). After another boot of the machine the content
/// of a session is read again before it is trusted.
///
/// Opening does not look at the blobs. One process may have a folder open ([`Error::Locked`]).
pub struct FilesystemBlobs {
    store: Arc<Store>,
}

/// What all sessions and readers share.
struct Store {
    disk: Disk,
    directories: Directories,
    pool: Arc<Pool>,
    /// Sessions that a writer holds.
    leases: Arc<Leases>,
    /// Bytes taken over from writers and not yet written.
    buffered: Arc<AtomicUsize>,
    /// Pauses of deletions that live.
    pauses: Arc<AtomicUsize>,
    /// Names this boot of the machine; what an earlier boot wrote without sync is not trusted.
    boot: [u8; 16],
}

impl FilesystemBlobs {
    /// Opens a folder, which is created when missing.
    pub fn open(root_dir: &Path, sync: bool) -> Result<FilesystemBlobs, Error> {
        let store = Store {
            disk: Disk::open(root_dir, sync)?,
            directories: Directories::default(),
            pool: Arc::default(),
            leases: Arc::default(),
            buffered: Arc::default(),
            pauses: Arc::default(),
            boot: record::boot(),
        };
        Ok(FilesystemBlobs { store: Arc::new(store) })
    }

    /// Gives a blob of another store a name here: `Some(true)` when it has one, `Some(false)` when there is no such
    /// file, `None` when no file of that place can be linked.
    pub(crate) async fn link_blob_from(&self, file: PathBuf, digest: Digest) -> Result<Option<bool>, Error> {
        self.blocking(move |store| store.link_blob_from(&file, &digest)).await
    }

    /// What a folder holds before it is opened.
    pub(crate) fn folder_contents(root_dir: &Path) -> Result<FolderContents, Error> {
        Disk::folder_contents(root_dir)
    }

    /// The id of the store, if it has one.
    pub(crate) fn store_id(&self) -> Result<Option<u64>, Error> {
        self.store.disk.store_id()
    }

    /// Gives the blobs the id of their store.
    pub(crate) fn set_store_id(&self, id: u64) -> Result<(), Error> {
        self.store.disk.set_store_id(id)
    }

    /// Runs an action on a thread that may block.
    async fn blocking<T: Send + 'static>(
        &self,
        action: impl FnOnce(&Arc<Store>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let store = Arc::clone(&self.store);
        blocking(move || action(&store)).await
    }
}

/// Runs an action on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    action: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(action).await.unwrap_or(Err(Error::Closed))
}

impl BlobStore for FilesystemBlobs {
    fn stat<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, Result<Option<u64>, Error>> {
        // On the calling thread, since every HEAD asks: one system call, where a hop to another thread takes about ten.
        // It waits for the disk only when the system does not have the attributes in memory.
        Box::pin(async move { self.store.disk.size(&disk::blob_path(digest)) })
    }

    fn read<'a>(
        &'a self,
        digest: &'a Digest,
        range: Option<Range<u64>>,
    ) -> BoxFuture<'a, Result<Option<BlobReader>, Error>> {
        Box::pin(async move {
            let file = match self.store.open_cached(digest) {
                Cached::Here(file) => Some(file),
                Cached::Missing => None,
                Cached::Unknown => {
                    let digest = *digest;
                    self.blocking(move |store| store.disk.open_blob(&digest)).await?
                }
            };
            file.map(|file| self.store.reader(file, digest, range)).transpose()
        })
    }

    fn begin(&self, algorithm: Algorithm) -> BoxFuture<'_, Result<SessionId, Error>> {
        Box::pin(self.blocking(move |store| store.begin(algorithm)))
    }

    fn stage(&self, algorithm: Algorithm) -> BoxFuture<'_, Result<Writer, Error>> {
        let content = Content::staged(&self.store, algorithm);
        Box::pin(std::future::ready(Ok(Writer::new(Append::new(&self.store, content)))))
    }

    fn progress<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<Option<Progress>, Error>> {
        let session = *session;
        Box::pin(self.blocking(move |store| store.progress(session)))
    }

    fn append<'a>(&'a self, session: &'a SessionId, offset: u64) -> BoxFuture<'a, Result<Writer, Error>> {
        let session = *session;
        Box::pin(async move {
            let content = self
                .blocking(move |store| {
                    let content = store.resume(session)?;
                    match content.length() {
                        expected if expected != offset => Err(Error::OffsetMismatch { expected }),
                        _ => Ok(content),
                    }
                })
                .await?;
            Ok(Writer::new(Append::new(&self.store, content)))
        })
    }

    fn commit<'a>(&'a self, session: &'a SessionId, digest: &'a Digest) -> BoxFuture<'a, Result<u64, Error>> {
        let (session, digest) = (*session, *digest);
        Box::pin(self.blocking(move |store| store.resume(session)?.publish(&digest)))
    }

    fn abort<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<bool, Error>> {
        let session = *session;
        Box::pin(self.blocking(move |store| store.abort(session)))
    }

    fn sessions<'a>(
        &'a self,
        after: Option<&'a SessionId>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(SessionId, SystemTime)>, Error>> {
        let after = after.copied();
        Box::pin(self.blocking(move |store| store.disk.sessions(after, limit)))
    }

    fn delete<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, Result<bool, Error>> {
        let digest = *digest;
        Box::pin(self.blocking(move |store| store.disk.remove(&disk::blob_path(&digest))))
    }

    fn pause_deletions(&self) -> DeletionPause {
        DeletionPause::new(&self.store.pauses)
    }

    fn are_deletions_paused(&self) -> bool {
        self.store.pauses.load(Ordering::SeqCst) > 0
    }

    fn scan<'a>(
        &'a self,
        after: Option<&'a Digest>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(Digest, u64)>, Error>> {
        let after = after.copied();
        Box::pin(self.blocking(move |store| store.disk.scan(after, limit)))
    }

    fn file(&self, digest: &Digest) -> Option<PathBuf> {
        Some(self.store.disk.full(&disk::blob_path(digest)))
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        let look = self.blocking(|store| Ok(store.disk.health()));
        Box::pin(
            async move { look.await.unwrap_or_else(|error| Health { space: None, outcome: Err(error) }) },
        )
    }
}
