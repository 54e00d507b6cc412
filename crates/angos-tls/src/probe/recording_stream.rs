//! A byte stream that remembers how what it received begins, and ends when it received too much.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::limits;

/// What came over the wire, as it came.
#[derive(Clone, Debug, Default)]
pub(super) struct Received {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    greeting: Vec<u8>,
    bytes: usize,
}

impl Received {
    /// The first bytes, at most [`limits::PROBE_GREETING_BYTES`].
    pub(super) fn greeting(&self) -> Vec<u8> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).greeting.clone()
    }

    /// Whether more came than is read.
    pub(super) fn is_too_much(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).bytes > limits::PROBE_READ_MAX_BYTES
    }

    fn note(&self, bytes: &[u8]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let room = limits::PROBE_GREETING_BYTES.saturating_sub(state.greeting.len());
        state.greeting.extend(bytes.iter().take(room));
        state.bytes = state.bytes.saturating_add(bytes.len());
    }
}

/// The stream, tapped.
#[derive(Debug)]
pub(super) struct RecordingStream<S> {
    stream: S,
    received: Received,
}

impl<S> RecordingStream<S> {
    pub(super) fn new(stream: S, received: Received) -> Self {
        Self { stream, received }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for RecordingStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        self.received.note(buffer.filled().get(before..).unwrap_or_default());
        if self.received.is_too_much() {
            return Poll::Ready(Err(io::Error::other("the server sends too much")));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for RecordingStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
