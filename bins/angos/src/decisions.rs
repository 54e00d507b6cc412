//! Where the decision log goes: a file that only its owner reads, appended to.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use angos_server::DecisionLog;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

/// Opens the file and starts to write it; the error says what keeps the server from starting.
pub(crate) fn start(path: PathBuf) -> Result<DecisionLog, String> {
    let cannot = format!("cannot write the decision log {}", path.display());
    DecisionLog::start(move || open(&path)).map_err(|error| format!("{cannot}: {error}"))
}

/// Never waits: a pipe that nobody reads is an error, not a server that does not start.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let without_waiting = OFlags::NONBLOCK.bits().cast_signed();
    let file = options.append(true).create(true).mode(0o600).custom_flags(without_waiting).open(path)?;
    let flags = fcntl_getfl(&file)?;
    fcntl_setfl(&file, flags.difference(OFlags::NONBLOCK))?;
    Ok(file)
}
