//! Pushing manifests: checked in full, then written in an order of which every beginning is a correct registry.

use std::collections::BTreeSet;

use angos_oci::limits::PUSH_TAGS_MAX;
use angos_oci::{Algorithm, Descriptor, Digest, Manifest, MediaType, Name, Reference, Tag};
use angos_storage::Batch;
use bytes::Bytes;

use crate::limits::{ATTEMPTS_MAX, INLINE_MAX_BYTES, PUSHED_BY_MAX_BYTES};
use crate::record::{Content, Record as _, Revision, TagEntry};
use crate::registry::run_detached;
use crate::{Error, Registry, Result, key, referrers};

/// A manifest on its way in.
#[derive(Debug, Clone)]
pub struct PutManifest<'a> {
    /// The tag to set, or the digest the bytes must have.
    pub reference: &'a Reference,
    /// More tags to set; at most [`PUSH_TAGS_MAX`].
    pub tags: &'a [Tag],
    /// What the client says the bytes are.
    pub media_type: Option<&'a MediaType>,
    /// The manifest.
    pub bytes: Bytes,
    /// Who pushes, as recorded with the tags; cut to 256 bytes.
    pub pushed_by: &'a str,
}

/// What a push did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestReceipt {
    /// The digest of the manifest.
    pub digest: Digest,
    /// The manifest it refers to, which need not exist.
    pub subject: Option<Digest>,
    /// The additional tags that were set, each once.
    pub tags: Vec<Tag>,
}

/// A push that was checked and only needs writing. The parsed manifest, several times its bytes, is gone by then.
struct CheckedPush {
    name: Name,
    digest: Digest,
    bytes: Bytes,
    checked: CheckedManifest,
    tags: BTreeSet<Tag>,
    pushed_by: String,
}

/// What is kept of a manifest that was parsed.
struct CheckedManifest {
    media_type: MediaType,
    artifact_type: Option<MediaType>,
    subject: Option<Digest>,
    /// Its entry in the list of its subject's referrers.
    referrer: Option<Bytes>,
    /// The blobs it is made of.
    blobs: BTreeSet<Digest>,
    /// What an index lists.
    members: BTreeSet<Digest>,
}

impl Registry {
    /// Stores a manifest and sets its tags: all of it or nothing.
    ///
    /// A tag in `reference` gives the manifest a SHA-256 digest; a digest is verified. An immutable tag that exists
    /// keeps what it names, and the whole push is refused; pushing it again with the same content is fine.
    pub async fn put_manifest(&self, name: &Name, put: PutManifest<'_>) -> Result<ManifestReceipt> {
        let limit = self.0.settings.max_manifest_size;
        if put.bytes.len() > limit {
            return Err(Error::ManifestTooLarge { limit });
        }
        if put.tags.len() > PUSH_TAGS_MAX {
            return Err(Error::TooManyTags { limit: PUSH_TAGS_MAX });
        }
        let (digest, checked) = self.checked(&put).await?;
        if self.0.settings.require_references {
            self.check_references(name, &checked).await?;
        }
        let additional: BTreeSet<Tag> = put.tags.iter().cloned().collect();
        let receipt =
            ManifestReceipt { digest, subject: checked.subject, tags: additional.iter().cloned().collect() };
        let push = CheckedPush {
            name: name.clone(),
            digest,
            bytes: put.bytes,
            checked,
            tags: additional.into_iter().chain(put.reference.tag().cloned()).collect(),
            pushed_by: put
                .pushed_by
                .split_at(put.pushed_by.floor_char_boundary(PUSHED_BY_MAX_BYTES))
                .0
                .to_owned(),
        };
        let registry = self.clone();
        run_detached(async move { registry.write(&push).await }).await?;
        Ok(receipt)
    }

