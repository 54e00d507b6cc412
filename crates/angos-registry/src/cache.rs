//! Manifests, tags and the sizes of owned blobs that were read, kept in memory within a bound, and never older than what
//! was acknowledged.
//!
//! A reader takes a [`Ticket`] before it reads the store and may only fill the cache with it while no write to the same
//! group of namespaces was finished since. A writer invalidates after its batch is applied and before it acknowledges.
//! So a value that was read before a write can be put in only before the writer removes it:
//!
//! - ticket, read, **insert**, apply, *invalidate*: removed;
//! - ticket, read, apply, *invalidate*, **insert**: refused, the ticket is old;
//! - apply, ticket, read, …: the new value.
//!
//! A tag is kept as the digest it names, apart from the revision, so each fact is in one place. That something is missing
//! is never kept, so what only adds need not invalidate.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::{Mutex, PoisonError};

use angos_oci::{Digest, Name, Tag};
use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::StoredManifest;
use crate::limits::{CACHE_ENTRY_BYTES, CACHE_GROUPS};

pub(crate) struct ManifestCache {
    entries: Option<Cache<Key, Cached, Weight>>,
    hasher: RandomState,
    /// How often something was invalidated, by group of namespaces.
    generations: Box<[Mutex<u64>]>,
}

/// The right to fill the cache with what is read from now on.
pub(crate) struct Ticket {
    generation: u64,
}

/// Owned also for lookups: two counters go up and down, nothing is allocated.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    name: Name,
    item: Item,
}

/// A blob may have the digest of a revision.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Item {
    Tag(Tag),
    Revision(Digest),
    Blob(Digest),
}

impl Key {
    fn tag(name: &Name, tag: &Tag) -> Self {
        Self { name: name.clone(), item: Item::Tag(tag.clone()) }
    }

    fn revision(name: &Name, digest: &Digest) -> Self {
        Self { name: name.clone(), item: Item::Revision(*digest) }
    }

    fn blob(name: &Name, digest: &Digest) -> Self {
        Self { name: name.clone(), item: Item::Blob(*digest) }
    }
}

#[derive(Clone)]
enum Cached {
    Target(Digest),
    Revision(StoredManifest),
    Blob(OwnedBlob),
}

/// What is kept of an owned blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OwnedBlob {
    pub(crate) size: u64,
    /// Until when the blob cannot become garbage, in nanoseconds since the Unix epoch; `u64::MAX` while a manifest
    /// references it.
    pub(crate) safe_until: u64,
}

#[derive(Clone)]
struct Weight;

impl Weighter<Key, Cached> for Weight {
    fn weight(&self, key: &Key, value: &Cached) -> u64 {
        let bytes = match value {
            Cached::Target(_) | Cached::Blob(_) => key.name.len(),
            Cached::Revision(manifest) => key.name.len() + manifest.bytes.as_ref().map_or(0, Bytes::len),
        };
        CACHE_ENTRY_BYTES + u64::try_from(bytes).unwrap_or(u64::MAX / 2)
    }
}

impl ManifestCache {
    /// A cache of at most `capacity` bytes; 0 makes one that keeps nothing.
    pub(crate) fn new(capacity: u64) -> Self {
        // A guess that sizes tables up front; the bound is the weight.
        let items = usize::try_from(capacity / (16 << 10)).unwrap_or(usize::MAX).clamp(64, 4096);
        Self {
            entries: (capacity > 0).then(|| Cache::with_weighter(items, capacity, Weight)),
            hasher: RandomState::new(),
            generations: (0..CACHE_GROUPS).map(|_| Mutex::new(0)).collect(),
        }
    }

    pub(crate) fn target(&self, name: &Name, tag: &Tag) -> Option<Digest> {
        match self.entries.as_ref()?.get(&Key::tag(name, tag))? {
            Cached::Target(digest) => Some(digest),
            _ => None,
        }
    }

    pub(crate) fn revision(&self, name: &Name, digest: &Digest) -> Option<StoredManifest> {
        match self.entries.as_ref()?.get(&Key::revision(name, digest))? {
            Cached::Revision(manifest) => Some(manifest),
            _ => None,
        }
    }

    /// A blob that the repository owns.
    pub(crate) fn blob(&self, name: &Name, digest: &Digest) -> Option<OwnedBlob> {
        match self.entries.as_ref()?.get(&Key::blob(name, digest))? {
            Cached::Blob(blob) => Some(blob),
            _ => None,
        }
    }

    /// To be taken before the store is read.
    pub(crate) fn ticket(&self, name: &Name) -> Ticket {
        Ticket { generation: self.in_group(name, |generation| *generation) }
    }

    pub(crate) fn keep_target(&self, ticket: &Ticket, name: &Name, tag: &Tag, digest: Digest) {
        self.keep(ticket, Key::tag(name, tag), Cached::Target(digest));
    }

    pub(crate) fn keep_revision(&self, ticket: &Ticket, name: &Name, manifest: &StoredManifest) {
        self.keep(ticket, Key::revision(name, &manifest.digest), Cached::Revision(manifest.clone()));
    }

