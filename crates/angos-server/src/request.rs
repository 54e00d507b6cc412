//! Stages 4 to 9 in their order, for one request.

pub(crate) mod body;
pub(crate) mod id;
pub(crate) mod request_limit;

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use angos_access::Action;
use hyper::body::Incoming;
use hyper::header::{
    AUTHORIZATION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING, WARNING,
};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, Version};

use crate::authenticate::{authenticate, is_cross_site};
use crate::authorize::Authorizer;
use crate::connection::{Connection, InFlight};
use crate::operations::health;
use crate::operations::{Context, operate};
use crate::request::body::RequestBody;
use crate::request::id::RequestId;
use crate::respond::body::ResponseBody;
use crate::respond::error::{RequestError, refuse};
use crate::respond::{Outcome, respond};
use crate::route::{request_method, route, without_secrets};
use crate::server::expiry;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
const API_VERSION_2: HeaderValue = HeaderValue::from_static("registry/2.0");
const CONTENT_TYPE_OPTIONS: HeaderName = HeaderName::from_static("x-content-type-options");
const NO_SNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// Answers one request. Never fails: whatever goes wrong is a response.
pub(crate) async fn handle(
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    let started = Instant::now();
    let shared = &connection.shared;
    let id = shared.request_ids.next();
    let established = connection.establish();
    if established && let Some(response) = health::answer(&connection, id, &request).await {
        return response;
    }
    let (head, incoming) = request.into_parts();
    let mut in_flight = if established { InFlight::acquire(&connection, id, &head.headers) } else { None };
    let mut action = None;
    let mut body = RequestBody::new(incoming, &connection);
    let result = match &mut in_flight {
        Some(in_flight) => run(in_flight, &connection, &head, &mut body, &mut action).await,
        None => Err(RequestError::Busy),
    };
    if matches!(result, Err(RequestError::Busy)) {
        shared.metrics.fairness.over_share.inc();
    }
    body.discard(&head.headers);
    let mut response = match result {
        Ok(outcome) => respond(outcome),
        Err(refusal) => refuse(&refusal, id),
    };
    add_common_headers(&mut response, id, &head.method);
    if let Some(warning) = expiry::warning(&connection) {
        response.headers_mut().insert(WARNING, warning);
    }
    if let Some(in_flight) = in_flight {
        response.body_mut().attach(in_flight);
    }
    let (status, elapsed) = (response.status().as_u16(), started.elapsed());
    shared.metrics.request(action, status, elapsed);
    tracing::debug!(
        target: "angos::server",
        request_id = %id,
        client_ip = %connection.caller.address,
        method = ?head.method,
        path = ?without_secrets(head.uri.path()),
        action = action.map(Action::as_str),
        status,
        microseconds = elapsed.as_micros(),
        "answered"
    );
    response
}

async fn run(
    in_flight: &mut InFlight,
    connection: &Arc<Connection>,
    head: &Parts,
    body: &mut RequestBody,
    action: &mut Option<Action>,
) -> Result<Outcome, RequestError> {
    let (shared, id) = (&connection.shared, in_flight.request());
    connection.check_trust().map_err(|distrust| {
        tracing::debug!(target: "angos::auth", request_id = %id, class = distrust.class(), "request refused: {distrust}");
        RequestError::Distrusted
    })?;
    if !validate_head(head) {
        return Err(RequestError::HeadInvalid);
    }
    let operation = route(&head.method, head.uri.path(), head.uri.query())?;
    let method = request_method(&head.method)?;
    *action = Some(operation.action());
    let in_force = shared.access.load_full();
    let credentials = &in_force.access.credentials;
    let configured = !credentials.is_empty();
    let (caller, proxies) = (&connection.caller, &shared.settings.trusted_proxies);
    if is_cross_site(&head.method, &head.headers) {
        return Err(RequestError::Denied { challenge: false });
    }
    let identity = authenticate(caller, &head.headers, credentials, proxies)
        .await
        .map_err(|error| RequestError::Authentication { error, challenge: configured })?;
    let user = identity.username().and_then(|username| in_force.user_share(username));
    if user.is_some_and(|user| !in_flight.is_of_user(user)) {
        return Err(RequestError::Busy);
    }
    let challenge = configured && !head.headers.contains_key(AUTHORIZATION);
    let gate = Authorizer {
        in_force: &in_force,
        identity: &identity,
        method,
        time: SystemTime::now(),
        request: id,
        metrics: &shared.metrics,
        denial_log: &shared.denial_log,
        decision_log: shared.settings.decision_log.as_ref(),
    };
    let permit = gate
        .admit(operation)
        .map_err(|denied| RequestError::Denied { challenge: challenge && denied.credential_may_help() })?;
    let context = Context {
        connection,
        shared,
        account: &connection.account,
        registry: &shared.registry,
        recheck: None,
        gate: &gate,
        challenge,
        headers: &head.headers,
        head_only: head.method == Method::HEAD,
    };
    operate(&context, &permit, body).await
}

/// What RFC 9112 asks of an HTTP/1.1 head and hyper leaves to its users: exactly one `Host` (§3.2), and no transfer
/// coding but `chunked` (§6.1), since whoever does not know a coding cannot know the body. Anybody in between who reads
/// such a head may read it differently.
fn validate_head(head: &Parts) -> bool {
    let hosts = head.headers.get_all(HOST).iter().count();
    let mut codings = head.headers.get_all(TRANSFER_ENCODING).iter();
    let coding = codings.next();
    let is_plain = coding.is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    (head.version != Version::HTTP_11 || hosts == 1) && hosts <= 1 && is_plain && codings.next().is_none()
}

/// What every response carries; a HEAD loses its body and keeps its length.
pub(crate) fn add_common_headers(response: &mut Response<ResponseBody>, id: RequestId, method: &Method) {
    if method == Method::HEAD {
        let body = std::mem::replace(response.body_mut(), ResponseBody::empty());
        let length = body.length();
        let silent = response.status().is_informational()
            || matches!(response.status().as_u16(), 204 | 304)
            || response.headers().contains_key(CONTENT_LENGTH);
        if let Some(length) = length.filter(|_| !silent) {
            response.headers_mut().insert(CONTENT_LENGTH, length.into());
        }
    }
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id.header());
    headers.insert(API_VERSION, API_VERSION_2);
    headers.insert(CONTENT_TYPE_OPTIONS, NO_SNIFF);
}
