//! Stage 9, every refusal: reason → HTTP response. Statuses of refusals are chosen here and nowhere else.
//!
//! A 4xx, a 507 and a 503 for want of memory carry a code of the distribution specification and a sentence; every other
//! 5xx carries nothing but the request id, and a 503 of a probe its reason.

use std::borrow::Cow;
use std::error::Error as StdError;

use angos_oci::UploadId;
use angos_oci::{ErrorCode, Name};
use angos_registry::{BodyError, Error as RegistryError};
use hyper::header::{
    ALLOW, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RANGE, RETRY_AFTER,
};
use hyper::header::{CONNECTION, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use serde_json::json;

use crate::authenticate::AuthenticationError;
use crate::request::id::RequestId;
use crate::respond::body::ResponseBody;
use crate::respond::{APPLICATION_JSON, text, upload_location, upload_range};
use crate::route::RouteError;

const BASIC_CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"Angos\", charset=\"UTF-8\"");
const ONE_SECOND: HeaderValue = HeaderValue::from_static("1");

/// Why a request was not done.
#[derive(Debug)]
pub(crate) enum RequestError {
    /// Its head could be read in more than one way.
    HeadInvalid,
    /// It names no operation.
    Route(RouteError),
    /// Who asks cannot be told. `challenge`: credentials are configured, so the client may try another.
    Authentication { error: AuthenticationError, challenge: bool },
    /// The certificate of the connection is no longer accepted.
    Distrusted,
    /// The policies said no. `challenge`: a credential, of which there was none, might change that.
    Denied { challenge: bool },
    /// More is going on than this server takes.
    Busy,
    /// There is no memory for its body now.
    NoMemory,
    /// The `Content-Type` is no media type.
    MediaTypeInvalid,
    /// The `Range` makes no sense.
    RangeInvalid,
    /// The `Content-Range` makes no sense.
    ContentRangeInvalid,
    /// A chunk does not continue its upload.
    UploadRange { name: Name, id: UploadId, offset: u64 },
    /// The registry refused, or failed.
    Registry(RegistryError),
    /// The server should get no requests now, and why. The reason goes to the client, which is a probe.
    NotReady(Cow<'static, str>),
}

impl From<RegistryError> for RequestError {
    fn from(error: RegistryError) -> Self {
        Self::Registry(error)
    }
}

impl From<RouteError> for RequestError {
    fn from(error: RouteError) -> Self {
        Self::Route(error)
    }
}

/// The status, and what the client is told unless the failure is ours.
struct ErrorResponse {
    status: StatusCode,
    error_code: Option<(ErrorCode, Cow<'static, str>)>,
}

impl ErrorResponse {
    fn new(status: StatusCode, code: ErrorCode) -> Self {
        Self { status, error_code: Some((code, Cow::Borrowed(code.message()))) }
    }

    fn saying(status: StatusCode, code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, error_code: Some((code, message.into())) }
    }

    fn failure(status: StatusCode) -> Self {
        Self { status, error_code: None }
    }
}

/// The response to a refusal. Failures of ours are logged here, with everything the client is not told.
pub(crate) fn refuse(refusal: &RequestError, request: RequestId) -> Response<ResponseBody> {
    let answer = answer(refusal);
    if answer.status.is_server_error() && !matches!(refusal, RequestError::NoMemory) {
        log(refusal, request);
    }
    let (code, message) = match &answer.error_code {
        Some((code, message)) => (code.as_str(), message.as_ref()),
        None => ("UNKNOWN", unexplained(refusal)),
    };
    let detail = json!({ "request_id": request.to_string() });
    let body = json!({ "errors": [{ "code": code, "message": message, "detail": detail }] });
    let mut response = Response::new(ResponseBody::whole(body.to_string().into()));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, APPLICATION_JSON);
    explain(refusal, answer.status, headers);
    response
}

/// What is said of a 5xx.
fn unexplained(refusal: &RequestError) -> &str {
    match refusal {
        RequestError::NotReady(reason) => reason,
        _ => "internal error",
    }
}

