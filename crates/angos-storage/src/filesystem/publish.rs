//! From content to blob: check, sync, name, sync the name.

use std::io;

use angos_oci::Digest;

use super::{
    content::{Content, Place},
    disk::{Step, algorithm_path, blob_path, shard_path, staging_path},
};
use crate::{Error, SessionId};

impl Content {
    /// Publishes the content under its digest and ends the upload.
    ///
    /// Before the name is given, an error leaves the session to be continued: where it was acknowledged, or
    /// at the start when the disk failed to sync it.
    pub(super) fn publish(mut self, digest: &Digest) -> Result<u64, Error> {
        let hasher = if digest.algorithm() == self.algorithm() {
            self.hasher.clone()
        } else {
            self.hash_again(digest.algorithm())?
        };
        let actual = hasher.finish();
        if actual != *digest {
            self.acknowledge()?;
            return Err(Error::DigestMismatch { actual });
        }
        let size = self.length();
        if self.store.disk.size(&blob_path(digest))? != Some(size) {
            self.open()?;
            self.sync_data()?;
            if let Err(error) = self.name(digest) {
                let _ = self.acknowledge();
                return Err(error);
            }
            // From here the file is the blob, and nobody may write to it.
            self.file = None;
        }
        // Also for a blob that was there: whoever made it may not have come to the sync of its name.
        let parent = algorithm_path(digest.algorithm());
        self.store.directories.settle(&self.store.disk, &shard_path(digest), &parent)?;
        self.complete()?;
        Ok(size)
    }

    fn sync_data(&mut self) -> Result<(), Error> {
        let Some(file) = &self.file else { return Err(Error::Closed) };
        self.store.disk.sync_data(file).map_err(|error| {
            let error = self.failure("sync", error);
            self.distrust();
            error
        })
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
        let disk = &self.store.disk;
        if let Some(from) = self.path() {
            return disk.rename(Step::Publish, &from, to);
        }
        let Some(file) = &self.file else { return Err(io::ErrorKind::NotFound.into()) };
        match disk.link(file, to) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            outcome => return outcome,
        }
        // Someone else published it just now, or what is there has another size and is damaged.
        let length = file.metadata()?.len();
        if matches!(disk.size(to), Ok(Some(size)) if size == length) {
            return Ok(());
        }
        let name = SessionId::random().map_err(io::Error::other)?;
        disk.link(file, &staging_path(name))?;
        self.place = Place::Staged(name);
        self.store.disk.rename(Step::Publish, &staging_path(name), to)
    }
}
