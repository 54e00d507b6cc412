//! The control socket: other processes send commands to the process that has the store open.
//!
//! A socket in the folder of the metadata, for the user of the server and root alone. One connection carries one
//! command, a line of JSON, and its answer, lines of JSON: progress, and in the end what was done or why not. A client
//! that goes away ends its command.
//!
//! ```text
//! → {"command":"backup","folder":"/srv/backup"}
//! ← {"progress":{"records":256,"blobs":0,"bytes":0,"linked":0,"damaged":0}}
//! ← {"done":{"records":300,"blobs":300,"bytes":9000,"linked":300,"damaged":0}}    or {"error":"…"}
//! ```

mod backup_command;
pub(crate) mod client;

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::limits::{CONTROL_CLIENTS_MAX, CONTROL_LINE_MAX_BYTES, CONTROL_TIMEOUT};
use crate::{BoxFuture, settings::Storage};

use self::backup_command::BackupCommand;

const SOCKET: &str = "control.sock";

/// The open socket. Dropping it removes its file.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    file: PathBuf,
    /// The user of this process.
    user: u32,
}

/// A path of the socket that is short enough for the system, however deep the folder is; it holds as long as the file.
fn short(folder: &File) -> PathBuf {
    Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(SOCKET)
}

impl ControlSocket {
    /// Opens the socket in the folder of the metadata, for this user and root. This process must have the store open: an
    /// existing socket is then one of a process that has ended, and is replaced. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// Those of the file system and the socket.
    pub fn open(folder: &Path) -> io::Result<ControlSocket> {
        let file = folder.join(SOCKET);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(short(&File::open(folder)?))?;
        fs::set_permissions(&file, Permissions::from_mode(0o600))?;
        let user = UnixStream::pair()?.0.peer_cred()?.uid();
        Ok(ControlSocket { listener, file, user })
    }

    /// Runs `backup` and `commands` as they arrive, one at a time, until dropped. The error is never returned: it lets a
    /// supervisor treat this like other services.
    pub async fn serve(self, storage: Storage, commands: Vec<Arc<dyn ControlCommand>>) -> Result<(), String> {
        let backup: Arc<dyn ControlCommand> = Arc::new(BackupCommand(storage));
        let commands: Arc<[_]> = commands.into_iter().chain([backup]).collect();
        let turn = Arc::new(Semaphore::new(1));
        let mut clients = JoinSet::new();
        loop {
            while clients.try_join_next().is_some() {}
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(target: "angos::control", %error, "cannot accept a command");
                    tokio::time::sleep(CONTROL_TIMEOUT).await;
                    continue;
                }
            };
            let is_ours = stream.peer_cred().is_ok_and(|peer| peer.uid() == self.user || peer.uid() == 0);
            if !is_ours || clients.len() >= CONTROL_CLIENTS_MAX {
                continue;
            }
            clients.spawn(answer(stream, Arc::clone(&commands), Arc::clone(&turn)));
        }
    }
}

/// A command that a process answers on its control socket.
pub trait ControlCommand: Send + Sync {
    /// The word in the field `command`.
    fn name(&self) -> &'static str;

    /// Runs the command with the object that was sent, and returns the result or a message. `progress` may be called at any
    /// time; the client gets the latest value. Dropping the future ends the command.
    fn run<'a>(
        &'a self,
        arguments: &'a Value,
        progress: &'a (dyn Fn(Value) + Send + Sync),
    ) -> BoxFuture<'a, Result<Value, String>>;
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

async fn answer(stream: UnixStream, commands: Arc<[Arc<dyn ControlCommand>]>, turn: Arc<Semaphore>) {
    let (from, mut to) = stream.into_split();
    let (arguments, from) = match timeout(CONTROL_TIMEOUT, read_command(from)).await {
        Ok(Ok(read)) => read,
        Ok(Err(error)) => return tracing::debug!(target: "angos::control", %error, "no command came"),
        Err(_) => return tracing::debug!(target: "angos::control", "no command came in time"),
    };
    let name = arguments.get("command").and_then(Value::as_str);
    let command = commands.iter().find(|command| Some(command.name()) == name);
    let last = match (command, turn.try_acquire()) {
        (None, _) => {
            let message = "this server does not know the command; it may be of another version";
            Some(json!({ "error": message }))
        }
        (Some(_), Err(_)) => {
            Some(json!({ "error": "the server runs another command; try again when it is done" }))
        }
        (Some(command), Ok(_turn)) => follow(&**command, &arguments, from, &mut to).await,
    };
    if let Some(last) = last {
        let _ = say(&mut to, &last).await;
    }
}

/// Runs a command and sends its progress; returns the last line, or nothing when the client disconnected, which ends the
/// command.
async fn follow(
    command: &dyn ControlCommand,
    arguments: &Value,
    mut from: OwnedReadHalf,
    to: &mut OwnedWriteHalf,
) -> Option<Value> {
    let (latest, mut progress) = watch::channel(Value::Null);
    let report = |value| drop(latest.send_replace(value));
    let mut outcome = command.run(arguments, &report);
    let mut byte = [0];
    loop {
        tokio::select! {
            outcome = &mut outcome => return Some(match outcome {
                Ok(done) => json!({ "done": done }),
                Err(error) => json!({ "error": error }),
            }),
            _ = from.read(&mut byte) => break,
            changed = progress.changed() => {
                let line = json!({ "progress": *progress.borrow_and_update() });
                if changed.is_err() || say(to, &line).await.is_err() {
                    break;
                }
            }
        }
    }
    tracing::warn!(target: "angos::control", command = command.name(), "command ended: its client disconnected");
    None
}

/// One line, and what it was read from.
async fn read_command(from: OwnedReadHalf) -> io::Result<(Value, OwnedReadHalf)> {
    let mut reader = BufReader::new(from.take(CONTROL_LINE_MAX_BYTES));
    let mut line = String::new();
    reader.read_line(&mut line).await?;
    Ok((serde_json::from_str(&line)?, reader.into_inner().into_inner()))
}

/// One line, within a time: a client that does not read must not hold a command.
async fn say(to: &mut OwnedWriteHalf, line: &Value) -> io::Result<()> {
    let line = format!("{line}\n");
    timeout(CONTROL_TIMEOUT, to.write_all(line.as_bytes()))
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
