//! Who waits for a password to be checked, and in which order: callers take turns.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use angos_identity::limits::CERTIFICATE_RESERVE;
use angos_identity::{CallerKey, admits};
use tokio::sync::oneshot;

/// A queue for a few places.
///
/// Guarantee: a caller that joins waits for one check of each other caller that is waiting, besides its own earlier ones
/// and those already running, however many the others send. At most so many wait as were given, shared out by
/// [`admits`], with a part for holders of certificates.
#[derive(Debug)]
pub(crate) struct Queue {
    most: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: usize,
    waiting: u64,
    joined: u64,
    /// The callers that wait, in the order of their turns.
    turns: VecDeque<CallerKey>,
    lines: HashMap<CallerKey, VecDeque<(u64, oneshot::Sender<()>)>>,
}

/// Too many are waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// A place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn(Arc<Queue>);

impl Queue {
    /// So many places, and room for so many that wait for one.
    pub(crate) fn new(places: usize, waiting: usize) -> Arc<Self> {
        let most = u32::try_from(waiting).unwrap_or(u32::MAX).into();
        let state =
            State { free: places, waiting: 0, joined: 0, turns: VecDeque::new(), lines: HashMap::new() };
        Arc::new(Self { most, state: Mutex::new(state) })
    }

    /// Waits for a place. Cancel safe: dropping the future leaves the queue.
    pub(crate) async fn turn(self: &Arc<Self>, caller: CallerKey) -> Result<Turn, Full> {
        let Some((number, receiver)) = self.join(caller)? else { return Ok(Turn(Arc::clone(self))) };
        let mut waiting = Waiting { queue: self, caller, number, receiver, has_turn: false };
        // The sender is dropped only by the queue, which we hold.
        let _ = (&mut waiting.receiver).await;
        waiting.has_turn = true;
        Ok(Turn(Arc::clone(self)))
    }

    /// A place in line; none if there is a free place.
    fn join(&self, caller: CallerKey) -> Result<Option<(u64, oneshot::Receiver<()>)>, Full> {
        let mut state = self.state();
        if state.free > 0 {
            state.free -= 1;
            return Ok(None);
        }
        let reserve = if caller.is_certificate() { 0 } else { self.most / CERTIFICATE_RESERVE };
        let held = state.lines.get(&caller).map_or(0, VecDeque::len) as u64;
        let free = self.most.saturating_sub(state.waiting).saturating_sub(reserve);
        if !admits(held, free, self.most) {
            return Err(Full);
        }
        let (sender, receiver) = oneshot::channel();
        let number = state.joined;
        state.joined += 1;
        state.waiting += 1;
        if held == 0 {
            state.turns.push_back(caller);
        }
        state.lines.entry(caller).or_default().push_back((number, sender));
        Ok(Some((number, receiver)))
    }

    /// Gives a place to the next in line.
    fn pass(&self) {
        let mut state = self.state();
        while let Some(next) = state.next() {
            if next.send(()).is_ok() {
                return;
            }
        }
        state.free += 1;
    }

    /// How many are waiting.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> u64 {
        self.state().waiting
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next(&mut self) -> Option<oneshot::Sender<()>> {
        let caller = self.turns.pop_front()?;
        let line = self.lines.get_mut(&caller)?;
        let next = line.pop_front();
        if line.is_empty() {
            self.lines.remove(&caller);
        } else {
            self.turns.push_back(caller);
        }
        self.waiting -= 1;
        next.map(|(_, sender)| sender)
    }

    /// Whether it was still in line.
    fn leave(&mut self, caller: &CallerKey, number: u64) -> bool {
        let Some(line) = self.lines.get_mut(caller) else { return false };
        let Some(index) = line.iter().position(|(other, _)| *other == number) else { return false };
        line.remove(index);
        if line.is_empty() {
            self.lines.remove(caller);
            self.turns.retain(|other| other != caller);
        }
        self.waiting -= 1;
        true
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.pass();
    }
}

