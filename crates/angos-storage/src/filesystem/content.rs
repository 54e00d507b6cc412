//! The content of one upload on its way: a file, its length, and the hash so far. All of it blocks.

use std::{fs::File, io, os::unix::fs::FileExt, sync::Arc};

use angos_oci::{Algorithm, Hasher};
use bytes::Bytes;

use super::{
    Store,
    disk::{self, Step, UPLOADS},
    lease::{Lease, ReleaseSignal},
    record::Record,
    sessions::{Acknowledged, data_path, state_path},
};
use crate::limits::{RECORD_SLOT_BYTES, RECORD_SLOTS, REHASH_BYTES};
use crate::{Error, Progress, SessionId};

/// Where the content is, and so what becomes of it.
pub(super) enum ContentState {
    /// The file of a session.
    Session(Lease),
    /// A file without a name, or none yet.
    Anonymous,
    /// A file in the staging folder.
    Staged(SessionId),
    /// Published.
    Done,
}

/// The content of one upload.
pub(super) struct Content {
    pub(super) store: Arc<Store>,
    pub(super) state: ContentState,
    pub(super) file: Option<File>,
    pub(super) hasher: Hasher,
    /// Whether the file may be a published blob under another name, so that nothing may change it.
    pub(super) shared: bool,
    length: u64,
    acknowledged: u64,
    /// Where the record of a session is, if there is one.
    record_slot: Option<usize>,
}

impl Content {
    /// Content of a single request. Touches nothing before the first byte.
    pub(super) fn staged(store: &Arc<Store>, algorithm: Algorithm) -> Content {
        Content {
            store: Arc::clone(store),
            state: ContentState::Anonymous,
            file: None,
            hasher: Hasher::new(algorithm),
            shared: false,
            length: 0,
            acknowledged: 0,
            record_slot: None,
        }
    }

    /// The content of a session as far as it is acknowledged; `shared` when it may have been published before.
    pub(super) fn of_session(
        store: &Arc<Store>,
        lease: Lease,
        file: File,
        hasher: Hasher,
        acknowledged: &Acknowledged,
        shared: bool,
    ) -> Content {
        Content {
            store: Arc::clone(store),
            state: ContentState::Session(lease),
            file: Some(file),
            hasher,
            shared,
            length: acknowledged.offset,
            acknowledged: acknowledged.offset,
            record_slot: acknowledged.slot,
        }
    }

