//! Modes of files and folders that the store makes: for its owner alone, whatever the umask.

use std::{fs, io, os::unix::fs::DirBuilderExt, path::Path};

/// Mode of a new file: its owner reads and writes it.
pub(crate) const FILE_MODE: u32 = 0o600;

/// Mode of a new folder: its owner uses it.
pub(crate) const FOLDER_MODE: u32 = 0o700;

/// Makes a folder and those above it that are missing. What exists keeps its mode.
pub(crate) fn create_folders(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path)
}
