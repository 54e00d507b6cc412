//! The client of the control socket: sends a command and waits for its result.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::{Value, json};

use super::backup_command::backup;
use super::short;
use crate::backup::Backup;

/// A connection to the process that has a store open.
#[derive(Debug)]
pub struct ControlClient(UnixStream);

impl ControlClient {
    /// Connects to the process that has the store with this metadata folder open; `None` if no process has.
    ///
    /// # Errors
    ///
    /// When the folder or the socket in it cannot be used, as by another user.
    pub fn connect(folder: &Path) -> io::Result<Option<ControlClient>> {
        let opened = match File::open(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        match UnixStream::connect(short(&opened)) {
            Ok(stream) => Ok(Some(ControlClient(stream))),
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Lets the server make a backup in `folder`, an absolute path, and waits for it. Blocking, without a time limit.
    ///
    /// # Errors
    ///
    /// A message: the server refused or failed, or the connection ended.
    pub fn backup(self, folder: &Path) -> Result<Backup, String> {
        let command = json!({ "command": "backup", "folder": folder });
        self.run(&command, |_| {}).map(|done| backup(&done))
    }

    /// Sends a command and waits for its result; `progress` gets what the server reports meanwhile. Blocking, without a
    /// time limit.
    ///
    /// # Errors
    ///
    /// A message: the server refused or failed, or the connection ended.
    pub fn run(self, command: &Value, mut progress: impl FnMut(&Value)) -> Result<Value, String> {
        let cannot = |error: io::Error| format!("cannot talk to the running server: {error}");
        let mut stream = self.0;
        writeln!(stream, "{command}").map_err(cannot)?;
        for line in BufReader::new(stream).lines() {
            let line = line.map_err(cannot)?;
            let line: Value = serde_json::from_str(&line).map_err(|error| cannot(error.into()))?;
            if let Some(error) = line.get("error") {
                return Err(error.as_str().unwrap_or("the server failed").to_owned());
            }
            if let Some(done) = line.get("done") {
                return Ok(done.clone());
            }
            if let Some(latest) = line.get("progress") {
                progress(latest);
            }
        }
        Err("the running server ended, or refused the connection: the command needs its user, or root"
            .to_owned())
    }
}
