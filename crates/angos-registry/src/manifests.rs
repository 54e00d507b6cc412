//! Reading manifests.

use angos_oci::{Digest, Hasher, MediaType, Name, Reference, Tag};
use angos_storage::BlobReader;
use bytes::{Bytes, BytesMut};

use crate::limits::ATTEMPTS_MAX;
use crate::record::{Content, Revision, TagEntry};
use crate::{Error, Registry, Result, key};

/// A manifest as it was pushed. Clone is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredManifest {
    /// Exactly the bytes that were pushed, if they are at most [`INLINE_MAX_BYTES`](crate::limits::INLINE_MAX_BYTES);
    /// those of a larger one are read with [`Registry::read_large_manifest`].
    pub bytes: Option<Bytes>,
    /// How many bytes it has.
    pub size: u64,
    /// What they were last pushed as.
    pub media_type: MediaType,
    /// Their digest.
    pub digest: Digest,
}

impl Registry {
    /// The manifest a tag or a digest names in a namespace; from memory where possible.
    ///
    /// Bytes that come from the stores are verified: damaged ones are [`Error::ManifestUnknown`], and a push heals them.
    pub async fn manifest(&self, name: &Name, reference: &Reference) -> Result<StoredManifest> {
        let found = match reference {
            Reference::Digest(digest) => self.revision(name, digest).await?,
            Reference::Tag(tag) => self.tagged(name, tag).await?,
        };
        found.ok_or(Error::ManifestUnknown)
    }

    /// What a tag names, and who pushed it when.
    pub async fn tag(&self, name: &Name, tag: &Tag) -> Result<TagEntry> {
        self.record(&key::tag(name, tag)).await?.ok_or(Error::ManifestUnknown)
    }

    async fn tagged(&self, name: &Name, tag: &Tag) -> Result<Option<StoredManifest>> {
        let mut target = match self.0.cache.target(name, tag) {
            Some(digest) => Some(digest),
            None => self.target(name, tag).await?,
        };
        for _ in 0..ATTEMPTS_MAX {
            let Some(digest) = target else { return Ok(None) };
            if let Some(manifest) = self.revision(name, &digest).await? {
                return Ok(Some(manifest));
            }
            // Between the two reads the tag moved on and what it named was deleted: look again.
            target = self.target(name, tag).await?;
        }
        Ok(None)
    }

    async fn target(&self, name: &Name, tag: &Tag) -> Result<Option<Digest>> {
        let ticket = self.0.cache.ticket(name);
        let entry: Option<TagEntry> = self.record(&key::tag(name, tag)).await?;
        let digest = entry.map(|entry| entry.digest);
        if let Some(digest) = digest {
            self.0.cache.keep_target(&ticket, name, tag, digest);
        }
        Ok(digest)
    }

    pub(crate) async fn revision(&self, name: &Name, digest: &Digest) -> Result<Option<StoredManifest>> {
        if let Some(manifest) = self.0.cache.revision(name, digest) {
            return Ok(Some(manifest));
        }
        let ticket = self.0.cache.ticket(name);
        let Some(revision) = self.record::<Revision>(&key::revision(name, digest)).await? else {
            return Ok(None);
        };
        let bytes = match revision.content {
            Content::Inline(bytes) => Some(self.verified(digest, bytes)?),
            Content::Blob => self.verify_large(digest, revision.size).await.map(|()| None)?,
        };
        let (media_type, size) = (revision.media_type, revision.size);
        let manifest = StoredManifest { bytes, size, media_type, digest: *digest };
        self.0.cache.keep_revision(&ticket, name, &manifest);
        Ok(Some(manifest))
    }

    /// A stream over the bytes of a manifest that was found without them; damaged ones are [`Error::ManifestUnknown`].
    /// Nothing of them is held in between.
    pub async fn read_large_manifest(&self, manifest: &StoredManifest) -> Result<BlobReader> {
        self.open_manifest(&manifest.digest, manifest.size).await
    }

    async fn open_manifest(&self, digest: &Digest, size: u64) -> Result<BlobReader> {
        let found = self.0.storage.blobs.read(digest, None).await;
        self.intact(digest, size, found)?.ok_or(Error::ManifestUnknown)
    }

    /// Whether the bytes of a manifest that is kept as a blob have its digest; [`Error::ManifestUnknown`] if not. Holds
    /// one piece of them.
    async fn verify_large(&self, digest: &Digest, size: u64) -> Result<()> {
        let _turn = self.parse_permit(usize::try_from(size).unwrap_or(usize::MAX)).await;
        let mut reader = self.open_manifest(digest, size).await?;
        let mut hasher = Hasher::new(digest.algorithm());
        while let Some(chunk) = reader.next().await {
            hasher.update(&chunk?);
        }
        self.has_digest(digest, &hasher.finish())
    }

    /// The bytes of a manifest of any size, in memory.
    pub(crate) async fn manifest_bytes(&self, manifest: &StoredManifest) -> Result<Bytes> {
        if let Some(bytes) = &manifest.bytes {
            return Ok(bytes.clone());
        }
        let size = usize::try_from(manifest.size).ok();
        let size = size.filter(|size| *size <= angos_oci::limits::MANIFEST_MAX_BYTES);
        let mut bytes = BytesMut::with_capacity(size.ok_or(Error::Corrupt { what: "revision" })?);
        let mut reader = self.read_large_manifest(manifest).await?;
        while let Some(chunk) = reader.next().await {
            bytes.extend_from_slice(&chunk?);
        }
        self.verified(&manifest.digest, bytes.freeze())
    }

    /// Whether a namespace has a manifest, and the bytes of one that is kept as a blob are there.
    pub(crate) async fn has_manifest(&self, name: &Name, digest: &Digest) -> Result<bool> {
        let revision: Option<Revision> = self.record(&key::revision(name, digest)).await?;
        match revision {
            Some(revision) if revision.content == Content::Blob => {
                self.has_bytes(digest, revision.size).await
            }
            found => Ok(found.is_some()),
        }
    }
}
