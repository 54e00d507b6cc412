//! `angos policy`: access policies without a server. No port is bound, no storage opened, and no key or password file of
//! the configuration is read.

mod explain;
mod replay;
mod test;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use angos_config::{Policies, Problems, load_policies};
use clap::Subcommand;

use crate::check::environment;

/// Denied with `--exit-code`, a failed test, or a changed decision.
const NEGATIVE: u8 = 1;

/// The command could not run.
const COULD_NOT_RUN: u8 = 2;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Explain the decision about one request: the rule that decides, and the value of every part of every rule
    Explain(Box<explain::Options>),
    /// Decide every request in a file of cases, and compare the decisions with the expected ones
    Test(test::Options),
    /// Decide recorded requests with a configuration; exits with 1 if a decision would change
    Replay(replay::Options),
}

/// `before` are the configuration files that were named before the subcommand. Exits with 0 or [`NEGATIVE`], or with [`COULD_NOT_RUN`] and a message.
pub(crate) fn run(command: &Command, before: &[PathBuf]) -> ExitCode {
    let outcome = match command {
        Command::Explain(options) => explain::run(options, &options.files.all(before)),
        Command::Test(options) => test::run(options, &options.files.all(before)),
        Command::Replay(options) => replay::run(options, &options.files.all(before)),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => NEGATIVE.into(),
        Err(message) => {
            let _ = writeln!(std::io::stderr(), "{message}");
            COULD_NOT_RUN.into()
        }
    }
}

/// Loads the policies and prints their warnings on standard error.
fn policies(files: &[PathBuf]) -> Result<Policies, String> {
    let policies = load_policies(files, environment()).map_err(|problems| with_count(&problems))?;
    let mut out = std::io::stderr().lock();
    for warning in &policies.warnings {
        let _ = writeln!(out, "{warning}");
    }
    Ok(policies)
}

fn with_count(problems: &Problems) -> String {
    let count = problems.errors();
    let noun = if count == 1 { "error" } else { "errors" };
    format!("{problems}\n{count} {noun}")
}
