//! Who owns a blob, and who of them needs it.

use angos_oci::{Digest, Name};
use bytes::Bytes;

use crate::limits::{GC_OWNERS_PER_SCAN, GC_UNNEEDED_MAX};
use crate::{Error, Registry, Result, key};

/// The owners of a blob, as the records say at one moment.
#[derive(Debug, Default)]
pub(super) struct Liveness {
    /// Repositories that own the blob and have no manifest that references it; at most [`GC_UNNEEDED_MAX`].
    pub(super) unneeded: Vec<Name>,
    /// Whether a repository has a manifest that references the blob, or keeps the bytes of a manifest in it.
    pub(super) is_needed: bool,
    /// Whether there are more unneeded owners.
    pub(super) has_more: bool,
}

impl Liveness {
    /// Whether there is nothing to remove.
    pub(super) fn is_all_needed(&self) -> bool {
        self.is_needed && self.unneeded.is_empty()
    }

    /// Whether the bytes are owned when the unneeded owners are gone.
    pub(super) fn has_owner(&self) -> bool {
        self.is_needed || self.has_more
    }
}

impl Registry {
    /// Reads the owners of a blob. Every doubt is an error, so that a blob in doubt is kept.
    pub(super) async fn liveness(&self, digest: &Digest) -> Result<Liveness> {
        let mut liveness = Liveness { is_needed: self.keeps_manifest(digest).await?, ..Liveness::default() };
        let prefix = key::owners(digest);
        let mut after: Option<Bytes> = None;
        loop {
            let page = self.metadata().scan(&prefix, after.as_deref(), GC_OWNERS_PER_SCAN).await?;
            for entry in &page {
                let name: Option<Name> = key::text_after(&entry.key, &prefix);
                let name = name.ok_or(Error::Corrupt { what: "owner" })?;
                if self.is_referenced(&name, digest).await? {
                    liveness.is_needed = true;
                } else if liveness.unneeded.len() < GC_UNNEEDED_MAX {
                    liveness.unneeded.push(name);
                } else {
                    liveness.has_more = true;
                    return Ok(liveness);
                }
            }
            match page.last() {
                Some(last) if page.len() == GC_OWNERS_PER_SCAN => after = Some(last.key.clone()),
                _ => return Ok(liveness),
            }
        }
    }

    /// Whether the bytes of a digest are those of a manifest.
    async fn keeps_manifest(&self, digest: &Digest) -> Result<bool> {
        let prefix = key::manifest_keepers(digest);
        let mut after: Option<Bytes> = None;
        loop {
            let page = self.metadata().scan(&prefix, after.as_deref(), GC_OWNERS_PER_SCAN).await?;
            for entry in &page {
                let name: Option<Name> = key::text_after(&entry.key, &prefix);
                let name = name.ok_or(Error::Corrupt { what: "keeper of a manifest" })?;
                if self.exists(&key::revision(&name, digest)).await? {
                    return Ok(true);
                }
            }
            match page.last() {
                Some(last) if page.len() == GC_OWNERS_PER_SCAN => after = Some(last.key.clone()),
                _ => return Ok(false),
            }
        }
    }
}
