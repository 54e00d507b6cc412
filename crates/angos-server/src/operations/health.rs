//! The management surface: health and metrics without policy, for probes and scrapers that have neither certificate nor
//! credential. It knows no repository.

use std::sync::Arc;

use hyper::{Method, Request, Response};

use crate::connection::{Connection, InFlight};
use crate::limits::READINESS_TIMEOUT;
use crate::request::add_common_headers;
use crate::request::id::RequestId;
use crate::respond::body::ResponseBody;
use crate::respond::error::{RequestError, refuse};
use crate::respond::{Outcome, respond};
use crate::route::RouteError;
use crate::server::state::{Phase, ServerState};
use crate::server::storage_health::{NOT_ANSWERING, ProbeResult};

/// Answers a request that belongs to the management surface of a connection's listener; none if it belongs to the
/// registry.
pub(crate) async fn answer<B>(
    connection: &Arc<Connection>,
    id: RequestId,
    request: &Request<B>,
) -> Option<Response<ResponseBody>> {
    let surfaces = connection.door.surfaces;
    let (path, method) = (request.uri().path(), request.method());
    let is_ours = surfaces.management && matches!(path, "/healthz" | "/readyz" | "/metrics");
    if surfaces.registry && !is_ours {
        return None;
    }
    let in_flight = InFlight::uncounted(connection, id);
    let shared = &connection.shared;
    let outcome = match path {
        _ if connection.check_trust().is_err() => Err(RequestError::Distrusted),
        _ if !is_ours => Err(RouteError::NotFound.into()),
        _ if method != Method::GET && method != Method::HEAD => {
            Err(RouteError::MethodNotAllowed { allow: "GET, HEAD" }.into())
        }
        "/healthz" => Ok(Outcome::Healthy),
        "/readyz" => ready(shared).await,
        _ => Ok(Outcome::Metrics(shared.scrape())),
    };
    let mut response = outcome.map_or_else(|refusal| refuse(&refusal, id), respond);
    add_common_headers(&mut response, id, method);
    response.body_mut().attach(in_flight);
    Some(response)
}

/// Ready: not on the way out, no background job whose last round panicked, and the storage takes writes and answers. The
/// reason is short and holds nothing internal.
pub(crate) async fn ready(shared: &ServerState) -> Result<Outcome, RequestError> {
    if *shared.phase.borrow() != Phase::Serving {
        return Err(RequestError::NotReady("the server is shutting down".into()));
    }
    if let Some(job) = shared.background.broken() {
        return Err(RequestError::NotReady(format!("the background job {job} panicked").into()));
    }
    let look = async {
        let mut found = shared.storage_health.subscribe();
        // The sender lives as long as the server; the first look begins with it.
        let look = found.wait_for(Option::is_some).await.ok().and_then(|look| *look);
        if let Some(reason) = look.and_then(ProbeResult::problem) {
            return Err(RequestError::NotReady(reason.into()));
        }
        shared.registry.catalog(None, 1).await.map_err(|error| {
            tracing::error!(target: "angos::server", %error, "the metadata store cannot be read");
            RequestError::NotReady("the metadata store cannot be read".into())
        })
    };
    match tokio::time::timeout(READINESS_TIMEOUT, look).await {
        Ok(answered) => answered.map(|_| Outcome::Healthy),
        Err(_) => Err(RequestError::NotReady(NOT_ANSWERING.into())),
    }
}
