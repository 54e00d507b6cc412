//! The manifests that refer to another one, ready to be sent.

use angos_oci::{Descriptor, Digest, Manifest, Name};
use angos_storage::Entry;
use bytes::Bytes;

use crate::limits::{
    LISTED_MAX_BYTES, REFERRERS_PAGE_MAX_BYTES, REFERRERS_PER_PAGE_MAX, REFERRERS_PER_PIECE,
    REFERRERS_PER_SCAN, REFERRERS_SCANNED_MAX,
};
use crate::record::{self, Referrer};
use crate::{Error, Registry, Result, key};

/// A part of the referrers of a subject, ordered by digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferrersPage {
    /// The descriptors, each as JSON; without those of `rest`.
    pub descriptors: Vec<Bytes>,
    /// The referrers of the page that were left out because of their size.
    pub rest: Option<ReferrersRest>,
    /// Where the next page starts after, if there may be more.
    pub next: Option<Digest>,
}

/// The end of a page of referrers. It holds none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferrersRest {
    after: Option<Digest>,
    through: Digest,
    largest: u64,
}

impl ReferrersRest {
    /// Bytes of the largest manifest that is parsed to answer with this rest; 0 if none is.
    pub fn largest(&self) -> u64 {
        self.largest
    }
}

/// One entry of a page.
enum Listed {
    /// Its descriptor.
    Here(Bytes),
    /// A descriptor that is made of a manifest of this many bytes, and so not larger than about that.
    Large(u64),
}

impl ReferrersPage {
    /// The end of the image index that the specification answers with.
    pub const TAIL: &[u8] = b"]}";

    /// The page as the image index that the specification answers with. If there is a `rest`, its descriptors, each
    /// after a comma, and [`TAIL`](Self::TAIL) have to follow; before the first of all there is no comma.
    pub fn to_index(&self) -> Bytes {
        const HEAD: &[u8] =
            br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":["#;
        let length: usize = self.descriptors.iter().map(|descriptor| descriptor.len() + 1).sum();
        let mut index = Vec::with_capacity(HEAD.len() + length + Self::TAIL.len());
        index.extend_from_slice(HEAD);
        for (position, descriptor) in self.descriptors.iter().enumerate() {
            if position > 0 {
                index.push(b',');
            }
            index.extend_from_slice(descriptor);
        }
        if self.rest.is_none() {
            index.extend_from_slice(Self::TAIL);
        }
        index.into()
    }

    /// Takes an entry while it fits `room`; those after the first that does not are the rest. `before`: the last one
    /// that was looked at.
    fn push(&mut self, listed: Listed, digest: Digest, before: Option<Digest>, room: &mut usize) {
        let is_whole = self.rest.is_none();
        let size = match listed {
            Listed::Here(descriptor) if is_whole && descriptor.len() <= *room => {
                *room -= descriptor.len();
                self.descriptors.push(descriptor);
                return;
            }
            Listed::Here(_) => 0,
            Listed::Large(size) => size,
        };
        let rest = self.rest.get_or_insert(ReferrersRest { after: before, through: digest, largest: 0 });
        rest.through = digest;
        rest.largest = rest.largest.max(size);
    }
}

