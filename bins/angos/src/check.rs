//! `angos check`: reads and checks the configuration as at start, lints its policies, and starts nothing.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use angos_config::limits::PROBLEMS_MAX;
use angos_config::{Configuration, Loader, Problem, Problems, Severity, load};
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
    let problems: Vec<Problem> = match Loader::new().lint(files, environment()) {
        Ok(configuration) => configuration.warnings,
        Err(problems) => problems.iter().cloned().collect(),
    };
    let errors = problems.iter().filter(|problem| problem.severity() == Severity::Error).count();
    let warnings = problems.len() - errors;
    let is_failed = errors > 0 || (options.deny_warnings && warnings > 0);
    let printed = match options.format {
        ReportFormat::Text => text(files, &problems, errors, is_failed),
        ReportFormat::Json => print(|out| {
            let report = json!({ "errors": errors, "warnings": warnings, "problems": problems });
            writeln!(out, "{report:#}")
        }),
    };
    if let Err(message) = printed {
        let _ = writeln!(std::io::stderr(), "{message}");
        return ExitCode::FAILURE;
    }
    if is_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Problems on standard error; the last line on standard output unless the check failed.
fn text(files: &[PathBuf], problems: &[Problem], errors: usize, is_failed: bool) -> Result<(), String> {
    let mut shown = String::new();
    for problem in problems.iter().take(PROBLEMS_MAX) {
        let _ = writeln!(shown, "{problem}");
    }
    let beyond = problems.len().saturating_sub(PROBLEMS_MAX);
    if beyond > 0 {
        let _ = writeln!(shown, "… and {beyond} more");
    }
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let names = names.join(", ");
    let summary = match (errors, problems.len()) {
        (0, 0) => format!("{names}: no errors"),
        (0, count) if is_failed => format!("{names}: no errors, but {}", counted(count, "warning")),
        (0, count) => format!("{names}: no errors, {}", counted(count, "warning")),
        (errors, _) => format!("{} in the configuration", counted(errors, "error")),
    };
    if is_failed {
        let _ = writeln!(shown, "{summary}");
    }
    let _ = std::io::stderr().write_all(shown.as_bytes());
    if is_failed { Ok(()) } else { print(|out| writeln!(out, "{summary}")) }
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
