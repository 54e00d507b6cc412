//! Every word a policy may use means what the operation says.

use std::time::Duration;

use angos_identity::Identity;
use angos_policy::{DefaultDecision, Policy, RuleSource};
use hyper::Method;

use super::*;
use crate::route::route;

const SHA256: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn decide(rule: &str, question: &Question<'_>) -> bool {
    let policy = Policy::compile(&environment(), DefaultDecision::Deny, &[RuleSource::from(rule)]);
    let policy = policy.unwrap_or_else(|errors| panic!("{rule}: {errors:?}"));
    let anonymous = Identity::new([127, 0, 0, 1].into(), None, None);
    policy.decide(&anonymous, question).allowed
}

/// Each request with rules that must be true about it.
#[test]
fn words_mean_what_the_request_says() {
    let time = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let check = |method: Method, target: &str, rules: &[&str]| {
        let (path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let operation = route(&method, path, query).unwrap_or_else(|error| panic!("{target}: {error:?}"));
        let question = Question::about(&operation, method.as_str(), time);
        for rule in rules {
            assert!(decide(rule, &question), "{method} {target}: {rule}");
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
