//! What a request body is to this crate: chunks that arrive, or a reason why they stopped.
//!
//! The server implements [`Body`] over its HTTP body and its progress deadline; tests and embedders use the
//! implementation for `Option<Bytes>`.

use std::future::Future;

use bytes::Bytes;

/// Chunks of an upload, in order.
///
/// `None` means that the sender said it was done; a sender that vanished is an error, so that half a body is never
/// taken for a whole one. Dropping the future returned by [`Body::next`] must not lose a chunk.
pub trait Body: Send {
    /// The next chunk, `None` after the last one.
    fn next(&mut self) -> impl Future<Output = Option<Result<Bytes, BodyError>>> + Send;
}

/// Why a body ended before its sender finished it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// Nothing arrived within the deadline of the server.
    #[error("the body stalled past its deadline")]
    Timeout,
    /// The connection or the stream ended early.
    #[error("the connection ended inside the body")]
    Disconnected,
    /// The sender may no longer do what the body is for. What arrived is not kept.
    #[error("the request is no longer allowed")]
    NotApproved,
    /// The framing of the body was broken.
    #[error("the body was malformed")]
    Malformed,
}

/// A body that is already in memory, or no body.
impl Body for Option<Bytes> {
    async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        self.take().map(Ok)
    }
}
