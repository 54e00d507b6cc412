//! Uploads: from a session's start to a blob that a namespace owns.
//!
//! A session costs nothing until it holds bytes that outlive a request. Starting one writes nothing
//! ([`UploadId`]); a blob that comes in one request is staged, verified and published without any record of a session;
//! only a chunk that is acknowledged on its own makes a session in the blob store, and a record that binds it to its id.

use angos_oci::{Algorithm, ContentRange, Digest, Name, UploadId};
use angos_storage::{Batch, SessionId, Writer};
use bytes::Bytes;

use crate::commit::{Action, Change};
use crate::limits::ATTEMPTS_MAX;
use crate::receive::BodyLimits;
use crate::record::{Record as _, Upload};
use crate::registry::run_detached;
use crate::sessions::SessionGuard;
use crate::upload_id::{IssuedId as _, Secret};
use crate::{Body, BodyError, Error, Registry, Result, key};

impl Registry {
    /// Starts a session that lives for `upload_expiry` and belongs to `name` alone.
    ///
    /// Name the algorithm of the digest if the client did: with another one at the end the bytes are read once more.
    pub async fn start_upload(&self, name: &Name, algorithm: Option<Algorithm>) -> Result<UploadId> {
        let mut session = [0; 16];
        getrandom::fill(&mut session).map_err(|_| Error::Randomness)?;
        let start = self.0.clock.nanoseconds();
        Ok(UploadId::new(self.secret().await?, name, session, start, algorithm))
    }

    /// How many bytes a session holds.
    pub async fn upload_progress(&self, name: &Name, id: &UploadId) -> Result<u64> {
        self.check(name, id).await?;
        if self.0.sessions.is_finished(id) {
            return Err(Error::UploadUnknown);
        }
        let upload = self.record(&key::upload(name, &id.session)).await?;
        self.offset(upload.as_ref()).await
    }

