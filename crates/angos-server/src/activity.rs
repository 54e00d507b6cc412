//! What one connection has been doing, so that a client that stands still can be told from one that is slow.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::settings::Timeouts;

/// No response has this place.
const FREE: u64 = u64::MAX;

/// Shared by a connection, its requests and their bodies. Every method is a few atomic operations, or a lock that is held
/// as short.
#[derive(Debug)]
pub(crate) struct Activity {
    opened: Instant,
    /// Milliseconds after `opened` at which something last moved.
    moved: AtomicU64,
    in_flight: AtomicUsize,
    /// Response bodies the client has not taken in full.
    streaming: AtomicUsize,
    /// Until when each of them has to move on, whatever else moves: milliseconds after `opened`.
    deadlines: Mutex<Vec<u64>>,
    /// Whether bytes wait for the client to take those before them.
    blocked: AtomicBool,
    served: AtomicBool,
}

/// What to do with a connection now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All is well.
    Well,
    /// No further request for too long: close it politely, its last response may still be on its way.
    Idle,
    /// The client asks for nothing, or does not take what it asked for: cut it.
    Stalled,
}

impl Activity {
    /// A connection that was just opened.
    pub(crate) fn new() -> Self {
        Self {
            opened: Instant::now(),
            moved: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            streaming: AtomicUsize::new(0),
            deadlines: Mutex::default(),
            blocked: AtomicBool::new(false),
            served: AtomicBool::new(false),
        }
    }

    /// Something moved in either direction.
    pub(crate) fn moved(&self) {
        self.moved.store(self.after(Duration::ZERO), Ordering::Relaxed);
    }

    /// That long from now, in milliseconds after `opened`.
    fn after(&self, duration: Duration) -> u64 {
        let elapsed = self.opened.elapsed().saturating_add(duration);
        u64::try_from(elapsed.as_millis()).unwrap_or(FREE).min(FREE - 1)
    }

    /// The client did not take the next bytes.
    pub(crate) fn blocked(&self) {
        if !self.blocked.swap(true, Ordering::Relaxed) {
            self.moved();
        }
    }

    /// It took some.
    pub(crate) fn unblocked(&self) {
        if self.blocked.load(Ordering::Relaxed) {
            self.blocked.store(false, Ordering::Relaxed);
            self.moved();
        }
    }

    pub(crate) fn request_started(&self) {
        self.moved();
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.served.store(true, Ordering::Relaxed);
    }

    pub(crate) fn request_finished(&self) {
        self.moved();
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether no request is being answered.
    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) == 0
    }

    /// The client has to take a response, something of it within `patience`. Returns the response's place.
    pub(crate) fn streaming_started(&self, patience: Duration) -> usize {
        self.streaming.fetch_add(1, Ordering::Relaxed);
        let deadline = self.after(patience);
        let mut deadlines = self.deadlines();
        let free = deadlines.iter().position(|deadline| *deadline == FREE);
        let place = free.unwrap_or(deadlines.len());
        match deadlines.get_mut(place) {
            Some(free) => *free = deadline,
            None => deadlines.push(deadline),
        }
        place
    }

    /// Something of it was taken, and more has to be within `patience`.
    pub(crate) fn streaming_moved(&self, place: usize, patience: Duration) {
        self.moved();
        self.set(place, self.after(patience));
    }

    pub(crate) fn streaming_finished(&self, place: usize) {
        self.streaming.fetch_sub(1, Ordering::Relaxed);
        self.set(place, FREE);
    }

    fn set(&self, place: usize, deadline: u64) {
        if let Some(place) = self.deadlines().get_mut(place) {
            *place = deadline;
        }
    }

    fn deadlines(&self) -> MutexGuard<'_, Vec<u64>> {
        self.deadlines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_overdue(&self) -> bool {
        let now = self.after(Duration::ZERO);
        self.deadlines().iter().any(|deadline| *deadline < now)
    }

    /// How often to judge: what stands still is noticed half of the shortest patience late, at most.
    pub(crate) fn pace(timeouts: &Timeouts) -> Duration {
        timeouts.request_head.min(timeouts.idle).min(timeouts.body_progress) / 2
    }

    /// Judges the connection.
    pub(crate) fn verdict(&self, timeouts: &Timeouts) -> Verdict {
        if self.is_overdue() {
            return Verdict::Stalled;
        }
        let (patience, verdict) =
            if self.streaming.load(Ordering::Relaxed) > 0 || self.blocked.load(Ordering::Relaxed) {
                (timeouts.body_progress, Verdict::Stalled)
            } else if self.in_flight.load(Ordering::Relaxed) > 0 {
                // The registry is working, or the request body keeps its own deadline.
                return Verdict::Well;
            } else if self.served.load(Ordering::Relaxed) {
                (timeouts.idle, Verdict::Idle)
            } else {
                (timeouts.request_head, Verdict::Stalled)
            };
        let moved = self.opened + Duration::from_millis(self.moved.load(Ordering::Relaxed));
        if moved.elapsed() < patience { Verdict::Well } else { verdict }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn after(activity: &Activity, seconds: u64) -> Verdict {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        activity.verdict(&Timeouts::default())
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_judged_by_what_the_connection_is_doing() {
        let activity = Activity::new();
        assert_eq!(after(&activity, 29).await, Verdict::Well);
        assert_eq!(after(&activity, 2).await, Verdict::Stalled, "no first request");

        activity.request_started();
        assert_eq!(after(&activity, 1000).await, Verdict::Well, "the registry may work long");
        let response = activity.streaming_started(Duration::from_mins(10));
        activity.moved();
        assert_eq!(after(&activity, 59).await, Verdict::Well);
        activity.moved();
        assert_eq!(after(&activity, 59).await, Verdict::Well, "slow, but moving");
        assert_eq!(after(&activity, 2).await, Verdict::Stalled);

        activity.streaming_finished(response);
        activity.blocked();
        assert_eq!(after(&activity, 61).await, Verdict::Stalled, "the end of the response is not taken");
        activity.unblocked();
        activity.request_finished();
        assert_eq!(after(&activity, 74).await, Verdict::Well);
        assert_eq!(after(&activity, 2).await, Verdict::Idle);
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_has_a_deadline_whatever_else_moves() {
        let activity = Activity::new();
        let patience = Duration::from_mins(1);
        activity.request_started();
        let (taken, stalled) = (activity.streaming_started(patience), activity.streaming_started(patience));
        assert_ne!(taken, stalled);
        assert_eq!(after(&activity, 50).await, Verdict::Well);
        activity.streaming_moved(taken, patience);
        activity.request_started();
        assert_eq!(after(&activity, 11).await, Verdict::Stalled, "the other one");
        activity.streaming_finished(stalled);
        assert_eq!(after(&activity, 0).await, Verdict::Well);
        assert_eq!(activity.streaming_started(patience), stalled, "places are used again");
    }
}
