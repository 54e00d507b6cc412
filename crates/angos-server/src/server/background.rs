//! Background jobs: everything that runs beside the requests, by name, watched and counted.
//!
//! There are two kinds. A *service* runs until the server stops; when one ends before that, the server drains and
//! [`Server::run`](crate::Server::run) returns [`JobEnded`]. A *periodic job* runs in rounds; when a round panics,
//! `/readyz` fails and names the job until a round succeeds. No job ends without one of the two.

mod metrics;
mod rounds;

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinSet;

pub(crate) use metrics::JobMetrics;
pub use rounds::Job;

/// The background jobs of one server. Clones share them.
///
/// Must be used inside a tokio runtime. All jobs are stopped when [`Server::run`](crate::Server::run) ends or is
/// dropped.
#[derive(Debug, Clone, Default)]
pub struct Background {
    watched: Arc<Watched>,
    tasks: Arc<Mutex<JoinSet<()>>>,
}

/// What the tasks of jobs report to. It does not hold them.
#[derive(Debug)]
struct Watched {
    /// In the order they were started.
    jobs: Mutex<Vec<Arc<Entry>>>,
    /// Whether services are expected to end.
    stopping: AtomicBool,
    /// The first service that ended although it was not expected to.
    ended: watch::Sender<Option<JobEnded>>,
}

/// One job.
#[derive(Debug)]
struct Entry {
    name: String,
    is_periodic: bool,
    status: Mutex<Status>,
    /// Starts a round now.
    wake: Notify,
    completed: AtomicU64,
    failed: AtomicU64,
    panicked: AtomicU64,
}

#[derive(Debug)]
struct Status {
    state: JobState,
    /// Whether the last round that ended has panicked.
    is_broken: bool,
}

/// What a job does at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobState {
    /// A periodic job waits for its next round.
    Idle,
    /// A service runs, or a round of a periodic job does.
    Running,
    /// A service has ended, or the last round of a periodic job returned an error or panicked.
    Failed,
    /// It has ended with the server.
    Stopped,
}

impl JobState {
    /// Every state, in the order of their definition.
    pub const ALL: [JobState; 4] = [Self::Idle, Self::Running, Self::Failed, Self::Stopped];

    /// Its name, as the metrics have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Running => "running",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

/// A service ended while the server was running.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the background job {job} ended: {reason}")]
pub struct JobEnded {
    /// The name of the job.
    pub job: String,
    /// Why it ended: its own error, the message of a panic, or that it returned.
    pub reason: String,
}

/// There is no periodic job of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no periodic background job named {0}")]
pub struct UnknownJob(pub String);

/// Resolves when a service has ended.
#[derive(Debug)]
pub(crate) struct Running(oneshot::Receiver<()>);

impl Running {
    pub(crate) async fn ended(self) {
        // The sender is dropped with the task, also by a panic or an abort.
        let _ = self.0.await;
    }
}

impl Background {
    /// Starts a service. It has to run until the server stops: its end before that, by `Ok`, `Err` or a panic, ends
    /// the server. Cancelled at its next await when the server has drained.
    pub fn service(
        &self,
        name: impl Into<String>,
        work: impl Future<Output = Result<(), String>> + Send + 'static,
    ) {
        self.start(name, work);
    }

    /// The same, with a way to wait for its end.
    pub(crate) fn start(
        &self,
        name: impl Into<String>,
        work: impl Future<Output = Result<(), String>> + Send + 'static,
    ) -> Running {
        let entry = self.watched.enter(name.into(), false);
        let (end, running) = oneshot::channel();
        let watched = Arc::clone(&self.watched);
        self.spawn(async move {
            let _end = end;
            let outcome = caught(work).await;
            watched.service_ended(&entry, outcome);
        });
        Running(running)
    }

    /// Starts a periodic job: a round at once, then one whenever it is due. Rounds of one job never overlap.
    pub fn periodic(&self, name: impl Into<String>, job: impl Job) {
        let entry = self.watched.enter(name.into(), true);
        let watched = Arc::clone(&self.watched);
        self.spawn(async move {
            // What is outside of a round must not panic either.
            let outcome = caught(rounds::run(Arc::clone(&entry), job)).await;
            watched.service_ended(&entry, outcome.map(|()| Ok(())));
        });
    }

