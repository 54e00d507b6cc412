//! `angos policy replay`: what other policies would have answered to recorded requests.
//!
//! | stage | file | in → out |
//! |---|---|---|
//! | read | `lines.rs` | files → lines of bounded length |
//! | judge | this one | line → recorded decision → the same question to the new policies |
//! | gather | `changes.rs` | what would change → groups, a bounded number |
//! | report | `report.rs` | groups → text or JSON |
//!
//! A log may be a pipe that never ends: SIGINT and SIGTERM end the reading, and what was read is reported.

mod changes;
mod lines;
mod report;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use angos_access::{AccessPolicies, RecordedDecision};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use self::changes::Changes;
use self::lines::{Line, Lines};
use super::policies;
use crate::arguments::Replay;
use crate::limits::{REPLAY_COMPLAINTS_MAX, REPLAY_TEXT_MAX_CHARS};
use crate::log::harmless;
use crate::output::print;

/// Nothing would change.
const SAME: u8 = 0;
/// Something would.
const CHANGED: u8 = 1;
/// It could not be told.
const COULD_NOT_RUN: u8 = 2;

/// Reads the logs, reports on standard output, and says by the exit code what came of it.
pub(crate) fn run(options: &Replay, files: &[PathBuf]) -> ExitCode {
    let changes = match replay(options, files) {
        Ok(changes) => changes,
        Err(message) => {
            let _ = writeln!(io::stderr(), "{message}");
            return COULD_NOT_RUN.into();
        }
    };
    if let Err(message) = print(|out| report::write(&changes, options.format, out)) {
        let _ = writeln!(io::stderr(), "{message}");
        return COULD_NOT_RUN.into();
    }
    if changes.is_interrupted {
        let _ = writeln!(io::stderr(), "interrupted: the report is about what was read until then");
        return COULD_NOT_RUN.into();
    }
    if changes.decisions == 0 && changes.unreadable > 0 {
        let _ = writeln!(io::stderr(), "not one line is a decision: is this a decision log?");
        return COULD_NOT_RUN.into();
    }
    (if changes.changed() > 0 { CHANGED } else { SAME }).into()
}

fn replay(options: &Replay, files: &[PathBuf]) -> Result<Changes, String> {
    let access = policies(files)?.access;
    let cannot = |error: io::Error| format!("cannot start: {error}");
    let runtime = Builder::new_current_thread().enable_all().build().map_err(cannot)?;
    let gathered = Arc::new(Mutex::new(Changes::default()));
    let (logs, changes) = (options.logs.clone(), Arc::clone(&gathered));
    let outcome = runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
        tokio::select! {
            read = tokio::task::spawn_blocking(move || read(&access, &logs, &changes)) => {
                read.unwrap_or_else(|error| Err(error.to_string()))
            }
            _ = interrupt.recv() => { locked(&gathered).is_interrupted = true; Ok(()) }
            _ = terminate.recv() => { locked(&gathered).is_interrupted = true; Ok(()) }
        }
    });
    // A reader that waits for its pipe ends with the process.
    runtime.shutdown_background();
    outcome.map(|()| std::mem::take(&mut *locked(&gathered)))
}

fn locked(changes: &Mutex<Changes>) -> MutexGuard<'_, Changes> {
    changes.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read(access: &AccessPolicies, logs: &[PathBuf], changes: &Mutex<Changes>) -> Result<(), String> {
    for log in logs {
        let failed = |error: io::Error| format!("cannot read {}: {error}", shown(log));
        if log.as_os_str() == "-" {
            follow(access, "standard input", io::stdin().lock(), changes)
        } else {
            let file = File::open(log).map_err(failed)?;
            follow(access, &shown(log), BufReader::new(file), changes)
        }
        .map_err(failed)?;
    }
    Ok(())
}

fn shown(log: &Path) -> String {
    if log.as_os_str() == "-" { "standard input".to_owned() } else { log.display().to_string() }
}

/// Judges every line of one log.
fn follow(
    access: &AccessPolicies,
    log: &str,
    reader: impl BufRead,
    changes: &Mutex<Changes>,
) -> io::Result<()> {
    let mut lines = Lines::new(reader);
    while let Some((number, line)) = lines.next()? {
        let problem = match line {
            Line::Whole(line) => match RecordedDecision::parse(line) {
                Ok(recorded) => {
                    let judgement = access.decide(recorded.identity(), recorded.request());
                    locked(changes).add(&recorded, &judgement);
                    lines.understood();
                    continue;
                }
                Err(error) => error.to_string(),
            },
            Line::TooLong => "longer than any decision".to_owned(),
        };
        let mut changes = locked(changes);
        changes.unreadable += 1;
        if changes.unreadable <= REPLAY_COMPLAINTS_MAX {
            let problem = harmless(&problem, REPLAY_TEXT_MAX_CHARS);
            let _ = writeln!(io::stderr(), "{log}:{number}: {problem}");
        }
    }
    Ok(())
}
