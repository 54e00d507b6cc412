//! Every bound of the program itself, with its reason. Those of what it runs are in the crates.

use std::time::Duration;

/// Threads for file operations that block: 64.
///
/// Source: ours. More than a disk can serve at once; few enough to bound memory.
pub(crate) const BLOCKING_THREADS_MAX: usize = 64;

/// Time for file operations under way to end once no request is left, or a second signal cut them: 2 s.
///
/// Source: ours. What is not acknowledged may be lost; a stuck disk must not keep the process from ending.
pub(crate) const LAST_WRITES_TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes of log lines that wait for standard error: 1 MiB, some four thousand of them. Past it lines are dropped and
/// counted. As much again is being written.
///
/// Source: ours. A collector that pauses for a second loses nothing; one that hangs takes no memory.
pub(crate) const LOG_QUEUE_BYTES: usize = 1024 * 1024;

/// Time for the last log lines to be written before the process ends: 2 s.
///
/// Source: ours. A pipe that is read takes them in milliseconds; one that is not must not keep the process from ending.
pub(crate) const LOG_FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes of a password that `hash-password` reads: 64 KiB.
///
/// Source: ours. Longer ones are refused by the hash anyway; a file piped in by mistake does not fill memory.
pub(crate) const PASSWORD_INPUT_MAX_BYTES: u64 = 64 * 1024;
