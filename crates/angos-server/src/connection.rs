//! Stage 3: stream → requests. The protocol was settled by ALPN; its own builder serves it, with every limit and timer
//! set. hyper's automatic builder is not used because it never times out a silent client.

pub(crate) mod activity;
pub(crate) mod body_memory;
pub(crate) mod handshake;
pub(crate) mod lingering_stream;
pub(crate) mod peer_trust;
pub(crate) mod supervisor;

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use angos_identity::CallerKey;
use angos_tls::{Protocol, TrustError};
use hyper::HeaderMap;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::authenticate::forwarded_caller;
use crate::connection::activity::Activity;
use crate::connection::body_memory::ConnectionMemory;
use crate::connection::handshake::Caller;
use crate::connection::lingering_stream::LingeringStream;
use crate::connection::peer_trust::PeerTrust;
use crate::connection::supervisor::{ConnectionAction, RecheckSchedule, Supervisor};
use crate::limits::{
    HTTP1_BUFFER_BYTES, HTTP2_CONNECTION_WINDOW_BYTES, HTTP2_SEND_BUFFER_BYTES, HTTP2_STREAM_WINDOW_BYTES,
    REQUEST_HEAD_BYTES, SLOW_CHUNK_FACTOR,
};
use crate::listener::ListenerContext;
use crate::listener::connection_limit::ConnectionEntry;
use crate::request;
use crate::request::id::RequestId;
use crate::request::request_limit::{CallerShare, RequestLimit};
use crate::respond::body::ReadFailed;
use crate::server::state::{Phase, ServerState};
use crate::settings::Settings;

/// One connection, as its requests see it.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) shared: Arc<ServerState>,
    pub(crate) door: Arc<ListenerContext>,
    pub(crate) caller: Caller,
    pub(crate) trust: Option<PeerTrust>,
    pub(crate) activity: Arc<Activity>,
    pub(crate) account: Arc<ConnectionMemory>,
    /// Its place among the connections of its listener.
    member: Arc<ConnectionEntry>,
    key: CallerKey,
    /// What its caller has of the requests in flight.
    share: Arc<CallerShare>,
    /// Whether each request may come from another client.
    is_proxy: bool,
}

impl Connection {
    fn new(
        shared: Arc<ServerState>,
        door: Arc<ListenerContext>,
        (caller, trust, member): (Caller, Option<PeerTrust>, Arc<ConnectionEntry>),
    ) -> Self {
        door.connections.inc();
        let key = CallerKey::new(caller.address, caller.certificate.as_deref());
        let share = shared.requests.of(key, shared.asks_for_certificates());
        let proxies = &shared.settings.trusted_proxies;
        let is_proxy = proxies.iter().any(|network| network.contains(&caller.address));
        let activity = Arc::new(Activity::new());
        let account = ConnectionMemory::new(&shared.memory);
        Self { shared, door, caller, trust, activity, account, member, key, share, is_proxy }
    }

    /// Counts it among the connections of its caller from its first request on; false when that has its share of them.
    pub(crate) fn establish(&self) -> bool {
        self.door.places.establish(&self.member, self.key, &self.activity)
    }

    /// Whose request this is if not the connection's own caller's: what a trusted proxy forwards for a client.
    fn forwarded(&self, headers: &HeaderMap) -> Option<Arc<CallerShare>> {
        let proxies = &self.shared.settings.trusted_proxies;
        let client = self.is_proxy.then(|| forwarded_caller(&self.caller, headers, proxies)).flatten()?;
        Some(self.shared.requests.of(client, self.shared.asks_for_certificates()))
    }

    /// Whether the other side would still be let in.
    pub(crate) fn check_trust(&self) -> Result<(), TrustError> {
        self.trust.as_ref().map_or(Ok(()), PeerTrust::check)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.door.connections.dec();
    }
}

/// Serves requests until the connection ends, is idle or stalled for too long, its peer is no longer trusted, or the server
/// drains.
pub(crate) fn serve<S>(
    shared: Arc<ServerState>,
    door: Arc<ListenerContext>,
    stream: S,
    other_side: (Caller, Option<PeerTrust>, Arc<ConnectionEntry>),
    protocol: Protocol,
) -> impl Future<Output = ()> + Send
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = Arc::new(Connection::new(shared, door, other_side));
    let http = serve_http(&connection, stream, protocol);
    drive(connection, http)
}

/// A connection of either protocol. Boxed, like the answer to each request: the task of a connection that stands still
/// holds neither the other protocol's state nor room for a request.
type Http = Pin<Box<dyn GracefulConnection<Error = hyper::Error, Output = Result<(), hyper::Error>> + Send>>;

fn serve_http<S>(connection: &Arc<Connection>, stream: S, protocol: Protocol) -> Http
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let settings = &connection.shared.settings;
    let requests = Arc::clone(connection);
    let service = service_fn(move |request| {
        let answer = request::handle(Arc::clone(&requests), request);
        Box::pin(async move { Ok::<_, Infallible>(answer.await) })
    });
    let stream = TokioIo::new(LingeringStream::new(stream, Arc::clone(&connection.activity)));
    match protocol {
        Protocol::Http2 => Box::pin(http2(settings).serve_connection(stream, service)),
        _ => Box::pin(http1(settings).serve_connection(stream, service)),
    }
}

fn http1(settings: &Settings) -> http1::Builder {
    let timeouts = &settings.timeouts;
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(timeouts.request_head.max(timeouts.idle))
        .max_header_size(REQUEST_HEAD_BYTES as usize)
        .max_buf_size(HTTP1_BUFFER_BYTES);
    builder
}

