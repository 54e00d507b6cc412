//! The system calls: every one in one place, with a name for its failure.

use std::{
    fs::{self, File, TryLockError},
    io::{self, IoSlice},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::OpenOptionsExt,
    },
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use angos_oci::{Algorithm, Digest};
use bytes::Bytes;
use rustix::{
    fs::{Advice, AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags},
    io::Errno,
};

use crate::limits::WRITE_BACK_BYTES;
use crate::location::Location;
use crate::modes::{FILE_MODE, FOLDER_MODE, create_folders};
use crate::{Error, SessionId};

/// What a system call is for; tests make them fail by this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Create,
    Write,
    SyncData,
    Publish,
    SyncDirectory,
    Record,
    SyncRecord,
}

/// One open folder.
pub(super) struct Disk {
    root: PathBuf,
    pub(super) top: OwnedFd,
    sync: bool,
    /// Whether files without a name can be made here and be given one.
    anonymous: bool,
    /// Whether a file may have two names; only tests say no.
    #[cfg(test)]
    pub(super) links: bool,
    /// Locked for as long as the store is open, and so what tells whether the folder is still in its place.
    _lock: File,
    location: Location,
    /// Whether a call that writes has failed since the last look at the health of the store.
    pub(super) has_failed: AtomicBool,
    #[cfg(test)]
    pub(super) fault: std::sync::Mutex<Option<(Step, io::ErrorKind)>>,
    /// What was done, in order.
    #[cfg(test)]
    pub(super) steps: std::sync::Mutex<Vec<Step>>,
}

/// What the system knows without asking the disk.
pub(super) enum Cached<T> {
    Here(T),
    Missing,
    Unknown,
}

pub(super) const BLOBS: &str = "blobs";
pub(super) const UPLOADS: &str = "uploads";
pub(super) const STAGING: &str = "staging";

/// The folders above those of the algorithms, the root last.
pub(super) const ABOVE: [&str; 2] = [BLOBS, "."];

/// The folder of blobs that start alike, below the root.
pub(super) fn shard_path(digest: &Digest) -> String {
    let first = digest.bytes().first().copied().unwrap_or_default();
    format!("{}/{first:02x}", algorithm_path(digest.algorithm()))
}

/// The folder of one algorithm, below the root.
pub(super) fn algorithm_path(algorithm: Algorithm) -> String {
    format!("{BLOBS}/{algorithm}")
}

/// Where a blob is, below the root.
pub(super) fn blob_path(digest: &Digest) -> String {
    format!("{}/{}", shard_path(digest), digest.hex())
}

/// Where a file without a session is, below the root.
pub(super) fn staging_path(name: SessionId) -> String {
    format!("{STAGING}/{name}")
}

