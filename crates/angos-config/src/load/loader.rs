//! Loading in bounded time. A file system that does not answer (a dead network mount, say) blocks a thread for good, and
//! no system call takes it back; so each load has a thread of its own, which is given up when it takes too long.

use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use angos_tls::{Files, Snapshot};
use tokio::sync::oneshot;

use crate::configuration::Configuration;
use crate::limits::{BLOCKED_LOADS_MAX, FILE_TIMEOUT, LOAD_CHECK_INTERVAL, LOAD_TIMEOUT};
use crate::load::stable::{Loaded, load_stable};
use crate::load::{lint_with, load_with};
use crate::problem::{Origin, Problem, Problems};

/// Loads configurations, and gives up what takes too long.
///
/// Guarantees: each call ends within about [`LOAD_TIMEOUT`], and soon after [`FILE_TIMEOUT`] when one file blocks; the error
/// then names that file. The thread that is given up ends when the file system answers; until then later loads do not
/// touch that file again, and report it. At most [`BLOCKED_LOADS_MAX`] threads wait like this.
///
/// Clones share that count.
#[derive(Clone, Debug)]
pub struct Loader {
    blocked: Arc<Mutex<Vec<Files>>>,
    file_timeout: Duration,
    load_timeout: Duration,
}

impl Default for Loader {
    fn default() -> Loader {
        Loader { blocked: Arc::default(), file_timeout: FILE_TIMEOUT, load_timeout: LOAD_TIMEOUT }
    }
}

/// Why a load was given up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LoadFailure {
    /// Reading this file has not ended.
    Blocked(PathBuf),
    /// All together has not ended.
    Slow,
    /// Too many earlier loads have not ended.
    TooMany,
    /// The thread could not be started, or ended in a panic.
    NoAnswer,
}

/// A load on its way.
struct Attempt {
    files: Files,
    since: Instant,
}

impl Loader {
    /// A loader that has given up nothing.
    pub fn new() -> Loader {
        Loader::default()
    }

    /// Loads as [`load`](crate::load) does, once the files are stable: see [`STABLE_PERIOD`](crate::limits::STABLE_PERIOD). Files that are
    /// still being written are an error after [`STABLE_TIMEOUT`](crate::limits::STABLE_TIMEOUT). Blocking.
    pub fn load(
        &self,
        files: &[PathBuf],
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Configuration, Problems> {
        self.run_blocking(stable_load(files, environment)).unwrap_or_else(|failure| Err(failure.into()))
    }

    /// The same without blocking. Dropping the future gives the load up.
    pub fn reload(
        &self,
        files: &[PathBuf],
        environment: impl Iterator<Item = (String, String)>,
    ) -> impl Future<Output = Result<Configuration, Problems>> + Send {
        let work = stable_load(files, environment);
        async { self.run(work).await.unwrap_or_else(|failure| Err(failure.into())) }
    }

    /// Loads as [`lint`](crate::lint) does, without waiting for stable files. Blocking.
    pub fn lint(
        &self,
        files: &[PathBuf],
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Configuration, Problems> {
        let (paths, variables) = (files.to_vec(), environment.collect::<Vec<_>>());
        let work = move |files: &Files| lint_with(files, &paths, variables.into_iter());
        self.run_blocking(work).unwrap_or_else(|failure| Err(failure.into()))
    }

    /// Runs work that reads files on a thread of its own.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> T + Send + 'static,
    ) -> Result<T, LoadFailure> {
        let (sender, mut answer) = oneshot::channel();
        // The receiver may be gone.
        let attempt = self.begin(work, move |done| drop(sender.send(done)))?;
        loop {
            match tokio::time::timeout(LOAD_CHECK_INTERVAL, &mut answer).await {
                Ok(answer) => return answer.map_err(|_| LoadFailure::NoAnswer),
                Err(_) => self.check(&attempt)?,
            }
        }
    }

    fn run_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> T + Send + 'static,
    ) -> Result<T, LoadFailure> {
        let (sender, answer) = sync_channel(1);
        let attempt = self.begin(work, move |done| drop(sender.send(done)))?;
        loop {
            match answer.recv_timeout(LOAD_CHECK_INTERVAL) {
                Ok(done) => return Ok(done),
                Err(RecvTimeoutError::Disconnected) => return Err(LoadFailure::NoAnswer),
                Err(RecvTimeoutError::Timeout) => self.check(&attempt)?,
            }
        }
    }

    fn begin<T>(
        &self,
        work: impl FnOnce(&Files) -> T + Send + 'static,
        answer: impl FnOnce(T) + Send + 'static,
    ) -> Result<Attempt, LoadFailure> {
        let mut blocked = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
        blocked.retain(|files| !files.is_sole());
        if blocked.len() >= BLOCKED_LOADS_MAX {
            return Err(LoadFailure::TooMany);
        }
        let avoided = blocked.iter().filter_map(|files| files.overdue(Duration::ZERO)).collect();
        let files = Files::avoiding(avoided);
        let theirs = files.clone();
        let thread = thread::Builder::new().name("angos-load".to_owned());
        thread.spawn(move || answer(work(&theirs))).map_err(|_| LoadFailure::NoAnswer)?;
        Ok(Attempt { files, since: Instant::now() })
    }

    /// Gives up an attempt that takes too long.
    fn check(&self, attempt: &Attempt) -> Result<(), LoadFailure> {
        let blocked = attempt.files.overdue(self.file_timeout).map(LoadFailure::Blocked);
        let slow = || (attempt.since.elapsed() > self.load_timeout).then_some(LoadFailure::Slow);
        let Some(failure) = blocked.or_else(slow) else { return Ok(()) };
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner).push(attempt.files.clone());
        Err(failure)
    }
}

fn stable_load(
    files: &[PathBuf],
    environment: impl Iterator<Item = (String, String)>,
) -> impl FnOnce(&Files) -> Loaded + Send + 'static {
    let (paths, variables) = (files.to_vec(), environment.collect::<Vec<_>>());
    move |files| load_stable(files, |files| load_with(files, &paths, variables.iter().cloned()))
}

impl From<LoadFailure> for Problems {
    fn from(failure: LoadFailure) -> Problems {
        let nowhere = |message: String| Problem::error(Origin::Configuration, message);
        let problem = match failure {
            LoadFailure::Blocked(path) => {
                let message = format!(
                    "reading it has not ended after {} s: the file system does not answer",
                    FILE_TIMEOUT.as_secs()
                );
                Problem::error(Origin::WholeFile(path.into()), message)
                    .with_help("check the mount, or name a file elsewhere")
            }
            LoadFailure::Slow => {
                nowhere(format!("loading the configuration has not ended after {} s", LOAD_TIMEOUT.as_secs()))
            }
            LoadFailure::TooMany => nowhere(format!(
                "{BLOCKED_LOADS_MAX} earlier loads are still blocked: file systems do not answer"
            ))
            .with_help("check the mounts that the configuration names; a restart is needed if they stay dead"),
            LoadFailure::NoAnswer => nowhere("the thread that loads the configuration could not be started, or ended in a defect of this program".to_owned()),
        };
        Problems::new(vec![problem], Snapshot::default())
    }
}

#[cfg(test)]
mod tests;
