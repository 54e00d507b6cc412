//! Bounds of a connection that no setting changes: each with its value, where it comes from, and why.
//!
//! Bounds an operator may move are in [`Limits`](crate::Limits) and [`Timeouts`](crate::Timeouts).

use std::time::Duration;

/// Bytes of an HTTP/1.1 request head, and of an HTTP/2 header list: 32 KiB.
///
/// Source: ours. The longest legal path (a 255 byte name, two 128 hex digests, a full query) is under 4 KiB; the
/// rest is room for a bearer token. Without a bound a head grows to the whole read buffer.
pub const REQUEST_HEAD_BYTES: u32 = 32 * 1024;

/// Bytes hyper may buffer per HTTP/1.1 connection and direction: 64 KiB.
///
/// Source: ours. hyper's own default is about 400 KiB, which a thousand stalled uploads turn into 400 MB.
pub const HTTP1_BUFFER_BYTES: usize = 64 * 1024;

/// HTTP/2 flow control window of one stream: 4 MiB.
///
/// Source: RFC 9113 §6.9 leaves it to us. An upload moves at most one window per round trip; hyper's 1 MiB caps a
/// client 40 ms away at 25 MB/s.
pub const HTTP2_STREAM_WINDOW_BYTES: u32 = 4 * 1024 * 1024;

/// HTTP/2 flow control window of one connection, over all its streams: 8 MiB.
///
/// Source: ours. It bounds what one connection can make us hold, however many streams it opens.
pub const HTTP2_CONNECTION_WINDOW_BYTES: u32 = 8 * 1024 * 1024;

/// Bytes of response a single HTTP/2 stream may have queued for sending: 256 KiB, two pieces of a blob. They count in
/// [`Limits::body_memory`](crate::Limits::body_memory).
pub const HTTP2_SEND_BUFFER_BYTES: usize = 256 * 1024;

/// How many times `timeouts.body_progress` a client may take for one piece of a blob, 256 KiB, while it takes something
/// else on the same connection: 10.
///
/// Source: ours. With the default that is 440 bytes a second. Without a bound of its own, a response that nobody takes
/// would keep its place among the requests in flight as long as another one moves.
pub const SLOW_CHUNK_FACTOR: u32 = 10;

/// Default of [`Limits::body_memory`](crate::Limits::body_memory): 256 MiB.
///
/// Source: ours, thirty-two of the largest manifests on their way in, or 2300 pieces of blobs on their way out.
pub const BODY_MEMORY_BYTES: usize = 256 * 1024 * 1024;

/// The part of [`Limits::body_memory`](crate::Limits::body_memory) that one connection may have: an eighth.
///
/// Source: ours. One client cannot take it all; one that takes what it asked for needs far less.
pub const CONNECTION_SHARE: usize = 8;

/// What one connection may have of it at least: 16 MiB, or all where that is less.
///
/// Source: ours, two of the largest manifests on their way in.
pub const CONNECTION_SHARE_MIN_BYTES: usize = 16 * 1024 * 1024;

/// Bytes that each request and each response may hold beside [`Limits::body_memory`](crate::Limits::body_memory), and the
/// size of the pieces that listings are sent in, and other long responses when that is exhausted: 16 KiB.
///
/// Source: ours. Nearly all manifests are shorter, and so are errors, probes and most listings: they need no room, and
/// nobody who fills the rest keeps them waiting. `max_requests` times that is 64 MiB with the default, for requests and
/// for responses.
pub const BODY_BUFFER_FREE_BYTES: usize = 16 * 1024;

/// Bytes of a blob that are read and sent at once, while there is room for them: 112 KiB, seven TLS records.
///
/// Source: the storage, which reads no more at once.
pub const BLOB_PIECE_BYTES: usize = 112 * 1024;

/// How often each byte of a manifest that is being received counts: twice.
///
/// Source: ours. A manifest is checked as a whole and so has to be in memory; as much again is allowed for the digests of
/// what it references, which are looked up one by one.
pub const BODY_BUFFER_WEIGHT: usize = 2;

/// Bytes of a manifest after which room is made for all that was announced: 128 KiB.
///
/// Source: ours. Growing by doubling holds up to three times of what arrived.
pub const BODY_BUFFER_INITIAL_BYTES: usize = 128 * 1024;

/// How long a body that nobody wants, and a connection that is closing, are still read and dropped: 2 s.
///
/// Source: ours. Closing a socket with unread bytes makes the kernel send a reset, which can destroy a refusal on its
/// way to a client that is in the middle of an upload, and some clients take the reset of an HTTP/2 stream for the
/// whole answer. Most clients stop and close when they see the answer.
pub const LINGER: Duration = Duration::from_secs(2);

