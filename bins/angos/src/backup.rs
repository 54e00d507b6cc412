//! `angos backup`: a consistent copy of the store, made by the server that has it open, or here when none runs.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use angos_storage::{Backup, ControlClient, Settings, Storage};
use clap::Args;
use tokio::runtime::Builder;

use crate::check;
use crate::options::Files;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The folder to create; must not exist yet, or be empty
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,

    #[command(flatten)]
    pub(crate) files: Files,
}

pub(crate) fn run(options: &Options, files: &[PathBuf]) -> Result<(), String> {
    let configuration = check::read(files)?;
    let folder = &options.folder;
    let folder = std::path::absolute(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let shown = folder.display();
    let metadata = configuration.storage.metadata_dir().ok_or("the store is not in a folder")?;
    let server = ControlClient::connect(metadata).map_err(|error| {
        format!(
            "cannot reach the running server through {}: {error}; run this as its user",
            metadata.display()
        )
    })?;
    let done = match server {
        Some(server) => server.backup(&folder),
        None if configuration.storage.is_present() => alone(&configuration.storage, &folder),
        None => Err(format!("there is no store in {}", metadata.display())),
    };
    let Backup { records, blobs, bytes, linked, damaged } =
        done.map_err(|error| format!("no backup in {shown}: {error}"))?;
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{shown}: {records} records, {blobs} blobs, {bytes} bytes, {linked} blobs linked");
    if damaged > 0 {
        return Err(format!(
            "{damaged} damaged blobs are left out: push them again; the log has their digests"
        ));
    }
    Ok(())
}

/// Without a server.
fn alone(settings: &Settings, folder: &Path) -> Result<Backup, String> {
    let storage = Storage::open(settings).map_err(|error| error.to_string())?;
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(storage.backup(folder, |_| {})).map_err(|error| error.to_string())
}