impl Registry {
    /// Up to `n` (at most and by default [`REFERRERS_PER_PAGE_MAX`]) manifests whose subject is `subject`, after the one
    /// with the digest `after`; with `artifact_types`, those of one of these types; all of them in memory.
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
        let mut page = self.begin_referrers(name, subject, artifact_types, after, n, usize::MAX).await?;
        while let Some(rest) = page.rest.take() {
            let (more, rest) = self.more_referrers(name, subject, artifact_types, rest, usize::MAX).await?;
            page.descriptors.extend(more);
            page.rest = rest;
        }
        Ok(page)
    }

    /// The same page, of which only descriptors of at most `bytes` bytes are in memory, and none that has to be made from
    /// its manifest. The rest is read with [`more_referrers`](Self::more_referrers).
    pub async fn begin_referrers(
        &self,
        name: &Name,
        subject: &Digest,
        artifact_types: &[String],
        after: Option<&Digest>,
        n: Option<usize>,
        mut bytes: usize,
    ) -> Result<ReferrersPage> {
        let prefix = key::referrers(name, subject);
        let wanted = n.unwrap_or(REFERRERS_PER_PAGE_MAX).min(REFERRERS_PER_PAGE_MAX);
        let mut found = ReferrersPage { descriptors: Vec::new(), rest: None, next: None };
        if wanted == 0 {
            return Ok(found);
        }
        let (mut count, mut total, mut scanned): (_, usize, _) = (0, 0, 0);
        let mut last = after.copied();
        loop {
            let from = last.map(|digest| key::referrer(name, subject, &digest));
            // Each scan reads up to a megabyte: they take turns, so that processors are left to other requests.
            let turn = self.scan_permit().await;
            let page = self.metadata().scan(&prefix, from.as_deref(), REFERRERS_PER_SCAN).await?;
            let is_last = page.len() < REFERRERS_PER_SCAN;
            for entry in page {
                let (digest, referrer) = read(entry, &prefix)?;
                if count == wanted || scanned == REFERRERS_SCANNED_MAX {
                    return Ok(ReferrersPage { next: last, ..found });
                }
                scanned += 1;
                if is_wanted(&referrer, artifact_types)
                    && let Some(listed) = self.listed(name, &digest, referrer).await?
                {
                    let length = listed.length();
                    if total > 0 && total.saturating_add(length) >= REFERRERS_PAGE_MAX_BYTES {
                        return Ok(ReferrersPage { next: last, ..found });
                    }
                    total = total.saturating_add(length + 1);
                    count += 1;
                    found.push(listed, digest, last, &mut bytes);
                }
                last = Some(digest);
            }
            if is_last {
                return Ok(found);
            }
            drop(turn);
            tokio::task::yield_now().await;
        }
    }

    /// The first descriptors of `rest`, of at most `bytes` bytes or one, and what is left of it then.
    ///
    /// Referrers that were pushed or deleted since the page was begun are there or are not.
    pub async fn more_referrers(
        &self,
        name: &Name,
        subject: &Digest,
        artifact_types: &[String],
        mut rest: ReferrersRest,
        bytes: usize,
    ) -> Result<(Vec<Bytes>, Option<ReferrersRest>)> {
        let prefix = key::referrers(name, subject);
        let end = key::referrer(name, subject, &rest.through);
        let (mut descriptors, mut room): (Vec<Bytes>, _) = (Vec::new(), bytes);
        loop {
            let from = rest.after.map(|digest| key::referrer(name, subject, &digest));
            let page = self.metadata().scan(&prefix, from.as_deref(), REFERRERS_PER_PIECE).await?;
            let is_last = page.len() < REFERRERS_PER_PIECE;
            for entry in page {
                if entry.key.as_ref() > end.as_slice() {
                    return Ok((descriptors, None));
                }
                let (digest, referrer) = read(entry, &prefix)?;
                if is_wanted(&referrer, artifact_types) {
                    let is_first = descriptors.is_empty();
                    // One that has to be made is a piece of its own.
                    let is_large = referrer.descriptor.is_empty();
                    if !is_first && (is_large || referrer.descriptor.len() > room) {
                        return Ok((descriptors, Some(rest)));
                    }
                    if let Some(descriptor) = self.descriptor(name, &digest, referrer).await? {
                        room = room.saturating_sub(descriptor.len());
                        descriptors.push(descriptor);
                    }
                }
                rest.after = Some(digest);
            }
            if is_last {
                return Ok((descriptors, None));
            }
        }
    }

    /// What an entry adds to a page; `None` if the manifest it is to be made from was deleted meanwhile, or is damaged.
    async fn listed(&self, name: &Name, digest: &Digest, referrer: Referrer) -> Result<Option<Listed>> {
        if !referrer.descriptor.is_empty() {
            return Ok(Some(Listed::Here(referrer.descriptor)));
        }
        Ok(present(self.revision(name, digest).await)?.map(|stored| Listed::Large(stored.size)))
    }

    /// The descriptor of an entry; `None` if the manifest it is to be made from was deleted meanwhile, or is damaged.
    async fn descriptor(&self, name: &Name, digest: &Digest, referrer: Referrer) -> Result<Option<Bytes>> {
        if !referrer.descriptor.is_empty() {
            return Ok(Some(referrer.descriptor));
        }
        let Some(stored) = present(self.revision(name, digest).await)? else { return Ok(None) };
        let Some(bytes) = present(self.manifest_bytes(&stored).await.map(Some))? else { return Ok(None) };
        let _turn = self.parse_permit(bytes.len()).await;
        let manifest = Manifest::parse(Some(&stored.media_type), &bytes)
            .map_err(|_| Error::Corrupt { what: "manifest" })?;
        descriptor(&manifest, digest, stored.size).map(Some)
    }
}

impl Listed {
    fn length(&self) -> usize {
        match self {
            Self::Here(descriptor) => descriptor.len(),
            Self::Large(size) => usize::try_from(*size).unwrap_or(usize::MAX),
        }
    }
}

/// What was found, unless it is damaged.
fn present<T>(found: Result<Option<T>>) -> Result<Option<T>> {
    match found {
        Err(Error::ManifestUnknown) => Ok(None),
        found => found,
    }
}

fn read(entry: Entry, prefix: &[u8]) -> Result<(Digest, Referrer)> {
    let digest = key::digest_after(&entry.key, prefix);
    let digest = digest.ok_or(Error::Corrupt { what: "digest of a referrer" })?;
    Ok((digest, record::decode(entry.value)?))
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
