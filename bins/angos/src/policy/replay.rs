//! `angos policy replay`: decides the requests of decision logs again.
//!
//! A log may be a pipe without an end: SIGINT and SIGTERM end the reading, and the report covers what was read.

use std::fs::File;
use std::io::{self, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use angos_access::{AccessPolicies, ReplayReport, replay};
use clap::Args;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use super::policies;
use crate::options::{Files, ReportFormat};
use crate::output::print;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Decision logs of a server, in any order; - is standard input
    #[arg(value_name = "LOG", required = true)]
    logs: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) files: Files,

    /// Format of the report
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: ReportFormat,
}

/// Prints the report. `Ok(true)`: no decision would change.
pub(super) fn run(options: &Options, files: &[PathBuf]) -> Result<bool, String> {
    let report = read(policies(files)?.access, options.logs.clone())?;
    print(|out| match options.format {
        ReportFormat::Text => report.write_text(out),
        ReportFormat::Json => report.write_json(out),
    })?;
    if report.is_interrupted() {
        return Err("interrupted: the report covers what was read until then".to_owned());
    }
    if report.decisions() == 0 && report.unreadable() > 0 {
        return Err("no line is a decision: is this a decision log?".to_owned());
    }
    Ok(report.changed() == 0)
}

/// Reads all logs, or until a signal.
fn read(access: AccessPolicies, logs: Vec<PathBuf>) -> Result<ReplayReport, String> {
    let cannot = |error: io::Error| format!("cannot start: {error}");
    let runtime = Builder::new_current_thread().enable_all().build().map_err(cannot)?;
    let report = Arc::new(Mutex::new(ReplayReport::default()));
    let shared = Arc::clone(&report);
    let outcome = runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
        tokio::select! {
            read = tokio::task::spawn_blocking(move || logs.iter().try_for_each(|log| read_log(&access, log, &shared))) => {
                return read.unwrap_or_else(|error| Err(error.to_string()));
            }
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        report.lock().unwrap_or_else(PoisonError::into_inner).interrupt();
        Ok(())
    });
    // A thread that waits for its pipe ends with the process.
    runtime.shutdown_background();
    outcome.map(|()| std::mem::take(&mut *report.lock().unwrap_or_else(PoisonError::into_inner)))
}

fn read_log(access: &AccessPolicies, log: &Path, report: &Mutex<ReplayReport>) -> Result<(), String> {
    let is_input = log.as_os_str() == "-";
    let name = if is_input { "standard input".to_owned() } else { log.display().to_string() };
    let unreadable = |line: u64, problem: &str| {
        let _ = writeln!(io::stderr(), "{name}:{line}: {problem}");
    };
    let outcome = if is_input {
        replay(access, io::stdin().lock(), report, unreadable)
    } else {
        File::open(log).and_then(|file| replay(access, BufReader::new(file), report, unreadable))
    };
    outcome.map_err(|error| format!("cannot read {name}: {error}"))
}
