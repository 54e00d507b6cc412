//! Requests as clients send them, and as nobody should.

use std::collections::HashSet;

use angos_access::Action;
use angos_oci::Algorithm;
use angos_oci::limits::PUSH_TAGS_MAX;
use proptest::prelude::*;

use super::*;
use crate::limits::ARTIFACT_TYPES_MAX;

/// `METHOD /path?query`.
fn routed(request: &str) -> Result<Operation, RouteError> {
    let (method, target) = request.split_once(' ').unwrap();
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    registry_operation(&method.parse().unwrap(), path, query)
}

#[allow(clippy::needless_pass_by_value, reason = "rows of a table read better with values")]
fn check(request: &str, expected: Result<Operation, RouteError>) {
    assert_eq!(routed(request), expected, "{request}");
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn digest() -> Digest {
    Digest::of(Algorithm::Sha256, b"")
}

fn upload() -> (UploadId, String) {
    let text = "00".repeat(41);
    (text.parse().unwrap(), text)
}

#[test]
fn paths_without_a_repository() {
    for method in ["GET", "HEAD"] {
        check(&format!("{method} /v2/"), Ok(Operation::Version));
        check(&format!("{method} /v2"), Ok(Operation::Version));
        check(&format!("{method} /healthz"), Ok(Operation::Healthz));
        check(&format!("{method} /readyz"), Ok(Operation::Readyz));
        check(&format!("{method} /metrics"), Ok(Operation::Metrics));
        check(&format!("{method} /v2/_catalog"), Ok(Operation::ListCatalog { n: None, last: None }));
    }
    let last = Some("a/b".to_owned());
    check("GET /v2/_catalog?n=5&last=a/b", Ok(Operation::ListCatalog { n: Some(5), last: last.clone() }));
    check("GET /v2/_catalog?last=a%2Fb&n=0", Ok(Operation::ListCatalog { n: Some(0), last }));
    for path in ["/v2/", "/healthz", "/metrics", "/v2/_catalog"] {
        check(&format!("POST {path}"), Err(RouteError::MethodNotAllowed { allow: "GET, HEAD" }));
    }
}

#[test]
fn pulling() {
    let digest = digest();
    for method in ["GET", "HEAD"] {
        for (text, reference) in [
            ("latest", Reference::Tag("latest".parse().unwrap())),
            (&*digest.to_string(), Reference::Digest(digest)),
        ] {
            let expected = Operation::GetManifest { name: name("a/b"), reference };
            check(&format!("{method} /v2/a/b/manifests/{text}"), Ok(expected.clone()));
            check(&format!("{method} /v2/a/b/manifests/{text}?ns=docker.io&digest=x&n=x"), Ok(expected));
        }
        let expected = Operation::GetBlob { name: name("a"), digest };
        check(&format!("{method} /v2/a/blobs/{digest}"), Ok(expected.clone()));
        check(&format!("{method} /v2/a/blobs/{}", digest.to_string().replace(':', "%3A")), Ok(expected));
    }
    let long = Digest::of(Algorithm::Sha512, b"");
    check(&format!("GET /v2/a/blobs/{long}"), Ok(Operation::GetBlob { name: name("a"), digest: long }));
}

#[test]
fn listing() {
    let tags =
        |n, last: Option<&str>| Ok(Operation::ListTags { name: name("a"), n, last: last.map(str::to_owned) });
    check("GET /v2/a/tags/list", tags(None, None));
    check("GET /v2/a/tags/list?", tags(None, None));
    check("GET /v2/a/tags/list?n=10&last=v1", tags(Some(10), Some("v1")));
    check("GET /v2/a/tags/list?last=", tags(None, None));
    check("GET /v2/a/tags/list?n=2147483648", tags(Some(2_147_483_648), None));
    check("GET /v2/a/tags/list?n=99999999999999999999999999", tags(Some(usize::MAX), None));
    for query in [
        "n=",
        "n",
        "n=-1",
        "n=%2B1",
        "n=+1",
        "n=1.0",
        "n=0x10",
        "n=1&n=1",
        "last=a&last=b",
        "last=%",
        "last=%0a",
        "%zz=1",
    ] {
        check(&format!("GET /v2/a/tags/list?{query}"), Err(RouteError::QueryInvalid));
    }
    let digest = digest();
    let referrers = |artifact_types: &[&str], after: Option<&str>, n| {
        let artifact_types = artifact_types.iter().map(|text| (*text).to_owned()).collect();
        Ok(Operation::GetReferrers {
            name: name("a"),
            digest,
            artifact_types,
            after: after.map(str::to_owned),
            n,
        })
    };
    let path = format!("GET /v2/a/referrers/{digest}");
    check(&path, referrers(&[], None, None));
    check(&format!("{path}?artifactType=a%2Fb%2Bjson"), referrers(&["a/b+json"], None, None));
    check(
        &format!("{path}?artifactType=a/b+json&artifactType=c/d"),
        referrers(&["a/b+json", "c/d"], None, None),
    );
    check(&format!("{path}?artifactType=&last=x&n=3"), referrers(&[], Some("x"), Some(3)));
    let many = |count: usize| format!("{path}?{}", vec!["artifactType=a/b"; count].join("&"));
    check(&many(ARTIFACT_TYPES_MAX), referrers(&["a/b"; ARTIFACT_TYPES_MAX], None, None));
    check(&many(ARTIFACT_TYPES_MAX + 1), Err(RouteError::QueryInvalid));
    check("GET /v2/a/referrers/latest", Err(RouteError::DigestInvalid));
    check(&path.replace("GET", "PUT"), Err(RouteError::MethodNotAllowed { allow: "GET, HEAD" }));
}

#[test]
fn pushing_and_deleting_manifests() {
    let digest = digest();
    let put = |reference, tags: &[&str]| {
        let tags = tags.iter().map(|tag| tag.parse().unwrap()).collect();
        Ok(Operation::PutManifest { name: name("a"), reference, tags })
    };
    let path = format!("PUT /v2/a/manifests/{digest}");
    check("PUT /v2/a/manifests/v1", put(Reference::Tag("v1".parse().unwrap()), &[]));
    check(&path, put(Reference::Digest(digest), &[]));
    check(&format!("{path}?tag=a&tag=b&x=y&tag=c"), put(Reference::Digest(digest), &["a", "b", "c"]));
    check("PUT /v2/a/manifests/v1?tag=v2", Err(RouteError::QueryInvalid));
    check("PUT /v2/a/manifests/v1?tag=v1", Err(RouteError::QueryInvalid));
    for tag in ["", "a/b", "a%2Fb", "-a", "a:b", "a%20b"] {
        check(&format!("{path}?tag=ok&tag={tag}"), Err(RouteError::ReferenceInvalid));
    }
    let tags = |count| format!("{path}?{}", vec!["tag=x"; count].join("&"));
    assert!(routed(&tags(PUSH_TAGS_MAX)).is_ok());
    check(&tags(PUSH_TAGS_MAX + 1), Err(RouteError::TooManyTags));

    let reference = Reference::Digest(digest);
    check(
        &path.replace("PUT", "DELETE"),
        Ok(Operation::DeleteManifest { name: name("a"), reference, tags: Vec::new() }),
    );
    check(
        &path.replace("PUT", "POST"),
        Err(RouteError::MethodNotAllowed { allow: "GET, HEAD, PUT, DELETE" }),
    );
    check("PUT /v2/a/manifests/sha1:00", Err(RouteError::DigestInvalid));
    check("PUT /v2/a/manifests/", Err(RouteError::ReferenceInvalid));
    check("PUT /v2/A/manifests/v1", Err(RouteError::NameInvalid));
    check("PUT /v2//manifests/v1", Err(RouteError::NameInvalid));
}

#[test]
fn uploading() {
    let (id, text) = upload();
    let digest = digest();
    for path in ["/v2/a/blobs/uploads/", "/v2/a/blobs/uploads"] {
        let start = |algorithm| Ok(Operation::StartUpload { name: name("a"), algorithm });
        let mount =
            |from: Option<&str>| Ok(Operation::MountBlob { name: name("a"), digest, from: from.map(name) });
        check(&format!("POST {path}"), start(None));
        check(&format!("POST {path}?from=b"), start(None));
        check(&format!("POST {path}?digest-algorithm=sha512"), start(Some(Algorithm::Sha512)));
        check(&format!("POST {path}?digest-algorithm=md5"), Err(RouteError::DigestInvalid));
        check(&format!("POST {path}?digest={digest}"), Ok(Operation::PushBlob { name: name("a"), digest }));
        check(&format!("POST {path}?mount={digest}"), mount(None));
        check(&format!("POST {path}?mount={digest}&from="), mount(None));
        check(&format!("POST {path}?mount={digest}&from=b/c&origin=x"), mount(Some("b/c")));
        check(&format!("POST {path}?mount={digest}&from=b%2fc"), mount(Some("b/c")));
        check(&format!("POST {path}?mount={digest}&from=../c"), Err(RouteError::NameInvalid));
        check(&format!("POST {path}?mount={digest}&digest={digest}"), Err(RouteError::QueryInvalid));
        check(&format!("POST {path}?mount=&from=b"), Err(RouteError::DigestInvalid));
        check(&format!("POST {path}?digest=x"), Err(RouteError::DigestInvalid));
        check(&format!("GET {path}"), Err(RouteError::MethodNotAllowed { allow: "POST" }));
    }
    let path = format!("/v2/a/blobs/uploads/{text}");
    check(&format!("GET {path}"), Ok(Operation::GetUpload { name: name("a"), id }));
    check(&format!("PATCH {path}?digest=x"), Ok(Operation::UpdateUpload { name: name("a"), id }));
    check(&format!("DELETE {path}"), Ok(Operation::CancelUpload { name: name("a"), id }));
    let complete = Operation::CompleteUpload { name: name("a"), id, digest };
    check(&format!("PUT {path}?digest={digest}"), Ok(complete));
    check(&format!("PUT {path}?digest={digest}&digest={digest}"), Err(RouteError::QueryInvalid));
    check(&format!("PUT {path}"), Err(RouteError::DigestInvalid));
    check(
        &format!("POST {path}"),
        Err(RouteError::MethodNotAllowed { allow: "GET, HEAD, PATCH, PUT, DELETE" }),
    );
    for id in ["x", "..", "%00", &digest.to_string()] {
        let expected = if id == "%00" { RouteError::NotFound } else { RouteError::UploadUnknown };
        check(&format!("PATCH /v2/a/blobs/uploads/{id}"), Err(expected));
    }
}

#[test]
fn deleting_blobs() {
    let digest = digest();
    check(&format!("DELETE /v2/a/blobs/{digest}"), Ok(Operation::DeleteBlob { name: name("a"), digest }));
    check(
        &format!("PUT /v2/a/blobs/{digest}"),
        Err(RouteError::MethodNotAllowed { allow: "GET, HEAD, DELETE" }),
    );
    check("DELETE /v2/a/blobs/latest", Err(RouteError::DigestInvalid));
}

#[test]
fn names_may_look_like_paths() {
    let digest = digest();
    for text in [
        "blobs",
        "blobs/uploads",
        "tags/list",
        "manifests/latest",
        "a/blobs/uploads",
        "v2",
        "referrers",
        "a/manifests",
    ] {
        let name = name(text);
        let tags = Operation::ListTags { name: name.clone(), n: None, last: None };
        check(&format!("GET /v2/{text}/tags/list"), Ok(tags));
        check(
            &format!("GET /v2/{text}/blobs/{digest}"),
            Ok(Operation::GetBlob { name: name.clone(), digest }),
        );
        let manifest = Operation::GetManifest { name: name.clone(), reference: "list".parse().unwrap() };
        check(&format!("GET /v2/{text}/manifests/list"), Ok(manifest));
        check(
            &format!("POST /v2/{text}/blobs/uploads/"),
            Ok(Operation::StartUpload { name, algorithm: None }),
        );
    }
}

#[test]
fn paths_are_not_normalised() {
    for path in [
        "",
        "/",
        "/v1/",
        "/V2/",
        "/v2/a",
        "/v2//",
        "/v2/_catalog/",
        "/v2/a/tags/list/",
        "/v2/a/tags",
        "/healthz/",
        "/v2/../healthz",
        "//v2/",
        "/v2/a/blobs",
        "/v2/manifests/latest",
        "/v2/tags/list",
        "/v2/_oci/ext",
        "/v2/a/manifests%2Flatest",
        "/v2/a%2Fb/manifests/latest",
        "/v2/a/manifests/%",
        "/v2/a/manifests/%4",
        "/v2/a/manifests/%ff",
        "/v2/a/manifests/a%0Ab",
    ] {
        check(&format!("GET {path}"), Err(RouteError::NotFound));
    }
    for path in [
        "/v2/a//b/tags/list",
        "/v2/../tags/list",
        "/v2/a/../b/tags/list",
        "/v2/%2e%2e/tags/list",
        "/v2/A/tags/list",
    ] {
        check(&format!("GET {path}"), Err(RouteError::NameInvalid));
    }
    // An escape is undone once, and only once.
    check("GET /v2/%61/tags/list", Ok(Operation::ListTags { name: name("a"), n: None, last: None }));
    check("GET /v2/%2561/tags/list", Err(RouteError::NameInvalid));
}

#[test]
fn a_log_does_not_show_the_code_of_an_upload() {
    let (session, code) = ("5".repeat(50), "c".repeat(32));
    let shown = format!("/v2/a/blobs/uploads/{session}{}", "0".repeat(32));
    for path in [
        format!("/v2/a/blobs/uploads/{session}{code}"),
        format!("/v2/a/blobs/%75ploads/{session}{}%63", "c".repeat(31)),
    ] {
        assert_eq!(without_secrets(&path), shown);
    }
    assert!(!without_secrets(&format!("/v2/a%zz/{session}{code}/")).contains(&code));
    for path in ["/v2/a/blobs/uploads/", "/v2/%61/tags/list", "", "/v2/a%zz"] {
        assert_eq!(without_secrets(path), path);
    }
}

#[test]
fn actions_have_distinct_words() {
    let words: HashSet<_> = Action::WORDS.iter().collect();
    assert_eq!(words.len(), Action::ALL.len());
    assert!(Action::ALL.iter().map(|action| action.as_str()).eq(Action::WORDS.iter().copied()));
}

#[test]
fn a_namespace_is_the_repository_of_the_path() {
    assert_eq!(routed("GET /v2/a/b/tags/list").unwrap().namespace(), Some(&name("a/b")));
    assert_eq!(routed("GET /v2/_catalog").unwrap().namespace(), None);
    assert_eq!(
        routed(&format!("POST /v2/a/blobs/uploads/?digest={}", digest())).unwrap().action(),
        Action::StartUpload
    );
}

proptest! {
    #[test]
    fn anything_may_be_tried(method in "GET|PUT|POST|PATCH|DELETE|X", path in ".*", query in proptest::option::of(".*")) {
        let _: Result<_, RouteError> = registry_operation(&method.parse().unwrap(), &path, query.as_deref());
    }

    #[test]
    fn what_looks_like_a_path_may_be_tried(
        path in "(/(v2|blobs|uploads|manifests|tags|list|a|%2[eEfF5]|\\.\\.|sha256:e3|)){0,7}",
        query in "((n|last|tag|mount|from|digest)=?(%[0-9a-f]{2}|[a-z0-9%]){0,4}&?){0,4}",
    ) {
        let found = registry_operation(&Method::GET, &format!("/v2{path}"), Some(&query));
        if let Ok(operation) = found && let Some(name) = operation.namespace() {
            prop_assert!(!name.is_empty());
        }
    }
}
