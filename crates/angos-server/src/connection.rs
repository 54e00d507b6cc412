//! Stage 3: stream → requests. ALPN has chosen the protocol, and hyper's builder for that protocol serves it, with every
//! limit and timer set. hyper's automatic builder is not used because it never times out a silent client.

pub(crate) mod activity;
pub(crate) mod body_memory;
pub(crate) mod context;
pub(crate) mod handshake;
pub(crate) mod in_flight;
pub(crate) mod lingering_stream;
pub(crate) mod peer_trust;
pub(crate) mod supervisor;

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;

use angos_tls::Protocol;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::Instrument as _;

use crate::connection::context::Connection;
use crate::connection::lingering_stream::LingeringStream;
use crate::connection::supervisor::{ConnectionAction, RecheckSchedule, Supervisor};
use crate::limits::{
    HTTP1_BUFFER_BYTES, HTTP2_CONNECTION_WINDOW_BYTES, HTTP2_SEND_BUFFER_BYTES, HTTP2_STREAM_WINDOW_BYTES,
    REQUEST_HEAD_BYTES,
};
use crate::request;
use crate::server::state::Phase;
use crate::settings::Settings;

/// Serves requests until the connection ends, is idle or stalled for too long, loses the trust of its peer, or the server
/// drains.
pub(crate) fn serve<S>(
    connection: Connection,
    stream: S,
    protocol: Protocol,
) -> impl Future<Output = ()> + Send
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = Arc::new(connection);
    let http = serve_http(&connection, stream, protocol);
    drive(connection, http)
}

/// A connection of either protocol. It is boxed, like the response to each request, so that the task of an idle
/// connection holds neither the state of the other protocol nor room for a request.
type Http = Pin<Box<dyn GracefulConnection<Error = hyper::Error, Output = Result<(), hyper::Error>> + Send>>;

fn serve_http<S>(connection: &Arc<Connection>, stream: S, protocol: Protocol) -> Http
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let settings = &connection.server.settings;
    let requests = Arc::clone(connection);
    let service = service_fn(move |request| {
        let id = requests.server.request_ids.next();
        let response = request::handle(Arc::clone(&requests), request, id);
        let span = tracing::debug_span!(target: "angos::server", "request", request_id = %id);
        Box::pin(async move { Ok::<_, Infallible>(response.await) }.instrument(span))
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
    let server = &connection.server;
    let mut ending = pin!(server.until(connection.listener.ends));
    let mut closed = pin!(server.until(Phase::Closed));
    let mut supervisor = Supervisor::new(&connection);
    let mut schedule = RecheckSchedule::new(&connection, supervisor.next());
    loop {
        let _permit = tokio::select! {
            biased;
            result = http.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(target: "angos::server", %error, "connection ended");
                }
                return;
            }
            () = closed.as_mut() => return,
            () = ending.as_mut(), if supervisor.is_open() => {
                supervisor.drain();
                http.as_mut().graceful_shutdown();
                continue;
            }
            permit = schedule.next() => permit,
        };
        match supervisor.check() {
            ConnectionAction::KeepOpen => {}
            ConnectionAction::Drain => http.as_mut().graceful_shutdown(),
            ConnectionAction::Abort => return,
        }
        schedule.reset(supervisor.next());
    }
}
