//! `angos gc`: one round of the garbage collector, in the server that has the store open, or here when none runs.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;

use angos_config::Configuration;
use angos_registry::{CollectOptions, Collected, Registry};
use angos_storage::{ControlClient, Storage};
use clap::Args;
use serde_json::json;
use tokio::runtime::Builder;

use crate::check;
use crate::options::Files;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Print what would be removed now, and remove nothing
    #[arg(long)]
    dry_run: bool,

    /// Look at every blob of the store, too, and make those that nothing needs candidates
    #[arg(long)]
    sweep: bool,

    #[command(flatten)]
    pub(crate) files: Files,
}

pub(crate) fn run(options: &Options, files: &[PathBuf]) -> Result<(), String> {
    let configuration = check::read(files)?;
    let metadata = configuration.storage.metadata_dir().ok_or("the store is not in a folder")?;
    let shown = metadata.display();
    let server = ControlClient::connect(metadata).map_err(|error| {
        format!("cannot reach the running server through {shown}: {error}; run this as its user")
    })?;
    let collected = match server {
        Some(server) => {
            let command = json!({ "command": "gc", "dry_run": options.dry_run, "sweep": options.sweep });
            server
                .run(&command, |progress| show(Collected::from_json(progress)))
                .map(|done| Collected::from_json(&done))
        }
        None if configuration.storage.is_present() => alone(&configuration, options),
        None => Err(format!("there is no store in {shown}")),
    };
    let collected =
        collected.map_err(|error| format!("garbage collection stopped and kept the rest: {error}"))?;
    end_progress();
    let Collected { examined, waiting, ownerships, blobs, bytes, repositories, skipped, .. } = collected;
    let (removed, would) =
        if options.dry_run { ("would be removed", "would leave") } else { ("removed", "left") };
    let mut out = std::io::stdout().lock();
    let _ = writeln!(
        out,
        "{blobs} blobs ({bytes} bytes) {removed}, {ownerships} of repositories that need them no more"
    );
    let _ = writeln!(out, "{repositories} empty repositories {would} the catalog");
    let _ = writeln!(out, "{examined} candidates examined, {waiting} within their grace time");
    if skipped > 0 {
        return Err(format!("{skipped} blobs are kept because a record about them is damaged; see the log"));
    }
    Ok(())
}

/// Without a server.
fn alone(configuration: &Configuration, options: &Options) -> Result<Collected, String> {
    let storage = Storage::open(&configuration.storage).map_err(|error| error.to_string())?;
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let registry = Registry::new(storage, configuration.server.registry.clone());
        let options = CollectOptions { dry_run: options.dry_run, sweep: options.sweep };
        registry.collect(options, show).await.map_err(|error| error.to_string())
    })
}

/// One line that is written again and again, on a terminal alone.
fn show(so_far: Collected) {
    let mut out = std::io::stderr().lock();
    if out.is_terminal() {
        let Collected { examined, swept, blobs, bytes, .. } = so_far;
        let _ = write!(out, "\r{swept} swept, {examined} examined, {blobs} blobs removed ({bytes} bytes)");
        let _ = out.flush();
    }
}

fn end_progress() {
    let mut out = std::io::stderr().lock();
    if out.is_terminal() {
        let _ = writeln!(out);
    }
}
