//! Every bound of this crate in one place: its value, where it comes from, why it is there.

use std::time::Duration;

/// Largest manifest kept beside its revision: 128 KiB.
///
/// Source: ours. A larger one is a blob, which costs its pull one more read. Manifests of images and all but the largest
/// indexes are below.
pub const INLINE_MAX_BYTES: usize = 128 << 10;

/// Manifests larger than [`INLINE_MAX_BYTES`] that are parsed at the same time: 4. Others wait.
///
/// Source: ours. A parsed manifest may take 20 MiB (`JSON_VALUES_MAX`), for some milliseconds; so all of them take 80 MiB
/// at most, whatever number of processors parses.
pub(crate) const PARSE_CONCURRENCY: usize = 4;

/// Most tags or names in one page, and the number given when the client names none.
///
/// Source: ours; the distribution specification lets a registry answer with fewer than asked for. At 128 bytes a tag, a
/// page takes about 1.3 MiB, which the server reads and sends in pieces.
pub const PAGE_MAX: usize = 10_000;

/// Most referrers in one page, and the number given when nobody names one.
///
/// Source: ours; pages are bounded by bytes as well.
pub const REFERRERS_PER_PAGE_MAX: usize = 1000;

/// Most bytes of descriptors in one page of referrers.
///
/// Source: what a client takes for a manifest at most, with room for the frame. A page has at least one descriptor, which
/// is smaller than the manifest it describes.
pub(crate) const REFERRERS_PAGE_MAX_BYTES: usize = angos_oci::limits::MANIFEST_MAX_BYTES - 1024;

/// Most referrers looked at by one call.
///
/// Source: ours. A filter which matches nothing ends too; the page then says where to go on.
pub(crate) const REFERRERS_SCANNED_MAX: usize = 10_000;

/// Largest descriptor that stands in the list of referrers itself: 8 KiB.
///
/// Source: ours. Reading a list takes bounded memory whatever annotations were pushed; a larger one is rebuilt from its
/// manifest.
pub(crate) const LISTED_MAX_BYTES: usize = 8 << 10;

/// Most owners named by one call of [`Registry::blob_owners`](crate::Registry::blob_owners).
///
/// Source: ours; the caller decides about each of them.
pub const OWNERS_PER_PAGE_MAX: usize = 1000;

/// Finished upload sessions remembered: 64 Ki, about 3 MiB.
///
/// Source: ours. An older one, or one from before a restart, acts as a session without bytes until it expires, which lets
/// its client do nothing that it was not let do before.
pub(crate) const FINISHED_SESSIONS_MAX: usize = 1 << 16;

/// Longest name of a pusher kept with a tag, in bytes.
///
/// Source: ours. Enough for a distinguished name, small beside a page of tags.
pub(crate) const PUSHED_BY_MAX_BYTES: usize = 256;

/// Largest compiled pattern over tags: 256 KiB.
///
/// Source: ours; far above any honest pattern over 128 characters.
pub(crate) const PATTERN_MAX_BYTES: usize = 256 << 10;

/// Tags or names read from the metadata at once while a page is made: 1000.
///
/// Source: ours. Tags come with their records, which are dropped before the next ones are read.
pub(crate) const ENTRIES_PER_SCAN: usize = 1000;

/// Tags read from the metadata at once while a page is sent in pieces: 128.
///
/// Source: ours. That many of the longest tags make one piece.
pub(crate) const TAGS_PER_PIECE: usize = 128;

/// Entries that a scan of the metadata may read without waiting for its turn: 256.
///
/// Source: the storage, which runs so short a scan on the calling thread: there are never more of them than workers.
pub(crate) const SHORT_SCAN_ENTRIES: usize = 256;

/// Longer scans, and scans for pages of referrers, at the same time: 8, or half the processors if that is less. Others
/// wait.
///
/// Source: ours. A scan of [`ENTRIES_PER_SCAN`] holds half a megabyte; each of a thousand requests for long lists could
/// otherwise hold as much while a thread is found for it. The other processors are left to other requests.
pub(crate) const SCAN_CONCURRENCY: usize = 8;

/// Referrers read from the metadata at once while a page is sent in pieces: 16.
///
/// Source: ours. Each may weigh [`LISTED_MAX_BYTES`], and two of that weight make one piece.
pub(crate) const REFERRERS_PER_PIECE: usize = 16;

/// Referrers read from the metadata at once while a page is made: 100.
///
/// Source: ours. Each may weigh [`LISTED_MAX_BYTES`], and most pages need no more.
pub(crate) const REFERRERS_PER_SCAN: usize = 100;

