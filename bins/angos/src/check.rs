//! `angos check`: the configuration is read and judged as at start, and nothing is started.

use std::io::Write as _;
use std::path::PathBuf;

use angos_config::{Configuration, load};

pub(crate) fn run(files: &[PathBuf]) -> Result<(), String> {
    let configuration = read(files)?;
    let mut out = std::io::stderr().lock();
    for warning in &configuration.warnings {
        let _ = writeln!(out, "{warning}");
    }
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let _ = writeln!(std::io::stdout(), "{}: no errors", names.join(", "));
    Ok(())
}

/// The configuration as files and environment have it, or all that is wrong with it.
pub(crate) fn read(files: &[PathBuf]) -> Result<Configuration, String> {
    load(files, environment()).map_err(|problems| {
        let count = problems.errors();
        let noun = if count == 1 { "error" } else { "errors" };
        format!("{problems}\n{count} {noun} in the configuration")
    })
}

/// The environment; what is not UTF-8 is marked so, and refused if it is meant for us.
pub(crate) fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
}
