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

/// Work that `angos check` spends on judging all policies, in the steps that bound a rule in a request
/// ([`RULE_COST_MAX`](angos_policy::limits::RULE_COST_MAX)): 2·10⁸. What is left then is not judged, which is said. Source:
/// ours. About a second; a thousand ordinary rules take a tenth of it.
pub const LINT_EFFORT_MAX: u64 = 200_000_000;

/// How often a rule is followed to learn whether it rests on absence, about: 4. Source: each comparison is followed once by
/// itself, and the whole rule twice for one that may be found.
pub(crate) const ABSENCE_TIMES: u64 = 4;

/// Callers and cases of one file of policy tests, each. Source: ours. They are written by people.
pub const CASES_MAX: usize = 10_000;

/// Requests that the cases of one file of policy tests ask about, all lists multiplied out. Source: ours. Each takes some
/// microseconds; a few lists of a hundred words multiply to more than anyone waits for.
pub const CHECKS_MAX: usize = 100_000;

/// Repositories with settings of their own. Source: ours. Each request looks the longest name up.
pub const REPOSITORIES_MAX: usize = 10_000;

/// Entries below `[auth.identity]`. Source: ours. More users than this belong into a directory service.
pub const IDENTITIES_MAX: usize = 10_000;

/// Longest user name and identity id, in bytes: both stand in log lines and may be compared in rules.
pub const USERNAME_MAX_BYTES: usize = 255;

/// Longest name of a rule, in bytes: it stands in every log line the rule decides.
pub const RULE_NAME_MAX_BYTES: usize = 64;

/// How long the files must rest after a change before they are read again: 250 ms. Source: ours. A burst
/// of events ends: an editor's rename, a Kubernetes symlink swap, a key after its certificate.
pub const WATCH_REST: Duration = Duration::from_millis(250);

/// How often the files are looked at although the system reported no change: 1 minute. Source: ours. Network
/// file systems and some container mounts report nothing.
pub const WATCH_POLL: Duration = Duration::from_mins(1);

/// Symbolic links followed from one watched file to the next folder to watch. Source: ours; Kubernetes makes two.
pub const WATCH_LINKS_MAX: usize = 16;

/// Bytes of a watched file that are compared: 64 MiB. Source: the largest file of a configuration, a revocation
/// list; what is named by mistake does not fill memory.
pub const WATCH_FILE_MAX_BYTES: u64 = angos_tls::limits::REVOCATION_LIST_MAX_BYTES;

/// Files of a watched folder that are compared: 1025. Source: one more than a folder of revocation lists may hold.
pub const WATCH_FOLDER_FILES_MAX: usize = angos_tls::limits::REVOCATION_FILES_MAX + 1;

/// Sections of one list of sections, such as `[[server.listener]]`. Source: ours. They are written by people, and
/// each listener is a port.
pub const SECTIONS_MAX: usize = 256;

/// Longest name of a listener, in bytes. Source: ours. It is a label of metrics, and stands in log lines.
pub const LISTENER_NAME_MAX_BYTES: usize = 63;