fn answer(refusal: &RequestError) -> ErrorResponse {
    use ErrorCode as Code;
    match refusal {
        RequestError::HeadInvalid => ErrorResponse::saying(
            StatusCode::BAD_REQUEST,
            Code::Unsupported,
            "the request needs one Host and no transfer coding but chunked",
        ),
        RequestError::Route(error) => route(error),
        RequestError::Authentication { error, challenge } => authentication(*error, *challenge),
        RequestError::Distrusted => ErrorResponse::saying(
            StatusCode::FORBIDDEN,
            Code::Denied,
            "the client certificate of this connection is no longer accepted",
        ),
        RequestError::Denied { challenge: true } => {
            ErrorResponse::new(StatusCode::UNAUTHORIZED, Code::Unauthorized)
        }
        RequestError::Denied { challenge: false } => ErrorResponse::new(StatusCode::FORBIDDEN, Code::Denied),
        RequestError::Busy => ErrorResponse::new(StatusCode::TOO_MANY_REQUESTS, Code::TooManyRequests),
        RequestError::NoMemory => ErrorResponse::saying(
            StatusCode::SERVICE_UNAVAILABLE,
            Code::TooManyRequests,
            "the server has no memory for this now; try again",
        ),
        RequestError::MediaTypeInvalid => ErrorResponse::saying(
            StatusCode::BAD_REQUEST,
            Code::ManifestInvalid,
            "the content type is no media type",
        ),
        RequestError::RangeInvalid => ErrorResponse::saying(
            StatusCode::RANGE_NOT_SATISFIABLE,
            Code::SizeInvalid,
            "the range makes no sense",
        ),
        RequestError::ContentRangeInvalid => ErrorResponse::saying(
            StatusCode::RANGE_NOT_SATISFIABLE,
            Code::BlobUploadInvalid,
            "the content range makes no sense",
        ),
        RequestError::UploadRange { offset, .. } => ErrorResponse::saying(
            StatusCode::RANGE_NOT_SATISFIABLE,
            Code::BlobUploadInvalid,
            format!("the chunk does not continue the upload, which stands at byte {offset}"),
        ),
        RequestError::Registry(error) => registry(error),
        RequestError::NotReady(_) => ErrorResponse::failure(StatusCode::SERVICE_UNAVAILABLE),
    }
}

/// A client that presented a credential learns that it was not accepted, and not why.
fn authentication(error: AuthenticationError, challenge: bool) -> ErrorResponse {
    match error {
        AuthenticationError::Busy => {
            ErrorResponse::new(StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooManyRequests)
        }
        AuthenticationError::Failed => ErrorResponse::failure(StatusCode::INTERNAL_SERVER_ERROR),
        AuthenticationError::ForwardedError(_) => {
            ErrorResponse::new(StatusCode::FORBIDDEN, ErrorCode::Denied)
        }
        _ if challenge => {
            let message = "the credential was not accepted";
            ErrorResponse::saying(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, message)
        }
        _ => ErrorResponse::new(StatusCode::FORBIDDEN, ErrorCode::Denied),
    }
}

fn route(error: &RouteError) -> ErrorResponse {
    use ErrorCode as Code;
    match error {
        RouteError::NotFound => {
            ErrorResponse::saying(StatusCode::NOT_FOUND, Code::Unsupported, "there is nothing here")
        }
        RouteError::MethodNotAllowed { .. } => {
            ErrorResponse::new(StatusCode::METHOD_NOT_ALLOWED, Code::Unsupported)
        }
        RouteError::NameInvalid => ErrorResponse::new(StatusCode::BAD_REQUEST, Code::NameInvalid),
        RouteError::ReferenceInvalid => ErrorResponse::saying(
            StatusCode::BAD_REQUEST,
            Code::ManifestInvalid,
            "the reference is no tag and no digest",
        ),
        RouteError::DigestInvalid => ErrorResponse::saying(
            StatusCode::BAD_REQUEST,
            Code::DigestInvalid,
            "not a digest this registry knows",
        ),
        RouteError::UploadUnknown => ErrorResponse::new(StatusCode::NOT_FOUND, Code::BlobUploadUnknown),
        RouteError::QueryInvalid => ErrorResponse::saying(
            StatusCode::BAD_REQUEST,
            Code::Unsupported,
            "a query parameter makes no sense",
        ),
        RouteError::TooManyTags => ErrorResponse::saying(
            StatusCode::URI_TOO_LONG,
            Code::ManifestInvalid,
            "more tags in one push than accepted",
        ),
    }
}

