//! Bounds of an examination: each with its value, its source and its reason.

use std::time::Duration;

/// Default time limit of each step on the network: 10 s.
///
/// Source: ours. The server's own handshake timeout is as long by default.
pub const STEP_TIMEOUT: Duration = Duration::from_secs(10);

/// Addresses of one name that are tried: 4.
///
/// Source: ours. Together with the time limit of a step it bounds the whole examination.
pub const ADDRESSES_MAX: usize = 4;

/// Bytes of an answer without TLS that are read: 64.
///
/// Source: ours. Enough to tell HTTP from a TLS alert.
pub const ANSWER_BYTES: usize = 64;

/// Bytes buffered between the two ends of a simulated handshake: 64 KiB.
///
/// Source: ours. More than either end writes before it reads.
pub const PIPE_BYTES: usize = 64 * 1024;

/// How long before its end a client certificate is reported: 7 days.
///
/// Source: ours. A week leaves time to renew by hand. Certificates with a shorter lifetime are reported in its last fifth.
pub const EXPIRES_SOON: Duration = Duration::from_hours(7 * 24);

/// Files of a folder that are read: 256.
///
/// Source: ours. A folder of `certs.d` has three; the wrong folder may have a million.
pub const FOLDER_FILES_MAX: usize = 256;

/// Client certificates of one folder that are tried at a server: 16.
///
/// Source: ours. Each takes a handshake; a folder of `certs.d` has one, or two during a renewal.
pub const CANDIDATES_MAX: usize = 16;

/// Bytes of a `hosts.toml` that are read: 256 KiB.
///
/// Source: ours. A file with a hundred hosts has 30 KiB.
pub const HOSTS_FILE_MAX_BYTES: u64 = 256 * 1024;
