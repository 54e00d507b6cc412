//! Which manifests of a repository reference a blob: the entries that keep a blob from being collected.

use std::collections::BTreeSet;

use angos_oci::{Descriptor, Digest, Manifest, Name};
use angos_storage::Batch;
use bytes::Bytes;

use crate::limits::REFERENCES_PER_SCAN;
use crate::record::{Content, Record as _, Revision};
use crate::{Error, Registry, Result, StoredManifest, key};

/// What a manifest references and a repository keeps for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct References {
    /// The blobs it is made of.
    pub(crate) blobs: BTreeSet<Digest>,
    /// What an index lists: manifests, or any other content.
    pub(crate) members: BTreeSet<Digest>,
}

impl References {
    pub(crate) fn of(manifest: &Manifest) -> Self {
        let blobs = manifest.config().into_iter().chain(manifest.layers());
        Self {
            blobs: blobs.filter(|blob| !is_nondistributable(blob)).map(|blob| blob.digest).collect(),
            members: manifest.manifests().iter().map(|entry| entry.digest).collect(),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Digest> {
        self.blobs.union(&self.members)
    }
}

/// What has to be in a repository, unchanged, when a manifest is committed.
#[derive(Debug, Default)]
pub(crate) struct Required {
    pub(crate) blobs: Vec<Digest>,
    pub(crate) manifests: Vec<Digest>,
}

impl Registry {
    /// Finds everything that a manifest references, undamaged as far as lengths tell, or returns
    /// [`Error::ReferenceUnknown`]. The subject may come later.
    pub(crate) async fn check_references(&self, name: &Name, references: &References) -> Result<Required> {
        let mut required = Required::default();
        if !self.0.settings.require_references {
            return Ok(required);
        }
        for digest in &references.blobs {
            if !self.has_blob(name, digest).await? {
                return Err(Error::ReferenceUnknown { digest: *digest });
            }
            required.blobs.push(*digest);
        }
        for digest in &references.members {
            if self.has_manifest(name, digest).await? {
                required.manifests.push(*digest);
            } else if self.has_blob(name, digest).await? {
                required.blobs.push(*digest);
            } else {
                return Err(Error::ReferenceUnknown { digest: *digest });
            }
        }
        Ok(required)
    }

    /// Adds the references of a manifest, and the conditions under which they may be added.
    ///
    /// The candidate key of each blob is written first and the mark of a collector looked for then, so that a collector
    /// either finds the reference or meets a conflict.
    pub(crate) fn add_references(
        &self,
        mut batch: Batch,
        name: &Name,
        manifest: &Digest,
        references: &References,
        required: &Required,
    ) -> Batch {
        let now = self.now().encode();
        for blob in references.iter() {
            batch = batch.put(key::gc_candidate(blob), now.clone()).require_absent(key::condemned(blob));
        }
        for blob in &required.blobs {
            batch = batch.require_present(key::ownership(name, blob));
        }
        for member in &required.manifests {
            batch = batch.require_present(key::revision(name, member));
        }
        references
            .iter()
            .fold(batch, |batch, blob| batch.put(key::reference(name, blob, manifest), Bytes::new()))
    }

    /// Whether a manifest of the repository references a blob. An entry whose manifest is gone does not count.
    pub(crate) async fn is_referenced(&self, name: &Name, blob: &Digest) -> Result<bool> {
        let prefix = key::references(name, blob);
        let mut after: Option<Bytes> = None;
        loop {
            let page = self.metadata().scan(&prefix, after.as_deref(), REFERENCES_PER_SCAN).await?;
            for entry in &page {
                let manifest = key::digest_after(&entry.key, &prefix);
                let manifest = manifest.ok_or(Error::Corrupt { what: "reference to a blob" })?;
                if self.exists(&key::revision(name, &manifest)).await? {
                    return Ok(true);
                }
            }
            match page.last() {
                Some(last) if page.len() == REFERENCES_PER_SCAN => after = Some(last.key.clone()),
                _ => return Ok(false),
            }
        }
    }

    /// What a stored manifest references; nothing if its bytes are damaged, which leaves entries that do not count.
    pub(crate) async fn stored_references(&self, digest: &Digest, revision: &Revision) -> Result<References> {
        let bytes = match &revision.content {
            Content::Inline(bytes) => Some(bytes.clone()),
            Content::Blob => None,
        };
        let media_type = revision.media_type.clone();
        let stored = StoredManifest { bytes, size: revision.size, media_type, digest: *digest };
        let bytes = match self.manifest_bytes(&stored).await {
            Err(Error::ManifestUnknown | Error::Corrupt { .. }) => return Ok(References::default()),
            bytes => bytes?,
        };
        let _turn = self.parse_permit(bytes.len()).await;
        Ok(Manifest::parse(Some(&stored.media_type), &bytes)
            .map(|manifest| References::of(&manifest))
            .unwrap_or_default())
    }
}

/// Whether a layer is of a kind that clients fetch from its origin and do not push.
fn is_nondistributable(layer: &Descriptor) -> bool {
    const OCI: &str = "application/vnd.oci.image.layer.nondistributable.";
    const DOCKER: &str = "application/vnd.docker.image.rootfs.foreign.";
    layer.media_type.starts_with(OCI) || layer.media_type.starts_with(DOCKER)
}
