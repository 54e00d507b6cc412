//! Stage 9, success: outcome → HTTP response. Statuses of success are chosen here and nowhere else.

pub(crate) mod body;
pub(crate) mod error;
pub(crate) mod pieces;

use std::fmt::Write as _;
use std::sync::Arc;

use angos_oci::UploadId;
use angos_oci::{Digest, MediaType, Name, Tag};
use angos_registry::{BlobReader, ManifestReceipt};
use bytes::Bytes;
use hyper::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    HeaderMap, HeaderName, HeaderValue, LINK, LOCATION, RANGE,
};
use hyper::{Method, Response, StatusCode};

use crate::authorize::recheck::Recheck;
use crate::request::id::RequestId;
use crate::respond::body::ResponseBody;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
const API_VERSION_2: HeaderValue = HeaderValue::from_static("registry/2.0");
const CONTENT_TYPE_OPTIONS: HeaderName = HeaderName::from_static("x-content-type-options");
const NO_SNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const DOCKER_CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const DOCKER_UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");
const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
const OCI_TAG: HeaderName = HeaderName::from_static("oci-tag");
const OCI_FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");

pub(crate) const APPLICATION_JSON: HeaderValue = HeaderValue::from_static("application/json");
const OCTET_STREAM: HeaderValue = HeaderValue::from_static("application/octet-stream");
const TEXT_PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
/// For content whose type its pusher chose: a browser may show it, and runs nothing of it with its user's certificate.
const SANDBOX_CSP: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const BYTES: HeaderValue = HeaderValue::from_static("bytes");

/// What an operation did.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The registry speaks this API.
    Version,
    /// The server lives, or is ready.
    Healthy,
    /// The text of the metrics.
    Metrics(String),
    /// A manifest, to be sent; without a body it is only described.
    Manifest { media_type: MediaType, digest: Digest, size: u64, body: ResponseBody },
    /// The manifest the client already has.
    ManifestUnchanged(Digest),
    /// A manifest was stored.
    ManifestStored { name: Name, receipt: ManifestReceipt },
    /// A manifest, tag or blob is gone.
    Deleted,
    /// A blob that exists, to be described.
    BlobFound { digest: Digest, size: u64 },
    /// A blob or a part of it, to be sent.
    BlobContent { digest: Digest, reader: BlobReader, recheck: Option<Arc<Recheck>> },
    /// A blob now belongs to a repository.
    BlobStored { name: Name, digest: Digest },
    /// An upload was started, or took a chunk, and holds this many bytes.
    UploadAccepted { name: Name, id: UploadId, offset: u64 },
    /// Where an upload stands.
    UploadStatus { name: Name, id: UploadId, offset: u64 },
    /// An upload was cancelled.
    UploadCancelled,
    /// The content is at another place, for this client and a short time.
    #[cfg_attr(not(test), expect(dead_code, reason = "blob stores that sign URLs answer with it"))]
    Redirect { location: String },
    /// A page of a listing, as JSON.
    Page { media_type: &'static str, json: ResponseBody, next: Option<String>, filtered: bool },
}

/// Adds the headers that every response has. A `HEAD` loses its body and keeps its length.
pub(crate) fn add_common_headers(response: &mut Response<ResponseBody>, id: RequestId, method: &Method) {
    if method == Method::HEAD {
        let body = std::mem::replace(response.body_mut(), ResponseBody::empty());
        let length = body.length();
        let has_no_length = response.status().is_informational()
            || matches!(response.status().as_u16(), 204 | 304)
            || response.headers().contains_key(CONTENT_LENGTH);
        if let Some(length) = length.filter(|_| !has_no_length) {
            response.headers_mut().insert(CONTENT_LENGTH, length.into());
        }
    }
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id.header());
    headers.insert(API_VERSION, API_VERSION_2);
    headers.insert(CONTENT_TYPE_OPTIONS, NO_SNIFF);
}

