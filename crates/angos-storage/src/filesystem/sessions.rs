//! Sessions that outlive their request: two files each, and the state in them is the only state.

use std::{
    fs::File,
    os::unix::fs::{FileExt, MetadataExt},
    sync::Arc,
};

use angos_oci::{Algorithm, Hasher};
use rustix::fs::OFlags;

use super::{
    Store,
    content::{Content, hash},
    disk::UPLOADS,
    record::Record,
};
use crate::limits::{RECORD_SLOT_BYTES, RECORD_SLOTS};
use crate::{Error, Progress, SessionId};

/// The content of a session.
pub(super) fn data_path(id: SessionId, algorithm: Algorithm) -> String {
    format!("{UPLOADS}/{id}.{algorithm}")
}

/// The record of a session.
pub(super) fn state_path(id: SessionId) -> String {
    format!("{UPLOADS}/{id}.state")
}

/// A session as it lies on the disk.
struct Found {
    file: File,
    algorithm: Algorithm,
    length: u64,
    /// Whether the file has another name, so that it may be a published blob.
    shared: bool,
    acknowledged: Acknowledged,
}

/// How much of a session is acknowledged.
pub(super) struct Acknowledged {
    pub(super) offset: u64,
    /// The hash of these bytes, if what is recorded can be trusted.
    hasher: Option<Hasher>,
    /// Which place of the file says so.
    pub(super) slot: Option<usize>,
}

impl Store {
    pub(super) fn begin(&self, algorithm: Algorithm) -> Result<SessionId, Error> {
        let id = SessionId::random()?;
        self.disk.create(&data_path(id, algorithm))?;
        Ok(id)
    }

    pub(super) fn progress(&self, id: SessionId) -> Result<Option<Progress>, Error> {
        let found = self.find(id)?;
        Ok(found.map(|found| Progress { offset: found.acknowledged.offset, algorithm: found.algorithm }))
    }

    /// Takes the session and continues its content where it is acknowledged.
    pub(super) fn resume(self: &Arc<Store>, id: SessionId) -> Result<Content, Error> {
        let lease = self.leases.take(id)?;
        let Found { file, algorithm, length, shared, mut acknowledged } =
            self.find(id)?.ok_or(Error::SessionUnknown)?;
        let fail = |action, error| Error::from_io(action, self.disk.full(&data_path(id, algorithm)), error);
        let offset = acknowledged.offset;
        let hasher = match acknowledged.hasher.take() {
            Some(hasher) => hasher,
            None => hash(&file, offset, algorithm).map_err(|error| fail("read", error))?,
        };
        let is_longer = length > offset;
        if is_longer && !shared {
            file.set_len(offset).map_err(|error| fail("truncate", error))?;
        }
        let mut content = Content::of_session(self, lease, file, hasher, &acknowledged, shared);
        if is_longer {
            content.detach()?;
        }
        Ok(content)
    }

    pub(super) fn abort(&self, id: SessionId) -> Result<bool, Error> {
        let _lease = self.leases.take(id)?;
        let mut found = false;
        for algorithm in Algorithm::ALL {
            found |= self.disk.remove(&data_path(id, algorithm))?;
        }
        found |= self.disk.remove(&state_path(id))?;
        Ok(found)
    }

    fn find(&self, id: SessionId) -> Result<Option<Found>, Error> {
        for algorithm in Algorithm::ALL {
            let path = data_path(id, algorithm);
            let Some(file) = self.disk.open_file(&path, OFlags::RDWR)? else { continue };
            let found =
                file.metadata().map_err(|error| Error::from_io("stat", self.disk.full(&path), error))?;
            let (length, shared) = (found.len(), found.nlink() > 1);
            let acknowledged = self.acknowledged(id, algorithm, length)?;
            return Ok(Some(Found { file, algorithm, length, shared, acknowledged }));
        }
        Ok(None)
    }

    /// How much of `length` bytes is acknowledged. Without a record nothing was; with one that cannot be read,
    /// whatever is there counts, since its hash decides in the end.
    fn acknowledged(&self, id: SessionId, algorithm: Algorithm, length: u64) -> Result<Acknowledged, Error> {
        let path = state_path(id);
        let nothing = Acknowledged { offset: 0, hasher: Some(Hasher::new(algorithm)), slot: None };
        let Some(file) = self.disk.open_file(&path, OFlags::RDONLY)? else { return Ok(nothing) };
        let mut bytes = [0; RECORD_SLOTS * RECORD_SLOT_BYTES];
        let mut filled = 0;
        while let Some(room) = bytes.get_mut(filled..).filter(|room| !room.is_empty()) {
            match file.read_at(room, filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) => return Err(Error::from_io("read", self.disk.full(&path), error)),
            }
        }
        if filled == 0 {
            return Ok(nothing);
        }
        Ok(match Record::newest(bytes.get(..filled).unwrap_or_default(), length) {
            None => Acknowledged { offset: length, hasher: None, slot: None },
            Some((slot, record)) => {
                let trusted = record.boot == self.boot
                    && record.offset <= length
                    && record.hasher.algorithm() == algorithm;
                let hasher = trusted.then_some(record.hasher);
                Acknowledged { offset: record.offset.min(length), hasher, slot: Some(slot) }
            }
        })
    }
}
