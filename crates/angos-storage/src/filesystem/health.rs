//! Whether the folder takes writes, and its room.

use std::{os::unix::fs::FileExt, sync::atomic::Ordering};

use super::disk::{Disk, STAGING, staging_path};
use crate::limits::{INODES_LOW, PROBE_BYTES, SPACE_LOW_BYTES};
use crate::{Error, Health, SessionId, Space};

impl Disk {
    /// Whether the folder takes writes, and its room. Writes a file without a name where there is a reason to doubt.
    pub(super) fn health(&self) -> Health {
        let space = Space::of(&self.top);
        let is_low = space.is_some_and(|space| {
            space.free_bytes < SPACE_LOW_BYTES || space.free_inodes.is_some_and(|free| free < INODES_LOW)
        });
        let mut outcome = self.check_location();
        if outcome.is_ok() && (self.has_failed.swap(false, Ordering::Relaxed) || is_low) {
            outcome = self.try_write();
            self.has_failed.fetch_or(outcome.is_err(), Ordering::Relaxed);
        }
        Health { space, outcome }
    }

    fn try_write(&self) -> Result<(), Error> {
        let fail = |error| Error::from_io("write", self.full(STAGING), error);
        if let Some(file) = self.create_anonymous()? {
            return file.write_all_at(&[0; PROBE_BYTES], 0).map_err(fail);
        }
        let path = staging_path(SessionId::random()?);
        let written = self.create(&path)?.write_all_at(&[0; PROBE_BYTES], 0).map_err(fail);
        self.remove(&path)?;
        written
    }
}
