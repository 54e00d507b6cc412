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

use crate::backup::Backup;
use crate::limits::{CONTROL_CLIENTS_MAX, CONTROL_LINE_MAX_BYTES, CONTROL_TIMEOUT};
use crate::settings::Storage;

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

    /// Runs the commands that arrive, one at a time, until dropped. The error is never returned: it lets a supervisor treat
    /// this like other services.
    pub async fn serve(self, storage: Storage) -> Result<(), String> {
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
            clients.spawn(answer(stream, storage.clone(), Arc::clone(&turn)));
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

async fn answer(stream: UnixStream, storage: Storage, turn: Arc<Semaphore>) {
    let (from, mut to) = stream.into_split();
    let (outcome, from) = match timeout(CONTROL_TIMEOUT, read_command(from)).await {
        Ok(Ok((command, from))) => (run(&command, &storage, &turn), from),
        Ok(Err(error)) => return tracing::debug!(target: "angos::control", %error, "no command came"),
        Err(_) => return tracing::debug!(target: "angos::control", "no command came in time"),
    };
    let last = match outcome {
        Ok(backup) => backup.follow(from, &mut to).await,
        Err(error) => Some(json!({ "error": error })),
    };
    if let Some(last) = last {
        let _ = say(&mut to, &last).await;
    }
}

/// One line, and what it was read from.
async fn read_command(from: OwnedReadHalf) -> io::Result<(Value, OwnedReadHalf)> {
    let mut reader = BufReader::new(from.take(CONTROL_LINE_MAX_BYTES));
    let mut line = String::new();
    reader.read_line(&mut line).await?;
    Ok((serde_json::from_str(&line)?, reader.into_inner().into_inner()))
}

/// A backup that is about to be made.
struct Work {
    storage: Storage,
    folder: PathBuf,
    _turn: tokio::sync::OwnedSemaphorePermit,
}

fn run(command: &Value, storage: &Storage, turn: &Arc<Semaphore>) -> Result<Work, String> {
    let text = |key: &str| command.get(key).and_then(Value::as_str);
    let folder = match (text("command"), text("folder").map(PathBuf::from)) {
        (Some("backup"), Some(folder)) if folder.is_absolute() => folder,
        (Some("backup"), _) => return Err("the folder of a backup must be an absolute path".into()),
        _ => return Err("this server does not know the command; it may be of another version".into()),
    };
    let Ok(turn) = Arc::clone(turn).try_acquire_owned() else {
        return Err("the server is at another command; try again when it is done".into());
    };
    Ok(Work { storage: storage.clone(), folder, _turn: turn })
}

impl Work {
    /// Makes the backup and tells the client; nothing when the client went away, which ends it.
    async fn follow(self, mut from: OwnedReadHalf, to: &mut OwnedWriteHalf) -> Option<Value> {
        let (progress, mut told) = watch::channel(Backup::default());
        let folder = self.folder.display();
        tracing::info!(target: "angos::control", %folder, "backup begins");
        let mut backup = std::pin::pin!(self.storage.backup(&self.folder, |done| {
            progress.send_replace(done);
        }));
        let mut byte = [0];
        loop {
            tokio::select! {
                outcome = &mut backup => return Some(match outcome {
                    Ok(done) => {
                        tracing::info!(target: "angos::control", %folder, ?done, "backup is whole");
                        json!({ "done": fields(done) })
                    }
                    Err(error) => {
                        tracing::error!(target: "angos::control", %folder, %error, "backup failed");
                        json!({ "error": error.to_string() })
                    }
                }),
                _ = from.read(&mut byte) => break,
                changed = told.changed() => {
                    let line = json!({ "progress": fields(*told.borrow_and_update()) });
                    if changed.is_err() || say(to, &line).await.is_err() {
                        break;
                    }
                }
            }
        }
        tracing::warn!(target: "angos::control", %folder, "backup was given up: its client went away");
        None
    }
}

/// One line, within a time: a client that does not read must not hold a command.
async fn say(to: &mut OwnedWriteHalf, line: &Value) -> io::Result<()> {
    let line = format!("{line}\n");
    timeout(CONTROL_TIMEOUT, to.write_all(line.as_bytes()))
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn fields(backup: Backup) -> Value {
    let Backup { records, blobs, bytes, linked, damaged } = backup;
    json!({ "records": records, "blobs": blobs, "bytes": bytes, "linked": linked, "damaged": damaged })
}

/// The other way round; what is missing is 0.
fn backup(fields: &Value) -> Backup {
    let number = |key: &str| fields.get(key).and_then(Value::as_u64).unwrap_or_default();
    Backup {
        records: number("records"),
        blobs: number("blobs"),
        bytes: number("bytes"),
        linked: number("linked"),
        damaged: number("damaged"),
    }
}
