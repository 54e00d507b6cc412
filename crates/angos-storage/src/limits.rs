//! Every bound of this crate in one place: its value, where it comes from, why it is there.

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
pub(crate) const BATCHES_WAITING_MAX: usize = 256;

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
/// Source: ours, measured. Larger reads cost a little less processor time a byte, but a client that stalls holds one.
pub(crate) const READ_BYTES: usize = 112 * 1024;

/// Idle read buffers kept: 3.5 MiB.
///
/// Source: ours. More go back to the system at once.
pub(crate) const IDLE_BUFFERS_MAX: usize = 32;

/// Bytes that one upload may have waiting while a thread writes: 256 KiB; then the sender waits.
///
/// Source: ours, measured. Larger writes are no cheaper.
pub(crate) const UPLOAD_WAITING_MAX_BYTES: usize = 256 * 1024;

/// Bytes that may wait in all uploads together, 64 MiB, before each may have only a quarter of its share.
///
/// Source: ours. It keeps a thousand uploads to a slow disk from filling the memory.
pub(crate) const UPLOADS_WAITING_BYTES: usize = 64 * 1024 * 1024;
