//! The two bodies of a request: what the client sends, with a deadline on standing still, and what it is sent.

use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use angos_registry::{BlobReader, Body as RegistryBody, BodyError};
use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{EXPECT, HeaderMap};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout, timeout_at};

use crate::connection::{Connection, InFlight};
use crate::limits::{COLLECTED_FREE_BYTES, LINGER};
use crate::recheck::Recheck;

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
        let progress = connection.shared.settings.timeouts.body_progress;
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
    /// All bodies that are being collected share [`COLLECTED_BYTES`](crate::limits::COLLECTED_BYTES); [`COLLECTED_FREE_BYTES`] of each do not count, so
    /// that a client that fills the rest keeps nobody from sending what most bodies are.
    pub(crate) async fn collect(&mut self, limit: usize) -> Result<Collected, NotCollected> {
        let announced = self.announced().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        if announced.is_some_and(|length| length > limit) {
            return Err(NotCollected::TooLarge);
        }
        let room = Arc::clone(&self.connection.shared.collected_bytes);
        let mut collected = Collected { bytes: Bytes::new(), room: None };
        // The announcement is within the limit, and memory is taken only as bytes arrive.
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.next().await.transpose()? {
            let length = whole.len() + chunk.len();
            if length > limit {
                return Err(NotCollected::TooLarge);
            }
            if whole.is_empty() && announced == Some(chunk.len()) {
                collected.bytes = chunk;
                return Ok(collected);
            }
            let counted = length.saturating_sub(COLLECTED_FREE_BYTES.max(whole.len()));
            if counted > 0 {
                let counted = u32::try_from(counted).map_err(|_| NotCollected::TooLarge)?;
                let more = Arc::clone(&room).try_acquire_many_owned(counted);
                let more = more.map_err(|_| NotCollected::NoRoom)?;
                match &mut collected.room {
                    Some(held) => held.merge(more),
                    none => *none = Some(more),
                }
            }
            whole.extend_from_slice(&chunk);
        }
        collected.bytes = whole.freeze();
        Ok(collected)
    }
}

/// A whole body, and its share of the memory for such, until dropped.
#[derive(Debug)]
pub(crate) struct Collected {
    pub(crate) bytes: Bytes,
    room: Option<OwnedSemaphorePermit>,
}

/// Why there is no whole body.
#[derive(Debug)]
pub(crate) enum NotCollected {
    /// It is longer than allowed.
    TooLarge,
    /// Too many large ones are on their way.
    NoRoom,
    /// It did not arrive.
    Body(BodyError),
}

impl From<BodyError> for NotCollected {
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
                connection.shared.metrics.received_bytes.inc_by(data.len() as u64);
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

/// The body of a response. Holds the request's place among those in flight until the client has taken it all.
#[derive(Debug)]
pub(crate) struct ResponseBody {
    content: Content,
    in_flight: Option<InFlight>,
}

#[derive(Debug)]
enum Content {
    Empty,
    Whole(Bytes),
    Blob { reader: BlobReader, remaining: u64, recheck: Option<Arc<Recheck>> },
}

/// A blob could not be read to its end. The connection is cut, so that the client cannot take a part for the whole.
#[derive(Debug, thiserror::Error)]
#[error("the content ended early")]
pub(crate) struct ReadFailed(#[source] Option<Box<dyn StdError + Send + Sync>>);

impl ResponseBody {
    pub(crate) fn empty() -> Self {
        Self { content: Content::Empty, in_flight: None }
    }

    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self {
            content: if bytes.is_empty() { Content::Empty } else { Content::Whole(bytes) },
            in_flight: None,
        }
    }

    /// A blob; `recheck` is asked before each piece whether the client may have it.
    pub(crate) fn blob(reader: BlobReader, recheck: Option<Arc<Recheck>>) -> Self {
        let range = reader.range();
        let remaining = range.end.saturating_sub(range.start);
        Self {
            content: if remaining == 0 {
                Content::Empty
            } else {
                Content::Blob { reader, remaining, recheck }
            },
            in_flight: None,
        }
    }

    /// How many bytes are still to come.
    pub(crate) fn length(&self) -> u64 {
        match &self.content {
            Content::Empty => 0,
            Content::Whole(bytes) => bytes.len() as u64,
            Content::Blob { remaining, .. } => *remaining,
        }
    }

    /// Ties the request to this body: it ends when the body was sent or dropped.
    pub(crate) fn attach(&mut self, mut in_flight: InFlight) {
        // However short: over HTTP/2 nothing of it is sent until the client opens a window for it.
        if !matches!(self.content, Content::Empty) {
            in_flight.streams();
        }
        self.in_flight = Some(in_flight);
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = ReadFailed;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReadFailed>>> {
        let this = self.get_mut();
        let is_blob = matches!(this.content, Content::Blob { .. });
        let chunk = match &mut this.content {
            Content::Empty => return Poll::Ready(None),
            Content::Whole(bytes) => Ok(std::mem::take(bytes)),
            Content::Blob { recheck: Some(recheck), .. } if !recheck.check() => {
                this.content = Content::Empty;
                return Poll::Ready(Some(Err(ReadFailed(None))));
            }
            Content::Blob { reader, remaining, .. } => match ready!(reader.poll_next(cx)) {
                Some(Ok(chunk)) => {
                    *remaining = remaining.saturating_sub(chunk.len() as u64);
                    Ok(chunk)
                }
                Some(Err(error)) => Err(ReadFailed(Some(error.into()))),
                None => Err(ReadFailed(None)),
            },
        };
        if !matches!(&this.content, Content::Blob { remaining, .. } if *remaining > 0) {
            this.content = Content::Empty;
        }
        if let Some(in_flight) = &this.in_flight {
            match &chunk {
                Ok(chunk) => in_flight.sent(chunk.len(), is_blob),
                Err(error) => in_flight.failed(error),
            }
        }
        Poll::Ready(Some(chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.content, Content::Empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length())
    }
}
