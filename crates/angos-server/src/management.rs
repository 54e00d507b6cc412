//! The second listener: health and metrics over plain HTTP, without policy, for probes and scrapers that have neither
//! certificate nor credential. It knows no repository.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use crate::body::ResponseBody;
use crate::exchange::finish;
use crate::limits::{HTTP1_BUFFER_BYTES, READY_WITHIN};
use crate::refuse::{Refusal, refuse};
use crate::respond::{Outcome, respond};
use crate::route::RouteError;
use crate::shared::{Phase, Shared};

/// Serves one management connection.
pub(crate) async fn serve(shared: Arc<Shared>, socket: TcpStream, _: SocketAddr) {
    let head_timeout = shared.settings.timeouts.request_head;
    let service = service_fn(move |request: Request<_>| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(&shared, &request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_buf_size(HTTP1_BUFFER_BYTES)
        .serve_connection(TokioIo::new(socket), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(target: "angos::server", %error, "management connection ended");
    }
}

async fn answer<B>(shared: &Shared, request: &Request<B>) -> Response<ResponseBody> {
    let id = shared.request_ids.next();
    let method = request.method();
    let outcome = match request.uri().path() {
        "/healthz" | "/readyz" | "/metrics" if method != Method::GET && method != Method::HEAD => {
            Err(RouteError::MethodNotAllowed { allow: "GET, HEAD" }.into())
        }
        "/healthz" => Ok(Outcome::Well),
        "/readyz" => ready(shared).await,
        "/metrics" => Ok(Outcome::Metrics(shared.metrics.encode())),
        _ => Err(RouteError::NotFound.into()),
    };
    let mut response = outcome.map_or_else(|refusal| refuse(&refusal, id), respond);
    finish(&mut response, id, method);
    response
}

/// Ready: not on the way out, and the storage answers.
pub(crate) async fn ready(shared: &Shared) -> Result<Outcome, Refusal> {
    if *shared.phase.borrow() != Phase::Serving {
        return Err(Refusal::NotReady);
    }
    match tokio::time::timeout(READY_WITHIN, shared.registry.catalog(None, 1)).await {
        Ok(Ok(_)) => Ok(Outcome::Well),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(Refusal::NotReady),
    }
}
