//! The program: arguments in, exit code out. What it does is in the libraries.

mod arguments;
mod backup;
mod check;
mod control;
mod decisions;
mod doctor;
mod hash_password;
mod limits;
mod log;
mod open_files;
mod output;
mod policy;
mod quickstart;
mod reload;
mod serve;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::{Arguments, Command};

/// Gives memory back to the system within seconds after a burst of connections; glibc keeps what one of its arenas
/// once grew to. How soon is said where it is built, in `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        Command::Server(ref files) => return serve::run(&arguments.files(files), arguments.log_format),
        Command::Check(ref check) => done(check::run(&arguments.files(&check.files), check.deny_warnings)),
        Command::Backup(ref backup) => done(backup::run(&arguments.files(&backup.files), &backup.folder)),
        Command::HashPassword => done(hash_password::run()),
        Command::Quickstart(ref options) => quickstart::run(options, arguments.log_format),
        Command::Policy(ref policy) => return policy::run(policy, &arguments),
        Command::Doctor(ref options) => return doctor::run(options, arguments.named_files(&options.files)),
    };
    match outcome {
        Ok(code) => code,
        Err(message) => {
            // Nothing is left to do when standard error is gone.
            let _ = writeln!(std::io::stderr(), "{message}");
            ExitCode::FAILURE
        }
    }
}

/// What was asked for is done, or could not be.
fn done(outcome: Result<(), String>) -> Result<ExitCode, String> {
    outcome.map(|()| ExitCode::SUCCESS)
}
