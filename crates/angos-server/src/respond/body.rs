//! The body of a response: whole, a blob as it is read, or pieces as they are made.

use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use angos_registry::BlobReader;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use crate::authorize::recheck::Recheck;
use crate::connection::body_memory::{Chunk, ConnectionMemory, Held, Lease, Reserve};
use crate::connection::in_flight::InFlight;
use crate::limits::{BLOB_PIECE_BYTES, BODY_BUFFER_FREE_BYTES};
use crate::respond::pieces::Pieces;

/// The body of a response. Holds the request's place among those in flight until the client has taken it all.
#[derive(Debug)]
pub(crate) struct ResponseBody {
    content: Content,
    in_flight: Option<InFlight>,
}

#[derive(Debug)]
enum Content {
    Empty,
    Whole(Bytes, Held),
    Blob(Box<BlobContent>),
    Pieces(Box<Pieces>),
}

/// Content could not be read to its end. The connection is cut, so that the client cannot take a part for the whole.
#[derive(Debug, thiserror::Error)]
#[error("the content ended early")]
pub(crate) struct ReadFailed(#[source] Option<Box<dyn StdError + Send + Sync>>);

impl ResponseBody {
    pub(crate) fn empty() -> Self {
        Content::Empty.into()
    }

    /// Bytes that are few, or that others hold anyway.
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self::held(bytes, Held::Free)
    }

    /// Bytes that have their place in the budget.
    pub(crate) fn leased(bytes: Bytes, lease: Lease) -> Self {
        Self::held(bytes, Held::Lease(lease))
    }

    fn held(bytes: Bytes, held: Held) -> Self {
        if bytes.is_empty() { Content::Empty } else { Content::Whole(bytes, held) }.into()
    }

    /// A blob; `recheck` is asked before each piece whether the client may have it.
    pub(crate) fn blob(reader: BlobReader, recheck: Option<Arc<Recheck>>) -> Self {
        let range = reader.range();
        let remaining = range.end.saturating_sub(range.start);
        let blob = || Box::new(BlobContent { reader, remaining, recheck, held: None, reserve: None });
        if remaining == 0 { Content::Empty } else { Content::Blob(blob()) }.into()
    }

    pub(crate) fn pieces(pieces: Pieces) -> Self {
        Content::Pieces(Box::new(pieces)).into()
    }

    /// How many bytes are still to come, if that is known.
    pub(crate) fn length(&self) -> Option<u64> {
        match &self.content {
            Content::Empty => Some(0),
            Content::Whole(bytes, _) => Some(bytes.len() as u64),
            Content::Blob(blob) => Some(blob.remaining),
            Content::Pieces(pieces) => pieces.length(),
        }
    }

    /// Ties the request to this body: it ends when the body was sent or dropped.
    pub(crate) fn attach(&mut self, mut in_flight: InFlight) {
        // However short: over HTTP/2 nothing of it is sent until the client opens a window for it.
        if !matches!(self.content, Content::Empty) {
            in_flight.response_started();
        }
        self.in_flight = Some(in_flight);
    }
}

impl From<Content> for ResponseBody {
    fn from(content: Content) -> Self {
        Self { content, in_flight: None }
    }
}

impl Body for ResponseBody {
    type Data = Chunk;
    type Error = ReadFailed;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Chunk>, ReadFailed>>> {
        let this = self.get_mut();
        let is_slow = matches!(this.content, Content::Blob(_) | Content::Pieces(_));
        let (next, is_last) = match &mut this.content {
            Content::Empty => (None, true),
            Content::Whole(bytes, held) => {
                let held = std::mem::replace(held, Held::Free);
                (Some(Ok(Chunk::new(std::mem::take(bytes), held))), true)
            }
            Content::Blob(blob) if !blob.is_allowed() => {
                this.content = Content::Empty;
                return Poll::Ready(Some(Err(ReadFailed(None))));
            }
            Content::Blob(blob) => {
                let account = this.in_flight.as_ref().map(InFlight::memory);
                let next = ready!(blob.poll_next(cx, account));
                let is_last = blob.remaining == 0 || next.is_err();
                (Some(next), is_last)
            }
            Content::Pieces(pieces) => {
                let next = ready!(pieces.poll_next(cx));
                (next.map(|next| next.map_err(|error| ReadFailed(Some(error.into())))), pieces.is_done())
            }
        };
        if is_last {
            this.content = Content::Empty;
        }
        match (&this.in_flight, &next) {
            (Some(in_flight), Some(Ok(chunk))) => in_flight.sent(bytes::Buf::remaining(chunk), is_slow),
            (Some(in_flight), Some(Err(error))) => in_flight.failed(error),
            _ => {}
        }
        Poll::Ready(next.map(|next| next.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.content, Content::Empty)
    }

    fn size_hint(&self) -> SizeHint {
        self.length().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// A blob that is being sent.
#[derive(Debug)]
struct BlobContent {
    reader: BlobReader,
    remaining: u64,
    recheck: Option<Arc<Recheck>>,
    /// The place of the piece that is being read.
    held: Option<Held>,
    /// Made when the budget had no room.
    reserve: Option<Reserve>,
}

impl BlobContent {
    fn is_allowed(&self) -> bool {
        self.recheck.as_ref().is_none_or(|recheck| recheck.check())
    }

    /// The next piece: a long one where the budget has room for it, else a short one when the one before has left.
    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        account: Option<&Arc<ConnectionMemory>>,
    ) -> Poll<Result<Chunk, ReadFailed>> {
        if self.held.is_none() {
            let wanted = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(BLOB_PIECE_BYTES);
            self.held = Some(if wanted <= BODY_BUFFER_FREE_BYTES {
                Held::Free
            } else if let Some(lease) = account.and_then(|account| account.take(wanted)) {
                Held::Lease(lease)
            } else {
                Held::Reserve(ready!(self.reserve.get_or_insert_default().poll_take(cx)))
            });
        }
        let most =
            if matches!(self.held, Some(Held::Lease(_))) { BLOB_PIECE_BYTES } else { BODY_BUFFER_FREE_BYTES };
        let read = ready!(self.reader.poll_at_most(cx, most));
        let held = self.held.take().unwrap_or(Held::Free);
        Poll::Ready(match read {
            Some(Ok(bytes)) => {
                self.remaining = self.remaining.saturating_sub(bytes.len() as u64);
                Ok(Chunk::new(bytes, held))
            }
            Some(Err(error)) => Err(ReadFailed(Some(error.into()))),
            None => Err(ReadFailed(None)),
        })
    }
}
