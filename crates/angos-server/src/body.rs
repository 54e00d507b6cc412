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
use tokio::time::{Instant, timeout, timeout_at};

use crate::connection::{Connection, InFlight};
use crate::limits::LINGER;

/// The body of a request.
#[derive(Debug)]
pub(crate) struct RequestBody {
    incoming: Incoming,
    progress: Duration,
    connection: Arc<Connection>,
    /// Whether nothing is left of it.
    ended: bool,
}

impl RequestBody {
    pub(crate) fn new(incoming: Incoming, connection: &Arc<Connection>) -> Self {
        let progress = connection.shared.settings.timeouts.body_progress;
        Self { incoming, progress, connection: Arc::clone(connection), ended: false }
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

    /// The whole body, or `None` as soon as it is known to be longer than `limit`.
    pub(crate) async fn collect(&mut self, limit: usize) -> Result<Option<Bytes>, BodyError> {
        let announced = self.announced().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        if announced.is_some_and(|length| length > limit) {
            return Ok(None);
        }
        let Some(first) = self.next().await.transpose()? else { return Ok(Some(Bytes::new())) };
        if announced == Some(first.len()) {
            return Ok(Some(first));
        }
        // The announcement is within the limit, and memory is taken only as bytes arrive.
        let mut whole = BytesMut::from(first);
        while whole.len() <= limit {
            match self.next().await.transpose()? {
                Some(chunk) => whole.extend_from_slice(&chunk),
                None => return Ok(Some(whole.freeze())),
            }
        }
        Ok(None)
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
                    return None;
                }
                Err(_) => return Some(Err(BodyError::Timeout)),
            };
            if let Ok(data) = frame.into_data()
                && !data.is_empty()
            {
                let connection = &self.connection;
                connection.activity.moved();
                connection.shared.metrics.received_bytes.inc_by(data.len() as u64);
                return Some(Ok(data));
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

fn reason(error: &hyper::Error) -> BodyError {
    if error.is_parse() || error.is_user() { BodyError::Malformed } else { BodyError::Disconnected }
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
    Blob { reader: BlobReader, remaining: u64 },
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

    pub(crate) fn blob(reader: BlobReader) -> Self {
        let range = reader.range();
        let remaining = range.end.saturating_sub(range.start);
        Self {
            content: if remaining == 0 { Content::Empty } else { Content::Blob { reader, remaining } },
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
        if matches!(self.content, Content::Blob { .. }) {
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
        let chunk = match &mut this.content {
            Content::Empty => return Poll::Ready(None),
            Content::Whole(bytes) => Ok(std::mem::take(bytes)),
            Content::Blob { reader, remaining } => match ready!(reader.poll_next(cx)) {
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
                Ok(chunk) => in_flight.sent(chunk.len()),
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
