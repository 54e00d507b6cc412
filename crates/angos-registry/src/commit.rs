//! The one place where a change of the registry becomes visible: its batch is applied, the cache follows, and the actor is
//! known. What has to happen in the same transaction as a change is added to the batch here.

use angos_oci::{Digest, Name, Tag};
use angos_storage::Batch;

use crate::Registry;

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    PutManifest,
    DeleteManifest,
    DeleteTag,
    PutBlob,
    MountBlob,
    DeleteBlob,
    StartUpload,
    EndUpload,
    Collect,
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::PutManifest => "put-manifest",
            Self::DeleteManifest => "delete-manifest",
            Self::DeleteTag => "delete-tag",
            Self::PutBlob => "put-blob",
            Self::MountBlob => "mount-blob",
            Self::DeleteBlob => "delete-blob",
            Self::StartUpload => "start-upload",
            Self::EndUpload => "end-upload",
            Self::Collect => "collect",
        }
    }
}

/// A change of one repository that is ready to be applied.
pub(crate) struct Change<'a> {
    pub(crate) action: Action,
    pub(crate) name: &'a Name,
    /// The manifest or blob it is about.
    pub(crate) digest: Option<&'a Digest>,
    /// The tags it sets or removes.
    pub(crate) tags: &'a [Tag],
    /// Owned blobs whose cached state it changes.
    pub(crate) blobs: &'a [Digest],
    pub(crate) batch: Batch,
}

impl<'a> Change<'a> {
    pub(crate) fn new(action: Action, name: &'a Name, digest: Option<&'a Digest>, batch: Batch) -> Self {
        Self { action, name, digest, tags: &[], blobs: &[], batch }
    }
}

impl Registry {
    /// Applies a change: all of its batch or nothing. An empty batch does nothing.
    pub(crate) async fn commit(&self, change: Change<'_>) -> Result<(), angos_storage::Error> {
        let Change { action, name, digest, tags, blobs, batch } = change;
        if batch.is_empty() {
            return Ok(());
        }
        let applied = self.metadata().apply(batch).await;
        // Also after an error, since the batch may have been applied.
        let revision = digest.filter(|_| matches!(action, Action::PutManifest | Action::DeleteManifest));
        if revision.is_some() || !tags.is_empty() {
            self.0.cache.invalidate(name, revision, tags);
        }
        for blob in blobs {
            self.0.cache.invalidate_blob(name, blob);
        }
        if applied.is_ok() {
            let (actor, method, action) = (self.actor().name(), self.actor().method(), action.as_str());
            let digest = digest.map(tracing::field::display);
            tracing::debug!(target: "angos::registry", action, actor, method, %name, digest, "committed");
        }
        applied
    }
}
