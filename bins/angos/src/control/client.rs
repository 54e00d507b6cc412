//! The other end of the control socket: a command, and what the server says to it.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use angos_storage::Backup;
use serde_json::{Value, json};

use super::{backup, short};

/// A server that listens.
pub(crate) struct Connection(UnixStream);

/// Connects to the server that has the store in a folder open; none if there is none.
pub(crate) fn connect(folder: &Path) -> io::Result<Option<Connection>> {
    let opened = match File::open(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    match UnixStream::connect(short(&opened)) {
        Ok(stream) => Ok(Some(Connection(stream))),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

impl Connection {
    /// Has the server make a backup, and waits for it.
    pub(crate) fn backup(self, folder: &Path) -> Result<Backup, String> {
        let cannot = |error: io::Error| format!("cannot talk to the running server: {error}");
        let mut stream = self.0;
        let command = json!({ "command": "backup", "folder": folder });
        writeln!(stream, "{command}").map_err(cannot)?;
        for line in BufReader::new(stream).lines() {
            let line = line.map_err(cannot)?;
            let line: Value = serde_json::from_str(&line).map_err(|error| cannot(error.into()))?;
            if let Some(error) = line.get("error") {
                return Err(error.as_str().unwrap_or("the server failed").to_owned());
            }
            if let Some(done) = line.get("done") {
                return Ok(backup(done));
            }
        }
        Err("the running server ended, or refused the connection: the command needs its user, or root"
            .to_owned())
    }
}
