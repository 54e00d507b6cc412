//! Each reason with its status and code; nothing of ours reaches a client.

use angos_oci::{Algorithm, Digest, UploadId};
use http_body_util::BodyExt;

use super::*;
use crate::request::id::RequestIds;

async fn told(refusal: RequestError) -> (u16, String, HeaderMap, String) {
    let id = RequestIds::new().next();
    let (head, body) = refuse(&refusal, id).into_parts();
    let body = body.collect().await.expect("in memory").to_bytes();
    let text = String::from_utf8(body.to_vec()).expect("text");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let error = &json["errors"][0];
    assert_eq!(error["detail"]["request_id"], id.to_string(), "{refusal:?}");
    (head.status.as_u16(), error["code"].as_str().expect("a code").to_owned(), head.headers, text)
}

#[tokio::test]
async fn every_reason_has_its_status_and_code() {
    let digest = Digest::of(Algorithm::Sha256, b"");
    let tag = || "v1".parse().expect("a tag");
    let unknown_caller = |error, challenge| RequestError::Authentication { error, challenge };
    for (refusal, status, code) in [
        (RequestError::HeadInvalid, 400, "UNSUPPORTED"),
        (RequestError::Route(RouteError::NotFound), 404, "UNSUPPORTED"),
        (RequestError::Route(RouteError::MethodNotAllowed { allow: "GET" }), 405, "UNSUPPORTED"),
        (RequestError::Route(RouteError::NameInvalid), 400, "NAME_INVALID"),
        (RequestError::Route(RouteError::ReferenceInvalid), 400, "MANIFEST_INVALID"),
        (RequestError::Route(RouteError::DigestInvalid), 400, "DIGEST_INVALID"),
        (RequestError::Route(RouteError::UploadUnknown), 404, "BLOB_UPLOAD_UNKNOWN"),
        (RequestError::Route(RouteError::TooManyTags), 414, "MANIFEST_INVALID"),
        (unknown_caller(AuthenticationError::DuplicateHeader, true), 401, "UNAUTHORIZED"),
        (unknown_caller(AuthenticationError::DuplicateHeader, false), 403, "DENIED"),
        (unknown_caller(AuthenticationError::Busy, true), 429, "TOOMANYREQUESTS"),
        (unknown_caller(AuthenticationError::Failed, true), 500, "UNKNOWN"),
        (RequestError::Denied { challenge: true }, 401, "UNAUTHORIZED"),
        (RequestError::Denied { challenge: false }, 403, "DENIED"),
        (RequestError::Busy, 429, "TOOMANYREQUESTS"),
        (RequestError::MediaTypeInvalid, 400, "MANIFEST_INVALID"),
        (RequestError::RangeInvalid, 416, "SIZE_INVALID"),
        (RequestError::ContentRangeInvalid, 416, "BLOB_UPLOAD_INVALID"),
        (RegistryError::NameUnknown.into(), 404, "NAME_UNKNOWN"),
        (RegistryError::ManifestUnknown.into(), 404, "MANIFEST_UNKNOWN"),
        (RegistryError::BlobUnknown.into(), 404, "BLOB_UNKNOWN"),
        (RegistryError::UploadUnknown.into(), 404, "BLOB_UPLOAD_UNKNOWN"),
        (RegistryError::UploadBusy.into(), 409, "BLOB_UPLOAD_INVALID"),
        (RegistryError::RangeNotSatisfiable { size: 3 }.into(), 416, "SIZE_INVALID"),
        (RegistryError::SizeMismatch.into(), 400, "SIZE_INVALID"),
        (RegistryError::BlobTooLarge { limit: 1 }.into(), 413, "SIZE_INVALID"),
        (RegistryError::ManifestTooLarge { limit: 1 }.into(), 413, "SIZE_INVALID"),
        (RegistryError::DigestMismatch { expected: digest }.into(), 400, "DIGEST_INVALID"),
        (RegistryError::ReferenceUnknown { digest }.into(), 400, "MANIFEST_BLOB_UNKNOWN"),
        (RegistryError::TooManyTags { limit: 1 }.into(), 414, "MANIFEST_INVALID"),
        (RegistryError::TagImmutable { tag: tag() }.into(), 409, "DENIED"),
        (RegistryError::Contended.into(), 429, "TOOMANYREQUESTS"),
        (RegistryError::Body(BodyError::Timeout).into(), 408, "BLOB_UPLOAD_INVALID"),
        (RegistryError::Body(BodyError::Disconnected).into(), 400, "BLOB_UPLOAD_INVALID"),
        (RegistryError::Corrupt { what: "secret" }.into(), 500, "UNKNOWN"),
        (RegistryError::Randomness.into(), 500, "UNKNOWN"),
        (RegistryError::Stopping.into(), 503, "UNKNOWN"),
        (RequestError::NotReady("x".into()), 503, "UNKNOWN"),
    ] {
        let name = format!("{refusal:?}");
        let (found, found_code, _, text) = told(refusal).await;
        assert_eq!((found, found_code.as_str()), (status, code), "{name}");
        assert!(!text.contains("secret"), "{text}");
    }
}

#[tokio::test]
async fn refusals_say_what_to_do_next() {
    let check = async |refusal: RequestError, name: hyper::header::HeaderName, value: Option<&str>| {
        let shown = format!("{refusal:?} {name}");
        let (_, _, headers, _) = told(refusal).await;
        assert_eq!(headers.get(name).map(|found| found.to_str().expect("text")), value, "{shown}");
    };
    let challenge = "Basic realm=\"Angos\", charset=\"UTF-8\"";
    check(RequestError::Denied { challenge: true }, WWW_AUTHENTICATE, Some(challenge)).await;
    check(RequestError::Denied { challenge: false }, WWW_AUTHENTICATE, None).await;
    let wrong = RequestError::Authentication { error: AuthenticationError::DuplicateHeader, challenge: true };
    check(wrong, WWW_AUTHENTICATE, Some(challenge)).await;
    check(RequestError::Busy, RETRY_AFTER, Some("1")).await;
    check(RegistryError::Contended.into(), RETRY_AFTER, Some("1")).await;
    check(RegistryError::RangeNotSatisfiable { size: 3 }.into(), CONTENT_RANGE, Some("bytes */3")).await;
    check(RequestError::Route(RouteError::MethodNotAllowed { allow: "GET, HEAD" }), ALLOW, Some("GET, HEAD"))
        .await;
    check(RegistryError::Body(BodyError::Timeout).into(), CONNECTION, Some("close")).await;
    let id: UploadId = "0".repeat(82).parse().expect("an id");
    let chunk = || RequestError::UploadRange { name: "a".parse().expect("a name"), id, offset: 5 };
    check(chunk(), RANGE, Some("0-4")).await;
    check(chunk(), LOCATION, Some(&format!("/v2/a/blobs/uploads/{id}"))).await;
}
