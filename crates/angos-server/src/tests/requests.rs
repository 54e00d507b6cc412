//! Every word a policy may use means what the operation says.

use std::time::{Duration, UNIX_EPOCH};

use angos_access::{AccessPolicies, AccessRequest, AccessRequestError, Action, environment};
use angos_identity::Identity;
use angos_policy::{DefaultDecision, Policy, RuleSource};
use hyper::Method;

use crate::route::{registry_operation, request_method};

const SHA256: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn decide(rule: &str, inquiry: &AccessRequest) -> bool {
    let policy = Policy::compile(&environment(), DefaultDecision::Deny, &[RuleSource::from(rule)]);
    let policy = policy.unwrap_or_else(|errors| panic!("{rule}: {errors:?}"));
    let anonymous = Identity::new([127, 0, 0, 1].into(), None, None);
    AccessPolicies { global: Some(policy.into()), ..AccessPolicies::default() }
        .decide(&anonymous, inquiry)
        .is_allowed()
}

/// Each request with rules that must be true about it.
#[test]
fn words_mean_what_the_request_says() {
    let time = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let check = |method: Method, target: &str, rules: &[&str]| {
        let (path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let operation =
            registry_operation(&method, path, query).unwrap_or_else(|error| panic!("{target}: {error:?}"));
        let inquiry = AccessRequest::from_operation(&operation, request_method(&method).unwrap(), time);
        for rule in rules {
            assert!(decide(rule, &inquiry), "{method} {target}: {rule}");
        }
    };
    check(
        Method::GET,
        "/v2/",
        &[
            "request.action == 'get-api-version'",
            "request.namespace == null",
            "!has(request.n)",
            "request.tags.size() == 0",
        ],
    );
    check(
        Method::HEAD,
        "/v2/a/b/manifests/v1",
        &[
            "request.action == 'get-manifest' && request.method == 'HEAD'",
            "request.namespace == 'a/b' && request.repository == request.namespace",
            "request.reference == 'v1' && request.tag == 'v1' && request.digest == null",
            "request.time == timestamp('2023-11-14T22:13:20Z')",
            "!has_repository_policy()",
        ],
    );
    let digest = format!("request.digest == '{SHA256}' && request.digest_algorithm == 'sha256'");
    let both =
        format!("request.reference == '{SHA256}' && request.tag == null && request.digest == '{SHA256}'");
    let tags = "request.tags == ['one', 'two']";
    check(Method::PUT, &format!("/v2/a/manifests/{SHA256}?tag=one&tag=two"), &[&both, tags]);
    check(Method::PUT, "/v2/a/manifests/v1", &["request.tags == ['v1']"]);
    check(Method::DELETE, &format!("/v2/a/blobs/{SHA256}"), &[&digest, "request.reference == null"]);
    check(
        Method::POST,
        &format!("/v2/a/blobs/uploads/?mount={SHA256}&from=b"),
        &[&digest, "request.action == 'mount-blob' && request.from == 'b'"],
    );
    check(
        Method::POST,
        "/v2/a/blobs/uploads/?digest-algorithm=sha512",
        &["request.digest_algorithm == 'sha512' && request.action == 'start-upload'"],
    );
    let id = "0".repeat(82);
    let session = format!("request.session_id == '{id}'");
    check(Method::PUT, &format!("/v2/a/blobs/uploads/{id}?digest={SHA256}"), &[&session, &digest]);
    check(Method::GET, "/v2/a/tags/list?n=3&last=x", &["request.n == 3 && request.last == 'x'"]);
    check(
        Method::GET,
        &format!("/v2/a/referrers/{SHA256}?artifactType=a/b"),
        &["request.artifact_type == 'a/b'", &digest],
    );
}

#[test]
fn a_word_that_is_no_action_is_refused_when_loaded() {
    let rule = RuleSource::from("request.action == 'pull'");
    assert!(Policy::compile(&environment(), DefaultDecision::Deny, &[rule]).is_err());
}

/// An inquiry written out by name says what the request it describes would say.
#[test]
fn what_is_written_out_means_what_a_request_means() {
    let id = "0".repeat(82);
    let check = |action: Action, fields: &[(&str, &str)], rules: &[&str]| {
        let mut inquiry = AccessRequest::new(action, UNIX_EPOCH);
        for (field, text) in fields {
            inquiry.set(field, text).unwrap_or_else(|error| panic!("{field} = {text}: {error}"));
        }
        for rule in rules {
            assert!(decide(rule, &inquiry), "{action:?} {fields:?}: {rule}");
        }
    };
    check(
        Action::PutManifest,
        &[("namespace", "a/b"), ("tag", "v1"), ("time", "2023-11-14T22:13:20Z")],
        &[
            "request.action == 'put-manifest' && request.method == 'PUT' && request.namespace == 'a/b'",
            "request.reference == 'v1' && request.tag == 'v1' && request.tags == ['v1']",
            "request.digest == null && request.time == timestamp('2023-11-14T22:13:20Z')",
        ],
    );
    check(Action::GetManifest, &[("reference", "v1")], &["request.tag == 'v1' && request.tags == []"]);
    check(
        Action::PutManifest,
        &[("digest", SHA256), ("tag", "one"), ("tags", "one"), ("tags", "two")],
        &[
            &format!("request.reference == 'one' && request.digest == '{SHA256}'"),
            "request.tag == 'one' && request.tags == ['one', 'two'] && request.digest_algorithm == 'sha256'",
        ],
    );
    check(Action::GetBlob, &[("digest", SHA256)], &["request.reference == null && request.digest != null"]);
    check(
        Action::UpdateUpload,
        &[("session_id", &id), ("digest_algorithm", "sha512")],
        &["size(request.session_id) == 82 && request.digest_algorithm == 'sha512'"],
    );
    check(
        Action::ListTags,
        &[("n", "99999999999999999999999"), ("last", "x"), ("method", "HEAD")],
        &["request.n > 1000000 && request.last == 'x' && request.method == 'HEAD'"],
    );
    check(
        Action::MountBlob,
        &[("from", "b"), ("artifact_type", "a/b")],
        &["request.from == 'b' && request.artifact_type == 'a/b' && request.method == 'POST'"],
    );
}

#[test]
fn what_no_request_says_is_refused_and_changes_nothing() {
    let other = SHA256.replace('e', "f");
    let mut inquiry = AccessRequest::new(Action::PutManifest, UNIX_EPOCH);
    inquiry.set("digest", SHA256).expect("a digest");
    let before = format!("{inquiry:?}");
    for (field, text) in [
        ("namespace", "UPPER"),
        ("namespace", ""),
        ("repository", "a//b"),
        ("reference", "-"),
        ("reference", &other),
        ("tag", "a b"),
        ("tags", SHA256),
        ("digest", "sha256:1"),
        ("session_id", "1"),
        ("from", "/"),
        ("n", "-1"),
        ("n", ""),
        ("last", "\n"),
        ("artifact_type", ""),
        ("digest_algorithm", "md5"),
        ("method", "get"),
        ("time", "yesterday"),
        ("time", "1969-12-31T23:59:59Z"),
        ("action", "get-blob"),
        ("", ""),
    ] {
        assert!(inquiry.set(field, text).is_err(), "{field} = {text}");
        assert_eq!(format!("{inquiry:?}"), before, "{field} = {text}");
    }
    let nearest = |field: &str| match inquiry.clone().set(field, "x") {
        Err(AccessRequestError::UnknownField { nearest }) => nearest,
        other => panic!("{field}: {other:?}"),
    };
    assert_eq!(nearest("namespaces"), Some("namespace"));
    assert_eq!(nearest("Tag"), Some("tag"));
    assert_eq!(nearest("colour"), None);
}

#[test]
fn actions_are_read_by_their_words() {
    for action in Action::ALL {
        assert_eq!(action.as_str().parse(), Ok(action));
    }
    let nearest = |word: &str| word.parse::<Action>().expect_err("no action").nearest;
    assert_eq!(nearest("put-manifets"), Some(Action::PutManifest));
    assert_eq!(nearest("pull"), None);
    let error = "get_manifest".parse::<Action>().expect_err("no action");
    assert_eq!(error.to_string(), "no such action; did you mean `get-manifest`?");
}