    /// The digest of a manifest, and what else is kept of it. Of large ones only some are parsed at the same time.
    async fn checked(&self, put: &PutManifest<'_>) -> Result<(Digest, CheckedManifest)> {
        let _turn = self.parse_permit(put.bytes.len()).await;
        let digest = verified_digest(put.reference, &put.bytes)?;
        let manifest = Manifest::parse(put.media_type, &put.bytes).map_err(Error::ManifestInvalid)?;
        Ok((digest, CheckedManifest::new(&manifest, &digest, put.bytes.len() as u64)?))
    }

    /// Whether this namespace has what the manifest is made of, undamaged as far as lengths tell. The subject may come
    /// later.
    async fn check_references(&self, name: &Name, checked: &CheckedManifest) -> Result<()> {
        for digest in &checked.blobs {
            if !self.has_blob(name, digest).await? {
                return Err(Error::ReferenceUnknown { digest: *digest });
            }
        }
        // An index lists manifests, and may list any other content.
        for digest in &checked.members {
            if !self.has_manifest(name, digest).await? && !self.has_blob(name, digest).await? {
                return Err(Error::ReferenceUnknown { digest: *digest });
            }
        }
        Ok(())
    }

    async fn write(&self, push: &CheckedPush) -> Result<()> {
        if push.bytes.len() > INLINE_MAX_BYTES {
            let mut writer = self.0.storage.blobs.stage(push.digest.algorithm()).await?;
            writer.write(push.bytes.clone()).await?;
            writer.commit(&push.digest).await?;
        }
        for _ in 0..ATTEMPTS_MAX {
            let batch = self.push_batch(push).await?;
            self.approve(&[]).await?;
            let applied = self.metadata().apply(batch).await;
            self.0.cache.invalidate(&push.name, Some(&push.digest), &push.tags);
            match applied {
                Err(angos_storage::Error::Conflict { .. }) => {}
                outcome => return Ok(outcome?),
            }
        }
        Err(Error::Contended)
    }

    /// Bytes, revision, referrers, tags: nothing is named before it is there.
    async fn push_batch(&self, push: &CheckedPush) -> Result<Batch> {
        let CheckedPush { name, digest, checked, .. } = push;
        let revision = push.revision(self.0.clock.nanoseconds());
        let mut batch = self.batch_in_repository(name).await?;
        if revision.content == Content::Blob {
            batch = batch.put(key::manifest_bytes(digest, name), Bytes::new());
        }
        batch = self.set_revision(batch, push, &revision).await?;
        if let (Some(subject), Some(referrer)) = (&checked.subject, &checked.referrer) {
            batch = batch.put(key::referrer(name, subject, digest), referrer.clone());
        }
        let entry = TagEntry {
            digest: *digest,
            media_type: revision.media_type,
            size: revision.size,
            time: revision.time,
            pushed_by: push.pushed_by.clone(),
        };
        for tag in &push.tags {
            batch = self.set_tag(batch, name, tag, &entry).await?;
        }
        Ok(batch)
    }

    /// Adds the revision. With another media type than before, pulls of each tag that names it change; so the approval is
    /// asked about them as if they were pushed. A tag that is set meanwhile makes the batch conflict, and so does another
    /// push of the same digest: its media type may differ.
    async fn set_revision(&self, batch: Batch, push: &CheckedPush, revision: &Revision) -> Result<Batch> {
        let CheckedPush { name, digest, .. } = push;
        let key = key::revision(name, digest);
        let version = match self.versioned::<Revision>(&key).await? {
            None => return Ok(batch.create(key, revision.encode())),
            Some((old, version)) if old.media_type == revision.media_type => {
                return Ok(batch.replace(key, version, revision.encode()));
            }
            Some((_, version)) => version,
        };
        let mut after: Option<Bytes> = None;
        loop {
            let page = self.tags_of_digest(name, digest, after.as_deref()).await?;
            let others = page.tags.into_iter().map(|(tag, _)| tag).filter(|tag| !push.tags.contains(tag));
            let others: Vec<Tag> = others.collect();
            self.approve(&others).await?;
            if let Some(tag) = others.into_iter().find(|tag| self.0.settings.is_immutable(tag)) {
                return Err(Error::TagImmutable { tag });
            }
            match page.keys.last() {
                Some(last) if !page.is_last => after = Some(last.clone()),
                _ => return Ok(batch.replace(key, version, revision.encode())),
            }
        }
    }