fn http2(settings: &Settings) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(settings.timeouts.idle)
        .keep_alive_timeout(settings.timeouts.request_head)
        .max_concurrent_streams(settings.limits.max_http2_streams)
        .max_header_list_size(REQUEST_HEAD_BYTES)
        .initial_stream_window_size(HTTP2_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(HTTP2_SEND_BUFFER_BYTES);
    builder
}

async fn drive(connection: Arc<Connection>, mut http: Http) {
    let shared = &connection.shared;
    let mut ending = pin!(shared.until(connection.door.ends));
    let mut closed = pin!(shared.until(Phase::Closed));
    let mut supervisor = Supervisor::new(&connection);
    let mut schedule = RecheckSchedule::new(&connection, supervisor.next());
    loop {
        let _turn = tokio::select! {
            biased;
            result = http.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(target: "angos::server", %error, "connection ended");
                }
                return;
            }
            () = closed.as_mut() => return,
            () = ending.as_mut(), if supervisor.is_open() => {
                supervisor.close();
                http.as_mut().graceful_shutdown();
                continue;
            }
            turn = schedule.next() => turn,
        };
        match supervisor.check() {
            ConnectionAction::KeepOpen => {}
            ConnectionAction::Close => http.as_mut().graceful_shutdown(),
            ConnectionAction::Abort => return,
        }
        schedule.after(supervisor.next());
    }
}

/// One request's place among those in flight, from its head to the last byte of its response.
#[derive(Debug)]
pub(crate) struct InFlight {
    connection: Arc<Connection>,
    request: RequestId,
    /// Its response's place among those the client has to take.
    response: Option<usize>,
    slot: Slot,
}

/// Which share a request takes its slot from.
#[derive(Debug)]
enum Slot {
    /// None: a request of the management surface is answered however many others there are, and not counted.
    None,
    /// That of its connection's caller.
    Own,
    /// That of a user, or of a client behind a trusted proxy.
    Of(Arc<CallerShare>),
}

impl InFlight {
    /// A slot, or none when the caller has its share of them, or the server as many requests as it takes.
    pub(crate) fn acquire(
        connection: &Arc<Connection>,
        request: RequestId,
        headers: &HeaderMap,
    ) -> Option<Self> {
        let slot = connection.forwarded(headers).map_or(Slot::Own, Slot::Of);
        let share = slot.share(connection)?;
        if !connection.shared.requests.take(share) {
            return None;
        }
        connection.shared.metrics.in_flight.inc();
        Some(Self::new(connection, request, slot))
    }

    /// Without a slot: a request of the management surface.
    pub(crate) fn uncounted(connection: &Arc<Connection>, request: RequestId) -> Self {
        Self::new(connection, request, Slot::None)
    }

    fn new(connection: &Arc<Connection>, request: RequestId, slot: Slot) -> Self {
        connection.activity.request_started();
        Self { connection: Arc::clone(connection), request, response: None, slot }
    }

    /// Counts the request for a user from now on, who may come from many addresses, as many users may from one. Who has
    /// a certificate is counted by that. False when the user has its share.
    pub(crate) fn is_of_user(&mut self, user: &Arc<CallerShare>) -> bool {
        if self.connection.caller.certificate.is_some() {
            return true;
        }
        let moved = self.slot.share(&self.connection).is_none_or(|from| self.requests().transfer(from, user));
        if moved && !matches!(self.slot, Slot::None) {
            self.slot = Slot::Of(Arc::clone(user));
        }
        moved
    }

    /// The request.
    pub(crate) fn request(&self) -> RequestId {
        self.request
    }

    fn requests(&self) -> &RequestLimit {
        &self.connection.shared.requests
    }

    /// From now on the client has to take what it asked for.
    pub(crate) fn response_started(&mut self) {
        if self.response.is_none() {
            let activity = &self.connection.activity;
            activity.moved();
            self.response = Some(activity.streaming_started(self.timeout()));
        }
    }

    /// The response, or a piece of a long one, went to the connection.
    pub(crate) fn sent(&self, bytes: usize, is_piece: bool) {
        if let Some(response) = self.response {
            // It leaves when the piece before it has left, which takes a slow client of many blobs long.
            let timeout = self.timeout();
            let timeout = if is_piece { timeout.saturating_mul(SLOW_CHUNK_FACTOR) } else { timeout };
            self.connection.activity.streaming_moved(response, timeout);
        }
        self.connection.shared.metrics.sent_bytes.inc_by(bytes as u64);
    }

    /// What its connection takes of the memory for bodies.
    pub(crate) fn account(&self) -> &Arc<ConnectionMemory> {
        &self.connection.account
    }

    fn timeout(&self) -> Duration {
        self.connection.shared.settings.timeouts.body_progress
    }

    /// The content could not be read to its end.
    pub(crate) fn failed(&self, error: &ReadFailed) {
        let request_id = self.request;
        self.connection.shared.metrics.cut.inc();
        tracing::error!(target: "angos::server", %request_id, ?error, "a response was cut short");
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let shared = &self.connection.shared;
        if let Some(response) = self.response {
            self.connection.activity.streaming_finished(response);
        }
        self.connection.activity.request_finished();
        if let Some(share) = self.slot.share(&self.connection) {
            shared.requests.give_back(share);
            shared.metrics.in_flight.dec();
        }
        if std::thread::panicking() {
            shared.metrics.panics.inc();
        }
    }
}

impl Slot {
    fn share<'a>(&'a self, connection: &'a Connection) -> Option<&'a CallerShare> {
        match self {
            Self::None => None,
            Self::Own => Some(&connection.share),
            Self::Of(share) => Some(share),
        }
    }
}
