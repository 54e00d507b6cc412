//! Every bound this crate holds an operator's input to, with its reason.

use std::time::Duration;

/// Bytes of one configuration file. Source: ours. Some thousand repositories with their rules fit ten
/// times over; a device or a log named by mistake does not fill memory.
pub const FILE_MAX_BYTES: u64 = 1024 * 1024;

/// Configuration files in one start. Source: ours. Layers are written by people.
pub const FILES_MAX: usize = 64;

/// Bytes of one file that holds a secret (`password_file`). Source: ours. A password hash is some
/// hundred bytes.
pub const SECRET_FILE_MAX_BYTES: u64 = 4096;

/// Bytes of one environment variable's value. Source: ours, matching what fits a sensible file.
pub const VARIABLE_MAX_BYTES: usize = 64 * 1024;

/// Problems reported at once; what is beyond is counted. Source: ours. A file of another kind, named by
/// mistake, must not scroll the terminal for minutes.
pub const PROBLEMS_MAX: usize = 100;

/// Characters of a source line shown beneath a problem. Source: ours; about a terminal's width.
pub const EXCERPT_MAX_CHARS: usize = 100;

/// Rules of one policy. Source: ours. Every request may evaluate all of them.
pub const RULES_MAX: usize = 1000;

/// Work that `angos check` spends on analyzing all policies, in the units of the cost limit of a rule
/// ([`RULE_COST_MAX`](angos_policy::limits::RULE_COST_MAX)): 2·10⁸. The remaining policies are reported as not analyzed. Source:
/// ours. About a second; a thousand ordinary rules take a tenth of it.
pub const LINT_COST_MAX: u64 = 200_000_000;

/// How often a rule is analyzed to learn whether it depends on absence, about: 4. Source: each comparison is analyzed once by
/// itself, and the whole rule twice for one that may be found.
pub(crate) const ABSENCE_COST_FACTOR: u64 = 4;

/// Callers and cases of one file of policy tests, each. Source: ours. They are written by people.
pub const CASES_MAX: usize = 10_000;

/// Requests of all cases in one file of policy tests, after the lists are expanded. Source: ours. Each takes some
/// microseconds; a few lists of a hundred words multiply to more than anyone waits for.
pub const CASE_REQUESTS_MAX: usize = 100_000;

/// Repositories with settings of their own. Source: ours. Each request looks the longest name up.
pub const REPOSITORIES_MAX: usize = 10_000;

/// Entries below `[auth.identity]`. Source: ours. More users than this belong into a directory service.
pub const IDENTITIES_MAX: usize = 10_000;

/// Longest user name and identity id, in bytes: both are written to the log and may be compared in rules.
pub const USERNAME_MAX_BYTES: usize = 255;

/// Longest name of a rule, in bytes: it is written to the log with every decision of the rule.
pub const RULE_NAME_MAX_BYTES: usize = 64;

/// Time from the first event of a burst to reading the files again: 100 ms. Source: ours. An editor's rename and a
/// Kubernetes symlink swap are one burst; what goes on longer is noticed by [`STABLE_PERIOD`].
pub const WATCH_DEBOUNCE: Duration = Duration::from_millis(100);

/// How often the files are looked at although the system reported no change: 1 minute. Source: ours. Network
/// file systems and some container mounts report nothing.
pub const WATCH_POLL_INTERVAL: Duration = Duration::from_mins(1);

/// Symbolic links followed from one watched file to the next folder to watch. Source: ours; Kubernetes makes two.
pub const WATCH_LINKS_MAX: usize = 16;

/// How long files that were written lately must stay the same, between two readings, before they are taken: 0.7 s. Source:
/// ours. A program that pauses for half a second between two pieces of a file is noticed; a reload is in force within a second.
pub const STABLE_PERIOD: Duration = Duration::from_millis(700);

/// How old, by their modification times, all files must be to be taken without [`STABLE_PERIOD`]: 3 s. Source: ours. File
/// systems may count in steps of two seconds, and the clock of a file server may be a little behind.
pub const STABLE_AGE: Duration = Duration::from_secs(3);

/// How often the metadata of all files is looked at meanwhile: 50 ms. Source: ours. A change is not waited out.
pub const STABLE_CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// Time from a change that was noticed meanwhile to the next attempt: 100 ms. Source: ours. Each attempt compiles all rules.
pub const STABLE_RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// How long a load waits for files that are being written: 10 s. Then it is an error, at a reload and at start. Source: ours.
/// A file that a program rewrites more often than [`STABLE_PERIOD`] is never stable.
pub const STABLE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long reading one file may take: 10 s. Source: ours. The largest one, a revocation list of 64 MiB, takes 6 s at 10 MiB
/// a second; a file system that is dead never answers.
pub const FILE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a load may take as a whole: 60 s. Source: ours. More than [`STABLE_TIMEOUT`] and compiling thousands of rules.
pub const LOAD_TIMEOUT: Duration = Duration::from_mins(1);

/// How often these two timeouts are checked: 100 ms. Source: ours.
pub(crate) const LOAD_CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// Loads that were given up and whose thread is still blocked in the file system: 16. Then no load is begun until one of
/// them ends. Source: ours. Each keeps a thread and what it has read; each waits for another file.
pub const BLOCKED_LOADS_MAX: usize = 16;

/// Names that the line of a reload shows of each group of changes and kind of change: 5. Further ones are counted. Source:
/// ours. A line is read by people.
pub const CHANGES_NAMED_MAX: usize = 5;

/// The part of the memory that is the default of `server.body_memory`: an eighth. Source: ours. The rest is for
/// connections, caches, and the page cache, which serves most pulls.
pub const BODY_MEMORY_DIVISOR: u64 = 8;

/// The least that this default may be: 64 MiB. Source: ours. Eight of the largest manifests on their way in.
pub const BODY_MEMORY_MIN_BYTES: u64 = 64 << 20;

/// The most that this default may be: 1 GiB. Source: ours. More is of use only where thousands of slow clients pull at the
/// same time.
pub const BODY_MEMORY_MAX_BYTES: u64 = 1 << 30;

/// Bytes that are read of a file in which the system reports its memory: 64 KiB. Source: ours; they have some kilobytes.
pub const MEMORY_FILE_MAX_BYTES: u64 = 64 << 10;

/// Sections of one list of sections, such as `[[server.listener]]`. Source: ours. They are written by people, and
/// each listener is a port.
pub const SECTIONS_MAX: usize = 256;

/// Longest name of a listener, in bytes. Source: ours. It is a label of metrics and a field of log lines.
pub const LISTENER_NAME_MAX_BYTES: usize = 63;

/// Failed requests of a policy test that are explained; further ones are counted. Source: ours. A wrong default fails
/// thousands at once, and each explanation has some dozen lines.
pub const FAILURES_EXPLAINED_MAX: usize = 50;
