//! Standard output of the tools.

use std::io::{self, ErrorKind, StdoutLock, Write as _};

/// Writes to standard output. A reader that has seen enough and closed its end (`angos check | head -1`) is no error;
/// anything else is, a full disk among them, so that no script takes half an answer for a whole one.
pub(crate) fn print(write: impl FnOnce(&mut StdoutLock<'static>) -> io::Result<()>) -> Result<(), String> {
    let mut out = io::stdout().lock();
    let written = write(&mut out).and_then(|()| out.flush());
    accepted(written)
}

fn accepted(written: io::Result<()>) -> Result<(), String> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(format!("cannot write to standard output: {error}"))
        }
        _ => Ok(()),
    }
}
