//! Each reason with its status and code; nothing of ours reaches a client.

use angos_oci::{Algorithm, Digest};
use http_body_util::BodyExt;

use super::*;
use crate::request_id::RequestIds;

async fn told(refusal: Refusal) -> (u16, String, HeaderMap, String) {
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
    for (refusal, status, code) in [
        (Refusal::HeadInvalid, 400, "UNSUPPORTED"),
        (Refusal::Route(RouteError::NotFound), 404, "UNSUPPORTED"),
        (Refusal::Route(RouteError::MethodNotAllowed { allow: "GET" }), 405, "UNSUPPORTED"),
        (Refusal::Route(RouteError::NameInvalid), 400, "NAME_INVALID"),
        (Refusal::Route(RouteError::ReferenceInvalid), 400, "MANIFEST_INVALID"),
        (Refusal::Route(RouteError::DigestInvalid), 400, "DIGEST_INVALID"),
        (Refusal::Route(RouteError::UploadUnknown), 404, "BLOB_UPLOAD_UNKNOWN"),
        (Refusal::Route(RouteError::TooManyTags), 414, "MANIFEST_INVALID"),
        (
            Refusal::Authentication { error: AuthenticationError::Several, challenge: true },
            401,
            "UNAUTHORIZED",
        ),
        (Refusal::Authentication { error: AuthenticationError::Several, challenge: false }, 403, "DENIED"),
        (
            Refusal::Authentication { error: AuthenticationError::Busy, challenge: true },
            429,
            "TOOMANYREQUESTS",
        ),
        (Refusal::Authentication { error: AuthenticationError::Failed, challenge: true }, 500, "UNKNOWN"),
        (Refusal::Denied { challenge: true }, 401, "UNAUTHORIZED"),
        (Refusal::Denied { challenge: false }, 403, "DENIED"),
        (Refusal::Busy, 429, "TOOMANYREQUESTS"),
        (Refusal::MediaTypeInvalid, 400, "MANIFEST_INVALID"),
        (Refusal::RangeInvalid, 416, "SIZE_INVALID"),
        (Refusal::ContentRangeInvalid, 416, "BLOB_UPLOAD_INVALID"),
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
        (Refusal::NotReady("x".into()), 503, "UNKNOWN"),
    ] {
        let name = format!("{refusal:?}");
        let (found, found_code, _, text) = told(refusal).await;
        assert_eq!((found, found_code.as_str()), (status, code), "{name}");
        assert!(!text.contains("secret"), "{text}");
    }
}

#[tokio::test]
async fn refusals_say_what_to_do_next() {
    let check = async |refusal: Refusal, name: hyper::header::HeaderName, value: Option<&str>| {
        let shown = format!("{refusal:?} {name}");
        let (_, _, headers, _) = told(refusal).await;
        assert_eq!(headers.get(name).map(|found| found.to_str().expect("text")), value, "{shown}");
    };
    let challenge = "Basic realm=\"Angos\", charset=\"UTF-8\"";
    check(Refusal::Denied { challenge: true }, WWW_AUTHENTICATE, Some(challenge)).await;
    check(Refusal::Denied { challenge: false }, WWW_AUTHENTICATE, None).await;
    let wrong = Refusal::Authentication { error: AuthenticationError::Several, challenge: true };
    check(wrong, WWW_AUTHENTICATE, Some(challenge)).await;
    check(Refusal::Busy, RETRY_AFTER, Some("1")).await;
    check(RegistryError::Contended.into(), RETRY_AFTER, Some("1")).await;
    check(RegistryError::RangeNotSatisfiable { size: 3 }.into(), CONTENT_RANGE, Some("bytes */3")).await;
    check(Refusal::Route(RouteError::MethodNotAllowed { allow: "GET, HEAD" }), ALLOW, Some("GET, HEAD"))
        .await;
    check(RegistryError::Body(BodyError::Timeout).into(), CONNECTION, Some("close")).await;
    let id: UploadId = "0".repeat(82).parse().expect("an id");
    let chunk = || Refusal::UploadRange { name: "a".parse().expect("a name"), id, offset: 5 };
    check(chunk(), RANGE, Some("0-4")).await;
    check(chunk(), LOCATION, Some(&format!("/v2/a/blobs/uploads/{id}"))).await;
}
