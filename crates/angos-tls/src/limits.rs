//! Every bound of this crate: its value, where it comes from, and why it exists.

use std::time::Duration;

/// Default time a client has from the accepted stream to a finished handshake: 10 seconds.
///
/// Source: ours. A handshake is two round trips; ten seconds forgive the worst mobile link and still free a
/// silent connection quickly.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest handshake deadline that may be configured: 10 minutes.
///
/// Source: ours. A longer one is a mistake in units, and would let silent clients pile up.
pub const HANDSHAKE_TIMEOUT_MAX: Duration = Duration::from_mins(10);

/// Bytes of its handshake that a client may send without asking for room: 6 KiB.
///
/// Source: ours. A hello with a post-quantum key share has 2 KiB, an ordinary client chain as much again. With what a
/// connection takes before its first byte that is 16 KiB for each client that is not known yet.
pub const HANDSHAKE_FREE_BYTES: usize = 6 * 1024;

/// Bytes beyond [`HANDSHAKE_FREE_BYTES`], over all handshakes of an acceptor that go on at the same time: 16 MiB. A
/// handshake that needs more is given up.
///
/// Source: ours, 280 of the longest messages the TLS library takes, or thousands of long client chains.
pub const HANDSHAKES_LONG_BYTES: usize = 16 * 1024 * 1024;

/// Longest time between two looks at a peer that [`Peer::until_untrusted`](crate::Peer::until_untrusted) waits for: 1 minute.
///
/// Source: ours. A clock that was set, or a machine that slept, is noticed by then; a look costs some nanoseconds.
pub const RECHECK_INTERVAL: Duration = Duration::from_mins(1);

/// Largest PEM file that is read: 1 MiB.
///
/// Source: ours. The bundle of every public authority a Linux distribution ships is about 220 KiB; a larger
/// file is not a certificate bundle, and reading it must not take the memory of the process.
pub const PEM_MAX_BYTES: u64 = 1024 * 1024;

/// Largest file of revocation lists that is read: 64 MiB.
///
/// Source: ours. The largest lists of public authorities have some tens of MiB.
pub const CRL_MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Most files in one folder of revocation lists: 1024.
///
/// Source: ours. Each is read whole at every reload.
pub const CRL_FILES_MAX: usize = 1024;

/// Most certificates on all revocation lists of one set: one million.
///
/// Source: ours. Each takes some 60 bytes of memory as long as the set is in force.
pub const REVOKED_CERTIFICATES_MAX: usize = 1_000_000;

/// Most keys that are remembered as having signed one revocation list: 8.
///
/// Source: ours. A list has one signature; several keys can only be the same one in other clothes. What is not
/// remembered is verified again.
pub const CRL_KEYS_MAX: usize = 8;

/// Largest server certificate chain, as DER: 32 KiB.
///
/// Source: ours. TLS implementations stop reading a handshake message between 64 KiB and 100 KiB, and the
/// chain is sent with every handshake. Ordinary chains have 2 to 6 KiB.
pub const SERVER_CHAIN_MAX_BYTES: usize = 32 * 1024;

/// Longest name of a client authority: 63 bytes.
///
/// Source: RFC 1035 §2.3.4, the length of one DNS label: such a name fits wherever names go.
pub const CA_NAME_MAX_BYTES: usize = 63;

/// Most memory of client chains that are remembered as verified: 8 MiB.
///
/// Source: ours. A client that comes back is not verified anew while nothing changed. Ordinary chains take 2 to
/// 4 KiB; who sends more than is needed takes the place of others, not of memory.
pub const VERIFIED_CHAINS_MAX_BYTES: usize = 8 * 1024 * 1024;

/// Most memory of sessions that may be resumed, for each way to treat clients: 16 MiB.
///
/// Source: ours. With certificates a session takes 1 to 3 KiB, and each handshake makes one; the oldest are
/// forgotten first, and their clients make a full handshake.
pub const SESSIONS_MAX_BYTES: usize = 16 * 1024 * 1024;

/// Tickets a client gets in a handshake of TLS 1.3: 1.
///
/// Source: ours. Each is good for one resumption (RFC 8446 §C.4) and costs both sides memory; who resumes gets the next
/// one, and who opens several connections at once gets one on each.
pub const TICKETS: usize = 1;

/// Parts the sessions are kept in, each under a lock of its own: 16.
///
/// Source: ours. More than a machine has cores that shake hands at the same moment, as a rule.
pub const SESSION_SHARDS: usize = 16;

/// Longest time between the handshake in which a client proved to hold its key and the last that continues its
/// session: 24 hours.
///
/// Source: RFC 5246 §F.1.4 for TLS 1.2; RFC 8446 §4.6.1 allows seven days and rustls promises one.
pub const SESSION_LIFETIME: Duration = Duration::from_hours(24);