/// Upload sessions looked at by one call of [`Registry::expire_uploads`](crate::Registry::expire_uploads): 512.
///
/// Source: ours. Their records go in one batch and one sync, which others wait for: some milliseconds.
pub const SESSIONS_PER_SWEEP: usize = 512;

/// Sessions of the blob store looked at by one call of
/// [`Registry::expire_uploads`](crate::Registry::expire_uploads): 10,000, about 1 MiB.
///
/// Source: ours. Each such look reads the names of all sessions, so there must be few of them.
pub const ORPHANS_PER_SWEEP: usize = 10_000;

/// How often an operation starts again because others changed what it had read: 32. Then it is an error.
///
/// Source: ours. Each attempt fails only when another one succeeded in between.
pub(crate) const ATTEMPTS_MAX: usize = 32;

/// Tags handled in one batch while a digest is deleted, and named in one question of an [`Approval`](crate::Approval): 256.
///
/// Source: ours. It bounds memory, and the time others wait for the batch.
pub const TAGS_PER_BATCH: usize = 256;

/// Groups of namespaces whose writers keep each other from filling the manifest cache: 64.
///
/// Source: ours. Writers of different namespaces rarely meet in one of so many; a meeting costs one missed fill.
pub(crate) const CACHE_GROUPS: usize = 64;

/// What an entry of the manifest cache counts beside the bytes of its manifest: 256 bytes.
///
/// Source: ours, a generous count of keys, counters and slots, so that the cache stays below its configured size.
pub(crate) const CACHE_ENTRY_BYTES: u64 = 256;

/// References to a blob read at once: 16.
///
/// Source: ours. One live reference keeps a blob, so that the first scan mostly decides.
pub(crate) const REFERENCES_PER_SCAN: usize = 16;

/// Owners of a blob read at once by the garbage collector: 256.
///
/// Source: the storage, which runs so short a scan on the calling thread.
pub(crate) const GC_OWNERS_PER_SCAN: usize = 256;

/// Owners of one blob that the garbage collector removes before it looks at the blob again: 256.
///
/// Source: ours. It bounds the memory of a removal.
pub(crate) const GC_UNNEEDED_MAX: usize = 256;

/// Candidates, or marks, that the garbage collector reads at once: 256.
///
/// Source: ours. Those that are still needed end together, in one batch.
pub(crate) const GC_CANDIDATES_PER_PAGE: usize = 256;

/// Blobs that the garbage collector removes at the same time: 64.
///
/// Source: ours. Their batches share their commits, and other writers wait for a few milliseconds at most.
pub(crate) const GC_REMOVALS_AT_ONCE: usize = 64;

/// Entries of a repository read to find out whether it is empty: 4.
///
/// Source: ours. More than one, because an entry that is being removed may be among them.
pub(crate) const GC_EMPTY_SCAN: usize = 4;

/// Blobs that a sweep lists at once: 10,000, about 1 MiB.
///
/// Source: ours. A page costs reading whole folders of the blob store, so it should be larger than one of them.
pub(crate) const GC_SWEEP_PAGE: usize = 10_000;

/// Blobs after which a sweep lets other tasks run: 32.
///
/// Source: ours: about half a millisecond.
pub(crate) const GC_SWEEP_YIELD: usize = 32;

/// How long the garbage collector waits after it marked a blob, on an engine whose batches are not atomic: 1 minute.
///
/// Source: ours. No batch takes longer: the engines end one that does.
pub(crate) const GC_FENCE: Duration = Duration::from_mins(1);

/// Age after which the mark of another process counts as abandoned, on a store that processes share: 10 minutes.
///
/// Source: ours. A removal takes milliseconds, and [`GC_FENCE`] where there is one.
pub(crate) const GC_ABANDONED_AFTER: Duration = Duration::from_mins(10);

/// How long a push waits for the garbage collector that removes the same blob: 30 s.
///
/// Source: ours. A removal takes milliseconds.
pub(crate) const COLLECTOR_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a push that waits looks whether the garbage collector is done: 5 ms.
///
/// Source: ours. A look is one read of the metadata.
pub(crate) const COLLECTOR_CHECK_INTERVAL: Duration = Duration::from_millis(5);

/// Manifests whose references a migration records in one batch: 64, at most 8 MiB of manifests.
///
/// Source: ours. A batch is synced, and other writers wait for it.
pub(crate) const MIGRATION_PAGE: usize = 64;

/// Format of the records that this version writes, and the newest that it reads: 2.
///
/// Source: ours; `format.rs` lists what each format has.
pub(crate) const STORE_FORMAT: u64 = 2;