impl Disk {
    pub(super) fn open(root: &Path, sync: bool) -> Result<Disk, Error> {
        let fail = |path: &Path, error: io::Error| Error::from_io("create", path, error);
        for folder in
            [UPLOADS.to_owned(), STAGING.to_owned()].into_iter().chain(Algorithm::ALL.map(algorithm_path))
        {
            let folder = root.join(folder);
            create_folders(&folder).map_err(|error| fail(&folder, error))?;
        }
        let lock_path = root.join("blobs.lock");
        let lock = lock(&lock_path)?;
        let location = Location::of(&lock, &lock_path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let top = rustix::fs::openat(CWD, root, flags, Mode::empty())
            .map_err(|error| Error::from_io("open", root, error))?;
        let mut disk = Disk {
            root: root.to_owned(),
            top,
            sync,
            anonymous: true,
            #[cfg(test)]
            links: true,
            _lock: lock,
            location,
            has_failed: AtomicBool::new(false),
            #[cfg(test)]
            fault: std::sync::Mutex::default(),
            #[cfg(test)]
            steps: std::sync::Mutex::default(),
        };
        disk.clear_staging()?;
        disk.anonymous = disk.can_link_anonymous();
        Ok(disk)
    }

    /// The full path, for messages.
    pub(super) fn full(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Whether acknowledged means durable.
    pub(super) fn durable(&self) -> bool {
        self.sync
    }

    #[cfg(test)]
    pub(super) fn forbid_links(&mut self) {
        self.anonymous = false;
        self.links = false;
    }

    #[cfg(test)]
    pub(super) fn attempt<T>(&self, step: Step, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        crate::memory::lock(&self.steps).push(step);
        let outcome = match *crate::memory::lock(&self.fault) {
            // No call of the system answers this.
            Some((broken, io::ErrorKind::Unsupported)) if broken == step => panic!("a defect"),
            Some((broken, kind)) if broken == step => Err(kind.into()),
            _ => call(),
        };
        self.remember_failure(outcome)
    }

    #[cfg(not(test))]
    pub(super) fn attempt<T>(&self, _: Step, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.remember_failure(call())
    }

    /// Remembers that a call failed.
    fn remember_failure<T>(&self, outcome: io::Result<T>) -> io::Result<T> {
        if outcome.is_err() {
            self.has_failed.store(true, Ordering::Relaxed);
        }
        outcome
    }

    /// [`Error::Moved`] unless the folder is still where it was opened. Asked before anything is acknowledged.
    pub(super) fn check_location(&self) -> Result<(), Error> {
        self.location.check()
    }

    /// Creates a new named file for reading and writing.
    pub(super) fn create(&self, path: &str) -> Result<File, Error> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        self.attempt(Step::Create, || Ok(rustix::fs::openat(&self.top, path, flags, file_mode())?))
            .map(File::from)
            .map_err(|error| Error::from_io("create", self.full(path), error))
    }

    /// Creates a file without a name, or none where that is not possible.
    pub(super) fn create_anonymous(&self) -> Result<Option<File>, Error> {
        if !self.anonymous {
            return Ok(None);
        }
        let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
        self.attempt(Step::Create, || Ok(rustix::fs::openat(&self.top, STAGING, flags, file_mode())?))
            .map(|file| Some(File::from(file)))
            .map_err(|error| Error::from_io("create", self.full(STAGING), error))
    }

    /// Opens an existing regular file; anything else under that name is damage.
    pub(super) fn open_file(&self, path: &str, access: OFlags) -> Result<Option<File>, Error> {
        let flags = access | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = match rustix::fs::openat(&self.top, path, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(Error::from_io("open", self.full(path), error)),
        };
        match file.metadata() {
            Ok(found) if found.is_file() => Ok(Some(file)),
            Ok(_) => Err(Error::Corrupt(format!("{} is not a file", self.full(path).display()))),
            Err(error) => Err(Error::from_io("open", self.full(path), error)),
        }
    }

    /// Opens a blob.
    pub(super) fn open_blob(&self, digest: &Digest) -> Result<Option<File>, Error> {
        self.open_file(&blob_path(digest), OFlags::RDONLY)
    }

    /// Opens without waiting for the disk.
    pub(super) fn open_cached(&self, path: &str, access: OFlags) -> Cached<File> {
        let flags = access | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        match rustix::fs::openat2(&self.top, path, flags, Mode::empty(), ResolveFlags::CACHED) {
            Ok(file) => Cached::Here(File::from(file)),
            Err(Errno::NOENT) => Cached::Missing,
            Err(_) => Cached::Unknown,
        }
    }

    /// The size of a regular file.
    pub(super) fn size(&self, path: &str) -> Result<Option<u64>, Error> {
        match rustix::fs::statat(&self.top, path, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) if FileType::from_raw_mode(found.st_mode) == FileType::RegularFile => {
                Ok(Some(u64::try_from(found.st_size).unwrap_or_default()))
            }
            Ok(_) => Err(Error::Corrupt(format!("{} is not a file", self.full(path).display()))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(Error::from_io("stat", self.full(path), error)),
        }
    }

    /// Writes all frames at `offset`.
    pub(super) fn write(&self, file: &File, offset: u64, frames: &[Bytes]) -> io::Result<u64> {
        let mut slices: Vec<IoSlice<'_>> = frames.iter().map(|frame| IoSlice::new(frame)).collect();
        let mut rest = slices.as_mut_slice();
        let mut position = offset;
        while !rest.is_empty() {
            let written = match self.attempt(Step::Write, || Ok(rustix::io::pwritev(file, rest, position)?)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            position += written as u64;
            IoSlice::advance_slices(&mut rest, written);
        }
        self.start_write_back(file, offset, position);
        Ok(position)
    }

    /// Asks the disk to begin with what is complete. Only a hint; of pages that are being written this
    /// drops none from the cache.
    fn start_write_back(&self, file: &File, from: u64, to: u64) {
        let done = to / WRITE_BACK_BYTES * WRITE_BACK_BYTES;
        if self.sync && from < done {
            let length = std::num::NonZeroU64::new(WRITE_BACK_BYTES);
            let _ = rustix::fs::fadvise(file, done - WRITE_BACK_BYTES, length, Advice::DontNeed);
        }
    }

    /// Puts the content of a file on the disk.
    pub(super) fn sync_data(&self, file: &File) -> io::Result<()> {
        if !self.sync {
            return Ok(());
        }
        self.attempt(Step::SyncData, || file.sync_data())
    }

    /// Puts the names in a folder on the disk.
    pub(super) fn sync_directory(&self, path: &str) -> Result<(), Error> {
        if !self.sync {
            return Ok(());
        }
        self.attempt(Step::SyncDirectory, || {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            Ok(rustix::fs::fsync(rustix::fs::openat(&self.top, path, flags, Mode::empty())?)?)
        })
        .map_err(|error| Error::from_io("sync", self.full(path), error))
    }

    /// Gives a file another name, which replaces what had it.
    pub(super) fn rename(&self, step: Step, from: &str, to: &str) -> io::Result<()> {
        self.attempt(step, || Ok(rustix::fs::renameat(&self.top, from, &self.top, to)?))
    }

    /// Gives a file without a name its name; fails when that is taken.
    pub(super) fn link(&self, file: &File, to: &str) -> io::Result<()> {
        let from = format!("/proc/self/fd/{}", file.as_raw_fd());
        let flags = AtFlags::SYMLINK_FOLLOW;
        self.attempt(Step::Publish, || Ok(rustix::fs::linkat(CWD, from, &self.top, to, flags)?))
    }

    /// Makes a folder, if it does not exist.
    pub(super) fn make_directory(&self, path: &str) -> Result<(), Error> {
        match rustix::fs::mkdirat(&self.top, path, Mode::from_raw_mode(FOLDER_MODE)) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(Error::from_io("create", self.full(path), error)),
        }
    }

    /// Removes a file; `false` if there was none.
    pub(super) fn remove(&self, path: &str) -> Result<bool, Error> {
        match rustix::fs::unlinkat(&self.top, path, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(Error::from_io("remove", self.full(path), error)),
        }
    }

    /// Removes what a killed process left.
    fn clear_staging(&self) -> Result<(), Error> {
        let folder = self.full(STAGING);
        let entries = fs::read_dir(&folder).map_err(|error| Error::from_io("read", &folder, error))?;
        for entry in entries {
            let entry = entry.map_err(|error| Error::from_io("read", &folder, error))?;
            fs::remove_file(entry.path()).map_err(|error| Error::from_io("remove", entry.path(), error))?;
        }
        Ok(())
    }

    /// Tries what publishing a file without a name needs.
    fn can_link_anonymous(&self) -> bool {
        let probe = format!("{STAGING}/probe");
        let linked = matches!(self.create_anonymous(), Ok(Some(file)) if self.link(&file, &probe).is_ok());
        let _ = self.remove(&probe);
        linked
    }
}

pub(super) fn file_mode() -> Mode {
    Mode::from_raw_mode(FILE_MODE)
}

fn lock(path: &Path) -> Result<File, Error> {
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(FILE_MODE).open(path);
    let file = file.map_err(|error| Error::from_io("open", path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(Error::from_io("lock", path, error)),
    }
}
