//! Whether a store can be written to now, and how much room it has.

use std::os::fd::AsFd;

use crate::Error;

/// What a look at a store found.
#[derive(Debug, Clone)]
pub struct Health {
    /// The room where the store is, if it is on a file system that says so.
    pub space: Option<Space>,
    /// Whether the store takes writes; the error it would answer them with.
    pub outcome: Result<(), Error>,
}

/// The room on a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes that this process may still write.
    pub free_bytes: u64,
    /// Files that this process may still create; absent where the file system has no such bound.
    pub free_inodes: Option<u64>,
}

impl Health {
    /// A store without a disk.
    pub const IN_MEMORY: Health = Health { space: None, outcome: Ok(()) };
}

impl Space {
    /// The room on the file system of an open file or folder.
    pub(crate) fn of(file: impl AsFd) -> Option<Space> {
        let found = rustix::fs::fstatvfs(file).ok()?;
        Some(Space {
            free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
            free_inodes: (found.f_files > 0).then_some(found.f_favail),
        })
    }
}