/// The response to an outcome.
pub(crate) fn respond(outcome: Outcome) -> Response<ResponseBody> {
    match outcome {
        Outcome::Version => whole(APPLICATION_JSON, Bytes::from_static(b"{}")),
        Outcome::Healthy => whole(TEXT_PLAIN, Bytes::from_static(b"ok\n")),
        Outcome::Metrics(metrics) => whole(OPEN_METRICS, metrics.into()),
        Outcome::Manifest { media_type, digest, size, body } => manifest(&media_type, &digest, size, body),
        Outcome::ManifestUnchanged(digest) => {
            with(empty(StatusCode::NOT_MODIFIED), |headers| content_headers(headers, &digest))
        }
        Outcome::ManifestStored { name, receipt } => manifest_stored(&name, &receipt),
        Outcome::Deleted => empty(StatusCode::ACCEPTED),
        Outcome::BlobFound { digest, size } => blob_found(&digest, size),
        Outcome::BlobContent { digest, reader, recheck } => blob_content(&digest, reader, recheck),
        Outcome::BlobStored { name, digest } => with(empty(StatusCode::CREATED), |headers| {
            headers.insert(LOCATION, text(format!("/v2/{name}/blobs/{digest}")));
            headers.insert(DOCKER_CONTENT_DIGEST, text(digest.to_string()));
        }),
        Outcome::UploadAccepted { name, id, offset } => {
            with(empty(StatusCode::ACCEPTED), |headers| upload(headers, &name, &id, offset))
        }
        Outcome::UploadStatus { name, id, offset } => {
            with(empty(StatusCode::NO_CONTENT), |headers| upload(headers, &name, &id, offset))
        }
        Outcome::UploadCancelled => empty(StatusCode::NO_CONTENT),
        Outcome::Redirect { location } => redirect(location),
        Outcome::Page { media_type, json, next, filtered } => {
            with(response(HeaderValue::from_static(media_type), json), |headers| {
                if let Some(next) = next {
                    headers.insert(LINK, text(format!("<{next}>; rel=\"next\"")));
                }
                if filtered {
                    headers.insert(OCI_FILTERS_APPLIED, HeaderValue::from_static("artifactType"));
                }
            })
        }
    }
}

/// The path of an upload. Relative, so that it is right behind any proxy.
pub(crate) fn upload_location(name: &Name, id: &UploadId) -> HeaderValue {
    text(format!("/v2/{name}/blobs/uploads/{id}"))
}

/// The bytes an upload holds, as its first and last position; an empty one is also written `0-0`.
pub(crate) fn upload_range(offset: u64) -> HeaderValue {
    text(format!("0-{}", offset.saturating_sub(1)))
}

/// A header value of text that is made of validated parts, and so always is one.
pub(crate) fn text(value: String) -> HeaderValue {
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static(""))
}

/// Appends `value` to a query, with everything escaped that is not plainly harmless there.
pub(crate) fn append_query(query: &mut String, key: &str, value: &str) {
    query.push(if query.contains('?') { '&' } else { '?' });
    query.push_str(key);
    query.push('=');
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b':' => {
                query.push(char::from(byte));
            }
            // Writing into a String fails only out of memory.
            _ => drop(write!(query, "%{byte:02X}")),
        }
    }
}

/// The client repeats its request at `location`, with the same method. Neither a cache nor a proxy may keep it: the
/// location may be signed for this client, and expire.
fn redirect(location: String) -> Response<ResponseBody> {
    with(empty(StatusCode::TEMPORARY_REDIRECT), |headers| {
        headers.insert(LOCATION, text(location));
        headers.insert(CACHE_CONTROL, NO_STORE);
    })
}

fn empty(status: StatusCode) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = status;
    response
}

fn whole(media_type: HeaderValue, body: Bytes) -> Response<ResponseBody> {
    response(media_type, ResponseBody::whole(body))
}

fn response(media_type: HeaderValue, body: ResponseBody) -> Response<ResponseBody> {
    with(Response::new(body), |headers| {
        headers.insert(CONTENT_TYPE, media_type);
    })
}

fn with(mut response: Response<ResponseBody>, add: impl FnOnce(&mut HeaderMap)) -> Response<ResponseBody> {
    add(response.headers_mut());
    response
}

