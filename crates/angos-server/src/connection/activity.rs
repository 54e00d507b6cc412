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
pub(crate) enum ActivityState {
    /// All is well.
    Active,
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

    /// The client has to take a response, something of it within `timeout`. Returns the response's place.
    pub(crate) fn streaming_started(&self, timeout: Duration) -> usize {
        self.streaming.fetch_add(1, Ordering::Relaxed);
        let deadline = self.after(timeout);
        let mut deadlines = self.deadlines();
        let free = deadlines.iter().position(|deadline| *deadline == FREE);
        let place = free.unwrap_or(deadlines.len());
        match deadlines.get_mut(place) {
            Some(free) => *free = deadline,
            None => deadlines.push(deadline),
        }
        place
    }

    /// Something of it was taken, and more has to be within `timeout`.
    pub(crate) fn streaming_moved(&self, place: usize, timeout: Duration) {
        self.moved();
        self.set(place, self.after(timeout));
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
    pub(crate) fn check_interval(timeouts: &Timeouts) -> Duration {
        timeouts.request_head.min(timeouts.idle).min(timeouts.body_progress) / 2
    }

    /// Judges the connection.
    pub(crate) fn state(&self, timeouts: &Timeouts) -> ActivityState {
        if self.is_overdue() {
            return ActivityState::Stalled;
        }
        let (timeout, state) =
            if self.streaming.load(Ordering::Relaxed) > 0 || self.blocked.load(Ordering::Relaxed) {
                (timeouts.body_progress, ActivityState::Stalled)
            } else if self.in_flight.load(Ordering::Relaxed) > 0 {
                // The registry is working, or the request body keeps its own deadline.
                return ActivityState::Active;
            } else if self.served.load(Ordering::Relaxed) {
                (timeouts.idle, ActivityState::Idle)
            } else {
                (timeouts.request_head, ActivityState::Stalled)
            };
        let moved = self.opened + Duration::from_millis(self.moved.load(Ordering::Relaxed));
        if moved.elapsed() < timeout { ActivityState::Active } else { state }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn after(activity: &Activity, seconds: u64) -> ActivityState {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        activity.state(&Timeouts::default())
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_judged_by_what_the_connection_is_doing() {
        let activity = Activity::new();
        assert_eq!(after(&activity, 29).await, ActivityState::Active);
        assert_eq!(after(&activity, 2).await, ActivityState::Stalled, "no first request");

        activity.request_started();
        assert_eq!(after(&activity, 1000).await, ActivityState::Active, "the registry may work long");
        let response = activity.streaming_started(Duration::from_mins(10));
        activity.moved();
        assert_eq!(after(&activity, 59).await, ActivityState::Active);
        activity.moved();
        assert_eq!(after(&activity, 59).await, ActivityState::Active, "slow, but moving");
        assert_eq!(after(&activity, 2).await, ActivityState::Stalled);

        activity.streaming_finished(response);
        activity.blocked();
        assert_eq!(
            after(&activity, 61).await,
            ActivityState::Stalled,
            "the end of the response is not taken"
        );
        activity.unblocked();
        activity.request_finished();
        assert_eq!(after(&activity, 74).await, ActivityState::Active);
        assert_eq!(after(&activity, 2).await, ActivityState::Idle);
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_has_a_deadline_whatever_else_moves() {
        let activity = Activity::new();
        let timeout = Duration::from_mins(1);
        activity.request_started();
        let (taken, stalled) = (activity.streaming_started(timeout), activity.streaming_started(timeout));
        assert_ne!(taken, stalled);
        assert_eq!(after(&activity, 50).await, ActivityState::Active);
        activity.streaming_moved(taken, timeout);
        activity.request_started();
        assert_eq!(after(&activity, 11).await, ActivityState::Stalled, "the other one");
        activity.streaming_finished(stalled);
        assert_eq!(after(&activity, 0).await, ActivityState::Active);
        assert_eq!(activity.streaming_started(timeout), stalled, "places are used again");
    }
}
