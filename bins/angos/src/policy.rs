//! `angos policy`: access policies asked without a server. No port is bound, no storage opened, and no key or password
//! file of the configuration read.

mod coverage;
pub(crate) mod explain;
mod replay;
pub(crate) mod test;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use angos_config::{Policies, Problems, load_policies};

use crate::arguments::{Arguments, Policy};
use crate::check::environment;

/// What was asked was found to be no: denied with `--exit-code`, or a test failed.
const NO: u8 = 1;

/// The question could not be asked.
const UNUSABLE: u8 = 2;

/// Exits with 0 or [`NO`], or with [`UNUSABLE`] and a message.
pub(crate) fn run(policy: &Policy, arguments: &Arguments) -> ExitCode {
    let answer = match policy {
        Policy::Explain(options) => explain::run(options, &arguments.files(&options.files)),
        Policy::Test(options) => test::run(options, &arguments.files(&options.files)),
        Policy::Replay(options) => return replay::run(options, &arguments.files(&options.files)),
    };
    match answer {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(NO),
        Err(message) => {
            let _ = writeln!(std::io::stderr(), "{message}");
            ExitCode::from(UNUSABLE)
        }
    }
}

/// The policies, warnings told on standard error.
fn policies(files: &[PathBuf]) -> Result<Policies, String> {
    let policies = load_policies(files, environment()).map_err(|problems| told(&problems))?;
    let mut out = std::io::stderr().lock();
    for warning in &policies.warnings {
        let _ = writeln!(out, "{warning}");
    }
    Ok(policies)
}

fn told(problems: &Problems) -> String {
    let count = problems.errors();
    let noun = if count == 1 { "error" } else { "errors" };
    format!("{problems}\n{count} {noun}")
}

fn print(text: &str) -> Result<(), String> {
    crate::output::print(|out| out.write_all(text.as_bytes()))
}

/// `text`, every line so far in.
fn indented(text: &str, depth: usize) -> String {
    let blank = " ".repeat(depth);
    text.lines().flat_map(|line| [&*blank, line, "\n"]).collect()
}
