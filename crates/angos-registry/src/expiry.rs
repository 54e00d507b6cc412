//! Sessions that their clients left behind.

use std::sync::PoisonError;

use angos_oci::Name;
use angos_storage::Batch;

use crate::clock::nanoseconds;
use crate::limits::SESSIONS_PER_SWEEP;
use crate::record::Upload;
use crate::{Error, Registry, Result, key};

impl Registry {
    /// Ends some sessions that are older than `upload_expiry` and returns how many; to be called every few minutes.
    ///
    /// One call looks at [`SESSIONS_PER_SWEEP`] sessions by age, and at as many in the blob store that no record may
    /// know of, because the process died between the two; the next call goes on from there. Sessions in use are left,
    /// and those that come after them looked at.
    pub async fn expire_uploads(&self) -> Result<usize> {
        // What keeps one from ending sessions must not keep the other.
        let (recorded, orphans) = (self.expire_recorded().await, self.expire_orphans().await);
        Ok(recorded? + orphans?)
    }

    async fn expire_recorded(&self) -> Result<usize> {
        let now = self.0.clock.nanoseconds();
        let mut after = None;
        loop {
            let oldest = self.metadata().scan(key::EXPIRY, after.as_deref(), SESSIONS_PER_SWEEP).await?;
            let is_last = oldest.len() < SESSIONS_PER_SWEEP;
            let mut ended = 0;
            for entry in oldest {
                let Some((start, id, name)) = key::parse_expiry(&entry.key) else {
                    return Err(Error::Corrupt { what: "expiry of an upload" });
                };
                if self.expires(start) > now {
                    return Ok(ended);
                }
                if self.expire(&name, start, id).await? {
                    ended += 1;
                }
                after = Some(entry.key);
            }
            // A page of sessions that are all in use must not hide those behind it.
            if ended > 0 || is_last {
                return Ok(ended);
            }
        }
    }

    async fn expire(&self, name: &Name, start: u64, id: [u8; 16]) -> Result<bool> {
        let Ok(_claim) = self.0.sessions.claim_any(id) else { return Ok(false) };
        let outcome = if let Some(upload) = self.record::<Upload>(&key::upload(name, &id)).await? {
            self.forget(name, start, &id, &upload.session).await
        } else {
            let batch = Batch::new().delete(key::expiry(start, &id, name));
            self.metadata().apply(batch).await.map_err(Error::from)
        };
        match outcome {
            Ok(()) => Ok(true),
            Err(Error::UploadBusy) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A session whose last byte is older than a session's life is over, whatever its record says.
    async fn expire_orphans(&self) -> Result<usize> {
        let after = *self.0.sweep.lock().unwrap_or_else(PoisonError::into_inner);
        let blobs = &self.0.storage.blobs;
        let page = blobs.sessions(after.as_ref(), SESSIONS_PER_SWEEP).await?;
        let is_last = page.len() < SESSIONS_PER_SWEEP;
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
