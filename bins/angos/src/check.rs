//! `angos check`: the configuration is read and checked as at start, its policies are judged, and nothing is started.

use std::io::Write as _;
use std::path::PathBuf;

use angos_config::{Configuration, Loader, Problems, load};

use crate::output::print;

/// `deny_warnings` makes a warning a failure.
pub(crate) fn run(files: &[PathBuf], deny_warnings: bool) -> Result<(), String> {
    let configuration = Loader::new().lint(files, environment()).map_err(refused)?;
    let mut out = std::io::stderr().lock();
    for warning in &configuration.warnings {
        let _ = writeln!(out, "{warning}");
    }
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let names = names.join(", ");
    match configuration.warnings.len() {
        0 => print(|out| writeln!(out, "{names}: no errors"))?,
        count if deny_warnings => {
            return Err(format!("{names}: no errors, but {}", counted(count, "warning")));
        }
        count => print(|out| writeln!(out, "{names}: no errors, {}", counted(count, "warning")))?,
    }
    Ok(())
}

/// The configuration as it is now, for tools that put nothing into force.
pub(crate) fn read(files: &[PathBuf]) -> Result<Configuration, String> {
    load(files, environment()).map_err(refused)
}

/// Everything that is wrong, and how much that is.
#[allow(clippy::needless_pass_by_value, reason = "to be named where an error is mapped")]
pub(crate) fn refused(problems: Problems) -> String {
    format!("{problems}\n{} in the configuration", counted(problems.errors(), "error"))
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// The environment; what is not UTF-8 is marked so, and refused if it is meant for us.
pub(crate) fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
}
