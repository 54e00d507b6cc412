//! From content to blob: check, sync, name, sync the name.
//!
//! The name always ends at the bytes that were just checked, also where a file had it before: that one may be damaged,
//! and is replaced at once and as a whole. A session keeps its file, which is then the blob under two names, until
//! [`abort`](crate::BlobStore::abort) ends it.

use std::{io, path::Path};

use angos_oci::Digest;
use rustix::io::Errno;

use super::{
    Store,
    content::{Content, ContentState},
    disk::{Step, algorithm_path, blob_path, shard_path, staging_path},
    sessions::data_path,
};
use crate::{Error, SessionId};

impl Content {
    /// Publishes the content under its digest. A session stays, and an error leaves it where it was acknowledged.
    pub(super) fn publish(mut self, digest: &Digest) -> Result<u64, Error> {
        let hasher = if digest.algorithm() == self.algorithm() {
            self.hasher.clone()
        } else {
            self.hash_again(digest.algorithm())?
        };
        let actual = hasher.finish();
        if actual != *digest {
            return Err(Error::DigestMismatch { actual });
        }
        self.store.disk.check_location()?;
        let size = self.length();
        self.open()?;
        self.sync_data()?;
        self.name(digest)?;
        // From here the file is the blob, and nothing may write to it.
        self.file = None;
        if !matches!(self.state, ContentState::Session(_)) {
            self.state = ContentState::Done;
        }
        let parent = algorithm_path(digest.algorithm());
        self.store.directories.sync_names(&self.store.disk, &shard_path(digest), &parent)?;
        Ok(size)
    }

    /// Gives the content its name; makes the folder for it where that is missing.
    fn name(&mut self, digest: &Digest) -> Result<(), Error> {
        let path = blob_path(digest);
        match self.try_name(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.store.directories.make(&self.store.disk, &shard_path(digest))?;
                self.try_name(&path)
            }
            outcome => outcome,
        }
        .map_err(|error| Error::from_io("publish", self.store.disk.full(&path), error))
    }

    fn try_name(&mut self, to: &str) -> io::Result<()> {
        if let ContentState::Staged(name) = &self.state {
            return self.store.disk.rename(Step::Publish, &staging_path(*name), to);
        }
        // Before the link, which may succeed without telling.
        self.shared = true;
        match self.link(to) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) if is_without_links(&error) => return self.replace(to, Content::copy),
            outcome => return outcome,
        }
        let Some(file) = &self.file else { return Err(io::ErrorKind::NotFound.into()) };
        if self.store.disk.is_same(file, to)? {
            // Published before, by a session whose end was not acknowledged.
            return Ok(());
        }
        self.replace(to, Content::link)
    }

    /// Puts the content under a name of its own, and moves it over what has the name it is to have.
    fn replace(&self, to: &str, put: impl FnOnce(&Content, &str) -> io::Result<()>) -> io::Result<()> {
        let disk = &self.store.disk;
        let staged = staging_path(SessionId::random().map_err(io::Error::other)?);
        put(self, &staged).and_then(|()| disk.rename(Step::Publish, &staged, to)).inspect_err(|_| {
            let _ = disk.remove(&staged);
        })
    }

    /// Gives the file one more name, which must be free.
    fn link(&self, to: &str) -> io::Result<()> {
        let disk = &self.store.disk;
        match (&self.state, &self.file) {
            (ContentState::Session(lease), _) => disk.link_path(&data_path(lease.id, self.algorithm()), to),
            (_, Some(file)) => disk.link(file, to),
            (_, None) => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// The same where files have only one name.
    fn copy(&self, to: &str) -> io::Result<()> {
        let Some(file) = &self.file else { return Err(io::ErrorKind::NotFound.into()) };
        self.store.disk.copy(file, self.length(), to).map(drop)
    }
}

impl Store {
    /// Gives a file of another store the name of a blob.
    pub(super) fn link_blob_from(&self, file: &Path, digest: &Digest) -> Result<Option<bool>, Error> {
        let path = blob_path(digest);
        let outcome = match self.disk.link_foreign(file, &path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.directories.make(&self.disk, &shard_path(digest))?;
                self.disk.link_foreign(file, &path)
            }
            outcome => outcome,
        };
        match outcome {
            Ok(()) => Ok(Some(true)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Some(true)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Some(false)),
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices || is_without_links(&error) => {
                Ok(None)
            }
            Err(error) => Err(Error::from_io("link", file, error)),
        }
    }
}

/// Whether the filesystem gives a file no second name, or not one more.
fn is_without_links(error: &io::Error) -> bool {
    let errors = [Errno::PERM, Errno::OPNOTSUPP, Errno::NOSYS, Errno::MLINK];
    errors.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}
