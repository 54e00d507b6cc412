//! The body of a request, with a deadline on standing still.

use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use angos_registry::{Body as RegistryBody, BodyError};
use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{EXPECT, HeaderMap};
use tokio::time::{Instant, timeout, timeout_at};

use crate::authorize::recheck::Recheck;
use crate::connection::body_memory::{ConnectionMemory, Lease};
use crate::connection::context::Connection;
use crate::limits::{BODY_BUFFER_FREE_BYTES, BODY_BUFFER_INITIAL_BYTES, BODY_BUFFER_WEIGHT, LINGER};

/// The body of a request.
#[derive(Debug)]
pub(crate) struct RequestBody {
    incoming: Incoming,
    progress: Duration,
    connection: Arc<Connection>,
    /// Whether nothing is left of it.
    ended: bool,
    /// For a body whose request changes something.
    recheck: Option<Arc<Recheck>>,
}

impl RequestBody {
    pub(crate) fn new(incoming: Incoming, connection: &Arc<Connection>) -> Self {
        let progress = connection.server.settings.timeouts.body_progress;
        Self { incoming, progress, connection: Arc::clone(connection), ended: false, recheck: None }
    }

    /// From now on the body ends with [`BodyError::NotApproved`] when its request is no longer allowed.
    pub(crate) fn decide_again(&mut self, recheck: Option<&Arc<Recheck>>) {
        self.recheck = recheck.cloned();
    }

    fn is_allowed(&self) -> bool {
        self.recheck.as_ref().is_none_or(|recheck| recheck.check())
    }

    /// Reads on for [`LINGER`] what nobody wanted, while the response is on its way: many a client looks at a response
    /// only when it has sent its request, and takes an earlier end for a broken connection.
    ///
    /// A client that waits for `100 Continue` has sent nothing, and must not be asked to now.
    pub(crate) fn discard(mut self, headers: &HeaderMap) {
        if self.ended || self.incoming.is_end_stream() || headers.contains_key(EXPECT) {
            return;
        }
        tokio::spawn(timeout(LINGER, async move {
            while let Some(Ok(_)) = next_frame(&mut self.incoming).await {}
        }));
    }

    /// The length the client announced; none when it streams.
    pub(crate) fn announced(&self) -> Option<u64> {
        self.incoming.size_hint().exact()
    }

    /// The whole body, as soon as it is known to be not longer than `limit`.
    ///
    /// The first [`BODY_BUFFER_FREE_BYTES`] do not count against the budget, so that small bodies, which most are, pass while
    /// another client fills it. Each byte after them counts [`BODY_BUFFER_WEIGHT`] times: parsing needs memory as well.
    pub(crate) async fn buffer(&mut self, limit: usize) -> Result<BufferedBody, BufferError> {
        let announced = self.announced().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        if announced.is_some_and(|length| length > limit) {
            return Err(BufferError::TooLarge);
        }
        let account = Arc::clone(&self.connection.memory);
        let mut collected = BufferedBody { bytes: Bytes::new(), lease: None };
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.next().await.transpose()? {
            let length = whole.len() + chunk.len();
            if length > limit {
                return Err(BufferError::TooLarge);
            }
            let counted = length.saturating_sub(BODY_BUFFER_FREE_BYTES).saturating_mul(BODY_BUFFER_WEIGHT);
            if !collected.is_within(counted, &account) {
                return Err(BufferError::NoRoom);
            }
            if whole.is_empty() && announced == Some(chunk.len()) {
                collected.bytes = chunk;
                return Ok(collected);
            }
            // All at once, so that it is not copied again and again. The system gives memory as bytes arrive.
            if length > whole.capacity() && length > BODY_BUFFER_INITIAL_BYTES {
                whole.reserve(announced.unwrap_or(limit).max(length) - whole.len());
            }
            whole.extend_from_slice(&chunk);
        }
        collected.bytes = whole.freeze();
        Ok(collected)
    }
}

/// A whole body, and its place in the budget until dropped.
#[derive(Debug)]
pub(crate) struct BufferedBody {
    pub(crate) bytes: Bytes,
    lease: Option<Lease>,
}

impl BufferedBody {
    /// Whether there is room for `counted` bytes, which it has then.
    fn is_within(&mut self, counted: usize, account: &Arc<ConnectionMemory>) -> bool {
        match &mut self.lease {
            _ if counted == 0 => true,
            Some(lease) => lease.grow(counted),
            none => {
                *none = account.take(counted);
                none.is_some()
            }
        }
    }
}

/// Why there is no whole body.
#[derive(Debug)]
pub(crate) enum BufferError {
    /// It is longer than allowed.
    TooLarge,
    /// Too many large ones are on their way.
    NoRoom,
    /// It did not arrive.
    Body(BodyError),
}

impl From<BodyError> for BufferError {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

impl RegistryBody for RequestBody {
    /// Frames without data (empty ones, trailers) are not progress.
    async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        let deadline = Instant::now() + self.progress;
        loop {
            let frame = match timeout_at(deadline, next_frame(&mut self.incoming)).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => return Some(Err(reason(&error))),
                Ok(None) => {
                    self.ended = true;
                    return (!self.is_allowed()).then_some(Err(BodyError::NotApproved));
                }
                Err(_) => return Some(Err(BodyError::Timeout)),
            };
            if let Ok(data) = frame.into_data()
                && !data.is_empty()
            {
                let connection = &self.connection;
                connection.activity.moved();
                connection.server.metrics.received_bytes.inc_by(data.len() as u64);
                return Some(if self.is_allowed() { Ok(data) } else { Err(BodyError::NotApproved) });
            }
        }
    }
}

/// Operations borrow the body, so that a refusal can still see what is left of it.
impl RegistryBody for &mut RequestBody {
    async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        RegistryBody::next(&mut **self).await
    }
}

async fn next_frame(incoming: &mut Incoming) -> Option<hyper::Result<Frame<Bytes>>> {
    std::future::poll_fn(|cx| Pin::new(&mut *incoming).poll_frame(cx)).await
}

/// hyper tells a body whose framing is wrong from one that ended early by the I/O error inside of its own.
fn reason(error: &hyper::Error) -> BodyError {
    use std::io::ErrorKind::{InvalidData, InvalidInput};
    let inner = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    let is_malformed = inner.is_some_and(|inner| matches!(inner.kind(), InvalidData | InvalidInput));
    if is_malformed || error.is_parse() { BodyError::Malformed } else { BodyError::Disconnected }
}
