//! The stream into a blob.

use std::fmt;

use angos_oci::Digest;
use bytes::Bytes;

use crate::{BoxFuture, Error, Progress};

/// One append to an upload.
///
/// Bytes are hashed and written as they come, with back pressure. Nothing counts until
/// [`finish`](Self::finish) or [`commit`](Self::commit) returned `Ok`: a writer that is dropped before, or
/// that failed, leaves the session where it was, free for the next writer.
pub struct Writer {
    sink: Box<dyn Sink>,
}

/// For engines: what a [`Writer`] writes into.
pub trait Sink: Send {
    /// See [`Writer::write`].
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), Error>>;

    /// See [`Writer::finish`].
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Progress, Error>>;

    /// See [`Writer::commit`].
    fn commit(self: Box<Self>, digest: Digest) -> BoxFuture<'static, Result<u64, Error>>;
}

impl Writer {
    /// For engines: a writer into `sink`.
    pub fn new(sink: impl Sink + 'static) -> Writer {
        Writer { sink: Box::new(sink) }
    }

    /// Takes bytes over. Waits while the disk is behind.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.sink.write(bytes).await
    }

    /// Acknowledges everything written: the session continues from here, also after a restart, and with `sync` after
    /// a power loss.
    /// For a writer without a session ([`BlobStore::stage`](crate::BlobStore::stage)) this drops the content.
    pub async fn finish(self) -> Result<Progress, Error> {
        self.sink.finish().await
    }

    /// Publishes the content under its digest, as [`BlobStore::commit`](crate::BlobStore::commit) does, at
    /// less cost than `finish` before it. The session stays where it was acknowledged before this writer, whether
    /// this succeeds or not.
    pub async fn commit(self, digest: &Digest) -> Result<u64, Error> {
        self.sink.commit(*digest).await
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}
