//! Reading and deleting manifests.

use angos_oci::{Digest, MediaType, Name, Reference, Tag};
use angos_storage::Batch;
use bytes::{Bytes, BytesMut};

use crate::limits::{ATTEMPTS_MAX, TAGS_PER_BATCH};
use crate::record::{Content, Moment, REMOVED, Record as _, Revision, TagEntry};
use crate::registry::to_the_end;
use crate::{Error, Registry, Result, key};

/// A manifest as it was pushed. Clone is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredManifest {
    /// Exactly the bytes that were pushed.
    pub bytes: Bytes,
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
            Content::Inline(bytes) => self.verified(digest, bytes)?,
            Content::Blob => self.manifest_bytes(digest, revision.size).await?,
        };
        let manifest = StoredManifest { bytes, media_type: revision.media_type, digest: *digest };
        self.0.cache.keep_revision(&ticket, name, &manifest);
        Ok(Some(manifest))
    }

    /// The bytes of a manifest that is kept as a blob; damaged ones are [`Error::ManifestUnknown`].
    async fn manifest_bytes(&self, digest: &Digest, size: u64) -> Result<Bytes> {
        if usize::try_from(size).map_or(true, |size| size > angos_oci::limits::MANIFEST_MAX_BYTES) {
            return Err(Error::Corrupt { what: "revision" });
        }
        let found = self.0.storage.blobs.read(digest, None).await;
        let mut reader = self.whole(digest, size, found)?.ok_or(Error::ManifestUnknown)?;
        let mut bytes = BytesMut::new();
        while let Some(chunk) = reader.next().await {
            bytes.extend_from_slice(&chunk?);
        }
        self.verified(digest, bytes.freeze())
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

    /// Deletes a tag alone, or a revision with every tag that names it and its entry among referrers.
    ///
    /// What was pushed while this runs may survive it; what was there before does not. The cost follows the tags that
    /// name the revision, never the namespace.
    pub async fn delete_manifest(&self, name: &Name, reference: &Reference) -> Result<()> {
        let (registry, name, reference) = (self.clone(), name.clone(), reference.clone());
        to_the_end(async move {
            match &reference {
                Reference::Tag(tag) => registry.delete_tag(&name, tag).await,
                Reference::Digest(digest) => registry.delete_revision(&name, digest).await,
            }
        })
        .await
    }

    async fn delete_tag(&self, name: &Name, tag: &Tag) -> Result<()> {
        let entry = self.tag(name, tag).await?;
        let batch = Batch::new().delete(key::tag(name, tag)).delete(key::tag_of(name, &entry.digest, tag));
        let applied = self.metadata().apply(batch).await;
        self.0.cache.invalidate(name, None, [tag]);
        Ok(applied?)
    }

    async fn delete_revision(&self, name: &Name, digest: &Digest) -> Result<()> {
        let mut attempts = 0;
        let mut has_begun = false;
        while attempts < ATTEMPTS_MAX {
            match self.delete_some(name, digest).await {
                Ok(Remaining::Nothing) => return Ok(()),
                Ok(Remaining::More) => has_begun = true,
                Err(Error::ManifestUnknown) if has_begun => return Ok(()),
                Err(Error::Storage(angos_storage::Error::Conflict { .. })) => attempts += 1,
                Err(error) => return Err(error),
            }
        }
        Err(Error::Contended)
    }

    /// Deletes some of the tags of a revision, and the revision itself with the last of them.
    ///
    /// Every push writes its revision, and every batch here swaps the revision it read. So a push in between makes the
    /// batch conflict, and no tag is left that names what is gone.
    async fn delete_some(&self, name: &Name, digest: &Digest) -> Result<Remaining> {
        let revision_key = key::revision(name, digest);
        let Some((revision, version)) = self.versioned::<Revision>(&revision_key).await? else {
            return Err(Error::ManifestUnknown);
        };
        let prefix = key::tags_of(name, digest);
        let page = self.metadata().scan(&prefix, None, TAGS_PER_BATCH).await?;
        let is_last = page.len() < TAGS_PER_BATCH;
        let mut batch = Batch::new();
        let mut tags = Vec::with_capacity(page.len());
        for entry in page {
            let Some(tag) = key::text_after::<Tag>(&entry.key, &prefix) else {
                return Err(Error::Corrupt { what: "tag of a revision" });
            };
            batch = self.untag(batch, name, digest, &tag).await?.delete(entry.key);
            tags.push(tag);
        }
        if is_last {
            if let Some(subject) = &revision.subject {
                batch = batch.delete(key::referrer(name, subject, digest));
            }
            batch = batch.replace(revision_key.clone(), version, REMOVED).delete(revision_key);
            if revision.content == Content::Blob {
                let now = Moment(self.0.clock.nanoseconds()).encode();
                batch = batch.delete(key::manifest_bytes(digest, name)).put(key::candidate(digest), now);
            }
        } else {
            batch = batch.replace(revision_key, version, revision.encode());
        }
        let applied = self.metadata().apply(batch).await;
        self.0.cache.invalidate(name, Some(digest), &tags);
        applied?;
        Ok(if is_last { Remaining::Nothing } else { Remaining::More })
    }

    /// Adds the removal of a tag, provided that it still names `digest`.
    async fn untag(&self, batch: Batch, name: &Name, digest: &Digest, tag: &Tag) -> Result<Batch> {
        let key = key::tag(name, tag);
        Ok(match self.versioned::<TagEntry>(&key).await? {
            Some((entry, version)) if entry.digest == *digest => {
                batch.replace(key.clone(), version, REMOVED).delete(key)
            }
            _ => batch,
        })
    }
}

/// Whether tags of a revision are left after a batch.
enum Remaining {
    Nothing,
    More,
}