    /// Starts a round of a periodic job now, or one more after the round under way. Returns at once.
    pub fn start_now(&self, name: &str) -> Result<(), UnknownJob> {
        let jobs = lock(&self.watched.jobs);
        let entry = jobs.iter().find(|entry| entry.is_periodic && entry.name == name);
        entry.map(|entry| entry.wake.notify_one()).ok_or_else(|| UnknownJob(name.to_owned()))
    }

    /// Every job with its state, in the order they were started.
    pub fn jobs(&self) -> Vec<(String, JobState)> {
        lock(&self.watched.jobs).iter().map(|entry| (entry.name.clone(), entry.state())).collect()
    }

    /// The first service that ended although it was not expected to, as soon as there is one. Cancel safe.
    pub(crate) async fn ended(&self) -> JobEnded {
        let mut ended = self.watched.ended.subscribe();
        loop {
            if let Some(job) = &*ended.borrow_and_update() {
                return job.clone();
            }
            // The sender lives as long as `self`.
            let _ = ended.changed().await;
        }
    }

    /// The first periodic job whose last round panicked.
    pub(crate) fn broken(&self) -> Option<String> {
        let jobs = lock(&self.watched.jobs);
        jobs.iter().find(|entry| lock(&entry.status).is_broken).map(|entry| entry.name.clone())
    }

    /// From now on services are expected to end.
    pub(crate) fn expect_ends(&self) {
        self.watched.stopping.store(true, Ordering::Release);
    }

    /// Cancels every job.
    pub(crate) fn stop(&self) {
        self.expect_ends();
        // Dropped outside of the lock: a job may hold the last reference to what holds this.
        let tasks = std::mem::take(&mut *lock(&self.tasks));
        drop(tasks);
        for entry in &*lock(&self.watched.jobs) {
            let mut status = lock(&entry.status);
            if status.state != JobState::Failed {
                status.state = JobState::Stopped;
            }
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        lock(&self.tasks).spawn(task);
    }
}

impl Default for Watched {
    fn default() -> Self {
        Self { jobs: Mutex::default(), stopping: AtomicBool::new(false), ended: watch::Sender::new(None) }
    }
}

impl Watched {
    fn enter(&self, name: String, is_periodic: bool) -> Arc<Entry> {
        let status = Status { state: JobState::Running, is_broken: false };
        let entry = Arc::new(Entry {
            name,
            is_periodic,
            status: Mutex::new(status),
            wake: Notify::new(),
            completed: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            panicked: AtomicU64::new(0),
        });
        lock(&self.jobs).push(Arc::clone(&entry));
        entry
    }

    /// Judges the end of a service.
    fn service_ended(&self, entry: &Entry, outcome: Result<Result<(), String>, String>) {
        let is_expected = self.stopping.load(Ordering::Acquire);
        let reason = match outcome {
            Ok(Ok(())) if is_expected => return entry.set(JobState::Stopped),
            Ok(Ok(())) => "it returned".to_owned(),
            Ok(Err(reason)) => reason,
            Err(panic) => format!("it panicked: {panic}"),
        };
        entry.set(JobState::Failed);
        let job = JobEnded { job: entry.name.clone(), reason };
        tracing::error!(target: "angos::background", "{job}");
        if !is_expected {
            self.ended.send_if_modified(|first| first.is_none() && first.replace(job).is_none());
        }
    }
}

impl Entry {
    fn state(&self) -> JobState {
        lock(&self.status).state
    }

    fn set(&self, state: JobState) {
        lock(&self.status).state = state;
    }
}

/// What a future comes to, or the message of its panic.
async fn caught<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let mut work = pin!(work);
    poll_fn(|cx| {
        // After a panic the work is never polled again.
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(outcome)) => Poll::Ready(Ok(outcome)),
            Err(panic) => Poll::Ready(Err(message(panic.as_ref()))),
        }
    })
    .await
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

/// No code of others runs under these locks, so that a poisoned one protects nothing that could be broken.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
