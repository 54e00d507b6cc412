//! What an embedder decides about the meaning of operations.

use std::time::Duration;

use angos_oci::Tag;

use crate::TagPatterns;

/// Limits and switches of a [`Registry`](crate::Registry). Every field has a default.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// Largest manifest accepted, in bytes. Default 4 MiB, which the specification asks registries to support and
    /// clients to expect at most; a larger value is capped to it.
    pub max_manifest_size: usize,
    /// Largest blob accepted, in bytes, enforced while it streams. Default none.
    pub max_blob_size: Option<u64>,
    /// Whether a manifest is refused while something it references is missing from its repository. Default `true`: an
    /// acknowledged manifest can then be pulled in full, and a client that skipped a layer learns it at once. Turn it
    /// off for sparse indexes (a copy of one platform only). A subject may always be missing.
    pub require_references: bool,
    /// Whether an existing tag keeps its digest and cannot be deleted. Default `false`.
    pub immutable_tags: bool,
    /// Tags that may move and be deleted although `immutable_tags` is set. Default none.
    pub immutable_tags_exclusions: TagPatterns,
    /// Whether an immutable tag can be deleted, by its name or with the digest it names, and then be pushed anew. Default
    /// `false`.
    pub immutable_tags_deletable: bool,
    /// How long an upload session lives, counted from its start. Default 24 hours.
    pub upload_expiry: Duration,
    /// How long a blob stays that no manifest references, counted from when it was last pushed, mounted, found by a client,
    /// or lost a reference. Default 1 hour. It has to be longer than any client takes between a blob and its manifest.
    pub gc_grace: Duration,
    /// How many blobs the garbage collector looks at in a second. Default 0, which sets no limit.
    pub gc_rate: u32,
    /// How often a server starts a round of the garbage collector. Default 15 minutes.
    pub gc_interval: Duration,
    /// How often a round looks at every blob of the store. Default 7 days.
    pub gc_sweep_interval: Duration,
    /// Memory for manifests, tags and sizes of blobs that were read, in bytes. Default 64 MiB; 0 turns the cache off,
    /// which is needed when other processes write to the same metadata store.
    pub manifest_cache_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_manifest_size: angos_oci::limits::MANIFEST_MAX_BYTES,
            max_blob_size: None,
            require_references: true,
            immutable_tags: false,
            immutable_tags_exclusions: TagPatterns::default(),
            immutable_tags_deletable: false,
            upload_expiry: Duration::from_hours(24),
            gc_grace: Duration::from_hours(1),
            gc_rate: 0,
            gc_interval: Duration::from_mins(15),
            gc_sweep_interval: Duration::from_hours(7 * 24),
            manifest_cache_bytes: 64 << 20,
        }
    }
}

impl Settings {
    /// Whether a tag keeps its digest once it exists.
    pub(crate) fn is_immutable(&self, tag: &Tag) -> bool {
        self.immutable_tags && !self.immutable_tags_exclusions.matches(tag)
    }

    /// Whether a tag stays once it exists.
    pub(crate) fn is_undeletable(&self, tag: &Tag) -> bool {
        !self.immutable_tags_deletable && self.is_immutable(tag)
    }
}