    /// Adds the setting of a tag, unless it is immutable and names something else.
    ///
    /// An immutable tag is written only if nobody wrote it meanwhile. Any other goes to the last writer. The way back
    /// from the digest is there before the tag and goes after it; a way back too many is harmless.
    async fn set_tag(&self, batch: Batch, name: &Name, tag: &Tag, entry: &TagEntry) -> Result<Batch> {
        let is_immutable = self.0.settings.is_immutable(tag);
        let key = key::tag(name, tag);
        let old = self.metadata().read(&key).await?;
        let old_digest = match &old {
            Some(old) => crate::record::present::<TagEntry>(old.value.clone())?.map(|old| old.digest),
            None => None,
        };
        let batch = batch.put(key::tag_index(name, &entry.digest, tag), Bytes::new());
        let batch = match (is_immutable, old) {
            (false, _) => batch.put(key, entry.encode()),
            (true, None) => batch.create(key, entry.encode()),
            (true, Some(_)) if old_digest.is_some_and(|digest| digest != entry.digest) => {
                return Err(Error::TagImmutable { tag: tag.clone() });
            }
            (true, Some(old)) => batch.replace(key, old.version, entry.encode()),
        };
        Ok(match old_digest {
            Some(digest) if digest != entry.digest => batch.delete(key::tag_index(name, &digest, tag)),
            _ => batch,
        })
    }
}

impl CheckedManifest {
    fn new(manifest: &Manifest, digest: &Digest, size: u64) -> Result<Self> {
        let subject = manifest.subject().map(|subject| subject.digest);
        let referrer = subject.map(|_| referrers::entry(manifest, digest, size)).transpose()?;
        let blobs = manifest.config().into_iter().chain(manifest.layers());
        Ok(Self {
            media_type: manifest.media_type().clone(),
            artifact_type: manifest.artifact_type(),
            subject,
            referrer: referrer.map(|referrer| referrer.encode()),
            blobs: blobs.filter(|blob| !is_nondistributable(blob)).map(|blob| blob.digest).collect(),
            members: manifest.manifests().iter().map(|entry| entry.digest).collect(),
        })
    }
}

impl CheckedPush {
    fn revision(&self, time: u64) -> Revision {
        let is_inline = self.bytes.len() <= INLINE_MAX_BYTES;
        Revision {
            media_type: self.checked.media_type.clone(),
            artifact_type: self.checked.artifact_type.clone(),
            subject: self.checked.subject,
            size: self.bytes.len() as u64,
            time,
            content: if is_inline { Content::Inline(self.bytes.clone()) } else { Content::Blob },
        }
    }
}

fn verified_digest(reference: &Reference, bytes: &[u8]) -> Result<Digest> {
    match reference {
        Reference::Tag(_) => Ok(Digest::of(Algorithm::Sha256, bytes)),
        Reference::Digest(expected) => {
            let actual = Digest::of(expected.algorithm(), bytes);
            if actual == *expected { Ok(actual) } else { Err(Error::DigestMismatch { expected: *expected }) }
        }
    }
}

/// Whether a layer is of a kind that clients fetch from its origin and do not push.
fn is_nondistributable(layer: &Descriptor) -> bool {
    const OCI: &str = "application/vnd.oci.image.layer.nondistributable.";
    const DOCKER: &str = "application/vnd.docker.image.rootfs.foreign.";
    layer.media_type.starts_with(OCI) || layer.media_type.starts_with(DOCKER)
}
