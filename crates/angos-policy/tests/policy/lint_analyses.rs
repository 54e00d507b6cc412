//! The analyses behind lints: redundant rules, and rules that depend on absence.

use crate::analyze::{TestFacts, certified, policy};
use angos_policy::{Caller, DefaultDecision, Known, PartialFacts, Redundancy, Value, Variable, limits};

/// Anonymous and certified callers, reading and writing, each with or without a tag.
fn situations() -> Vec<TestFacts> {
    let mut all = Vec::new();
    for action in crate::fixtures::ACTIONS {
        for tag in [Known::Present, Known::Exactly(Value::Absent)] {
            for caller in [Caller::ANONYMOUS, certified()] {
                let facts = vec![(0, Known::Exactly(Value::String(action))), (2, tag)];
                all.push(TestFacts { caller, facts });
            }
        }
    }
    all
}

#[test]
fn redundant_rules_are_found_and_no_others() {
    use DefaultDecision::{Allow, Deny};
    let situations = situations();
    let situations: Vec<&dyn PartialFacts> = situations.iter().map(|it| it as &dyn PartialFacts).collect();
    let none: &[(usize, usize)] = &[];
    for (default, rules, expected) in [
        (Deny, &["request.n == 1", "request.n == 2"] as &[&str], none),
        (Deny, &["request.n == 1", "request.n  ==  1"], &[(1, 0)]),
        (Deny, &["request.n == 1", "request.n == 1 && request.tag == 'a'"], &[(1, 0)]),
        (
            Deny,
            &["request.tag == 'a' && request.n == 1 && 'x' in request.tags", "'x' in request.tags"],
            &[(0, 1)],
        ),
        (Deny, &["request.n == 1 || request.n == 2", "request.n == 2"], &[(1, 0)]),
        (Deny, &["request.n == 1 || request.n == 2", "request.n == 2 || request.n == 3"], none),
        (
            Deny,
            &[
                "(request.n == 1 || request.n == 2) && request.tag == 'a'",
                "request.tag == 'a' && request.n == 2",
            ],
            &[(1, 0)],
        ),
        (
            Deny,
            &["request.action.startsWith('get-')", "request.action == 'get-blob' && request.n == 1"],
            &[(1, 0)],
        ),
        (
            Deny,
            &[
                "request.action == 'get-blob' && request.n == 1",
                "request.action.startsWith('get-') && request.n == 1",
            ],
            &[(0, 1)],
        ),
        (Deny, &["request.action == 'get-blob'", "request.action.startsWith('get-')"], &[(0, 1)]),
        (Deny, &["request.action in ['get-blob', 'metrics']", "request.action.startsWith('get-')"], none),
        (
            Deny,
            &["identity.certificate.present", "identity.certificate.organizations.contains('b')"],
            &[(1, 0)],
        ),
        (Deny, &["identity.username != ''", "identity.username == 'a'"], none),
        // Never true: another finding.
        (Deny, &["request.n == 1", "false && request.n == 1"], none),
        // Without a value it denies, which the other does not always.
        (Allow, &["request.n == 1", "request.n == 1 && request.tag == 'a'"], &[(1, 0)]),
        (Allow, &["identity.certificate.present", "identity.certificate.organizations[0] == 'b'"], none),
        (Deny, &["identity.certificate.present", "identity.certificate.organizations[0] == 'b'"], &[(1, 0)]),
    ] {
        let found = policy(default, rules).redundancies(&situations, &mut u64::MAX.clone());
        let expected: Vec<Redundancy> = expected
            .iter()
            .map(|(rule, because_of)| Redundancy { rule: *rule, because_of: *because_of })
            .collect();
        assert_eq!(found, expected, "{default:?} {rules:#?}");
    }
}

