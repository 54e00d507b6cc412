//! Every request of the server belongs to one of the classes that tools analyze policies with.

use std::time::UNIX_EPOCH;

use angos_access::{AccessRequest, Action, RequestClass};
use angos_policy::{Caller, Facts as _, Known, PartialFacts as _, Value};
use hyper::Method;

use crate::route::{registry_operation, request_method};

fn is_true_of(known: Known<'_>, value: Value<'_>) -> bool {
    match (known, value) {
        (Known::Exactly(Value::Absent), Value::Absent | Value::Strings([]))
        | (Known::Nothing, _)
        | (Known::Present, Value::Strings(_)) => true,
        (Known::Exactly(known), value) => known == value,
        (Known::StartsWith(start), Value::String(text)) => text.starts_with(start),
        (Known::Present, value) => value != Value::Absent,
        _ => false,
    }
}

/// Every inquiry of a request is one of the classes, by every variable; and the other actions are none.
#[test]
fn every_inquiry_is_one_of_the_situations() {
    let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let id = "0".repeat(82);
    let mut seen = Vec::new();
    for (method, target) in [
        (Method::GET, "/v2/".to_owned()),
        (Method::GET, "/v2/_catalog?n=3&last=x".to_owned()),
        (Method::GET, "/v2/a/b/manifests/v1".to_owned()),
        (Method::HEAD, format!("/v2/a/b/manifests/{digest}")),
        (Method::PUT, "/v2/a/b/manifests/v1".to_owned()),
        (Method::PUT, format!("/v2/a/b/manifests/{digest}")),
        (Method::PUT, format!("/v2/a/b/manifests/{digest}?tag=one&tag=two")),
        (Method::DELETE, "/v2/a/b/manifests/v1".to_owned()),
        (Method::DELETE, format!("/v2/a/b/manifests/{digest}")),
        (Method::GET, format!("/v2/a/b/blobs/{digest}")),
        (Method::DELETE, format!("/v2/a/b/blobs/{digest}")),
        (Method::POST, "/v2/a/b/blobs/uploads/".to_owned()),
        (Method::POST, "/v2/a/b/blobs/uploads/?digest-algorithm=sha512".to_owned()),
        (Method::POST, format!("/v2/a/b/blobs/uploads/?digest={digest}")),
        (Method::POST, format!("/v2/a/b/blobs/uploads/?mount={digest}&from=b")),
        (Method::POST, format!("/v2/a/b/blobs/uploads/?mount={digest}")),
        (Method::GET, format!("/v2/a/b/blobs/uploads/{id}")),
        (Method::PATCH, format!("/v2/a/b/blobs/uploads/{id}")),
        (Method::PUT, format!("/v2/a/b/blobs/uploads/{id}?digest={digest}")),
        (Method::DELETE, format!("/v2/a/b/blobs/uploads/{id}")),
        (Method::GET, "/v2/a/b/tags/list?n=3&last=x".to_owned()),
        (Method::GET, "/v2/a/b/tags/list".to_owned()),
        (Method::GET, format!("/v2/a/b/referrers/{digest}?artifactType=a/b&artifactType=c/d&n=1")),
        (Method::GET, "/healthz".to_owned()),
        (Method::GET, "/readyz".to_owned()),
        (Method::GET, "/metrics".to_owned()),
    ] {
        let (path, query) =
            target.split_once('?').map_or((&*target, None), |(path, query)| (path, Some(query)));
        let operation =
            registry_operation(&method, path, query).unwrap_or_else(|error| panic!("{target}: {error:?}"));
        for inquiry in AccessRequest::for_operation(&operation, request_method(&method).unwrap(), UNIX_EPOCH)
        {
            seen.push(inquiry.action());
            let scopes: &[Option<&str>] =
                if inquiry.namespace().is_some() { &[None, Some("a")] } else { &[None] };
            for scope in scopes {
                let all = RequestClass::all(&Caller::ANONYMOUS, *scope);
                let fits = |class: &RequestClass| {
                    (0..14).all(|index| is_true_of(class.fact(index), inquiry.fact(index)))
                };
                let fitting = all.iter().filter(|class| fits(class)).count();
                assert!(fitting > 0, "{method} {target} {scope:?}: {inquiry:?}");
                assert!(all.iter().all(|it| !fits(it) || it.action() == inquiry.action()), "{target}");
            }
        }
    }
    assert!(Action::ALL.iter().all(|action| seen.contains(action)), "{seen:?}");
}