    pub(crate) fn keep_blob(&self, ticket: &Ticket, name: &Name, digest: &Digest, blob: OwnedBlob) {
        self.keep(ticket, Key::blob(name, digest), Cached::Blob(blob));
    }

    fn keep(&self, ticket: &Ticket, key: Key, value: Cached) {
        let Some(entries) = &self.entries else { return };
        let name = key.name.clone();
        self.in_group(&name, |generation| {
            if *generation == ticket.generation {
                entries.insert(key, value);
            }
        });
    }

    /// To be called after a write was applied, or may have been, and before it is acknowledged.
    pub(crate) fn invalidate<'a>(
        &self,
        name: &Name,
        digest: Option<&Digest>,
        tags: impl IntoIterator<Item = &'a Tag>,
    ) {
        let Some(entries) = &self.entries else { return };
        self.in_group(name, |generation| {
            *generation = generation.wrapping_add(1);
            if let Some(digest) = digest {
                entries.remove(&Key::revision(name, digest));
            }
            for tag in tags {
                entries.remove(&Key::tag(name, tag));
            }
        });
    }

    /// The same for a blob that the repository no longer owns, or that lost a reference.
    pub(crate) fn invalidate_blob(&self, name: &Name, digest: &Digest) {
        let Some(entries) = &self.entries else { return };
        self.in_group(name, |generation| {
            *generation = generation.wrapping_add(1);
            entries.remove(&Key::blob(name, digest));
        });
    }

    fn in_group<T>(&self, name: &Name, work: impl FnOnce(&mut u64) -> T) -> T {
        let group = usize::try_from(self.hasher.hash_one(name) % CACHE_GROUPS as u64).unwrap_or(0);
        match self.generations.get(group) {
            Some(lock) => work(&mut lock.lock().unwrap_or_else(PoisonError::into_inner)),
            // There are CACHE_GROUPS of them.
            None => work(&mut 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use angos_oci::Algorithm;

    use super::*;

    const ONE: OwnedBlob = OwnedBlob { size: 1, safe_until: u64::MAX };

    fn manifest(content: &'static [u8]) -> StoredManifest {
        StoredManifest {
            bytes: Some(Bytes::from_static(content)),
            size: content.len() as u64,
            media_type: "a/b".parse().unwrap(),
            digest: Digest::of(Algorithm::Sha256, content),
        }
    }

    #[test]
    fn an_old_ticket_fills_nothing() {
        let cache = ManifestCache::new(1 << 20);
        let (name, tag) = ("a".parse().unwrap(), "v".parse().unwrap());
        let manifest = manifest(b"x");
        let digest = manifest.digest;
        let before = cache.ticket(&name);
        cache.invalidate(&name, Some(&digest), [&tag]);
        cache.keep_target(&before, &name, &tag, digest);
        cache.keep_revision(&before, &name, &manifest);
        cache.keep_blob(&before, &name, &digest, ONE);
        assert_eq!(cache.blob(&name, &digest), None);
        assert_eq!(cache.target(&name, &tag), None);
        assert_eq!(cache.revision(&name, &digest), None);
        let after = cache.ticket(&name);
        cache.keep_target(&after, &name, &tag, digest);
        cache.keep_revision(&after, &name, &manifest);
        assert_eq!(cache.target(&name, &tag), Some(digest));
        assert_eq!(cache.revision(&name, &digest), Some(manifest));
        cache.invalidate(&name, None, [&tag]);
        assert_eq!(cache.target(&name, &tag), None);
        assert!(cache.revision(&name, &digest).is_some(), "only what was named");
        cache.keep_blob(&cache.ticket(&name), &name, &digest, ONE);
        cache.invalidate(&name, Some(&digest), []);
        assert_eq!(cache.revision(&name, &digest), None);
        assert_eq!(cache.blob(&name, &digest), Some(ONE), "a blob is not a revision");
        let before = cache.ticket(&name);
        cache.invalidate_blob(&name, &digest);
        cache.keep_blob(&before, &name, &digest, ONE);
        assert_eq!(cache.blob(&name, &digest), None);
    }

    #[test]
    fn memory_is_bounded_by_bytes() {
        let cache = ManifestCache::new(1 << 20);
        let name = "a".parse().unwrap();
        for number in 0..10_000_u32 {
            let bytes = Bytes::from(number.to_be_bytes().repeat(1000));
            let digest = Digest::of(Algorithm::Sha256, &bytes);
            let (size, bytes) = (bytes.len() as u64, Some(bytes));
            let manifest = StoredManifest { bytes, size, media_type: "a/b".parse().unwrap(), digest };
            cache.keep_revision(&cache.ticket(&name), &name, &manifest);
        }
        let weight = cache.entries.as_ref().unwrap().weight();
        assert!((1 << 19..=1 << 20).contains(&weight), "{weight}");
    }

    #[test]
    fn no_capacity_keeps_nothing() {
        let cache = ManifestCache::new(0);
        let name = "a".parse().unwrap();
        let manifest = manifest(b"x");
        cache.keep_revision(&cache.ticket(&name), &name, &manifest);
        assert_eq!(cache.revision(&name, &manifest.digest), None);
    }
}