/// How long a decision holds while a body is on its way and nothing was reloaded: 10 s. Then the request is decided again.
///
/// Source: ours. A reload is noticed at once; this is for rules that look at the time, and costs a decision every ten
/// seconds.
pub const RECHECK_INTERVAL: Duration = Duration::from_secs(10);

/// The longest part of a blob that is sent without deciding again, in bytes: 1 MiB.
///
/// Source: ours. Deciding again needs the caller's identity until the last byte; most blobs need nothing of it.
pub const RECHECK_BLOB_BYTES: u64 = 1 << 20;

/// Entries of one page of `_catalog`, tags or referrers, when the request asks for more or names no number: 1000.
///
/// Source: ours; the distribution specification allows a registry to answer with fewer than `n` and a `Link`.
pub const PAGE_ENTRIES: usize = 1000;

/// `artifactType` parameters of one request for referrers: 16. More are a 400.
///
/// Source: ours; the distribution specification knows one. Each costs a policy decision, and a comparison with every
/// referrer.
pub const ARTIFACT_TYPES_MAX: usize = 16;

/// Owners of a blob that are considered as the source of a mount that names none: 32.
///
/// Source: ours. Each such mount makes exactly as many decisions, some microseconds together; if no owner among them may
/// be read, an upload starts.
pub const MOUNT_CANDIDATES_MAX: usize = 32;

/// Names that one page of the catalog decides about at least, if there are as many: 1000, or half of it by chance.
///
/// Source: ours; some milliseconds with fifty rules. A caller who may see one name in a thousand finds it.
pub const CATALOG_SCAN_MIN: usize = 1000;

/// Names that one page of the catalog decides about at most: 10,000.
///
/// Source: ours, ten for each entry of the largest page; up to 30 ms of one processor with fifty rules. The page then
/// links to where the next one goes on.
pub const CATALOG_SCAN_MAX: usize = 10_000;

/// How long a page of the catalog waits for its turn: 10 s. Past it the answer is 429 with `Retry-After`.
///
/// Source: ours. Half of the processors make pages; a page takes at most some tens of milliseconds.
pub const CATALOG_QUEUE_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections the kernel keeps, per listener, until they are accepted: 4096.
///
/// Source: ours; Linux caps it at `net.core.somaxconn`, 4096 by default.
pub const BACKLOG: u32 = 4096;

/// Pause after an error of accepting that a retry at once would only repeat (no file descriptors, no memory): 100 ms.
///
/// Source: ours. It keeps a full process from spinning, and is short beside what a client waits.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Connections of the management listener: 64. Past it older ones are closed, as at every listener.
///
/// Source: ours. Probes and scrapers are few, and whoever floods this port must not take memory from the registry.
pub const MANAGEMENT_CONNECTIONS: usize = 64;

/// How long the storage may take to show that it answers before `/readyz` says no: 2 s.
///
/// Source: ours. Probes ask every few seconds; one that waits longer says nothing useful.
pub const READINESS_TIMEOUT: Duration = Duration::from_secs(2);

/// The part of a listener's connections that established ones leave free for those without a request yet: a quarter
/// (1/4), at least one.
///
/// Source: ours. A newcomer needs some milliseconds for its handshake and its first request; with a thousand places it
/// has them even while ten thousand others connect in each second.
pub const NEW_CONNECTIONS_SHARE: u64 = 4;

/// Sockets of a listener that may be open beyond its connections, while connections that were closed for others notice
/// it: 16. Past it the next connection waits in the kernel's queue.
///
/// Source: ours. Each notices within microseconds.
pub const CLOSING_CONNECTIONS: usize = 16;

/// Connections of one caller that are looked at, from the oldest, for one without a request: 256.
///
/// Source: ours. It bounds what a connection beyond its caller's share costs; a caller with as many requests in flight
/// on its oldest connections gets no further one.
pub const IDLE_SEARCH_MAX: usize = 256;

/// Callers that are remembered before those without a connection are forgotten: 1024, or twice as many as have one.
///
/// Source: ours, some hundred KiB.
pub const CALLERS_KEPT: usize = 1024;

/// File descriptors kept for all but connections and the files that requests read or write: 192.
///
/// Source: ours. The database, logs, the listeners themselves, the watch of the configuration and the runtime have some
/// 40; each of 64 threads for file operations opens up to two more for a moment.
pub const FILES_RESERVE: usize = 192;

