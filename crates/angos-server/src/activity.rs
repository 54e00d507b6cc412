//! What one connection has been doing, so that a client that stands still can be told from one that is slow.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::settings::Timeouts;

/// Shared by a connection, its requests and their bodies. Every method is a few atomic operations.
#[derive(Debug)]
pub(crate) struct Activity {
    opened: Instant,
    /// Milliseconds after `opened` at which something last moved.
    moved: AtomicU64,
    in_flight: AtomicUsize,
    /// Response bodies the client has not taken in full.
    streaming: AtomicUsize,
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
            blocked: AtomicBool::new(false),
            served: AtomicBool::new(false),
        }
    }

    /// Something moved in either direction.
    pub(crate) fn moved(&self) {
        let elapsed = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved.store(elapsed, Ordering::Relaxed);
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

    pub(crate) fn streaming_started(&self) {
        self.streaming.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn streaming_finished(&self) {
        self.streaming.fetch_sub(1, Ordering::Relaxed);
    }

    /// How often to judge: what stands still is noticed half of the shortest patience late, at most.
    pub(crate) fn pace(timeouts: &Timeouts) -> Duration {
        timeouts.request_head.min(timeouts.idle).min(timeouts.body_progress) / 2
    }

    /// Judges the connection.
    pub(crate) fn verdict(&self, timeouts: &Timeouts) -> Verdict {
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
        activity.streaming_started();
        activity.moved();
        assert_eq!(after(&activity, 59).await, Verdict::Well);
        activity.moved();
        assert_eq!(after(&activity, 59).await, Verdict::Well, "slow, but moving");
        assert_eq!(after(&activity, 2).await, Verdict::Stalled);

        activity.streaming_finished();
        activity.blocked();
        assert_eq!(after(&activity, 61).await, Verdict::Stalled, "the end of the response is not taken");
        activity.unblocked();
        activity.request_finished();
        assert_eq!(after(&activity, 74).await, Verdict::Well);
        assert_eq!(after(&activity, 2).await, Verdict::Idle);
    }
}
