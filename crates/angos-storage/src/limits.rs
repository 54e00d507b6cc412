//! Every bound of this crate in one place: its value, where it comes from, why it is there.

use std::time::Duration;

/// Longest metadata key: 4 KiB; a longer one is refused.
///
/// Source: ours. The longest key of the registry, a name beside a digest, is below half a kilobyte.
pub const KEY_MAX_BYTES: usize = 4 * 1024;

/// Heaviest batch of metadata: 64 MiB; a heavier one is refused.
///
/// Source: ours. A batch is held in memory until it is committed.
pub const BATCH_MAX_BYTES: usize = 64 * 1024 * 1024;

/// Batches that may wait for the metadata engine; more make their callers wait.
///
/// Source: ours. One group takes them all.
pub(crate) const BATCH_QUEUE_MAX: usize = 256;

/// Batches committed together at most.
///
/// Source: ours. Beyond it a group no longer saves syncs worth waiting for.
pub(crate) const GROUP_MAX: usize = 256;

/// A group of batches is not extended once it weighs this much: 8 MiB.
///
/// Source: ours. It bounds how long the first of a group waits for the last.
pub(crate) const GROUP_MAX_BYTES: usize = 8 * 1024 * 1024;

/// Bytes of a blob read at once: seven whole TLS records.
///
/// Source: ours, measured. Larger reads cost a little less processor time a byte, but a client that stalls holds one. A
/// reader may ask for less, see [`BlobReader::poll_at_most`](crate::BlobReader::poll_at_most).
pub(crate) const READ_BYTES: usize = 112 * 1024;

/// Idle read buffers kept: 3.5 MiB.
///
/// Source: ours. More go back to the system at once.
pub(crate) const IDLE_BUFFERS_MAX: usize = 32;

/// Bytes that one upload may have waiting while a thread writes: 256 KiB; then the sender waits.
///
/// Source: ours, measured. Larger writes are no cheaper.
pub(crate) const UPLOAD_BUFFER_MAX_BYTES: usize = 256 * 1024;

/// Bytes that may wait in all uploads together, 64 MiB, before each may have only a quarter of its share.
///
/// Source: ours. It keeps a thousand uploads to a slow disk from filling the memory.
pub(crate) const UPLOAD_BUFFERS_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of an upload that are worth a trip to a blocking thread: 64 KiB.
///
/// Source: ours, measured. Behind a sender that stalls there is neither a thread nor more than these.
pub(crate) const UPLOAD_BUFFER_WRITE_BYTES: usize = 64 * 1024;

/// Frames of an upload below this are copied together: 4 KiB.
///
/// Source: ours. A small frame can keep a large buffer of the network alive; many would occupy much more than they hold.
pub(crate) const FRAME_SMALL_BYTES: usize = 4 * 1024;

/// Bytes of an upload after which the disk is asked to start writing: 8 MiB.
///
/// Source: ours, measured. The final sync then finds little to do.
pub(crate) const WRITE_BACK_BYTES: u64 = 8 * 1024 * 1024;

/// Bytes read at once when the content of an upload is hashed again: 256 KiB.
///
/// Source: ours. It happens after a restart, once per upload; larger reads are no cheaper.
pub(crate) const REHASH_BYTES: usize = 256 * 1024;

/// Bytes of one record of an upload session: 512.
///
/// Source: ours. A saved hasher is below 300 bytes, and disks write a sector of 512 as a whole.
pub(crate) const RECORD_SLOT_BYTES: usize = 512;

/// Records that the file of an upload session has room for: 2.
///
/// Source: ours. They are written in turn, so that a write that fails half way leaves the one before it.
pub(crate) const RECORD_SLOTS: usize = 2;

/// How long a new writer of an upload session waits for one that is leaving: 1 s.
///
/// Source: ours. It is the rest of one write to the disk; after that the session is busy.
pub(crate) const WRITER_RELEASE_TIMEOUT: Duration = Duration::from_secs(1);

/// Longest scan of the metadata that runs on the calling thread: 256 entries.
///
/// Source: ours, measured. A hop to a blocking thread costs more than so short a scan of cached pages.
pub(crate) const INLINE_SCAN_MAX: usize = 256;

/// Default of [`MetadataSettings::Redb::cache_bytes`](crate::MetadataSettings::Redb::cache_bytes): 8 MiB.
///
/// Source: ours. The page cache of the system stands behind it.
pub const METADATA_CACHE_BYTES: usize = 8 * 1024 * 1024;

/// Records that a backup reads and writes at once: 256.
///
/// Source: ours. With the bytes of manifests in them they weigh at most 33 MiB, half of a batch.
pub(crate) const BACKUP_ENTRIES_PER_PAGE: usize = 256;

/// Blobs that a backup lists at once: 1000.
///
/// Source: ours. It bounds memory, and how long a backup is silent.
pub(crate) const BACKUP_BLOBS_PER_PAGE: usize = 1000;

/// How long readers of metadata that could not be opened again wait before one of them tries once more: 1 s.
///
/// Source: ours. Opening takes a millisecond; a disk that fails is not asked for every request.
pub(crate) const REOPEN_INTERVAL: Duration = Duration::from_secs(1);

/// Free bytes below which the health of a blob folder is found out by writing: 64 MiB.
///
/// Source: ours. Far more than one request takes between two looks on a small disk; above it a write that fails says so.
pub(crate) const SPACE_LOW_BYTES: u64 = 64 * 1024 * 1024;

/// Free inodes below which it is found out by making a file: 1024.
///
/// Source: ours, likewise.
pub(crate) const INODES_LOW: u64 = 1024;

/// Bytes that such a look writes: 16 KiB.
///
/// Source: ours. More than the last block of a file system that is full.
pub(crate) const PROBE_BYTES: usize = 16 * 1024;

/// Bytes that a look at the metadata writes after a commit that failed: 128 KiB.
///
/// Source: ours. More than the largest manifest that is kept among the metadata.
pub(crate) const METADATA_PROBE_BYTES: usize = 128 * 1024;

/// Longest file with the id of a store that is read: 64 bytes.
///
/// Source: ours. It has 31.
pub(crate) const STORE_ID_MAX_BYTES: u64 = 64;

/// Longest command that the control socket takes, in bytes: 16 KiB.
///
/// Source: ours. A path of the system is at most 4 KiB, and a few times that as JSON.
pub(crate) const CONTROL_LINE_MAX_BYTES: u64 = 16 * 1024;

/// Clients of the control socket at once: 8. Further ones are closed.
///
/// Source: ours. One command runs at a time; the others get an error.
pub(crate) const CONTROL_CLIENTS_MAX: usize = 8;

/// Time for a client of the control socket to send its command, or to take a line of the answer: 5 s.
///
/// Source: ours. Both ends are on one machine; a stalled client must not hold the next command.
pub(crate) const CONTROL_TIMEOUT: Duration = Duration::from_secs(5);
