//! Which policies are asked, and what follows from their answers.

use std::sync::Arc;

use angos_access::{AccessPolicies, AccessPolicy, environment};
use angos_identity::Credential;
use angos_oci::Algorithm;
use angos_policy::{DefaultDecision, Policy, RuleSource};

use super::*;
use crate::request::id::RequestIds;

fn policy(rule: &str) -> AccessPolicy {
    let rules = &[RuleSource::from(rule)];
    Policy::compile(&environment(), DefaultDecision::Deny, rules).expect("a sound rule").into()
}

fn policies(global: Option<&str>, repositories: &[(&str, &str)]) -> Arc<CurrentAccess> {
    let repositories =
        repositories.iter().map(|(name, rule)| (name.parse().unwrap(), policy(rule))).collect();
    let access = AccessPolicies { global: global.map(policy), repositories, ..AccessPolicies::default() };
    Arc::new(CurrentAccess::new(access.into(), 1))
}

fn caller(username: Option<&str>) -> Identity {
    let credential = username.map(|name| Arc::new(Credential { id: name.into(), username: name.into() }));
    Identity::new([127, 0, 0, 1].into(), None, credential)
}

fn pull(name: &str) -> Operation {
    let reference = "latest".parse().expect("a tag");
    Operation::GetManifest { name: name.parse().expect("a name"), reference }
}

/// The policies alone decide at once.
fn now<F: Future>(future: F) -> F::Output {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("a decision waits"),
    }
}

fn admits(policies: &Arc<CurrentAccess>, username: Option<&str>, operation: Operation) -> bool {
    let (identity, metrics, denial_log) = (caller(username), Metrics::new(), DenialLog::default());
    let authorizer = Authorizer {
        access: policies,
        identity: &identity,
        method: RequestMethod::Get,
        time: SystemTime::now(),
        request: RequestIds::new().next(),
        challenge: Challenge::new(true, false),
        metrics: &metrics,
        denial_log: &denial_log,
        decision_log: None,
    };
    let admitted = now(authorizer.authorize(operation)).is_ok();
    assert_eq!((metrics.allowed.get() > 0, metrics.denied.get() > 0).1, !admitted, "every denial is counted");
    admitted
}

#[test]
fn nothing_configured_means_no() {
    let none = policies(None, &[]);
    assert!(!admits(&none, None, Operation::Version));
    assert!(!admits(&none, Some("admin"), Operation::Version));
    assert!(!admits(&none, Some("admin"), pull("a")));
    assert!(!admits(&none, Some("admin"), Operation::Healthz));
}

#[test]
fn the_longest_path_prefix_rules_alone() {
    let nested = policies(None, &[("a", "false"), ("a/b", "true"), ("a/b/c", "false")]);
    for (name, expected) in [
        ("a", false),
        ("a/x", false),
        ("a/b", true),
        ("a/b/d", true),
        ("a/b/c", false),
        ("a/b/c/d", false),
        ("a/bc", false),
        ("ab", false),
    ] {
        assert_eq!(admits(&nested, None, pull(name)), expected, "{name}");
    }
}

#[test]
fn every_configured_policy_must_allow() {
    for (global, repository, expected) in [
        ("true", "true", true),
        ("false", "true", false),
        ("true", "false", false),
        ("false", "false", false),
    ] {
        let both = policies(Some(global), &[("a", repository)]);
        assert_eq!(admits(&both, None, pull("a")), expected, "{global} {repository}");
        assert_eq!(admits(&both, None, pull("other")), global == "true", "only the global one is about it");
    }
    let telling = policies(Some("has_repository_policy()"), &[("a", "true")]);
    assert!(admits(&telling, None, pull("a/b")));
    assert!(!admits(&telling, None, pull("b")));
}

#[test]
fn only_repository_policies_still_greet_an_identified_caller() {
    let repositories = policies(None, &[("a", "true")]);
    assert!(admits(&repositories, Some("admin"), Operation::Version));
    assert!(!admits(&repositories, None, Operation::Version));
    assert!(!admits(&repositories, Some("admin"), Operation::ListCatalog { n: None, last: None }));
    let global = policies(Some("false"), &[("a", "true")]);
    assert!(!admits(&global, Some("admin"), Operation::Version), "a global policy decides itself");
}

#[test]
fn a_push_in_one_request_needs_both_permits() {
    let digest = Digest::of(Algorithm::Sha256, b"");
    let push = || Operation::PushBlob { name: "a".parse().expect("a name"), digest };
    for (rule, expected) in [
        ("request.action == 'start-upload'", false),
        ("request.action == 'complete-upload'", false),
        ("request.action in ['start-upload', 'complete-upload']", true),
    ] {
        assert_eq!(admits(&policies(Some(rule), &[]), None, push()), expected, "{rule}");
    }
}

/// A rule about one tag, or one artifact type, holds for each of several.
#[test]
fn what_comes_in_numbers_is_asked_about_one_by_one() {
    let digest = Digest::of(Algorithm::Sha256, b"");
    let push = |tags: &[&str]| Operation::PutManifest {
        name: "a".parse().expect("a name"),
        reference: angos_oci::Reference::Digest(digest),
        tags: tags.iter().map(|tag| tag.parse().expect("a tag")).collect(),
    };
    for protects in
        ["request.tag != 'release'", "request.reference != 'release'", "!('release' in request.tags)"]
    {
        let policies = policies(Some(protects), &[]);
        for (tags, expected) in [
            (&[][..], true),
            (&["one", "two"], true),
            (&["release"], false),
            (&["release", "one"], false),
            (&["one", "release"], false),
        ] {
            assert_eq!(admits(&policies, None, push(tags)), expected, "{protects} {tags:?}");
        }
    }
    let list = |types: &[&str]| Operation::GetReferrers {
        name: "a".parse().expect("a name"),
        digest,
        artifact_types: types.iter().map(|wanted| (*wanted).to_owned()).collect(),
        after: None,
        n: None,
    };
    let only = policies(Some("request.artifact_type == 'a/b'"), &[]);
    for (types, expected) in [
        (&["a/b"][..], true),
        (&[], false),
        (&["a/c"], false),
        (&["a/b", "a/c"], false),
        (&["a/c", "a/b"], false),
    ] {
        assert_eq!(admits(&only, None, list(types)), expected, "{types:?}");
    }
}
