//! Every bound of the program itself, with its reason. Those of what it runs are in the crates.

use std::time::Duration;

/// Threads for file operations that block: 64.
///
/// Source: ours. More than a disk can serve at once; few enough to bound memory.
pub(crate) const BLOCKING_THREADS_MAX: usize = 64;

/// Time for file operations under way to end once no request is left, or a second signal cut them: 2 s.
///
/// Source: ours. What is not acknowledged may be lost; a stuck disk must not keep the process from ending.
pub(crate) const LAST_WRITES: Duration = Duration::from_secs(2);

/// Bytes of a password that `hash-password` reads: 64 KiB.
///
/// Source: ours. Longer ones are refused by the hash anyway; a file piped in by mistake does not fill memory.
pub(crate) const PASSWORD_INPUT_MAX_BYTES: u64 = 64 * 1024;

/// Days the certificates of `quickstart` hold: 90.
///
/// Source: ours. Long enough to try things, too short to rely on.
pub(crate) const QUICKSTART_VALID_DAYS: u16 = 90;

/// How much before its making a certificate of `quickstart` is valid: 1 hour.
///
/// Source: ours. Clocks of clients may be behind ours.
pub(crate) const QUICKSTART_CLOCK_DIFFERENCE: Duration = Duration::from_hours(1);
