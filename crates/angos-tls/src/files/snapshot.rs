//! What a reader has seen of a set of files, to be compared with what is there later.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::Files;

/// What a set of files and folders held when they were read, in the order of reading.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    entries: Vec<Entry>,
}

/// One file or folder.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) path: PathBuf,
    pub(super) request: Request,
    pub(super) seen: Seen,
}

/// What was asked for, with its bound.
#[derive(Clone, Copy, Debug)]
pub(super) enum Request {
    Read(u64),
    List(usize),
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// With the SHA-256 of its content.
    File(Mark, [u8; 32]),
    /// With the paths of the files in it.
    Folder(Mark, Vec<PathBuf>),
    /// With the error.
    Failed(String),
}

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Mark {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    fn is_younger_than(&self, age: Duration, now: SystemTime) -> bool {
        let since_1970 = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let oldest = since_1970(now.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH));
        let oldest = (i64::try_from(oldest.as_secs()).unwrap_or(i64::MAX), i64::from(oldest.subsec_nanos()));
        self.modified > oldest
    }
}

impl Seen {
    /// Whether it is the same file in the same state. Of a folder only the names count: files whose names begin with a
    /// dot may come and go in it.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Folder(one, names), Self::Folder(other, others)) => {
                (one.device, one.inode) == (other.device, other.inode) && names == others
            }
            (one, other) => one == other,
        }
    }

    /// Whether a reader gets the same from it.
    fn holds_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(_, one), Self::File(_, other)) => one == other,
            (Self::Folder(_, one), Self::Folder(_, other)) => one == other,
            (one, other) => one == other,
        }
    }
}

impl Snapshot {
    pub(super) fn new(entries: Vec<Entry>) -> Self {
        Self { entries }
    }

    /// Every file and folder, those that could not be read among them.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.entries.iter().map(|entry| entry.path.as_path())
    }

    /// The same files and folders as they are now. Blocks on the file system.
    #[must_use]
    pub fn read_again(&self, files: &Files) -> Self {
        files.take();
        for Entry { path, request, .. } in &self.entries {
            // What could not be read is recorded as that.
            let _ = match *request {
                Request::Read(max) => files.read(path, max).map(drop),
                Request::List(max) => files.list(path, max).map(drop),
            };
        }
        files.take()
    }

    /// The first path that is not what it was: another file, or the same with other content, size or times.
    pub fn first_change<'a>(&'a self, now: &Self) -> Option<&'a Path> {
        let mut others = now.entries.iter();
        // An entry without a counterpart is a folder that is none any more.
        let is_changed = |entry: &&Entry| {
            !others.next().is_some_and(|now| now.path == entry.path && entry.seen.is_same(&now.seen))
        };
        self.entries.iter().find(is_changed).map(|entry| entry.path.as_path())
    }

    /// Whether each file has the content it had, whatever became of its times, and each folder the names.
    pub fn holds_same(&self, now: &Self) -> bool {
        let same = |(one, now): (&Entry, &Entry)| one.path == now.path && one.seen.holds_same(&now.seen);
        self.entries.len() == now.entries.len() && self.entries.iter().zip(&now.entries).all(same)
    }

    /// The first file that, by its metadata alone, is not what it was. Blocks on the file system; much cheaper than
    /// reading all again.
    pub fn first_touched(&self, files: &Files) -> Option<&Path> {
        let is_touched = |entry: &&Entry| match &entry.seen {
            Seen::File(mark, _) => {
                let now = files.attempt(&entry.path, || fs::metadata(&entry.path));
                !matches!(now, Ok(Ok(now)) if Mark::of(&now) == *mark)
            }
            Seen::Folder(..) | Seen::Failed(_) => false,
        };
        self.entries.iter().find(is_touched).map(|entry| entry.path.as_path())
    }

    /// Whether a file or folder was written less than `age` before `now`, or, by its clock, after.
    pub fn is_younger_than(&self, age: Duration, now: SystemTime) -> bool {
        self.entries.iter().any(|entry| match &entry.seen {
            Seen::File(mark, _) | Seen::Folder(mark, _) => mark.is_younger_than(age, now),
            Seen::Failed(_) => false,
        })
    }
}
