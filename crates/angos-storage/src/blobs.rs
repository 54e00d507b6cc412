//! Content by digest, and the sessions through which it arrives.

use std::{
    ops::Range,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::SystemTime,
};

use angos_oci::{Algorithm, Digest};

use crate::{BlobReader, Error, Health, SessionId, Writer};

/// A boxed future, so that the stores can be trait objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Blobs, named by the digest of their content.
///
/// **Guarantee:** a digest is visible only with exactly its content, whole, at every moment and after every
/// crash. What [`commit`](Self::commit) acknowledged survives what the engine's settings promise (power loss
/// by default), and so does what [`Writer::finish`] acknowledged. A session ends by [`abort`](Self::abort) alone.
///
/// Dropping a future leaves the session as it was before or after the call. Methods need a tokio runtime.
pub trait BlobStore: Send + Sync + 'static {
    /// The size of a blob in bytes, if it is there.
    fn stat<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, Result<Option<u64>, Error>>;

    /// A reader over a blob, or over a part of it (`start <= end <= size`, else [`Error::OutOfRange`]).
    fn read<'a>(
        &'a self,
        digest: &'a Digest,
        range: Option<Range<u64>>,
    ) -> BoxFuture<'a, Result<Option<BlobReader>, Error>>;

    /// Begins a session. The digest will be computed with this algorithm while the content arrives.
    fn begin(&self, algorithm: Algorithm) -> BoxFuture<'_, Result<SessionId, Error>>;

    /// A writer without a session, for content that arrives in one request: nothing of it outlives the
    /// writer but through [`Writer::commit`].
    fn stage(&self, algorithm: Algorithm) -> BoxFuture<'_, Result<Writer, Error>>;

    /// How far a session is acknowledged, if it exists.
    fn progress<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<Option<Progress>, Error>>;

    /// Opens the session for writing at `offset`, which must be where it ends
    /// ([`Error::OffsetMismatch`]). One writer at a time ([`Error::SessionBusy`]).
    fn append<'a>(&'a self, session: &'a SessionId, offset: u64) -> BoxFuture<'a, Result<Writer, Error>>;

    /// Publishes the content of a session under its digest and returns the size. The session stays, and may commit
    /// again: [`abort`](Self::abort) it when the blob is recorded, so that a crash in between loses nothing.
    ///
    /// A digest of another algorithm than the session's makes the engine read the content again. A blob that is
    /// already there is replaced at once and as a whole, so a damaged one is whole afterwards. After an error the
    /// session is as it was acknowledged.
    fn commit<'a>(&'a self, session: &'a SessionId, digest: &'a Digest) -> BoxFuture<'a, Result<u64, Error>>;

    /// Ends a session and drops its content, but not what was published of it; `false` if there was none.
    fn abort<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<bool, Error>>;

    /// Up to `limit` sessions greater than `after`, in order, with the time of their last append.
    fn sessions<'a>(
        &'a self,
        after: Option<&'a SessionId>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(SessionId, SystemTime)>, Error>>;

    /// Removes a blob; `false` if there was none. Readers that are open read on.
    fn delete<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, Result<bool, Error>>;

    /// Asks others to keep blobs that they would remove, for as long as the returned value lives. A backup needs it: the
    /// metadata it copied first names them. An engine without it returns a value without effect.
    fn pause_deletions(&self) -> DeletionPause {
        DeletionPause::default()
    }

    /// Whether blobs should be kept now. [`delete`](Self::delete) does not ask.
    fn are_deletions_paused(&self) -> bool {
        false
    }

    /// Up to `limit` blobs greater than `after`, in order, with their sizes.
    fn scan<'a>(
        &'a self,
        after: Option<&'a Digest>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(Digest, u64)>, Error>>;

    /// The file that holds a blob if it is there, for an engine that keeps a blob as a file. It must not be written to.
    fn file(&self, _: &Digest) -> Option<PathBuf> {
        None
    }

    /// As [`MetadataStore::health`](crate::MetadataStore::health).
    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(std::future::ready(Health::IN_MEMORY))
    }
}

/// How far an upload has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The bytes that are acknowledged; the next append starts here.
    pub offset: u64,
    /// The algorithm the session computes.
    pub algorithm: Algorithm,
}

/// Keeps deletions paused until it is dropped. See [`BlobStore::pause_deletions`].
#[derive(Debug, Default)]
pub struct DeletionPause(Option<Arc<AtomicUsize>>);

impl DeletionPause {
    /// For engines: counts the pauses that live.
    pub fn new(pauses: &Arc<AtomicUsize>) -> DeletionPause {
        pauses.fetch_add(1, Ordering::SeqCst);
        DeletionPause(Some(Arc::clone(pauses)))
    }
}

impl Drop for DeletionPause {
    fn drop(&mut self) {
        if let Some(pauses) = &self.0 {
            pauses.fetch_sub(1, Ordering::SeqCst);
        }
    }
}