/// Most intermediates a server may send to a connector: 8.
///
/// Source: ours. Public and private chains have 1 to 3. The work of building a path grows with their number.
pub const SERVER_INTERMEDIATES_MAX: usize = 8;

/// Most client authorities in one bundle: 1024.
///
/// Source: ours. Finding the issuer of a client certificate is linear in their number.
pub const CLIENT_CAS_MAX: usize = 1024;

/// Most bytes of authority names that are sent to clients as a hint: 16 KiB.
///
/// Source: RFC 8446 §4.2.4 and RFC 5246 §7.4.4 end the list at 64 KiB; clients refuse long messages earlier.
/// A longer list is not sent at all, which both RFCs permit: clients then offer whatever certificate they have.
pub const CA_HINTS_MAX_BYTES: usize = 16 * 1024;

/// Most characters of one text taken from a refused certificate: 256.
///
/// Source: ours. Such text is written to logs and was not verified by anybody.
pub const CERT_TEXT_MAX_CHARS: usize = 256;

/// Most failed handshakes of one class that the log shows at once at `info`: 5.
///
/// Source: ours. Enough to see what goes wrong; who can make handshakes fail must not be able to fill a disk.
pub const LOGGED_FAILURES_BURST: u32 = 5;

/// Time after which the log shows one more failed handshake of a class at `info`: 10 seconds.
///
/// Source: ours, with [`LOGGED_FAILURES_BURST`]: at most 8640 lines of a class each day. Those between are counted,
/// and shown at `debug`.
pub const LOGGED_FAILURES_INTERVAL: Duration = Duration::from_secs(10);

/// Most names of intermediates that are remembered to tell an incomplete chain: 256.
///
/// Source: ours. Each is 32 bytes; only intermediates of verified chains are remembered.
pub const KNOWN_INTERMEDIATES_MAX: usize = 256;

/// How long a refused connection is kept so that the client can read the alert: 1 second.
///
/// Source: ours. Closing a TCP socket with unread input resets it, and the alert may be lost with it.
pub const REFUSAL_LINGER: Duration = Duration::from_secs(1);

/// Most bytes read and thrown away while a refused connection lingers: 64 KiB.
///
/// Source: ours. Enough for what a client sends behind its handshake before it sees the alert.
pub const REFUSAL_DRAIN_BYTES: usize = 64 * 1024;

/// Most characters of a PEM label that an error repeats: 40.
///
/// Source: ours. The longest label in use, `BEGIN ENCRYPTED PRIVATE KEY`, is below; a file of another kind must not fill
/// the log.
pub const PEM_LABEL_MAX_CHARS: usize = 40;

/// Most bytes a probe reads from a server: 256 KiB.
///
/// Source: ours. A handshake with a long chain and a long list of authorities has less than 100 KiB.
pub const PROBE_READ_MAX_BYTES: usize = 256 * 1024;

/// How many of the first bytes of a server a probe remembers: 64.
///
/// Source: ours. Enough to tell HTTP, SSH or SMTP from TLS.
pub const PROBE_GREETING_BYTES: usize = 64;

/// How many bytes of an answer a probe listens for: 1 KiB.
///
/// Source: ours. The status line of an HTTP response is among them.
pub const PROBE_ANSWER_BYTES: usize = 1024;

/// Most names, certificates or sections of one kind a probe reports: 64.
///
/// Source: ours. They are read by people.
pub const PROBE_NAMES_MAX: usize = 64;

/// Most purposes of an extended key usage that a message repeats: 8.
///
/// Source: ours. A certificate may name any number of them.
pub const PURPOSES_SHOWN_MAX: usize = 8;

/// Fewest bits of an RSA key that can sign anything: 2048.
///
/// Source: the TLS library (aws-lc-rs) verifies no signature of a shorter one; NIST SP 800-131A asks for as many.
pub const RSA_MIN_BITS: usize = 2048;

/// Most bits of such a key: 8192.
///
/// Source: the TLS library (aws-lc-rs) verifies no signature of a longer one.
pub const RSA_MAX_BITS: usize = 8192;

/// Most certificates of a client that may lie on a path from its leaf to an authority: 16.
///
/// Source: ours. A path has at most 6 between its ends, and cross-signing rarely doubles them. What lies on no path does
/// not count.
pub const POSSIBLE_ISSUERS_MAX: usize = 16;

/// Most of these that may have the same subject: 4.
///
/// Source: ours. Each is one way more at every step, and every combination is tried: at most 4^6 here, where a hundred
/// of one name took seconds of processor time before anybody was authenticated.
pub const SAME_SUBJECT_MAX: usize = 4;
