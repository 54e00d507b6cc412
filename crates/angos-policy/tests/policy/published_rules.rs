//! The rules of the published pages, to the letter: each rule, each kind of caller, the written answer.

use crate::fixtures::{action, caller, environment};
use angos_identity::Identity;
use angos_policy::{DefaultDecision, Policy, Reason, RuleSource};
use angos_test_ca::Leaf;

const GLOBAL: &[&str] = &[
    "identity.certificate.organizations.contains('Infrastructure')",
    "'build-server' in identity.certificate.common_names",
    "identity.username == 'admin'",
];
const REQUIRED: &[&str] = &["size(identity.certificate.common_names) > 0"];
const OPTIONAL: &[&str] = &[
    "identity.certificate.organizations.contains('DevOps')",
    "identity.username != '' && request.action.startsWith('get-')",
];
const DEVELOPERS: &[&str] = &["identity.certificate.organizations.contains('Developers')"];
const PLATFORM: &[&str] = &["identity.certificate.organizations.contains('Platform')"];

fn policy(rules: &[&str], default: DefaultDecision) -> Policy {
    let rules: Vec<RuleSource> = rules.iter().map(|rule| RuleSource::from(*rule)).collect();
    Policy::compile(&environment(), default, &rules).expect("the pages' rules load")
}

/// Every caller of the table, in its order.
fn callers() -> Vec<(&'static str, Identity)> {
    let of = |organization: &str| Leaf::client("someone").organization(organization);
    vec![
        ("anonymous", caller(None, None)),
        ("O=Infrastructure", caller(Some(&of("Infrastructure")), None)),
        ("CN=build-server", caller(Some(&Leaf::client("build-server")), None)),
        ("CN=admin", caller(Some(&Leaf::client("admin")), None)),
        ("O=DevOps", caller(Some(&of("DevOps")), None)),
        ("O=Developers", caller(Some(&of("Developers")), None)),
        ("O=Platform", caller(Some(&of("Platform")), None)),
        ("O=infrastructure, DevOps2", caller(Some(&of("infrastructure").organization("DevOps2")), None)),
        ("basic admin", caller(None, Some("admin"))),
        ("basic bob", caller(None, Some("bob"))),
        ("basic bob, O=DevOps", caller(Some(&of("DevOps")), Some("bob"))),
    ]
}

/// `expected` has one letter per caller: `y` allowed, `n` denied.
fn check(rules: &[&str], default: DefaultDecision, asked: &'static str, expected: &str) {
    let policy = policy(rules, default);
    let callers = callers();
    assert_eq!(callers.len(), expected.len());
    for ((name, identity), letter) in callers.iter().zip(expected.chars()) {
        let decision = policy.decide(identity, &action(asked));
        let told = policy.describe(decision.reason);
        assert_eq!(decision.allowed, letter == 'y', "{rules:?} {asked} {name}: {told}");
        assert!(!matches!(decision.reason, Reason::Undecidable { .. }), "{rules:?} {name}: {told}");
    }
}

#[test]
fn published_rules_decide_as_documented() {
    const DENY: DefaultDecision = DefaultDecision::Deny;
    for asked in ["get-manifest", "put-manifest"] {
        check(GLOBAL, DENY, asked, "nyynnnnnynn");
        check(REQUIRED, DENY, asked, "nyyyyyyynny");
        check(DEVELOPERS, DENY, asked, "nnnnnynnnnn");
        check(PLATFORM, DENY, asked, "nnnnnnynnnn");
    }
    check(OPTIONAL, DENY, "get-manifest", "nnnnynnnyyy");
    check(OPTIONAL, DENY, "put-manifest", "nnnnynnnnny");
    check(OPTIONAL, DENY, "get-api-version", "nnnnynnnyyy");
}

#[test]
fn the_same_rules_deny_when_the_default_is_allow() {
    check(GLOBAL, DefaultDecision::Allow, "get-blob", "ynnyyyyynyy");
    check(OPTIONAL, DefaultDecision::Allow, "put-manifest", "yyyynyyyyyn");
}

#[test]
fn both_user_name_checks_are_false_for_an_anonymous_caller() {
    for rule in ["identity.username != ''", "identity.username != null", "has(identity.username)"] {
        check(&[rule], DefaultDecision::Deny, "get-blob", "nnnnnnnnyyy");
    }
}
