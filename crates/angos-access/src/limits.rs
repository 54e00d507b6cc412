//! Bounds of decisions and their records: each with its value, its source and its reason.

/// Bytes of one line of the decision log: 256 KiB. Of a line that would be longer the names in the certificate are left
/// out, and what is left fits.
///
/// Source: ours. Certificates met in practice give lines of 2 KiB. The largest one that rules can read (64 KiB) fits, if
/// it is not written to be escaped.
pub const DECISION_LINE_BYTES: usize = 256 * 1024;

/// Bytes of one line that a replay reads: 1 MiB. A longer one is skipped and counted.
///
/// Source: ours, four times what the server writes. A file of another kind, named by mistake, does not fill memory.
pub const REPLAY_LINE_MAX_BYTES: usize = 1024 * 1024;

/// Bytes in a row that a replay reads without finding a decision: 16 MiB. Then it fails.
///
/// Source: ours, 16 lines of the longest kind. A device or the output of another program, named by mistake, has no end.
pub const REPLAY_UNREADABLE_MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Lines in a row that a replay reads without finding a decision: 100,000. Then it fails.
///
/// Source: ours. It would take minutes to read [`REPLAY_UNREADABLE_MAX_BYTES`] of short lines.
pub const REPLAY_UNREADABLE_MAX_LINES: u64 = 100_000;

/// Groups of changes that a replay keeps: 10000. Changes beyond them are counted.
///
/// Source: ours. More is not read; a log of years does not fill memory.
pub const REPLAY_GROUPS_MAX: usize = 10_000;

/// Characters of a name that a replay shows: 200.
///
/// Source: ours. The subject of a certificate may be 64 KiB long.
pub const REPLAY_TEXT_MAX_CHARS: usize = 200;

/// Unreadable lines of a log that a replay reports one by one: 20. Further ones are counted.
///
/// Source: ours. The first ones show what is wrong with a file.
pub const REPLAY_UNREADABLE_REPORTED_MAX: u64 = 20;
