//! Files with two names, copies where a filesystem has no such files, and the records of sessions.

use std::{
    fs::File,
    io,
    io::{Read as _, Seek as _},
    os::unix::fs::{FileExt, MetadataExt},
    path::Path,
};

use rustix::fs::{AtFlags, CWD, FileType, OFlags};

use super::disk::{Disk, Step, file_mode};
use crate::Error;

impl Disk {
    /// Gives a named file one more name; fails when that is taken.
    pub(super) fn link_path(&self, from: &str, to: &str) -> io::Result<()> {
        #[cfg(test)]
        if !self.links {
            return Err(rustix::io::Errno::PERM.into());
        }
        self.attempt(Step::Publish, || {
            Ok(rustix::fs::linkat(&self.top, from, &self.top, to, AtFlags::empty())?)
        })
    }

    /// The same for a file that lies elsewhere.
    pub(super) fn link_foreign(&self, from: &Path, to: &str) -> io::Result<()> {
        Ok(rustix::fs::linkat(CWD, from, &self.top, to, AtFlags::empty())?)
    }

    /// Whether `path` names this very file.
    pub(super) fn is_same(&self, file: &File, path: &str) -> io::Result<bool> {
        let ours = file.metadata()?;
        let theirs = rustix::fs::statat(&self.top, path, AtFlags::SYMLINK_NOFOLLOW)?;
        let is_file = FileType::from_raw_mode(theirs.st_mode) == FileType::RegularFile;
        Ok(is_file && (ours.dev(), ours.ino()) == (theirs.st_dev, theirs.st_ino))
    }

    /// Makes a new file of the first `length` bytes of another one, and puts it on the disk.
    pub(super) fn copy(&self, mut from: &File, length: u64, to: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let made = self.attempt(Step::Create, || Ok(rustix::fs::openat(&self.top, to, flags, file_mode())?));
        let mut copy = File::from(made?);
        from.rewind()?;
        if io::copy(&mut from.take(length), &mut copy)? != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.sync_data(&copy)?;
        Ok(copy)
    }

    /// Opens the file of a session's record, which is created when missing.
    pub(super) fn open_record(&self, path: &str) -> Result<File, Error> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        self.attempt(Step::Record, || Ok(rustix::fs::openat(&self.top, path, flags, file_mode())?))
            .map(File::from)
            .map_err(|error| Error::from_io("open", self.full(path), error))
    }

    /// Writes a record to its place, and puts it on the disk.
    pub(super) fn record(&self, file: &File, slot: usize, record: &[u8]) -> io::Result<()> {
        self.attempt(Step::Record, || file.write_all_at(record, slot as u64))?;
        if !self.durable() {
            return Ok(());
        }
        self.attempt(Step::SyncRecord, || file.sync_data())
    }
}
