//! Stage 3: stream → requests. The protocol was settled by ALPN; its own builder serves it, with every limit and timer
//! set. hyper's automatic builder is not used because it never times out a silent client.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use angos_tls::{Distrust, Protocol};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OwnedSemaphorePermit;

use crate::activity::Activity;
use crate::body::ReadFailed;
use crate::exchange;
use crate::fate::{Fate, Judge, Turns};
use crate::handshake::Caller;
use crate::limits::{
    HTTP1_BUFFER_BYTES, HTTP2_CONNECTION_WINDOW_BYTES, HTTP2_SEND_BUFFER_BYTES, HTTP2_STREAM_WINDOW_BYTES,
    REQUEST_HEAD_BYTES, SLOW_PIECES,
};
use crate::listener::Door;
use crate::request_id::RequestId;
use crate::settings::Settings;
use crate::shared::{Phase, Shared};
use crate::trust::Trust;
use crate::wire::Wire;

/// One connection, as its requests see it.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) shared: Arc<Shared>,
    pub(crate) door: Arc<Door>,
    pub(crate) caller: Caller,
    pub(crate) trust: Option<Trust>,
    pub(crate) activity: Arc<Activity>,
}

impl Connection {
    /// Whether the other side would still be let in.
    pub(crate) fn check_trust(&self) -> Result<(), Distrust> {
        self.trust.as_ref().map_or(Ok(()), Trust::check)
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
    shared: Arc<Shared>,
    door: Arc<Door>,
    stream: S,
    (caller, trust): (Caller, Option<Trust>),
    protocol: Protocol,
) -> impl Future<Output = ()> + Send
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    door.connections.inc();
    let connection =
        Arc::new(Connection { shared, door, caller, trust, activity: Arc::new(Activity::new()) });
    let http = speak(&connection, stream, protocol);
    drive(connection, http)
}

/// A connection of either protocol. Boxed, like the answer to each request: the task of a connection that stands still
/// holds neither the other protocol's state nor room for a request.
type Http = Pin<Box<dyn GracefulConnection<Error = hyper::Error, Output = Result<(), hyper::Error>> + Send>>;

fn speak<S>(connection: &Arc<Connection>, stream: S, protocol: Protocol) -> Http
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let settings = &connection.shared.settings;
    let requests = Arc::clone(connection);
    let service = service_fn(move |request| {
        let answer = exchange::answer(Arc::clone(&requests), request);
        Box::pin(async move { Ok::<_, Infallible>(answer.await) })
    });
    let stream = TokioIo::new(Wire::new(stream, Arc::clone(&connection.activity)));
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
    let mut judge = Judge::new(&connection);
    let mut turns = Turns::new(&connection, judge.next());
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
            () = ending.as_mut(), if judge.is_open() => {
                judge.close();
                http.as_mut().graceful_shutdown();
                continue;
            }
            turn = turns.next() => turn,
        };
        match judge.judge() {
            Fate::Stay => {}
            Fate::Close => http.as_mut().graceful_shutdown(),
            Fate::Cut => return,
        }
        turns.after(judge.next());
    }
}

/// One request's place among those in flight, from its head to the last byte of its response.
#[derive(Debug)]
pub(crate) struct InFlight {
    connection: Arc<Connection>,
    request: RequestId,
    /// Its response's place among those the client has to take.
    response: Option<usize>,
    /// None for a request of the management surface: it is answered however many others there are, and not counted.
    place: Option<OwnedSemaphorePermit>,
}

impl InFlight {
    /// A place, or none when the server has as many requests as it takes.
    pub(crate) fn enter(connection: &Arc<Connection>, request: RequestId) -> Option<Self> {
        let place = Arc::clone(&connection.shared.request_places).try_acquire_owned().ok()?;
        connection.shared.metrics.in_flight.inc();
        Some(Self::new(connection, request, Some(place)))
    }

    /// Without a place: a request of the management surface.
    pub(crate) fn beside(connection: &Arc<Connection>, request: RequestId) -> Self {
        Self::new(connection, request, None)
    }

    fn new(connection: &Arc<Connection>, request: RequestId, place: Option<OwnedSemaphorePermit>) -> Self {
        connection.activity.request_started();
        Self { connection: Arc::clone(connection), request, response: None, place }
    }

    /// From now on the client has to take what it asked for.
    pub(crate) fn streams(&mut self) {
        if self.response.is_none() {
            let activity = &self.connection.activity;
            activity.moved();
            self.response = Some(activity.streaming_started(self.patience()));
        }
    }

    /// The response, or a piece of a blob, went to the connection.
    pub(crate) fn sent(&self, bytes: usize, is_blob: bool) {
        if let Some(response) = self.response {
            // It leaves when the piece before it has left, which takes a slow client of many blobs long.
            let patience = self.patience();
            let patience = if is_blob { patience.saturating_mul(SLOW_PIECES) } else { patience };
            self.connection.activity.streaming_moved(response, patience);
        }
        self.connection.shared.metrics.sent_bytes.inc_by(bytes as u64);
    }

    fn patience(&self) -> Duration {
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
        if self.place.is_some() {
            shared.metrics.in_flight.dec();
        }
        if std::thread::panicking() {
            shared.metrics.panics.inc();
        }
    }
}