#[test]
fn rules_that_depend_on_absence_are_found_with_their_offset() {
    let username = Variable::Identity("identity.username");
    let names = Variable::Identity("identity.certificate.common_names");
    for (rule, expected) in [
        ("identity.username != 'bob'", Some((0, username))),
        ("'bob' != identity.username", Some((9, username))),
        ("!(identity.username == 'bob')", Some((2, username))),
        ("request.n == 1 && identity.username != 'bob'", Some((18, username))),
        ("identity.username != 'bob' && identity.username != 'eve'", Some((0, username))),
        ("identity.username != 'bob' || identity.certificate.present", Some((0, username))),
        ("!(identity.username in ['bob', 'eve'])", Some((20, username))),
        ("!('x' in identity.certificate.common_names)", Some((6, names))),
        ("identity.certificate.common_names.all(n, n != 'x')", Some((34, names))),
        ("!identity.certificate.common_names.exists(n, n == 'x')", Some((35, names))),
        ("request.tag != 'latest'", Some((0, Variable::Fact(2)))),
        // Meant so, or guarded, or never true, or true for another reason.
        ("identity.username == null", None),
        ("identity.username == ''", None),
        ("identity.username != ''", None),
        ("identity.username in ['', 'bob']", None),
        ("!has(identity.username)", None),
        ("size(identity.certificate.common_names) == 0", None),
        ("identity.username == 'bob'", None),
        ("'x' in identity.certificate.common_names", None),
        ("identity.username != '' && identity.username != 'bob'", None),
        ("identity.certificate.present && identity.certificate.common_names.all(n, n != 'x')", None),
        ("has(request.tag) && request.tag != 'latest'", None),
        ("identity.username != 'bob' || request.action == 'metrics'", None),
        ("request.action != 'metrics'", None),
        ("true", None),
        ("request.n != 1", None),
    ] {
        let facts = vec![(0, Known::Exactly(Value::String("metrics"))), (2, Known::Exactly(Value::Absent))];
        let partial = TestFacts { caller: Caller::ANONYMOUS, facts };
        let found = policy(DefaultDecision::Deny, &[rule]).depends_on_absence(0, &partial);
        assert_eq!(found.map(|it| (it.offset, it.variable)), expected, "{rule}");
    }
}

#[test]
fn variables_of_a_rule_are_listed() {
    let policy =
        policy(DefaultDecision::Deny, &["true", "has(request.tag) && request.tag == identity.username"]);
    assert_eq!(policy.variables(0), []);
    assert_eq!(policy.variables(1), [Variable::Fact(2), Variable::Identity("identity.username")]);
    assert_eq!(policy.variables(2), []);
}

#[test]
fn analysis_cost_depends_on_the_rule_alone_and_bounds_the_search() {
    let rules = [
        "true",
        "identity.certificate.organizations.exists(o, o == 'a')",
        "identity.username == 'a' && request.tag != 'b'",
        "identity.username in ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j']",
        "lists.range(400).all(a, lists.range(400).all(b, a + b >= 0))",
    ];
    let policy = policy(DefaultDecision::Deny, &rules);
    let costs: Vec<u64> = (0..rules.len()).map(|rule| policy.analysis_cost(rule)).collect();
    assert!(costs.is_sorted_by(|a, b| a < b), "{costs:?}");
    assert!(costs[3] < 100 && costs[4] == u64::from(limits::RULE_COST_MAX), "{costs:?}");
    assert_eq!(policy.analysis_cost(rules.len()), 0, "no such rule");

    let twice =
        self::policy(DefaultDecision::Deny, &["identity.username == 'a'", "identity.username == 'a'"]);
    let anybody = TestFacts { caller: Caller::ANY, facts: Vec::new() };
    let (mut plenty, mut little) = (1000, 5);
    assert_eq!(twice.redundancies(&[&anybody], &mut plenty).len(), 1);
    assert!((900..1000).contains(&plenty), "{plenty}");
    assert_eq!(twice.redundancies(&[&anybody], &mut little), []);
    assert_eq!(little, 0);
}