/// Connections of each listener, and requests, there may be however low the limit on open files: 4.
///
/// Source: ours. Below it nothing works, and the message about the limit says so.
pub const LIMIT_MIN: usize = 4;

/// Shortest interval at which a connection is judged idle or stalled, however short the timeouts: 10 ms.
///
/// Source: ours. It bounds what ten thousand connections that do nothing cost.
pub const CHECK_INTERVAL_MIN: Duration = Duration::from_millis(10);

/// How many connections are judged at the same moment, of all: 1.
///
/// Source: ours. A reload makes all of them due at once, and one whose chain is no longer good takes some tenths of a
/// millisecond; whoever asks for something meanwhile waits for one of them, not for all.
pub const RECHECK_CONCURRENCY: usize = 1;

/// Pause between two sweeps of expired uploads: 1 minute. While a sweep finds some it goes on at once.
///
/// Source: ours. Uploads expire after hours.
pub const UPLOAD_SWEEP_INTERVAL: Duration = Duration::from_mins(1);

/// How long connections that are cut at the end of the drain time may take to notice: 1 s.
///
/// Source: ours. Each only has to be woken once.
pub const ABORT_GRACE: Duration = Duration::from_secs(1);

/// Default of [`Listener::max_connections`](crate::Listener::max_connections): 1024.
///
/// Source: ours. A further listener is for probes, tools or one network, and must not take all of the memory.
pub const LISTENER_CONNECTIONS: usize = 1024;

/// Bytes of decisions that wait to be written to the decision log: 8 MiB, some eight thousand of them. Past it lines are
/// dropped and counted. As much again is being written.
///
/// Source: ours. Seconds of decisions of a busy registry: a disk that pauses loses nothing, one that hangs takes no
/// memory.
pub const DECISION_LOG_QUEUE_BYTES: usize = 8 * 1024 * 1024;

/// Denied requests of one caller that are logged at `info` in each [`LOGGED_DENIALS_PERIOD`]: 10. Further ones are counted
/// and logged at `debug`; the next line says how many.
///
/// Source: ours. Enough to see what a client does wrong; a caller writes at most 14,400 lines a day, some 7 MB.
pub const LOGGED_DENIALS: u32 = 10;

/// The period of [`LOGGED_DENIALS`]: 1 minute.
///
/// Source: ours. A minute after a change of the policy, the log shows the denials that follow it.
pub const LOGGED_DENIALS_PERIOD: Duration = Duration::from_mins(1);

/// Callers whose denials are counted one by one: 1024. Further ones of the same period share one entry.
///
/// Source: ours, some 70 KiB.
pub const LOGGED_DENIALS_CALLERS: usize = 1024;

/// Bytes of memory a log keeps for each of its two buffers when a burst is over: 256 KiB.
///
/// Source: ours, a few hundred decisions.
pub const LINE_LOG_BUFFER_BYTES: usize = 256 * 1024;

/// Pause of the thread that writes a log when a pipe in non-blocking mode has no room: 10 ms.
///
/// Source: ours. It keeps the thread from spinning, and is short beside the time the queue takes to fill.
pub const LINE_LOG_RETRY: Duration = Duration::from_millis(10);

/// Pause after a round of a background job that panicked: 1 minute, whatever its own interval.
///
/// Source: ours. Readiness fails until a round succeeds, so the next one must come soon; a job that always panics must
/// not take the processor.
pub const BACKGROUND_RETRY: Duration = Duration::from_mins(1);

/// How often the log warns of certificates and lists that end soon: once a day, beside the start and each change.
///
/// Source: ours. Often enough to be seen in time, seldom enough not to be filtered away.
pub const EXPIRY_LOG_INTERVAL: Duration = Duration::from_hours(24);

/// How long a client certificate counts among those seen lately: in this period of 12 hours and the next.
///
/// Source: ours. Most clients come daily; one that was retired is no longer told of after a day.
pub const CLIENT_EXPIRY_PERIOD: Duration = Duration::from_hours(12);

/// Default of [`Settings::expiry_warning`](crate::Settings::expiry_warning): 14 days.
///
/// Source: ours. A person on holiday comes back in time; certificates that live shorter are renewed by machines, and want
/// a shorter one.
pub const EXPIRY_WARNING: Duration = Duration::from_hours(14 * 24);

/// How often the storage is looked at for readiness and for the metrics of its room: every second.
///
/// Source: ours. Probes ask every few seconds; a look takes some microseconds while the storage is well.
pub const STORAGE_PROBE_INTERVAL: Duration = Duration::from_secs(1);
