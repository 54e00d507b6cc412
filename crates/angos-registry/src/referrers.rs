//! The manifests that refer to another one, ready to be sent.

use angos_oci::{Descriptor, Digest, Manifest, Name};
use bytes::Bytes;

use crate::limits::{
    LISTED_MAX_BYTES, REFERRERS_LOOKED_AT_MAX, REFERRERS_PAGE_MAX_BYTES, REFERRERS_PER_PAGE_MAX,
    REFERRERS_PER_SCAN,
};
use crate::record::{self, Referrer};
use crate::{Error, Registry, Result, key};

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
        if wanted == 0 {
            return Ok(ReferrersPage { descriptors, next: None });
        }
        let mut bytes: usize = 0;
        let mut looked_at = 0;
        let mut last = after.copied();
        loop {
            let from = last.map(|digest| key::referrer(name, subject, &digest));
            let page = self.metadata().scan(&prefix, from.as_deref(), REFERRERS_PER_SCAN).await?;
            let is_last = page.len() < REFERRERS_PER_SCAN;
            for entry in page {
                let digest = key::digest_after(&entry.key, &prefix);
                let digest = digest.ok_or(Error::Corrupt { what: "digest of a referrer" })?;
                let referrer: Referrer = record::decode(entry.value)?;
                if descriptors.len() == wanted || looked_at == REFERRERS_LOOKED_AT_MAX {
                    return Ok(ReferrersPage { descriptors, next: last });
                }
                looked_at += 1;
                if is_wanted(&referrer, artifact_types)
                    && let Some(descriptor) = self.descriptor(name, &digest, referrer).await?
                {
                    if bytes > 0 && bytes + descriptor.len() >= REFERRERS_PAGE_MAX_BYTES {
                        return Ok(ReferrersPage { descriptors, next: last });
                    }
                    bytes += descriptor.len() + 1;
                    descriptors.push(descriptor);
                }
                last = Some(digest);
            }
            if is_last {
                return Ok(ReferrersPage { descriptors, next: None });
            }
        }
    }

    /// The descriptor of an entry; `None` if the manifest it is to be made from was deleted meanwhile, or is damaged.
    async fn descriptor(&self, name: &Name, digest: &Digest, referrer: Referrer) -> Result<Option<Bytes>> {
        if !referrer.descriptor.is_empty() {
            return Ok(Some(referrer.descriptor));
        }
        let stored = match self.revision(name, digest).await {
            Ok(Some(stored)) => stored,
            Ok(None) | Err(Error::ManifestUnknown) => return Ok(None),
            Err(error) => return Err(error),
        };
        let manifest = Manifest::parse(Some(&stored.media_type), &stored.bytes)
            .map_err(|_| Error::Corrupt { what: "manifest" })?;
        descriptor(&manifest, digest, stored.bytes.len() as u64).map(Some)
    }
}

/// What is recorded of a manifest in the list of its subject's referrers.
pub(crate) fn entry(manifest: &Manifest, digest: &Digest, size: u64) -> Result<Referrer> {
    let descriptor = descriptor(manifest, digest, size)?;
    let is_listed = descriptor.len() <= LISTED_MAX_BYTES;
    Ok(Referrer {
        artifact_type: manifest.artifact_type(),
        descriptor: if is_listed { descriptor } else { Bytes::new() },
    })
}

fn descriptor(manifest: &Manifest, digest: &Digest, size: u64) -> Result<Bytes> {
    let mut descriptor = Descriptor::new(manifest.media_type().clone(), *digest, size);
    descriptor.artifact_type = manifest.artifact_type();
    let annotations = manifest.annotations();
    descriptor.annotations = (!annotations.is_empty()).then(|| annotations.clone());
    let json = serde_json::to_vec(&descriptor);
    json.map(Bytes::from).map_err(|_| Error::Corrupt { what: "descriptor of a referrer" })
}

fn is_wanted(referrer: &Referrer, artifact_types: &[String]) -> bool {
    let is_type = |wanted: &String| {
        referrer.artifact_type.as_ref().is_some_and(|artifact_type| artifact_type == wanted.as_str())
    };
    artifact_types.is_empty() || artifact_types.iter().any(is_type)
}
