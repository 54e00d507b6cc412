//! Load generator and floor programs: every ratio in one command. See `README.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::format_push_string,
    clippy::format_collect,
    reason = "a measuring program: whatever goes wrong must stop it, and what it prints is its product"
)]

mod calls;
mod floor;
mod handshakes;
mod load;
mod memory;
mod report;
mod servers;
mod workloads;

use clap::Parser;
use std::path::PathBuf;

/// Measures server processor time per request and per gigabyte, beside nginx, docker-registry and a floor program.
#[derive(Parser)]
struct Arguments {
    /// How often every workload is run against every server, in turn.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only workloads whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// The registry to measure.
    #[arg(long, default_value = "target/release/angos")]
    binary: PathBuf,
    /// Only handshakes, which need no binary.
    #[arg(long)]
    handshakes: bool,
    /// Handshakes at once, 1 to 16. A server that is busy finds the next message there when it has dealt with the last;
    /// one that is not has to be woken for each.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=16))]
    in_flight: u16,
    /// Runs the floor program instead: receive, hash, write into this folder.
    #[arg(long, hide = true)]
    floor: Option<PathBuf>,
}

fn main() {
    let arguments = Arguments::parse();
    if let Some(folder) = arguments.floor {
        floor::serve(&folder);
        return;
    }
    handshakes::measure(arguments.rounds, &arguments.only, arguments.in_flight.into());
    if arguments.handshakes {
        return;
    }
    let binary = arguments.binary.canonicalize().expect("build it first: cargo build --release -p angos");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(workloads::run_all(&binary, arguments.rounds, &arguments.only));
}
