//! A response that is made as the client takes it: it holds one piece, whatever its length and however long the client
//! waits.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use angos_oci::{Digest, Name, Reference};
use angos_registry::{Error, Registry};
use bytes::Bytes;

use crate::connection::body_memory::{Chunk, Held, Reserve, Reserved};
use crate::limits::BODY_BUFFER_FREE_BYTES;

/// Where the pieces come from.
pub(crate) trait Source: Send + 'static {
    /// The next piece, and where those after it come from; no source after the last.
    fn next(self: Box<Self>) -> Next;
}

/// A piece that is being made.
pub(crate) type Next = Pin<Box<dyn Future<Output = Result<(Bytes, Option<Box<dyn Source>>), Error>> + Send>>;

/// The pieces of one response.
pub(crate) struct Pieces {
    state: State,
    reserve: Reserve,
    held: Option<Reserved>,
    /// How many bytes are still to come, if that is known.
    length: Option<u64>,
}

enum State {
    /// The first piece was made to see whether it is the only one.
    Begun(Bytes, Box<dyn Source>),
    Idle(Box<dyn Source>),
    Busy(Next),
    Done,
}

impl Pieces {
    /// `first`, then what `source` yields; `length` bytes in all, if that is known.
    pub(crate) fn new(first: Bytes, source: Box<dyn Source>, length: Option<u64>) -> Self {
        Self { state: State::Begun(first, source), reserve: Reserve::default(), held: None, length }
    }

    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    /// The next piece, as soon as the one before has left; `None` after the last.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, Error>>> {
        loop {
            if matches!(self.state, State::Done) {
                return Poll::Ready(None);
            }
            if self.held.is_none() {
                self.held = Some(ready!(self.reserve.poll_take(cx)));
            }
            let piece = match std::mem::replace(&mut self.state, State::Done) {
                State::Begun(first, source) => {
                    self.state = State::Idle(source);
                    first
                }
                State::Idle(source) => {
                    self.state = State::Busy(source.next());
                    continue;
                }
                State::Busy(mut next) => match next.as_mut().poll(cx) {
                    Poll::Ready(Ok((piece, source))) => {
                        self.state = source.map_or(State::Done, State::Idle);
                        piece
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(error))),
                    Poll::Pending => {
                        self.state = State::Busy(next);
                        return Poll::Pending;
                    }
                },
                State::Done => return Poll::Ready(None),
            };
            if piece.is_empty() {
                continue;
            }
            self.length = self.length.map(|length| length.saturating_sub(piece.len() as u64));
            let held = self.held.take().map_or(Held::Free, Held::Reserve);
            return Poll::Ready(Some(Ok(Chunk::new(piece, held))));
        }
    }

    /// Whether nothing follows.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }
}

impl fmt::Debug for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pieces").field("length", &self.length).finish_non_exhaustive()
    }
}

/// A manifest for which there was no room, looked up anew for each piece.
pub(crate) struct ManifestPieces {
    pub(crate) registry: Registry,
    pub(crate) name: Name,
    pub(crate) digest: Digest,
    pub(crate) sent: usize,
}

impl Source for ManifestPieces {
    fn next(self: Box<Self>) -> Next {
        Box::pin(async move {
            let manifest = self.registry.manifest(&self.name, &Reference::Digest(self.digest)).await?;
            let bytes = manifest.bytes.unwrap_or_default();
            let (piece, end) = piece(&bytes, self.sent);
            let rest = (end < bytes.len()).then(|| Box::new(Self { sent: end, ..*self }) as Box<dyn Source>);
            Ok((piece, rest))
        })
    }
}

/// A copy of the piece that starts at `start`, which does not keep the rest in memory, and where it ends.
pub(crate) fn piece(bytes: &Bytes, start: usize) -> (Bytes, usize) {
    let end = start.saturating_add(BODY_BUFFER_FREE_BYTES).min(bytes.len());
    (Bytes::copy_from_slice(bytes.get(start..end).unwrap_or_default()), end)
}
