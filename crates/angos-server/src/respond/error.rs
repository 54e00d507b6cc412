//! Stage 9, errors: [`RequestError`] → HTTP response. The statuses of errors are chosen here alone.
//!
//! A 4xx, a 507, and the 503 for lack of memory have a code and a message of the distribution specification. Every other 5xx
//! has the request id alone, and the 503 of a probe its reason.

use std::borrow::Cow;
use std::error::Error as StdError;

use angos_oci::ErrorCode;
use angos_registry::{BodyError, Error as RegistryError};
use hyper::header::{
    ALLOW, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RANGE, RETRY_AFTER,
};
use hyper::header::{CONNECTION, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use serde_json::json;

use crate::authenticate::AuthenticationError;
use crate::request::error::RequestError;
use crate::request::id::RequestId;
use crate::respond::body::ResponseBody;
use crate::respond::{APPLICATION_JSON, text, upload_location, upload_range};
use crate::route::RouteError;

const BASIC_CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"Angos\", charset=\"UTF-8\"");
const ONE_SECOND: HeaderValue = HeaderValue::from_static("1");

/// A status, with the code and message for the client unless the failure is internal.
struct ErrorResponse {
    status: StatusCode,
    error: Option<(ErrorCode, Cow<'static, str>)>,
}

impl ErrorResponse {
    fn new(status: StatusCode, code: ErrorCode) -> Self {
        Self { status, error: Some((code, Cow::Borrowed(code.message()))) }
    }

    fn with_message(status: StatusCode, code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, error: Some((code, message.into())) }
    }

    fn failure(status: StatusCode) -> Self {
        Self { status, error: None }
    }
}

/// The response to an error. Internal failures are logged here with their causes, which the client does not see.
pub(crate) fn refuse(error: &RequestError, request: RequestId) -> Response<ResponseBody> {
    let answer = response_to(error);
    if answer.status.is_server_error() && !matches!(error, RequestError::NoMemory) {
        log(error, request);
    }
    let (code, message) = match &answer.error {
        Some((code, message)) => (code.as_str(), message.as_ref()),
        None => ("UNKNOWN", internal_message(error)),
    };
    let detail = json!({ "request_id": request.to_string() });
    let body = json!({ "errors": [{ "code": code, "message": message, "detail": detail }] });
    let mut response = Response::new(ResponseBody::whole(body.to_string().into()));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, APPLICATION_JSON);
    add_headers(error, answer.status, headers);
    response
}

/// The response to a denied request, for tools that show what the server would answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DenialResponse {
    /// The HTTP status.
    pub status: u16,
    /// The code of the distribution specification.
    pub code: &'static str,
}

impl DenialResponse {
    /// `challenge`: whether the response asks for a user name and a password, which
    /// [`Challenge`](angos_access::Challenge) decides.
    pub fn new(challenge: bool) -> Self {
        let (status, code) = denied(challenge);
        Self { status: status.as_u16(), code: code.as_str() }
    }
}

/// Status and code of a denied request.
fn denied(challenge: bool) -> (StatusCode, ErrorCode) {
    if challenge {
        (StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized)
    } else {
        (StatusCode::FORBIDDEN, ErrorCode::Denied)
    }
}

/// The message of an internal failure.
fn internal_message(error: &RequestError) -> &str {
    match error {
        RequestError::NotReady(reason) => reason,
        _ => "internal error",
    }
}