    /// Bytes so far.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.hasher.algorithm()
    }

    /// Where a dropped writer announces that it will release the session.
    pub(super) fn release(&self) -> ReleaseSignal {
        match &self.state {
            ContentState::Session(lease) => lease.release.clone(),
            _ => ReleaseSignal::default(),
        }
    }

    /// The name of the file below the root, if it has one.
    pub(super) fn path(&self) -> Option<String> {
        match &self.state {
            ContentState::Session(lease) => Some(data_path(lease.id, self.algorithm())),
            ContentState::Staged(name) => Some(disk::staging_path(*name)),
            ContentState::Anonymous | ContentState::Done => None,
        }
    }

    /// An error of a call on the file.
    pub(super) fn failure(&self, action: &'static str, error: io::Error) -> Error {
        Error::from_io(action, self.store.disk.full(&self.path().unwrap_or_else(|| "staging".into())), error)
    }

    /// Makes sure that there is a file.
    pub(super) fn open(&mut self) -> Result<&File, Error> {
        if self.file.is_none() {
            let file = if let Some(file) = self.store.disk.create_anonymous()? {
                file
            } else {
                let name = SessionId::random()?;
                let file = self.store.disk.create(&disk::staging_path(name))?;
                self.state = ContentState::Staged(name);
                file
            };
            self.file = Some(file);
        }
        self.file.as_ref().ok_or(Error::Closed)
    }

    /// Writes and hashes. After an error the content is as long as it is acknowledged, on the disk too.
    pub(super) fn write(&mut self, frames: &[Bytes]) -> Result<(), Error> {
        if frames.is_empty() {
            return Ok(());
        }
        self.open()?;
        self.detach()?;
        let Some(file) = &self.file else { return Err(Error::Closed) };
        match self.store.disk.write(file, self.length, frames) {
            Ok(end) => {
                for frame in frames {
                    self.hasher.update(frame);
                }
                self.length = end;
                Ok(())
            }
            Err(error) => {
                let _ = file.set_len(self.acknowledged);
                Err(self.failure("write", error))
            }
        }
    }

    /// Records that everything written is acknowledged. With `sync` it then survives a power loss: first the bytes
    /// are on the disk, then the record that counts them.
    pub(super) fn acknowledge(&mut self) -> Result<Progress, Error> {
        if let ContentState::Session(lease) = &self.state
            && self.length > self.acknowledged
        {
            self.store.disk.check_location()?;
            let path = state_path(lease.id);
            self.sync_data()?;
            let record = Record::encode(self.store.boot, self.length, &self.hasher);
            let disk = &self.store.disk;
            let file = disk.open_record(&path)?;
            if self.record_slot.is_none() {
                // The names of both files, before anything is recorded under them.
                self.store.directories.sync_names(disk, UPLOADS, ".")?;
            }
            let slot = self.record_slot.map_or(0, |slot| (slot + 1) % RECORD_SLOTS);
            disk.record(&file, slot * RECORD_SLOT_BYTES, &record)
                .map_err(|error| Error::from_io("write", disk.full(&path), error))?;
            self.record_slot = Some(slot);
            self.acknowledged = self.length;
        }
        Ok(Progress { offset: self.length, algorithm: self.algorithm() })
    }

    /// Puts the bytes on the disk.
    pub(super) fn sync_data(&self) -> Result<(), Error> {
        let Some(file) = &self.file else { return Err(Error::Closed) };
        self.store.disk.sync_data(file).map_err(|error| self.failure("sync", error))
    }

    /// Gives the session a file of its own if its file may be a published blob.
    pub(super) fn detach(&mut self) -> Result<(), Error> {
        let (true, Some(path), Some(file)) = (self.shared, self.path(), &self.file) else { return Ok(()) };
        let disk = &self.store.disk;
        let fresh = disk::staging_path(SessionId::random()?);
        let copied = disk
            .copy(file, self.length, &fresh)
            .and_then(|copy| disk.rename(Step::Record, &fresh, &path).map(|()| copy));
        let copy = copied.map_err(|error: io::Error| {
            let _ = disk.remove(&fresh);
            self.failure("copy", error)
        })?;
        self.file = Some(copy);
        self.shared = false;
        Ok(())
    }

    /// The hash of the content by another algorithm, read from the file.
    pub(super) fn hash_again(&mut self, algorithm: Algorithm) -> Result<Hasher, Error> {
        let length = self.length;
        let file = self.open()?;
        match hash(file, length, algorithm) {
            Ok(hasher) => Ok(hasher),
            Err(error) => Err(self.failure("read", error)),
        }
    }
}

/// Hashes the first `length` bytes of a file.
pub(super) fn hash(file: &File, length: u64, algorithm: Algorithm) -> io::Result<Hasher> {
    let mut hasher = Hasher::new(algorithm);
    let mut buffer = vec![0; REHASH_BYTES];
    let mut position = 0;
    while position < length {
        let wanted = usize::try_from(length - position).unwrap_or(REHASH_BYTES).min(REHASH_BYTES);
        let chunk = buffer.get_mut(..wanted).unwrap_or_default();
        file.read_exact_at(chunk, position)?;
        hasher.update(chunk);
        position += wanted as u64;
    }
    Ok(hasher)
}

impl Drop for Content {
    /// Gives back the space of what was not acknowledged.
    fn drop(&mut self) {
        match (&self.state, &self.file) {
            (ContentState::Session(_), Some(file)) if self.length > self.acknowledged && !self.shared => {
                let _ = file.set_len(self.acknowledged);
            }
            (ContentState::Staged(name), _) => {
                let _ = self.store.disk.remove(&disk::staging_path(*name));
            }
            _ => {}
        }
    }
}
