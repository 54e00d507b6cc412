//! Sessions that their clients left behind.

use std::sync::PoisonError;

use angos_oci::Name;
use angos_storage::Batch;

use crate::clock::nanoseconds;
use crate::limits::{ORPHANS_PER_SWEEP, SESSIONS_PER_SWEEP};
use crate::record::Upload;
use crate::uploads::remove_session_records;
use crate::{Error, Registry, Result, key};

impl Registry {
    /// Ends some sessions that are older than `upload_expiry` and returns how many; to be called every few minutes, and
    /// again at once while it ends some.
    ///
    /// One call looks at [`SESSIONS_PER_SWEEP`] sessions by age, and removes their records in one batch. When there are
    /// no more, it looks at [`ORPHANS_PER_SWEEP`] sessions in the blob store that no record may know of, because the
    /// process died between the two; the next call goes on from there. Sessions in use are left, and those that come
    /// after them looked at. A session that cannot be removed does not keep the others.
    pub async fn expire_uploads(&self) -> Result<usize> {
        let recorded = self.expire_recorded().await;
        // Each page of the blob store costs reading the names of all sessions. There is time for it when few are left.
        if recorded.as_ref().is_ok_and(|ended| *ended >= SESSIONS_PER_SWEEP) {
            return recorded;
        }
        // What keeps one from ending sessions must not keep the other.
        let orphans = self.expire_orphans().await;
        Ok(recorded? + orphans?)
    }

    async fn expire_recorded(&self) -> Result<usize> {
        let now = self.0.clock.nanoseconds();
        let mut after = None;
        loop {
            let oldest = self.metadata().scan(key::EXPIRY, after.as_deref(), SESSIONS_PER_SWEEP).await?;
            let mut is_last = oldest.len() < SESSIONS_PER_SWEEP;
            let (mut batch, mut guards, mut failure) = (Batch::new(), Vec::new(), None);
            for entry in oldest {
                let Some((start, id, name)) = key::parse_expiry(&entry.key) else {
                    return Err(Error::Corrupt { what: "expiry of an upload" });
                };
                if self.expires(start) > now {
                    is_last = true;
                    break;
                }
                after = Some(entry.key);
                let Ok(guard) = self.0.sessions.acquire_any(id) else { continue };
                match self.drop_bytes(&name, id).await {
                    Ok(()) => {
                        batch = remove_session_records(batch, &name, start, &id);
                        guards.push(guard);
                    }
                    Err(Error::UploadBusy) => {}
                    Err(error) => failure = Some(error),
                }
            }
            self.apply(batch).await?;
            // A page of sessions that are all in use, or cannot be removed, must not hide those behind it.
            match (guards.len(), failure) {
                (0, _) if !is_last => {}
                (0, Some(error)) => return Err(error),
                (ended, _) => return Ok(ended),
            }
        }
    }

    /// Removes what the blob store has of a session, so that only its records are left.
    async fn drop_bytes(&self, name: &Name, id: [u8; 16]) -> Result<()> {
        if let Some(upload) = self.record::<Upload>(&key::upload(name, &id)).await? {
            self.0.storage.blobs.abort(&upload.session).await?;
        }
        Ok(())
    }

    /// A session whose last byte is older than a session's life is over, whatever its record says.
    async fn expire_orphans(&self) -> Result<usize> {
        let after = *self.0.sweep.lock().unwrap_or_else(PoisonError::into_inner);
        let blobs = &self.0.storage.blobs;
        let page = blobs.sessions(after.as_ref(), ORPHANS_PER_SWEEP).await?;
        let is_last = page.len() < ORPHANS_PER_SWEEP;
        let next = page.last().map(|(session, _)| *session).filter(|_| !is_last);
        *self.0.sweep.lock().unwrap_or_else(PoisonError::into_inner) = next;
        let now = self.0.clock.nanoseconds();
        let mut ended = 0;
        for (session, touched) in page {
            if self.expires(nanoseconds(touched)) > now {
                continue;
            }
            match blobs.abort(&session).await {
                Ok(true) => ended += 1,
                Ok(false) | Err(angos_storage::Error::SessionBusy) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(ended)
    }
}
