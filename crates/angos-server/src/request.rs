//! The pipeline of one request: stages 4 to 9 in their order.

pub(crate) mod body;
pub(crate) mod error;
pub(crate) mod head;
pub(crate) mod id;
pub(crate) mod request_limit;

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use angos_access::{Action, Challenge, Operation};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, WARNING};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response};

use crate::authenticate::{authenticate, is_cross_site};
use crate::authorize::{Authorizer, authorize_probe};
use crate::connection::context::Connection;
use crate::connection::in_flight::InFlight;
use crate::operations::{Context, operate, probe};
use crate::request::body::RequestBody;
use crate::request::error::RequestError;
use crate::request::head::is_unambiguous;
use crate::request::id::RequestId;
use crate::respond::body::ResponseBody;
use crate::respond::error::refuse;
use crate::respond::{Outcome, add_common_headers, respond};
use crate::route::{Route, RouteError, Surface, request_method, route, without_secrets};
use crate::server::expiry;

/// Answers one request. It has no error: every failure is a response.
pub(crate) async fn handle(
    connection: Arc<Connection>,
    request: Request<Incoming>,
    id: RequestId,
) -> Response<ResponseBody> {
    let started = Instant::now();
    let (head, incoming) = request.into_parts();
    let uri = &head.uri;
    let Route { surface, operation } =
        route(connection.listener.surfaces, &head.method, uri.path(), uri.query());
    let action = operation.as_ref().ok().map(Operation::action);
    let in_flight = match surface {
        _ if !connection.establish() => None,
        Surface::Registry => InFlight::acquire(&connection, id, &head.headers),
        Surface::Management => Some(InFlight::uncounted(&connection, id)),
    };
    let mut body = RequestBody::new(incoming, &connection);
    let result = match (&in_flight, surface) {
        (None, _) => Err(RequestError::Busy),
        (Some(_), _) if is_untrusted(&connection, id) => Err(RequestError::Untrusted),
        (Some(in_flight), Surface::Registry) => {
            run(in_flight, &connection, &head, operation, &mut body).await
        }
        (Some(_), Surface::Management) => run_probe(&connection, operation).await,
    };
    if matches!(result, Err(RequestError::Busy)) {
        connection.server.metrics.fairness.over_share.inc();
    }
    body.discard(&head.headers);
    let mut response = match result {
        Ok(outcome) => respond(outcome),
        Err(error) => refuse(&error, id),
    };
    add_common_headers(&mut response, id, &head.method);
    if surface == Surface::Registry {
        if let Some(warning) = expiry::warning(&connection) {
            response.headers_mut().insert(WARNING, warning);
        }
        report(&connection, id, &head, action, &response, started);
    }
    if let Some(in_flight) = in_flight {
        response.body_mut().attach(in_flight);
    }
    response
}

/// Runs a request of the registry.
async fn run(
    in_flight: &InFlight,
    connection: &Arc<Connection>,
    head: &Parts,
    operation: Result<Operation, RouteError>,
    body: &mut RequestBody,
) -> Result<Outcome, RequestError> {
    let server = &connection.server;
    if !is_unambiguous(head) {
        return Err(RequestError::HeadInvalid);
    }
    let operation = operation?;
    let method = request_method(&head.method)?;
    let access = server.access.load_full();
    let credentials = &access.access.credentials;
    let challenge = Challenge::new(!credentials.is_empty(), head.headers.contains_key(AUTHORIZATION));
    if is_cross_site(&head.method, &head.headers) {
        return Err(RequestError::Denied { challenge: false });
    }
    let proxies = &server.settings.trusted_proxies;
    let identity = authenticate(connection.peer(), &head.headers, credentials, proxies)
        .await
        .map_err(|error| RequestError::Authentication { error, challenge: challenge.after_rejection() })?;
    let user = identity.username().and_then(|username| access.user_share(username));
    if user.is_some_and(|user| !in_flight.count_for_user(user)) {
        return Err(RequestError::Busy);
    }
    let authorizer = Authorizer {
        access: &access,
        identity: &identity,
        method,
        time: SystemTime::now(),
        request: in_flight.request(),
        challenge,
        metrics: &server.metrics,
        denial_log: &server.denial_log,
        decision_log: server.settings.decision_log.as_ref(),
    };
    let permit = authorizer
        .authorize(operation)
        .await
        .map_err(|denial| RequestError::Denied { challenge: challenge.after_denial(denial) })?;
    let context = Context {
        connection,
        server,
        memory: &connection.memory,
        registry: &server.registry,
        recheck: None,
        authorizer: &authorizer,
        headers: &head.headers,
        head_only: head.method == Method::HEAD,
    };
    operate(&context, permit, body).await
}

/// Runs a request of the management surface: it has no policy, and knows no repository.
async fn run_probe(
    connection: &Connection,
    operation: Result<Operation, RouteError>,
) -> Result<Outcome, RequestError> {
    let permit = authorize_probe(operation?).ok_or(RouteError::NotFound)?;
    probe(&connection.server, permit).await
}

/// Whether the peer of the connection is no longer trusted.
fn is_untrusted(connection: &Connection, id: RequestId) -> bool {
    let Err(error) = connection.check_trust() else { return false };
    tracing::debug!(target: "angos::auth", request_id = %id, class = error.class(), "request refused: {error}");
    true
}

/// Counts and logs an answered request of the registry.
fn report(
    connection: &Connection,
    id: RequestId,
    head: &Parts,
    action: Option<Action>,
    response: &Response<ResponseBody>,
    started: Instant,
) {
    let (status, elapsed) = (response.status().as_u16(), started.elapsed());
    connection.server.metrics.request(action, status, elapsed);
    tracing::debug!(
        target: "angos::server",
        request_id = %id,
        client_ip = %connection.peer().address,
        method = ?head.method,
        path = ?without_secrets(head.uri.path()),
        action = action.map(Action::as_str),
        status,
        microseconds = elapsed.as_micros(),
        "answered"
    );
}
