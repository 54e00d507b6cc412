//! The management surface: health and metrics without policy, for probes and scrapers that have neither certificate nor
//! credential. It knows no repository.

use std::sync::Arc;

use hyper::{Method, Request, Response};

use crate::body::ResponseBody;
use crate::connection::{Connection, InFlight};
use crate::exchange::finish;
use crate::limits::READY_WITHIN;
use crate::refuse::{Refusal, refuse};
use crate::request_id::RequestId;
use crate::respond::{Outcome, respond};
use crate::route::RouteError;
use crate::shared::{Phase, Shared};

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
    let in_flight = InFlight::beside(connection, id);
    let shared = &connection.shared;
    let outcome = match path {
        _ if connection.check_trust().is_err() => Err(Refusal::Distrusted),
        _ if !is_ours => Err(RouteError::NotFound.into()),
        _ if method != Method::GET && method != Method::HEAD => {
            Err(RouteError::MethodNotAllowed { allow: "GET, HEAD" }.into())
        }
        "/healthz" => Ok(Outcome::Well),
        "/readyz" => ready(shared).await,
        _ => Ok(Outcome::Metrics(shared.scrape())),
    };
    let mut response = outcome.map_or_else(|refusal| refuse(&refusal, id), respond);
    finish(&mut response, id, method);
    response.body_mut().attach(in_flight);
    Some(response)
}

/// Ready: not on the way out, and the storage answers.
pub(crate) async fn ready(shared: &Shared) -> Result<Outcome, Refusal> {
    if *shared.phase.borrow() != Phase::Serving {
        return Err(Refusal::NotReady("the server is shutting down"));
    }
    match tokio::time::timeout(READY_WITHIN, shared.registry.catalog(None, 1)).await {
        Ok(Ok(_)) => Ok(Outcome::Well),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(Refusal::NotReady("the storage does not answer")),
    }
}
