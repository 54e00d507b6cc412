//! The program: arguments in, exit code out. The work is done by the libraries.

mod backup;
mod check;
mod cli;
mod doctor;
mod gc;
mod hash_password;
mod limits;
mod log;
mod open_files;
mod options;
mod output;
mod policy;
mod quickstart;
mod reload;
mod serve;
mod version;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};

/// Gives memory back to the system within seconds after a burst of connections; glibc keeps what one of its arenas
/// once grew to. The delay is set where it is built, in `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let before = &cli.config;
    let outcome = match cli.command {
        Command::Server(ref files) => return serve::run(&files.all(before), cli.log_format),
        Command::Check(ref options) => return check::run(options, &options.files.all(before)),
        Command::Backup(ref options) => backup::run(options, &options.files.all(before)),
        Command::Gc(ref options) => gc::run(options, &options.files.all(before)),
        Command::HashPassword => hash_password::run(),
        Command::Quickstart(ref options) => match quickstart::run(options) {
            Ok(Some(file)) => return serve::run(&[file], cli.log_format),
            Ok(None) => Ok(()),
            Err(message) => Err(message),
        },
        Command::Policy(ref command) => return policy::run(command, before),
        Command::Doctor(ref options) => return doctor::run(options, options.files.all(before)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // Nothing is left to do when standard error is gone.
            let _ = writeln!(std::io::stderr(), "{message}");
            ExitCode::FAILURE
        }
    }
}
