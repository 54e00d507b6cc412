//! Deleting manifests and tags, and the tags that name a digest.

use angos_oci::{Digest, Name, Reference, Tag};
use angos_storage::{Batch, Version};
use bytes::Bytes;

use crate::commit::{Action, Change};
use crate::limits::{ATTEMPTS_MAX, TAGS_PER_BATCH};
use crate::record::{Content, REMOVED, Record as _, Revision, TagEntry};
use crate::references::References;
use crate::registry::run_detached;
use crate::{Error, Registry, Result, key};

impl Registry {
    /// Deletes a tag alone, or a revision with every tag that names it and its entry among referrers.
    ///
    /// The [`Approval`](crate::Approval) is asked about every tag that goes with a digest, and an immutable one keeps the
    /// digest ([`Error::TagUndeletable`]). Both are asked of all tags before the first one goes, and again of each batch
    /// of [`TAGS_PER_BATCH`] right before it is applied.
    ///
    /// What was pushed while this runs may survive it; what was there before does not. The cost follows the tags that
    /// name the revision, never the namespace.
    pub async fn delete_manifest(&self, name: &Name, reference: &Reference) -> Result<()> {
        let (registry, name, reference) = (self.clone(), name.clone(), reference.clone());
        run_detached(async move {
            match &reference {
                Reference::Tag(tag) => registry.delete_tag(&name, tag).await,
                Reference::Digest(digest) => registry.delete_revision(&name, digest).await,
            }
        })
        .await
    }

    async fn delete_tag(&self, name: &Name, tag: &Tag) -> Result<()> {
        let entry = self.tag(name, tag).await?;
        self.approve(&[]).await?;
        self.check_deletable(tag)?;
        let batch = Batch::new().delete(key::tag(name, tag)).delete(key::tag_index(name, &entry.digest, tag));
        let change = Change::new(Action::DeleteTag, name, None, batch);
        Ok(self.commit(Change { tags: std::slice::from_ref(tag), ..change }).await?)
    }

    async fn delete_revision(&self, name: &Name, digest: &Digest) -> Result<()> {
        let mut attempts = 0;
        let mut has_begun = false;
        while attempts < ATTEMPTS_MAX {
            match self.delete_some(name, digest, has_begun).await {
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
    /// batch conflict, and no tag is left that names what is gone. For the same reason the tags that were asked about
    /// are the tags that are removed.
    async fn delete_some(&self, name: &Name, digest: &Digest, has_begun: bool) -> Result<Remaining> {
        let revision_key = key::revision(name, digest);
        let Some((revision, version)) = self.versioned::<Revision>(&revision_key).await? else {
            return Err(Error::ManifestUnknown);
        };
        let TagsOfDigest { tags, keys, is_last } = self.tags_of_digest(name, digest, None).await?;
        if !is_last && !has_begun {
            self.approve_removal_of_all(name, digest).await?;
        }
        let (tags, versions): (Vec<Tag>, Vec<Version>) = tags.into_iter().unzip();
        self.approve_removal(&tags).await?;
        let references =
            if is_last { self.stored_references(digest, &revision).await? } else { References::default() };
        let mut batch = self.candidates(name, digest, &revision, &references);
        for (tag, version) in tags.iter().zip(versions) {
            let key = key::tag(name, tag);
            batch = batch.replace(key.clone(), version, REMOVED).delete(key);
        }
        batch = keys.into_iter().fold(batch, Batch::delete);
        if is_last {
            if let Some(subject) = &revision.subject {
                batch = batch.delete(key::referrer(name, subject, digest));
            }
            batch = batch.replace(revision_key.clone(), version, REMOVED).delete(revision_key);
            if revision.content == Content::Blob {
                batch = batch.delete(key::manifest_bytes(digest, name));
            }
            for blob in references.iter() {
                batch = batch.delete(key::reference(name, blob, digest));
            }
        } else {
            batch = batch.replace(revision_key, version, revision.encode());
        }
        let blobs: Vec<Digest> = references.iter().copied().collect();
        let change = Change::new(Action::DeleteManifest, name, Some(digest), batch);
        self.commit(Change { tags: &tags, blobs: &blobs, ..change }).await?;
        Ok(if is_last { Remaining::Nothing } else { Remaining::More })
    }

    /// The beginning of a batch that removes a manifest: what a collector has to look at when it is gone. A candidate too
    /// many is harmless.
    fn candidates(
        &self,
        name: &Name,
        digest: &Digest,
        revision: &Revision,
        references: &References,
    ) -> Batch {
        let now = self.now().encode();
        let own = (revision.content == Content::Blob).then_some(digest);
        let blobs = references.iter().chain(own);
        let batch = Batch::new().put(key::emptied(name), now.clone());
        blobs.fold(batch, |batch, blob| batch.put(key::gc_candidate(blob), now.clone()))
    }

    /// Asks about every tag of a revision that has more of them than one batch takes, so that a tag that must stay keeps
    /// those before it, too.
    async fn approve_removal_of_all(&self, name: &Name, digest: &Digest) -> Result<()> {
        let mut after: Option<Bytes> = None;
        loop {
            let page = self.tags_of_digest(name, digest, after.as_deref()).await?;
            let tags: Vec<Tag> = page.tags.into_iter().map(|(tag, _)| tag).collect();
            self.approve_removal(&tags).await?;
            match page.keys.last() {
                Some(last) if !page.is_last => after = Some(last.clone()),
                _ => return Ok(()),
            }
        }
    }

    async fn approve_removal(&self, tags: &[Tag]) -> Result<()> {
        self.approve(tags).await?;
        tags.iter().try_for_each(|tag| self.check_deletable(tag))
    }

    fn check_deletable(&self, tag: &Tag) -> Result<()> {
        if self.0.settings.is_undeletable(tag) {
            return Err(Error::TagUndeletable { tag: tag.clone() });
        }
        Ok(())
    }

    /// Some of the tags that name a digest, after a key.
    pub(crate) async fn tags_of_digest(
        &self,
        name: &Name,
        digest: &Digest,
        after: Option<&[u8]>,
    ) -> Result<TagsOfDigest> {
        let prefix = key::tag_index_prefix(name, digest);
        let page = self.metadata().scan(&prefix, after, TAGS_PER_BATCH).await?;
        let is_last = page.len() < TAGS_PER_BATCH;
        let mut found = TagsOfDigest { tags: Vec::with_capacity(page.len()), keys: Vec::new(), is_last };
        for entry in page {
            let Some(tag) = key::text_after::<Tag>(&entry.key, &prefix) else {
                return Err(Error::Corrupt { what: "tag of a revision" });
            };
            match self.versioned::<TagEntry>(&key::tag(name, &tag)).await? {
                Some((entry, version)) if entry.digest == *digest => found.tags.push((tag, version)),
                // It names something else by now.
                _ => {}
            }
            found.keys.push(entry.key);
        }
        Ok(found)
    }
}

/// A page of the tags that name a digest.
pub(crate) struct TagsOfDigest {
    /// The tags, with the versions of their entries.
    pub(crate) tags: Vec<(Tag, Version)>,
    /// The keys that led to them, and to tags that named the digest before.
    pub(crate) keys: Vec<Bytes>,
    /// Whether there is no further page.
    pub(crate) is_last: bool,
}

/// Whether tags of a revision are left after a batch.
enum Remaining {
    Nothing,
    More,
}
