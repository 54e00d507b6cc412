//! Pushing manifests: checked in full, then written in an order of which every beginning is a correct registry.

use std::collections::BTreeSet;

use angos_oci::limits::PUSH_TAGS_MAX;
use angos_oci::{Algorithm, Digest, Manifest, MediaType, Name, Reference, Tag};
use angos_storage::Batch;
use bytes::Bytes;

use crate::commit::{Action, Change};
use crate::limits::{ATTEMPTS_MAX, INLINE_MAX_BYTES};
use crate::record::{self, Content, Record as _, Revision, TagEntry};
use crate::references::{References, Required};
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
    tags: Vec<Tag>,
}

/// What is kept of a manifest that was parsed.
struct CheckedManifest {
    media_type: MediaType,
    artifact_type: Option<MediaType>,
    subject: Option<Digest>,
    /// Its entry in the list of its subject's referrers.
    referrer: Option<Bytes>,
    references: References,
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
        let required = self.check_references(name, &checked.references).await?;
        let additional: BTreeSet<Tag> = put.tags.iter().cloned().collect();
        let receipt =
            ManifestReceipt { digest, subject: checked.subject, tags: additional.iter().cloned().collect() };
        let tags: BTreeSet<Tag> = additional.into_iter().chain(put.reference.tag().cloned()).collect();
        let push = CheckedPush {
            name: name.clone(),
            digest,
            bytes: put.bytes,
            checked,
            tags: tags.into_iter().collect(),
        };
        let registry = self.clone();
        run_detached(async move { registry.write(&push, required).await }).await?;
        Ok(receipt)
    }

    /// The digest of a manifest, and what else is kept of it. Of large ones only some are parsed at the same time.
    async fn checked(&self, put: &PutManifest<'_>) -> Result<(Digest, CheckedManifest)> {
        let _turn = self.parse_permit(put.bytes.len()).await;
        let digest = verified_digest(put.reference, &put.bytes)?;
        let manifest = Manifest::parse(put.media_type, &put.bytes).map_err(Error::ManifestInvalid)?;
        Ok((digest, CheckedManifest::new(&manifest, &digest, put.bytes.len() as u64)?))
    }

    async fn write(&self, push: &CheckedPush, required: Required) -> Result<()> {
        let digest = &push.digest;
        let is_large = push.bytes.len() > INLINE_MAX_BYTES;
        if !is_large {
            return self.write_records(push, required).await;
        }
        let _publishing = self.begin_publishing(digest).await?;
        let mut writer = self.0.storage.blobs.stage(digest.algorithm()).await?;
        writer.write(push.bytes.clone()).await?;
        writer.commit(digest).await?;
        let outcome = self.write_records(push, required).await;
        if outcome.is_err() {
            self.leave_to_collector(digest).await?;
        }
        outcome
    }

    async fn write_records(&self, push: &CheckedPush, mut required: Required) -> Result<()> {
        let CheckedPush { name, digest, checked, .. } = push;
        for _ in 0..ATTEMPTS_MAX {
            let batch = self.push_batch(push, &required).await?;
            self.approve(&[]).await?;
            let change = Change::new(Action::PutManifest, name, Some(digest), batch);
            match self.commit(Change { tags: &push.tags, ..change }).await {
                Err(angos_storage::Error::Conflict { key }) => self.wait_for_collector(&key).await?,
                outcome => return Ok(outcome?),
            }
            required = self.check_references(name, &checked.references).await?;
        }
        Err(Error::Contended)
    }

    /// References, bytes, revision, referrers, tags: everything a key names is there before the key.
    async fn push_batch(&self, push: &CheckedPush, required: &Required) -> Result<Batch> {
        let CheckedPush { name, digest, checked, .. } = push;
        let revision = push.revision(self.0.clock.nanoseconds());
        let mut batch = self.batch_in_repository(name).await?;
        batch = self.add_references(batch, name, digest, &checked.references, required);
        if revision.content == Content::Blob {
            batch = batch
                .put(key::gc_candidate(digest), self.now().encode())
                .require_absent(key::condemned(digest))
                .put(key::manifest_bytes(digest, name), Bytes::new());
        }
        batch = self.set_revision(batch, push, &revision).await?;
        if let (Some(subject), Some(referrer)) = (&checked.subject, &checked.referrer) {
            batch = batch.put(key::referrer(name, subject, digest), referrer.clone());
        }
        let entry = TagEntry {
            digest: *digest,
            media_type: checked.media_type.clone(),
            size: revision.size,
            time: revision.time,
            pushed_by: self.actor().name().to_owned(),
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
        let Some(found) = self.metadata().read(&key).await? else {
            return Ok(batch.create(key, revision.encode()));
        };
        let version = found.version;
        // What a deletion that stopped half way has left reads as absent, and is replaced.
        let old: Option<Revision> = record::present(found.value)?;
        if old.is_none_or(|old| old.media_type == revision.media_type) {
            return Ok(batch.replace(key, version, revision.encode()));
        }
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
    /// An immutable tag is written only if no other request wrote it meanwhile. For any other tag the last writer wins. The
    /// entry from digest to tag is written before the tag and removed after it; a stale entry is harmless.
    async fn set_tag(&self, batch: Batch, name: &Name, tag: &Tag, entry: &TagEntry) -> Result<Batch> {
        let is_immutable = self.0.settings.is_immutable(tag);
        let key = key::tag(name, tag);
        let old = self.metadata().read(&key).await?;
        let old_digest = match &old {
            Some(old) => record::present::<TagEntry>(old.value.clone())?.map(|old| old.digest),
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
        Ok(Self {
            media_type: manifest.media_type().clone(),
            artifact_type: manifest.artifact_type(),
            subject,
            referrer: referrer.map(|referrer| referrer.encode()),
            references: References::of(manifest),
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