/// One that waits, or that was dropped while it did.
struct Waiting<'a> {
    queue: &'a Queue,
    caller: CallerKey,
    number: u64,
    receiver: oneshot::Receiver<()>,
    has_turn: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.has_turn {
            return;
        }
        // After this nothing is sent any more; what was sent before is a place that nobody took.
        self.receiver.close();
        let in_line = self.queue.state().leave(&self.caller, self.number);
        if !in_line && self.receiver.try_recv().is_ok() {
            self.queue.pass();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    type Pending = Pin<Box<dyn Future<Output = Result<Turn, Full>> + Send>>;

    fn address(number: u32) -> CallerKey {
        CallerKey::Network(std::net::Ipv4Addr::from_bits(number).into())
    }

    fn poll(pending: &mut Pending) -> Poll<Result<Turn, Full>> {
        pending.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    fn join(queue: &Arc<Queue>, caller: CallerKey) -> Result<Pending, Full> {
        let queue = Arc::clone(queue);
        let mut pending: Pending = Box::pin(async move { queue.turn(caller).await });
        match poll(&mut pending) {
            Poll::Ready(Err(full)) => Err(full),
            Poll::Ready(Ok(_)) => panic!("there was a free place"),
            Poll::Pending => Ok(pending),
        }
    }

    fn flood(queue: &Arc<Queue>, caller: CallerKey) -> Vec<Pending> {
        std::iter::from_fn(|| join(queue, caller).ok()).collect()
    }

    /// How many of `others` get a turn before `waited` does, given one place.
    fn ahead(waited: &mut Pending, others: &mut [Vec<Pending>], mut turn: Turn) -> usize {
        let mut count = 0;
        loop {
            drop(turn);
            if let Poll::Ready(taken) = poll(waited) {
                assert!(taken.is_ok());
                return count;
            }
            count += 1;
            let taken = others.iter_mut().flatten().find_map(|other| match poll(other) {
                Poll::Ready(Ok(turn)) => {
                    Some((std::mem::replace(other, Box::pin(std::future::pending())), turn))
                }
                _ => None,
            });
            turn = taken.expect("somebody has the place").1;
        }
    }

    #[tokio::test]
    async fn a_newcomer_waits_for_one_check_of_each_caller() {
        for floods in [1, 2, 10] {
            let queue = Queue::new(1, 256);
            let turn = queue.turn(address(0)).await.unwrap();
            let mut others: Vec<_> = (1..=floods).map(|number| flood(&queue, address(number))).collect();
            assert!(others.iter().all(|line| !line.is_empty()));
            let mut newcomer = join(&queue, address(99)).unwrap();
            let ahead = ahead(&mut newcomer, &mut others, turn);
            assert!(ahead <= floods as usize, "{floods} floods: {ahead}");
        }
    }

    #[tokio::test]
    async fn what_waits_is_bounded_and_shared() {
        let queue = Queue::new(1, 256);
        let _turn = queue.turn(address(0)).await.unwrap();
        let mut crowd = vec![flood(&queue, address(1))];
        assert_eq!(crowd[0].len(), 64);
        crowd.extend((2..1000).map(|number| flood(&queue, address(number))));
        assert_eq!(queue.waiting(), 192, "a quarter is kept for holders of certificates");
        assert!(!flood(&queue, CallerKey::Certificate([1; 32])).is_empty());
        drop(crowd);
        let state = queue.state();
        assert_eq!(
            (state.waiting, state.lines.len(), state.turns.len()),
            (0, 0, 0),
            "nothing is left behind"
        );
    }

    #[tokio::test]
    async fn a_place_that_is_not_taken_goes_to_the_next() {
        let queue = Queue::new(1, 256);
        let turn = queue.turn(address(0)).await.unwrap();
        let (given, mut next) = (join(&queue, address(1)).unwrap(), join(&queue, address(2)).unwrap());
        drop(turn);
        drop(given);
        let Poll::Ready(Ok(turn)) = poll(&mut next) else { panic!("the place was lost") };
        assert_eq!(queue.state().free, 0);
        drop(turn);
        assert_eq!(queue.state().free, 1);
    }
}