fn registry(error: &RegistryError) -> ErrorResponse {
    let status = match error {
        RegistryError::NameUnknown
        | RegistryError::ManifestUnknown
        | RegistryError::BlobUnknown
        | RegistryError::UploadUnknown => StatusCode::NOT_FOUND,
        RegistryError::UploadBusy | RegistryError::TagImmutable { .. } => StatusCode::CONFLICT,
        RegistryError::NotApproved | RegistryError::Body(BodyError::NotApproved) => StatusCode::FORBIDDEN,
        RegistryError::TagUndeletable { .. } | RegistryError::BlobReferenced => {
            StatusCode::METHOD_NOT_ALLOWED
        }
        RegistryError::RangeInvalid { .. } | RegistryError::RangeNotSatisfiable { .. } => {
            StatusCode::RANGE_NOT_SATISFIABLE
        }
        RegistryError::BlobTooLarge { .. } | RegistryError::ManifestTooLarge { .. } => {
            StatusCode::PAYLOAD_TOO_LARGE
        }
        RegistryError::TooManyTags { .. } => StatusCode::URI_TOO_LONG,
        RegistryError::Contended => StatusCode::TOO_MANY_REQUESTS,
        RegistryError::Body(BodyError::Timeout) => StatusCode::REQUEST_TIMEOUT,
        RegistryError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        RegistryError::OutOfSpace(_) => StatusCode::INSUFFICIENT_STORAGE,
        // What the client sent is wrong, as the code says; without a code the failure is ours.
        error if error.code().is_some() => StatusCode::BAD_REQUEST,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    match error.code() {
        Some(code) if status.is_client_error() || status == StatusCode::INSUFFICIENT_STORAGE => {
            ErrorResponse::saying(status, code, error.to_string())
        }
        _ => ErrorResponse::failure(status),
    }
}

/// The headers that belong to a refusal.
fn explain(refusal: &RequestError, status: StatusCode, headers: &mut HeaderMap) {
    match status {
        StatusCode::UNAUTHORIZED => drop(headers.insert(WWW_AUTHENTICATE, BASIC_CHALLENGE)),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(RETRY_AFTER, ONE_SECOND);
        }
        _ => {}
    }
    match refusal {
        RequestError::Registry(RegistryError::UploadBusy) => drop(headers.insert(RETRY_AFTER, ONE_SECOND)),
        RequestError::Route(RouteError::MethodNotAllowed { allow }) => {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        RequestError::Registry(RegistryError::TagUndeletable { .. }) => {
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, PUT"));
        }
        RequestError::UploadRange { name, id, offset } => {
            headers.insert(LOCATION, upload_location(name, id));
            headers.insert(RANGE, upload_range(*offset));
        }
        RequestError::Registry(RegistryError::RangeNotSatisfiable { size }) => {
            headers.insert(CONTENT_RANGE, text(format!("bytes */{size}")));
        }
        // Nobody knows where the next request would begin, or nobody will listen to it.
        RequestError::Distrusted
        | RequestError::HeadInvalid
        | RequestError::Registry(RegistryError::Body(_)) => {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
}

fn log(refusal: &RequestError, request: RequestId) {
    let error: &dyn StdError = match refusal {
        RequestError::Registry(error) => error,
        RequestError::Authentication { error, .. } => error,
        _ => {
            let reason = unexplained(refusal);
            return tracing::error!(target: "angos::server", request_id = %request, "not ready: {reason}");
        }
    };
    let mut causes = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        causes.push_str(": ");
        causes.push_str(&error.to_string());
        cause = error.source();
    }
    tracing::error!(target: "angos::server", request_id = %request, ?causes, "{error}");
}

#[cfg(test)]
mod tests;
