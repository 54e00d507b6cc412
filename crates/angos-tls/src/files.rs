//! Reading files that somebody else names and writes: regular files only, bounded, never waiting for another program;
//! and with a record of what was read, so that it can be told whether the files were still being written.

mod snapshot;

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use sha2::{Digest as _, Sha256};

pub use snapshot::Snapshot;
use snapshot::{Entry, Mark, Request, Seen};

/// Reads files and folders, and records what it read.
///
/// Guarantees: what is not a regular file (a pipe, a socket, a device) is an error, and opening it has no effect and
/// waits for nobody; at most as many bytes as asked for are read. A file system that does not answer blocks the calling
/// thread: [`overdue`](Self::overdue) tells another thread, and [`avoiding`](Self::avoiding) makes a reader that does not
/// touch such a path again.
///
/// Clones are the same reader. Each call blocks on the file system.
#[derive(Clone, Debug, Default)]
pub struct Files {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    avoided: Vec<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: Vec<Entry>,
    current: Option<(PathBuf, Instant)>,
}

/// Why a file or folder was not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It is a folder, a pipe, a socket or a device.
    #[error("this is not a regular file")]
    NotAFile,
    /// It has more bytes than asked for.
    #[error("the file is larger than {0} bytes")]
    TooLarge(u64),
    /// An earlier attempt to read it is still blocked in the file system.
    #[error("an earlier attempt to read the file has not ended: the file system does not answer")]
    Blocked,
    /// The system refused.
    #[error(transparent)]
    System(#[from] io::Error),
}

impl Files {
    /// A reader that has read nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// A reader for which these paths are errors ([`ReadError::Blocked`]).
    pub fn avoiding(paths: Vec<PathBuf>) -> Self {
        Self { shared: Arc::new(Shared { avoided: paths, state: Mutex::default() }) }
    }

    /// The content of a regular file of at most `max` bytes.
    pub fn read(&self, path: &Path, max: u64) -> Result<Vec<u8>, ReadError> {
        let read = self.attempt(path, || read_regular(path, max)).and_then(|read| read);
        let (seen, content) = match read {
            Ok((mark, content)) => (Seen::File(mark, Sha256::digest(&content).into()), Ok(content)),
            Err(error) => (Seen::Failed(error.to_string()), Err(error)),
        };
        self.record(path, Request::Read(max), seen);
        content
    }

    /// The files in a folder, sorted, without those whose name begins with a dot: at most one more than `max` names.
    /// None: the path is not a folder.
    pub fn list(&self, path: &Path, max: usize) -> Result<Option<Vec<PathBuf>>, ReadError> {
        let listed = self.attempt(path, || list_folder(path, max)).and_then(|listed| listed);
        let (seen, names) = match listed {
            Ok(Some((mark, names))) => (Seen::Folder(mark, names.clone()), Ok(Some(names))),
            Ok(None) => return Ok(None),
            Err(error) => (Seen::Failed(error.to_string()), Err(error)),
        };
        self.record(path, Request::List(max), seen);
        names
    }

    /// Does work that may block on `path`, unless that is avoided. While it lasts, [`overdue`](Self::overdue) names it.
    pub fn attempt<T>(&self, path: &Path, work: impl FnOnce() -> T) -> Result<T, ReadError> {
        if self.shared.avoided.iter().any(|avoided| avoided == path) {
            return Err(ReadError::Blocked);
        }
        self.state().current = Some((path.to_owned(), Instant::now()));
        let done = work();
        self.state().current = None;
        Ok(done)
    }

    /// The path whose reading has taken longer than `limit` by now.
    pub fn overdue(&self, limit: Duration) -> Option<PathBuf> {
        let state = self.state();
        state.current.as_ref().filter(|(_, since)| since.elapsed() > limit).map(|(path, _)| path.clone())
    }

    /// Everything read since the last call, and forgets it.
    pub fn take(&self) -> Snapshot {
        Snapshot::new(std::mem::take(&mut self.state().entries))
    }

    /// Whether this is the only clone, so that no other thread reads with it.
    pub fn is_sole(&self) -> bool {
        Arc::strong_count(&self.shared) == 1
    }

    fn record(&self, path: &Path, request: Request, seen: Seen) {
        self.state().entries.push(Entry { path: path.to_owned(), request, seen });
    }

    /// The state is sound after every single change, so a panic of another thread spoils nothing.
    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_regular(path: &Path, max: u64) -> Result<(Mark, Vec<u8>), ReadError> {
    // Opening a device may have an effect (a tape rewinds, a watchdog starts), so the kind is asked for first. The name
    // may lead elsewhere a moment later, so opening never waits, and the kind of what was opened is asked for again.
    if !fs::metadata(path)?.is_file() {
        return Err(ReadError::NotAFile);
    }
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(io::Error::from)?);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(ReadError::NotAFile);
    }
    let mut content = Vec::new();
    // Files that grow while they are read, and those of /proc, have more than their metadata says.
    let mut file = file.take(max.saturating_add(1));
    if metadata.size() <= max {
        file.read_to_end(&mut content)?;
    }
    if metadata.size() > max || file.limit() == 0 {
        return Err(ReadError::TooLarge(max));
    }
    Ok((Mark::of(&metadata), content))
}

fn list_folder(path: &Path, max: usize) -> Result<Option<(Mark, Vec<PathBuf>)>, ReadError> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_dir() {
        return Ok(None);
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        if !name.as_encoded_bytes().starts_with(b".") {
            names.push(path.join(name));
        }
        if names.len() > max {
            break;
        }
    }
    names.sort();
    Ok(Some((Mark::of(&metadata), names)))
}

#[cfg(test)]
mod tests;
