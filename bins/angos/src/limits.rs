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

/// Bytes of log lines that wait for standard error: 1 MiB, some four thousand of them. Past it lines are dropped and
/// counted. As much again is being written.
///
/// Source: ours. A collector that pauses for a second loses nothing; one that hangs takes no memory.
pub(crate) const LOG_QUEUE_BYTES: usize = 1024 * 1024;

/// Time for the last log lines to be written before the process ends: 2 s.
///
/// Source: ours. A pipe that is read takes them in milliseconds; one that is not must not keep the process from ending.
pub(crate) const LAST_LINES: Duration = Duration::from_secs(2);

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

/// Bytes of one line that `policy replay` reads: 1 MiB. A longer one is passed over and counted.
///
/// Source: ours, four times what the server writes. A file of another kind, named by mistake, does not fill memory.
pub(crate) const REPLAY_LINE_MAX_BYTES: usize = 1024 * 1024;

/// Bytes in a row that `policy replay` reads without finding a decision: 16 MiB. Then it ends and says so.
///
/// Source: ours, 16 lines of the longest kind. A device or the output of another program, named by mistake, has no end.
pub(crate) const REPLAY_STRANGE_MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Lines in a row that `policy replay` reads without finding a decision: 100,000. Then it ends and says so.
///
/// Source: ours. Short lines without end would take minutes to come to [`REPLAY_STRANGE_MAX_BYTES`].
pub(crate) const REPLAY_STRANGE_MAX_LINES: u64 = 100_000;

/// Groups of changes that `policy replay` keeps: 10000. What is in no group is counted.
///
/// Source: ours. Nobody reads more; a log of years does not fill memory.
pub(crate) const REPLAY_GROUPS_MAX: usize = 10_000;

/// Characters of a name that `policy replay` shows: 200.
///
/// Source: ours. The subject of a certificate may be 64 KiB long.
pub(crate) const REPLAY_TEXT_MAX_CHARS: usize = 200;

/// Lines of a log that `policy replay` says it does not understand, one by one: 20. Further ones are counted.
///
/// Source: ours. The first ones tell what is wrong with a file.
pub(crate) const REPLAY_COMPLAINTS_MAX: u64 = 20;

/// Failed checks of a policy test that are explained; what is beyond is counted. Source: ours. A wrong default fails
/// thousands at once, and each explanation has some dozen lines.
pub(crate) const POLICY_FAILURES_MAX: usize = 50;

/// Longest command that the control socket takes, in bytes: 16 KiB.
///
/// Source: ours. A path of the system is at most 4 KiB, and a few times that as JSON.
pub(crate) const CONTROL_LINE_MAX_BYTES: u64 = 16 * 1024;

/// Clients of the control socket at once: 8. Further ones are closed.
///
/// Source: ours. One command runs at a time; the others are told so.
pub(crate) const CONTROL_CLIENTS_MAX: usize = 8;

/// Time for a client of the control socket to send its command, or to take a line of the answer: 5 s.
///
/// Source: ours. Both ends are on one machine; a client that stands still must not hold the next command.
pub(crate) const CONTROL_WITHIN: Duration = Duration::from_secs(5);
