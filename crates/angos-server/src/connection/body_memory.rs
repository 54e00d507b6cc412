//! The memory that bodies take: one budget for the bytes the server holds for its clients, and no connection has it all.
//!
//! Each response may hold [`BODY_BUFFER_FREE_BYTES`] beside it. What is longer takes its place in the budget before it takes memory;
//! what finds none is sent in pieces of that size, one after the other ([`Reserve`]), or refused. So a client that takes
//! nothing makes others slower and neither refused nor, beyond `max_requests` times that, the process larger.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};

use crate::limits::{CONNECTION_SHARE, CONNECTION_SHARE_MIN_BYTES};

/// The budget of a server.
#[derive(Debug)]
pub(crate) struct BodyMemory {
    bytes: usize,
    share: usize,
    taken: AtomicUsize,
}

impl BodyMemory {
    pub(crate) fn new(bytes: usize) -> Self {
        let share = (bytes / CONNECTION_SHARE).max(CONNECTION_SHARE_MIN_BYTES).min(bytes);
        Self { bytes, share, taken: AtomicUsize::new(0) }
    }

    /// How much of it is taken.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

/// What one connection takes of it.
#[derive(Debug)]
pub(crate) struct ConnectionMemory {
    memory: Arc<BodyMemory>,
    taken: AtomicUsize,
}

impl ConnectionMemory {
    pub(crate) fn new(memory: &Arc<BodyMemory>) -> Arc<Self> {
        Arc::new(Self { memory: Arc::clone(memory), taken: AtomicUsize::new(0) })
    }

    /// Room for `bytes` bytes, if the budget and the connection's share of it have as much left.
    pub(crate) fn take(self: &Arc<Self>, bytes: usize) -> Option<Lease> {
        let mut lease = Lease { account: Arc::clone(self), bytes: 0 };
        lease.grow(bytes).then_some(lease)
    }
}

/// Room in the budget, given back when dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    account: Arc<ConnectionMemory>,
    bytes: usize,
}

impl Lease {
    /// Makes it room for `bytes` bytes in all; false if there are not as many left, and then nothing has changed.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let ConnectionMemory { memory, taken } = &*self.account;
        if !add(taken, more, memory.share) {
            return false;
        }
        if !add(&memory.taken, more, memory.bytes) {
            taken.fetch_sub(more, Ordering::Relaxed);
            return false;
        }
        self.bytes += more;
        true
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.account.taken.fetch_sub(self.bytes, Ordering::Relaxed);
        self.account.memory.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

fn add(taken: &AtomicUsize, more: usize, bound: usize) -> bool {
    let within = |taken: usize| taken.checked_add(more).filter(|sum| *sum <= bound);
    taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within).is_ok()
}

/// The one piece that a response may have on its way outside of the budget.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reserve(Arc<Mutex<ReservedPiece>>);

#[derive(Debug, Default)]
struct ReservedPiece {
    is_taken: bool,
    waiting: Option<Waker>,
}

impl Reserve {
    /// Ready when the piece before has left.
    pub(crate) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Reserved> {
        let mut place = self.place();
        if place.is_taken {
            place.waiting = Some(cx.waker().clone());
            return Poll::Pending;
        }
        place.is_taken = true;
        Poll::Ready(Reserved(self.clone()))
    }

    fn place(&self) -> MutexGuard<'_, ReservedPiece> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of that piece, free again when dropped.
#[derive(Debug)]
pub(crate) struct Reserved(Reserve);

impl Drop for Reserved {
    fn drop(&mut self) {
        let waiting = {
            let mut place = self.0.place();
            place.is_taken = false;
            place.waiting.take()
        };
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}

/// Why a piece of a response may be in memory.
#[derive(Debug)]
#[expect(dead_code, reason = "what it has is kept until it is dropped")]
pub(crate) enum Held {
    /// It is short, or shared with others.
    Free,
    /// It has its place in the budget.
    Lease(Lease),
    /// It is the one piece beside the budget.
    Reserve(Reserved),
}

/// A piece of a response on its way to the client. It keeps its place until the last of it has left, wherever it waits.
#[derive(Debug)]
pub(crate) struct Chunk {
    bytes: Bytes,
    _held: Held,
}

impl Chunk {
    pub(crate) fn new(bytes: Bytes, held: Held) -> Self {
        Self { bytes, _held: held }
    }
}

impl Buf for Chunk {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[test]
    fn nobody_takes_more_than_is_there() {
        let memory = Arc::new(BodyMemory::new(8 * CONNECTION_SHARE_MIN_BYTES));
        let share = CONNECTION_SHARE_MIN_BYTES;
        let accounts: Vec<_> = (0..9).map(|_| ConnectionMemory::new(&memory)).collect();
        let first = accounts[0].take(share).expect("its share");
        assert!(accounts[0].take(1).is_none(), "no more than its share");
        let mut leases: Vec<_> = accounts[1..8].iter().map(|account| account.take(share)).collect();
        assert!(leases.iter().all(Option::is_some));
        assert_eq!(memory.taken(), 8 * share);
        assert!(accounts[8].take(1).is_none(), "all is taken");
        drop(first);
        let mut small = accounts[8].take(share - 1).expect("what the first one had");
        assert!(!small.grow(share + 1), "no more than its share");
        assert_eq!(memory.taken(), 8 * share - 1, "nothing has changed");
        assert!(small.grow(10) && small.grow(share));
        leases.clear();
        assert_eq!(memory.taken(), share);
        drop(small);
        assert_eq!(memory.taken(), 0);
    }

    #[test]
    fn a_small_budget_may_go_to_one_connection() {
        let memory = Arc::new(BodyMemory::new(1000));
        assert!(ConnectionMemory::new(&memory).take(1000).is_some());
    }

    #[tokio::test]
    async fn one_piece_waits_for_the_other() {
        let reserve = Reserve::default();
        let take = || std::future::poll_fn(|cx| reserve.poll_take(cx));
        let first = Chunk::new(Bytes::from_static(b"ab"), Held::Reserve(take().await));
        let mut second = pin!(take());
        assert!(now(second.as_mut()).await.is_none(), "the first is on its way");
        let (second, ()) = tokio::join!(second, async { drop(first) });
        drop(second);
        take().await;
    }

    /// What is ready at once.
    async fn now<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
        std::future::poll_fn(|cx| match std::pin::Pin::new(&mut future).poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }
}
