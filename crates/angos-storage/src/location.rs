//! Whether a file that is open is still the one at its path.

use std::{
    fs::File,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::Error;

/// A file that stays open, and so keeps its inode, for as long as its store does.
///
/// The store goes on writing into a folder that was moved, removed or mounted over, since it holds it open; what it
/// acknowledged there would be gone after a restart. So a write asks first: one `stat`, beside a sync.
#[derive(Debug)]
pub(crate) struct Location {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Location {
    /// Remembers which file is open.
    pub(crate) fn of(file: &File, path: &Path) -> Result<Location, Error> {
        let found = file.metadata().map_err(|error| Error::from_io("stat", path, error))?;
        Ok(Location { path: path.to_owned(), device: found.dev(), inode: found.ino() })
    }

    /// [`Error::Moved`] unless the path leads to the file that is open.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match std::fs::symlink_metadata(&self.path) {
            Ok(found) if (found.dev(), found.ino()) == (self.device, self.inode) => Ok(()),
            _ => Err(Error::Moved { path: self.path.clone() }),
        }
    }
}