    /// Appends a chunk and returns how many bytes the session holds then.
    ///
    /// With a range, the chunk must start where the session stands ([`Error::RangeInvalid`]) and have its length. What
    /// arrived before a connection broke is kept; a client that resumes asks for the progress first. A blob that grows
    /// too large ends the session. One request at a time ([`Error::UploadBusy`]).
    pub async fn update_upload<B: Body>(
        &self,
        name: &Name,
        id: &UploadId,
        range: Option<ContentRange>,
        content_length: Option<u64>,
        mut body: B,
    ) -> Result<u64> {
        let open = self.open(name, id).await?;
        let offset = self.offset(open.upload.as_ref()).await?;
        let limits = self.body_limits(range, content_length, offset)?;
        let session = match &open.upload {
            Some(upload) => upload.session,
            None => self.begin(name, id).await?,
        };
        let blobs = &self.0.storage.blobs;
        let mut writer = blobs.append(&session, offset).await?;
        match limits.receive(&mut body, &mut writer).await {
            Ok(()) => {
                self.approve(&[]).await?;
                Ok(writer.finish().await?.offset)
            }
            Err(error @ Error::Body(_)) => self.keep_received(writer, error).await,
            Err(error @ Error::BlobTooLarge { .. }) => {
                drop(writer);
                self.end(name, id, Some(session), open.guard).await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Appends the last chunk, verifies the digest, publishes the blob and records that `name` owns it.
    ///
    /// A wrong digest ends the session: nothing that could be appended would make it right. Any other failure leaves
    /// the session where it was acknowledged before, until ownership is recorded, so the same call can be repeated.
    /// Repeated after it succeeded, because its answer was lost, it succeeds again.
    pub async fn complete_upload<B: Body>(
        &self,
        name: &Name,
        id: &UploadId,
        digest: &Digest,
        range: Option<ContentRange>,
        content_length: Option<u64>,
        mut body: B,
    ) -> Result<()> {
        let Open { guard, upload } = match self.open(name, id).await {
            Err(Error::UploadUnknown) if self.0.sessions.is_finished(id) => {
                return self.repeat_completion(name, id, digest).await;
            }
            opened => opened?,
        };
        let offset = self.offset(upload.as_ref()).await?;
        let session = upload.map(|upload| upload.session);
        let limits = match self.body_limits(range, content_length, offset) {
            Err(error) if session.is_none() => return self.finished_before(name, id, digest, error).await,
            limits => limits?,
        };
        let blobs = &self.0.storage.blobs;
        let mut writer = match &session {
            Some(session) => blobs.append(session, offset).await?,
            None => blobs.stage(digest.algorithm()).await?,
        };
        match limits.receive(&mut body, &mut writer).await {
            Ok(()) => {}
            Err(error @ Error::BlobTooLarge { .. }) => {
                drop(writer);
                self.end(name, id, session, guard).await?;
                return Err(error);
            }
            Err(error @ Error::Body(_)) => return self.keep_received(writer, error).await,
            Err(error) => return Err(error),
        }
        let (registry, name, id, digest) = (self.clone(), name.clone(), *id, *digest);
        run_detached(async move {
            let recorded = session.map(|session| (id, session));
            let outcome = registry.publish(&name, &digest, writer, recorded).await;
            match outcome {
                Ok(()) => {
                    guard.finish();
                    Ok(())
                }
                Err(error @ Error::DigestMismatch { .. }) => {
                    registry.end(&name, &id, session, guard).await?;
                    if session.is_some() {
                        return Err(error);
                    }
                    registry.finished_before(&name, &id, &digest, error).await
                }
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// The answer to the end of a session that is over: the same as before if it made the blob.
    async fn repeat_completion(&self, name: &Name, id: &UploadId, digest: &Digest) -> Result<()> {
        self.check(name, id).await?;
        if self.has_blob(name, digest).await? { Ok(()) } else { Err(Error::UploadUnknown) }
    }

    /// What to answer to the end of a session that has no bytes and does not come out right: it may be one that an
    /// earlier process finished, whose answer was lost. Sessions that this process finished are remembered.
    async fn finished_before(&self, name: &Name, id: &UploadId, digest: &Digest, error: Error) -> Result<()> {
        if id.start < self.0.started && self.has_blob(name, digest).await? { Ok(()) } else { Err(error) }
    }

    /// Ends a session and drops what it holds.
    pub async fn cancel_upload(&self, name: &Name, id: &UploadId) -> Result<()> {
        let Open { guard, upload } = self.open(name, id).await?;
        self.approve(&[]).await?;
        // A session whose bytes are gone is no session.
        self.offset(upload.as_ref()).await?;
        self.end(name, id, upload.map(|upload| upload.session), guard).await
    }

    /// Takes a whole blob in one request.
    pub async fn push_blob<B: Body>(
        &self,
        name: &Name,
        digest: &Digest,
        content_length: Option<u64>,
        mut body: B,
    ) -> Result<()> {
        let limits = self.body_limits(None, content_length, 0)?;
        let mut writer = self.0.storage.blobs.stage(digest.algorithm()).await?;
        limits.receive(&mut body, &mut writer).await?;
        let (registry, name, digest) = (self.clone(), name.clone(), *digest);
        run_detached(async move { registry.publish(&name, &digest, writer, None).await }).await
    }

    /// Bytes first, then ownership with the end of the session's record, then the session's bytes: until the blob is
    /// owned the session has everything that finishing it again needs.
    async fn publish(
        &self,
        name: &Name,
        digest: &Digest,
        writer: Writer,
        recorded: Option<(UploadId, SessionId)>,
    ) -> Result<()> {
        let _publishing = self.begin_publishing(digest).await?;
        let size = writer.commit(digest).await.map_err(|error| match error {
            angos_storage::Error::DigestMismatch { .. } => Error::DigestMismatch { expected: *digest },
            other => other.into(),
        })?;
        if let Err(error) = self.approve(&[]).await {
            // The bytes are there, and no repository may own them.
            self.leave_to_collector(digest).await?;
            return Err(error);
        }
        self.record_owner(name, digest, size, recorded.as_ref().map(|(id, _)| id)).await?;
        let Some((_, session)) = recorded else { return Ok(()) };
        if let Err(error) = self.0.storage.blobs.abort(&session).await {
            // The blob is there and owned; what is left of the session expires.
            tracing::warn!(target: "angos::registry", %session, %error, "cannot remove a finished upload");
        }
        Ok(())
    }

    /// Records the owner of published bytes, and ends the session they came by in the same transaction.
    async fn record_owner(
        &self,
        name: &Name,
        digest: &Digest,
        size: u64,
        session: Option<&UploadId>,
    ) -> Result<()> {
        for _ in 0..ATTEMPTS_MAX {
            let mut batch = self.ownership_batch(name, digest, size, None).await?;
            if let Some(id) = session {
                batch = remove_session_records(batch, name, id.start, &id.session);
            }
            match self.commit(Change::new(Action::PutBlob, name, Some(digest), batch)).await {
                Err(angos_storage::Error::Conflict { key }) => self.wait_for_collector(&key).await?,
                outcome => return Ok(outcome?),
            }
        }
        Err(Error::Contended)
    }

    /// Keeps what arrived before the body ended early, unless its sender may no longer change the session.
    async fn keep_received<T>(&self, writer: Writer, error: Error) -> Result<T> {
        if !matches!(error, Error::Body(BodyError::NotApproved)) {
            self.approve(&[]).await?;
            writer.finish().await?;
        }
        Err(error)
    }

    fn body_limits(
        &self,
        range: Option<ContentRange>,
        content_length: Option<u64>,
        offset: u64,
    ) -> Result<BodyLimits> {
        BodyLimits::new(range, content_length, offset, self.0.settings.max_blob_size)
    }

    /// Whether the id is one of this registry and name, and still alive.
    async fn check(&self, name: &Name, id: &UploadId) -> Result<()> {
        if id.belongs_to(self.secret().await?, name) && self.expires(id.start) > self.0.clock.nanoseconds() {
            Ok(())
        } else {
            Err(Error::UploadUnknown)
        }
    }

    /// When a session that started then is over.
    pub(crate) fn expires(&self, start: u64) -> u64 {
        let life = u64::try_from(self.0.settings.upload_expiry.as_nanos()).unwrap_or(u64::MAX);
        start.saturating_add(life)
    }

    async fn open(&self, name: &Name, id: &UploadId) -> Result<Open> {
        self.check(name, id).await?;
        let guard = self.0.sessions.acquire(id)?;
        let upload = self.record(&key::upload(name, &id.session)).await?;
        Ok(Open { guard, upload })
    }

    async fn offset(&self, upload: Option<&Upload>) -> Result<u64> {
        let Some(upload) = upload else { return Ok(0) };
        let progress = self.0.storage.blobs.progress(&upload.session).await?;
        progress.map(|progress| progress.offset).ok_or(Error::UploadUnknown)
    }

    /// Makes the session in the blob store that an id stands for.
    async fn begin(&self, name: &Name, id: &UploadId) -> Result<SessionId> {
        let algorithm = id.named_algorithm().unwrap_or(Algorithm::Sha256);
        let (registry, name, id) = (self.clone(), name.clone(), *id);
        run_detached(async move {
            let blobs = &registry.0.storage.blobs;
            let session = blobs.begin(algorithm).await?;
            let batch = Batch::new()
                .put(key::expiry(id.start, &id.session, &name), Bytes::new())
                .create(key::upload(&name, &id.session), Upload { session }.encode());
            match registry.commit(Change::new(Action::StartUpload, &name, None, batch)).await {
                Ok(()) => Ok(session),
                Err(error) => {
                    blobs.abort(&session).await?;
                    Err(match error {
                        // Another process began the same session at the same moment.
                        angos_storage::Error::Conflict { .. } => Error::UploadBusy,
                        other => other.into(),
                    })
                }
            }
        })
        .await
    }

    /// Ends a session, bytes first, so that what is left of it can still be found.
    pub(crate) async fn end(
        &self,
        name: &Name,
        id: &UploadId,
        session: Option<SessionId>,
        guard: SessionGuard,
    ) -> Result<()> {
        guard.finish();
        let Some(session) = session else { return Ok(()) };
        let (registry, name, id) = (self.clone(), name.clone(), *id);
        run_detached(async move {
            registry.remove_session(&name, id.start, &id.session, &session).await?;
            drop(guard);
            Ok(())
        })
        .await
    }

    /// Removes a session from both stores.
    pub(crate) async fn remove_session(
        &self,
        name: &Name,
        start: u64,
        id: &[u8; 16],
        session: &SessionId,
    ) -> Result<()> {
        self.0.storage.blobs.abort(session).await?;
        let batch = remove_session_records(Batch::new(), name, start, id);
        Ok(self.commit(Change::new(Action::EndUpload, name, None, batch)).await?)
    }

    pub(crate) async fn secret(&self) -> Result<&Secret> {
        self.0.secret.get_or_try_init(|| self.load_secret()).await
    }

    /// The secret of the store, made by whoever needs it first.
    async fn load_secret(&self) -> Result<Secret> {
        const DAMAGED: Error = Error::Corrupt { what: "upload secret" };
        let mut fresh = [0; 64];
        getrandom::fill(&mut fresh).map_err(|_| Error::Randomness)?;
        let batch = Batch::new().create(key::UPLOAD_SECRET, fresh.to_vec());
        match self.metadata().apply(batch).await {
            Ok(()) => return Ok(Secret(fresh)),
            Err(angos_storage::Error::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let found = self.metadata().read(key::UPLOAD_SECRET).await?.ok_or(DAMAGED)?;
        Ok(Secret(found.value.as_ref().try_into().map_err(|_| DAMAGED)?))
    }
}

/// Adds the removal of a session's records.
pub(crate) fn remove_session_records(batch: Batch, name: &Name, start: u64, id: &[u8; 16]) -> Batch {
    batch.delete(key::upload(name, id)).delete(key::expiry(start, id, name))
}

/// A session that one request has to itself.
struct Open {
    guard: SessionGuard,
    upload: Option<Upload>,
}