fn response_to(error: &RequestError) -> ErrorResponse {
    use ErrorCode as Code;
    match error {
        RequestError::HeadInvalid => ErrorResponse::with_message(
            StatusCode::BAD_REQUEST,
            Code::Unsupported,
            "the request needs one Host and no transfer coding but chunked",
        ),
        RequestError::Route(error) => route(error),
        RequestError::Authentication { error, challenge } => authentication(*error, *challenge),
        RequestError::Untrusted => ErrorResponse::with_message(
            StatusCode::FORBIDDEN,
            Code::Denied,
            "the client certificate of this connection is no longer accepted",
        ),
        RequestError::Denied { challenge } => {
            let (status, code) = denied(*challenge);
            ErrorResponse::new(status, code)
        }
        RequestError::Busy => ErrorResponse::new(StatusCode::TOO_MANY_REQUESTS, Code::TooManyRequests),
        RequestError::NoMemory => ErrorResponse::with_message(
            StatusCode::SERVICE_UNAVAILABLE,
            Code::TooManyRequests,
            "the server has no memory for this now; try again",
        ),
        RequestError::MediaTypeInvalid => ErrorResponse::with_message(
            StatusCode::BAD_REQUEST,
            Code::ManifestInvalid,
            "the content type is no media type",
        ),
        RequestError::RangeInvalid => ErrorResponse::with_message(
            StatusCode::RANGE_NOT_SATISFIABLE,
            Code::SizeInvalid,
            "the range makes no sense",
        ),
        RequestError::ContentRangeInvalid => ErrorResponse::with_message(
            StatusCode::RANGE_NOT_SATISFIABLE,
            Code::BlobUploadInvalid,
            "the content range makes no sense",
        ),
        RequestError::UploadRange { offset, .. } => ErrorResponse::with_message(
            StatusCode::RANGE_NOT_SATISFIABLE,
            Code::BlobUploadInvalid,
            format!("the chunk does not continue the upload, which stands at byte {offset}"),
        ),
        RequestError::Registry(error) => registry(error),
        RequestError::NotReady(_) => ErrorResponse::failure(StatusCode::SERVICE_UNAVAILABLE),
    }
}

/// A client whose credential is not accepted does not learn why.
fn authentication(error: AuthenticationError, challenge: bool) -> ErrorResponse {
    match error {
        AuthenticationError::Busy => {
            ErrorResponse::new(StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooManyRequests)
        }
        AuthenticationError::Failed => ErrorResponse::failure(StatusCode::INTERNAL_SERVER_ERROR),
        AuthenticationError::Forwarded(_) => ErrorResponse::new(StatusCode::FORBIDDEN, ErrorCode::Denied),
        _ if challenge => {
            let message = "the credential was not accepted";
            ErrorResponse::with_message(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, message)
        }
        _ => ErrorResponse::new(StatusCode::FORBIDDEN, ErrorCode::Denied),
    }
}

fn route(error: &RouteError) -> ErrorResponse {
    use ErrorCode as Code;
    match error {
        RouteError::NotFound => {
            ErrorResponse::with_message(StatusCode::NOT_FOUND, Code::Unsupported, "there is nothing here")
        }
        RouteError::MethodNotAllowed { .. } => {
            ErrorResponse::new(StatusCode::METHOD_NOT_ALLOWED, Code::Unsupported)
        }
        RouteError::NameInvalid => ErrorResponse::new(StatusCode::BAD_REQUEST, Code::NameInvalid),
        RouteError::ReferenceInvalid => ErrorResponse::with_message(
            StatusCode::BAD_REQUEST,
            Code::ManifestInvalid,
            "the reference is no tag and no digest",
        ),
        RouteError::DigestInvalid => ErrorResponse::with_message(
            StatusCode::BAD_REQUEST,
            Code::DigestInvalid,
            "not a digest this registry knows",
        ),
        RouteError::UploadUnknown => ErrorResponse::new(StatusCode::NOT_FOUND, Code::BlobUploadUnknown),
        RouteError::QueryInvalid => ErrorResponse::with_message(
            StatusCode::BAD_REQUEST,
            Code::Unsupported,
            "a query parameter makes no sense",
        ),
        RouteError::TooManyTags => ErrorResponse::with_message(
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
        // With a code the request is wrong; without one the failure is internal.
        error if error.code().is_some() => StatusCode::BAD_REQUEST,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    match error.code() {
        Some(code) if status.is_client_error() || status == StatusCode::INSUFFICIENT_STORAGE => {
            ErrorResponse::with_message(status, code, error.to_string())
        }
        _ => ErrorResponse::failure(status),
    }
}

/// Adds the headers of an error.
fn add_headers(error: &RequestError, status: StatusCode, headers: &mut HeaderMap) {
    match status {
        StatusCode::UNAUTHORIZED => drop(headers.insert(WWW_AUTHENTICATE, BASIC_CHALLENGE)),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(RETRY_AFTER, ONE_SECOND);
        }
        _ => {}
    }
    match error {
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
        // Where the next request begins is unknown, or it would be refused.
        RequestError::Untrusted
        | RequestError::HeadInvalid
        | RequestError::Registry(RegistryError::Body(_)) => {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
}

fn log(error: &RequestError, request: RequestId) {
    let error: &dyn StdError = match error {
        RequestError::Registry(error) => error,
        RequestError::Authentication { error, .. } => error,
        _ => {
            let reason = internal_message(error);
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