/// What names content that never changes.
fn content_headers(headers: &mut HeaderMap, digest: &Digest) {
    headers.insert(ETAG, text(format!("\"{digest}\"")));
    headers.insert(DOCKER_CONTENT_DIGEST, text(digest.to_string()));
}

fn manifest(
    media_type: &MediaType,
    digest: &Digest,
    size: u64,
    body: ResponseBody,
) -> Response<ResponseBody> {
    let known_media_type = known_media_type(media_type);
    let media_type = known_media_type.clone().unwrap_or_else(|| text(media_type.to_string()));
    let is_described = body.length() == Some(0);
    with(response(media_type, body), |headers| {
        content_headers(headers, digest);
        if is_described {
            headers.insert(CONTENT_LENGTH, size.into());
        }
        if known_media_type.is_none() {
            headers.insert(CONTENT_SECURITY_POLICY, SANDBOX_CSP);
        }
    })
}

/// A media type that no browser knows how to show, which is what nearly all manifests have.
fn known_media_type(media_type: &MediaType) -> Option<HeaderValue> {
    let media_type = match media_type.as_ref() {
        MediaType::OCI_MANIFEST => MediaType::OCI_MANIFEST,
        MediaType::OCI_INDEX => MediaType::OCI_INDEX,
        MediaType::DOCKER_MANIFEST => MediaType::DOCKER_MANIFEST,
        MediaType::DOCKER_LIST => MediaType::DOCKER_LIST,
        _ => return None,
    };
    Some(HeaderValue::from_static(media_type))
}

fn manifest_stored(name: &Name, receipt: &ManifestReceipt) -> Response<ResponseBody> {
    with(empty(StatusCode::CREATED), |headers| {
        let digest = &receipt.digest;
        headers.insert(LOCATION, text(format!("/v2/{name}/manifests/{digest}")));
        headers.insert(DOCKER_CONTENT_DIGEST, text(digest.to_string()));
        if let Some(subject) = &receipt.subject {
            headers.insert(OCI_SUBJECT, text(subject.to_string()));
        }
        for tag in &receipt.tags {
            headers.append(OCI_TAG, text(Tag::to_string(tag)));
        }
    })
}

fn blob_found(digest: &Digest, size: u64) -> Response<ResponseBody> {
    with(empty(StatusCode::OK), |headers| {
        blob(headers, digest);
        headers.insert(CONTENT_LENGTH, size.into());
    })
}

fn blob_content(
    digest: &Digest,
    reader: BlobReader,
    recheck: Option<Arc<Recheck>>,
) -> Response<ResponseBody> {
    let (size, range) = (reader.size(), reader.range());
    let mut response =
        with(Response::new(ResponseBody::blob(reader, recheck)), |headers| blob(headers, digest));
    if range != (0..size) {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let last = range.end.saturating_sub(1);
        let content_range = text(format!("bytes {}-{last}/{size}", range.start));
        response.headers_mut().insert(CONTENT_RANGE, content_range);
    }
    response
}

fn blob(headers: &mut HeaderMap, digest: &Digest) {
    content_headers(headers, digest);
    headers.insert(CONTENT_TYPE, OCTET_STREAM);
    headers.insert(ACCEPT_RANGES, BYTES);
}

fn upload(headers: &mut HeaderMap, name: &Name, id: &UploadId, offset: u64) {
    headers.insert(LOCATION, upload_location(name, id));
    headers.insert(RANGE, upload_range(offset));
    headers.insert(DOCKER_UPLOAD_UUID, text(id.to_string()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_names_its_location_once() {
        let location = "https://blobs.example/a?signature=x%2Fy";
        let response = respond(Outcome::Redirect { location: location.to_owned() });
        assert_eq!(response.status(), 307);
        let headers = response.headers();
        assert_eq!(headers[LOCATION], location);
        assert_eq!(headers[CACHE_CONTROL], "no-store");
        assert_eq!(response.body().length(), Some(0));
    }
}
