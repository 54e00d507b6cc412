//! The rounds of a periodic job.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Entry, JobState, caught, lock};
use crate::limits::BACKGROUND_RETRY;

/// Work that is done in rounds, as long as the server runs.
pub trait Job: Send + 'static {
    /// One round. An error is logged and counted, and the next round tries again. A panic fails `/readyz` until a
    /// round succeeds. Cancelled at its next await when the server has drained.
    fn round(&mut self) -> impl Future<Output = Result<(), String>> + Send;

    /// Resolves when the next round is due. Cancelled when a round is asked for before that.
    fn due(&mut self) -> impl Future<Output = ()> + Send;
}

/// Runs rounds without end.
pub(super) async fn run(entry: Arc<Entry>, mut job: impl Job) {
    loop {
        entry.set(JobState::Running);
        let outcome = caught(job.round()).await;
        let has_panicked = outcome.is_err();
        entry.round_ended(&outcome);
        let due = async {
            if has_panicked {
                tokio::time::sleep(BACKGROUND_RETRY).await;
            } else {
                job.due().await;
            }
        };
        tokio::select! {
            () = entry.wake.notified() => {}
            () = due => {}
        }
    }
}

impl Entry {
    fn round_ended(&self, outcome: &Result<Result<(), String>, String>) {
        let job = &self.name;
        let (counter, state) = match outcome {
            Ok(Ok(())) => (&self.completed, JobState::Idle),
            Ok(Err(error)) => {
                tracing::warn!(target: "angos::background", job, "{error}; it is tried again");
                (&self.failed, JobState::Failed)
            }
            Err(panic) => {
                tracing::error!(target: "angos::background", job, panic, "a background job panicked; /readyz fails until it succeeds");
                (&self.panicked, JobState::Failed)
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let mut status = lock(&self.status);
        status.state = state;
        match outcome {
            Ok(Ok(())) => status.is_broken = false,
            Ok(Err(_)) => {}
            Err(_) => status.is_broken = true,
        }
    }
}
