//! `angos check`: reads and checks the configuration as at start, lints its policies, and starts nothing.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use angos_config::{Configuration, Loader, Problems, load};
use clap::Args;
use serde_json::json;

use crate::options::{Files, ReportFormat};
use crate::output::print;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) files: Files,
    /// Exit with 1 if there is a warning
    #[arg(long)]
    deny_warnings: bool,
    /// Format of the report
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: ReportFormat,
}

/// Prints every problem. Exits with 0 if there is no error, and with `--deny-warnings` no warning; otherwise with 1.
pub(crate) fn run(options: &Options, files: &[PathBuf]) -> ExitCode {
    let linted = Loader::new().lint(files, environment());
    let problems = linted.map_or_else(|problems| problems, Configuration::into_problems);
    let is_failed = problems.errors() > 0 || (options.deny_warnings && problems.warnings() > 0);
    let printed = match options.format {
        ReportFormat::Text => text(files, &problems, is_failed),
        ReportFormat::Json => print(|out| {
            let (errors, warnings) = (problems.errors(), problems.warnings());
            let list: Vec<_> = problems.iter().collect();
            writeln!(out, "{:#}", json!({ "errors": errors, "warnings": warnings, "problems": list }))
        }),
    };
    if let Err(message) = &printed {
        let _ = writeln!(std::io::stderr(), "{message}");
    }
    if is_failed || printed.is_err() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Problems on standard error; the last line on standard output unless the check failed.
fn text(files: &[PathBuf], problems: &Problems, is_failed: bool) -> Result<(), String> {
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let names = names.join(", ");
    let warnings = counted(problems.warnings(), "warning");
    let summary = match (problems.errors(), problems.warnings()) {
        (0, 0) => format!("{names}: no errors"),
        (0, _) if is_failed => format!("{names}: no errors, but {warnings}"),
        (0, _) => format!("{names}: no errors, {warnings}"),
        (errors, _) => format!("{} in the configuration", counted(errors, "error")),
    };
    let mut err = std::io::stderr().lock();
    if problems.iter().next().is_some() {
        let _ = writeln!(err, "{problems}");
    }
    if !is_failed {
        return print(|out| writeln!(out, "{summary}"));
    }
    let _ = writeln!(err, "{summary}");
    Ok(())
}

/// The configuration as it is now, for commands that start nothing.
pub(crate) fn read(files: &[PathBuf]) -> Result<Configuration, String> {
    load(files, environment()).map_err(refused)
}

/// Every problem, and the number of errors.
#[allow(clippy::needless_pass_by_value, reason = "to be named where an error is mapped")]
pub(crate) fn refused(problems: Problems) -> String {
    format!("{problems}\n{} in the configuration", counted(problems.errors(), "error"))
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// The environment. Text that is not UTF-8 is marked, and refused in our own variables.
pub(crate) fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
}
