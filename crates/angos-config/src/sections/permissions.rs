//! Warnings about secrets that users other than the owner can read, at every check, start and reload.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::context::Context;
use crate::key_path::KeyPath;

/// Read and write bits of the group and of other users.
const BEYOND_OWNER: u32 = 0o066;

/// Read bit, and search bit, of other users.
const READ_BY_ALL: u32 = 0o004;
const PASSED_BY_ALL: u32 = 0o001;

/// Warns if a file with a secret is accessible to its group or to all users. `noun` names it: `private key`.
pub(crate) fn warn_if_secret_is_readable(path: &Path, noun: &str, key: &KeyPath, context: &mut Context<'_>) {
    let Some(mode) = mode(path).filter(|mode| mode & BEYOND_OWNER != 0) else { return };
    let shown = crate::problem::escape(&path.to_string_lossy());
    let whom = if mode & 0o006 == 0 { "its group" } else { "every user of this machine" };
    context.warning(
        key,
        format!("the {noun} {shown} is open to {whom} (mode {:03o})", mode & 0o777),
        format!("chmod 600 {shown}, owned by the user that runs the registry"),
    );
}

/// Warns if every user of the machine can read what a store of an older version, or another program, left there.
pub(crate) fn warn_if_store_is_readable(blobs: &Path, metadata: &Path, context: &mut Context<'_>) {
    for (section, folder, below) in
        [("blob_store", blobs, "blobs"), ("metadata_store", metadata, "metadata.redb")]
    {
        let is_passed = mode(folder).is_some_and(|mode| mode & PASSED_BY_ALL != 0);
        let is_read = mode(&folder.join(below)).is_some_and(|mode| mode & READ_BY_ALL != 0);
        // In the folder of the blobs, unless it is named; closing that one closes both.
        let is_reached =
            !folder.starts_with(blobs) || mode(blobs).is_some_and(|mode| mode & PASSED_BY_ALL != 0);
        if is_passed && is_read && is_reached {
            let shown = crate::problem::escape(&folder.to_string_lossy());
            context.warning(
                &KeyPath::of(&[section, "fs", "root_dir"]),
                format!("every user of this machine can read what is stored in {shown}"),
                format!("chmod -R go-rwx {shown}; new files and folders are made for their owner alone"),
            );
        }
    }
}

fn mode(path: &Path) -> Option<u32> {
    path.metadata().ok().map(|found| found.mode())
}
