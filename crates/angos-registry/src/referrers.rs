//! The manifests that refer to another one, ready to be sent.

use angos_oci::{Digest, Name};
use bytes::Bytes;

use crate::record::{self, Referrer};
use crate::{Error, Registry, Result, key};

/// Most referrers in one page, and the number given when the client names none.
pub const REFERRERS_PER_PAGE_MAX: usize = 1000;

/// Most bytes of descriptors in one page: what a client takes for a manifest at most, with room for the frame. A page
/// has at least one descriptor, which is smaller than the manifest it describes.
const PAGE_MAX_BYTES: usize = angos_oci::limits::MANIFEST_MAX_BYTES - 1024;

/// Entries looked at by one call, so that a filter which matches nothing ends too; the page then says where to go on.
const LOOKED_AT_MAX: usize = 10_000;

/// Entries read at once.
const SCAN: usize = 100;

/// A part of the referrers of a subject, ordered by digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferrersPage {
    /// The descriptors, each as JSON.
    pub descriptors: Vec<Bytes>,
    /// Where the next page starts after, if there may be more.
    pub next: Option<Digest>,
}

impl ReferrersPage {
    /// The page as the image index that the specification answers with.
    pub fn to_index(&self) -> Bytes {
        const HEAD: &[u8] =
            br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":["#;
        const TAIL: &[u8] = b"]}";
        let length: usize = self.descriptors.iter().map(|descriptor| descriptor.len() + 1).sum();
        let mut index = Vec::with_capacity(HEAD.len() + length + TAIL.len());
        index.extend_from_slice(HEAD);
        for (position, descriptor) in self.descriptors.iter().enumerate() {
            if position > 0 {
                index.push(b',');
            }
            index.extend_from_slice(descriptor);
        }
        index.extend_from_slice(TAIL);
        index.into()
    }
}

impl Registry {
    /// Up to `n` (at most and by default [`REFERRERS_PER_PAGE_MAX`]) manifests whose subject is `subject`, after the one
    /// with the digest `after`; with `artifact_types`, those of one of these types.
    ///
    /// Neither subject nor namespace need exist: the list is then empty. A page may be short, or empty under a filter,
    /// although there are more; `next` tells.
    pub async fn referrers(
        &self,
        name: &Name,
        subject: &Digest,
        artifact_types: &[String],
        after: Option<&Digest>,
        n: Option<usize>,
    ) -> Result<ReferrersPage> {
        let prefix = key::referrers(name, subject);
        let wanted = n.unwrap_or(REFERRERS_PER_PAGE_MAX).min(REFERRERS_PER_PAGE_MAX);
        let mut descriptors = Vec::new();
        let mut bytes: usize = 0;
        let mut looked_at = 0;
        let mut last = after.copied();
        while wanted > 0 {
            let from = last.map(|digest| key::referrer(name, subject, &digest));
            let page = self.metadata().scan(&prefix, from.as_deref(), SCAN).await?;
            let is_last = page.len() < SCAN;
            for entry in page {
                let referrer: Referrer = record::decode(entry.value)?;
                let is_full = descriptors.len() == wanted
                    || (bytes + referrer.descriptor.len() >= PAGE_MAX_BYTES && bytes > 0)
                    || looked_at == LOOKED_AT_MAX;
                if is_full {
                    return Ok(ReferrersPage { descriptors, next: last });
                }
                let digest = key::digest_after(&entry.key, &prefix);
                last = Some(digest.ok_or(Error::Corrupt { what: Self::REFERRER })?);
                looked_at += 1;
                if is_wanted(&referrer, artifact_types) {
                    bytes += referrer.descriptor.len() + 1;
                    descriptors.push(referrer.descriptor);
                }
            }
            if is_last {
                break;
            }
        }
        Ok(ReferrersPage { descriptors, next: None })
    }

    const REFERRER: &'static str = "digest of a referrer";
}

fn is_wanted(referrer: &Referrer, artifact_types: &[String]) -> bool {
    let is_type = |wanted: &String| {
        referrer.artifact_type.as_ref().is_some_and(|artifact_type| artifact_type == wanted.as_str())
    };
    artifact_types.is_empty() || artifact_types.iter().any(is_type)
}
