//! Analysis with partial facts: a table, and a proof by random tests that it never contradicts a decision.

use crate::fixtures::{Request, caller, environment};
use angos_identity::Identity;
use angos_policy::{
    Caller, DefaultDecision, Facts, Known, PartialFacts, Policy, Possibility, Presence, RuleSource, Value,
};
use angos_test_ca::Leaf;
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::LazyLock;

/// Partial facts: a caller, and some facts by index; the others are unknown.
pub(crate) struct TestFacts {
    pub(crate) caller: Caller,
    pub(crate) facts: Vec<(usize, Known<'static>)>,
}

impl PartialFacts for TestFacts {
    fn caller(&self) -> &Caller {
        &self.caller
    }

    fn fact(&self, index: usize) -> Known<'_> {
        self.facts.iter().find(|(declared, _)| *declared == index).map_or(Known::Nothing, |(_, known)| *known)
    }
}

/// A caller with a certificate and nothing else.
pub(crate) const fn certified() -> Caller {
    Caller::With { certificate: Presence::Present, credential: Presence::Absent }
}

/// An upload of a manifest to somewhere below `prod/`, by whom it may be.
fn put(caller: Caller) -> TestFacts {
    let facts = vec![
        (0, Known::Exactly(Value::String("put-manifest"))),
        (1, Known::StartsWith("prod/")),
        (2, Known::Present),
        (3, Known::Exactly(Value::Absent)),
    ];
    TestFacts { caller, facts }
}

pub(crate) fn policy(default: DefaultDecision, rules: &[&str]) -> Policy {
    let sources: Vec<RuleSource> = rules.iter().map(|rule| RuleSource::from(*rule)).collect();
    Policy::compile(&environment(), default, &sources).unwrap_or_else(|errors| panic!("{}", errors[0]))
}

#[test]
fn rules_are_analyzed() {
    use Possibility::{Always, Never, Sometimes};
    let (nobody, certified, anybody) = (put(Caller::ANONYMOUS), put(certified()), put(Caller::ANY));
    for (rule, [expected_of_anonymous, expected_of_certified, expected_of_any]) in [
        ("true", [Always; 3]),
        ("1 == 2", [Never; 3]),
        ("request.n == 1", [Sometimes; 3]),
        ("request.action.startsWith('get-')", [Never; 3]),
        ("request.action in ['put-manifest', 'start-upload']", [Always; 3]),
        ("identity.certificate.present", [Never, Always, Sometimes]),
        ("has(identity.username)", [Never, Never, Sometimes]),
        ("identity.?username.hasValue()", [Never, Never, Sometimes]),
        ("identity.username != 'bob'", [Always, Always, Sometimes]),
        ("identity.username != '' || identity.certificate.present", [Never, Always, Sometimes]),
        ("identity.username == null && !identity.certificate.present", [Always, Never, Sometimes]),
        ("identity.method == 'certificate'", [Never, Always, Sometimes]),
        ("identity.certificate.organizations.contains('Infrastructure')", [Never, Sometimes, Sometimes]),
        ("'x' in identity.certificate.common_names || true", [Always, Sometimes, Sometimes]),
        ("true || 'x' in identity.certificate.common_names", [Always; 3]),
        ("identity.certificate.organizations.all(o, o == request.tag)", [Always, Sometimes, Sometimes]),
        ("identity.certificate.organizations.exists(o, o == request.tag)", [Never, Sometimes, Sometimes]),
        ("size(identity.certificate.organizations) > 0", [Never, Sometimes, Sometimes]),
        ("identity.username.startsWith('a')", [Never, Never, Sometimes]),
        ("request.namespace.startsWith('prod/')", [Always; 3]),
        ("request.namespace.startsWith('pro')", [Always; 3]),
        ("request.namespace.startsWith('prod/app')", [Sometimes; 3]),
        ("request.namespace.startsWith('dev/')", [Never; 3]),
        ("request.namespace == 'dev/app'", [Never; 3]),
        ("request.namespace in ['dev/app', 'test', '', null]", [Never; 3]),
        ("request.namespace in ['dev/app', 'prod/app']", [Sometimes; 3]),
        ("has(request.namespace)", [Always; 3]),
        ("request.namespace != null && request.tag != null", [Always; 3]),
        ("request.tags.exists(t, t == request.namespace)", [Never; 3]),
        (
            "request.action == 'metrics' ? request.n == 1 : identity.certificate.present",
            [Never, Always, Sometimes],
        ),
        ("1 / 0 == 1", [Never; 3]),
        ("has_repository_policy()", [Sometimes; 3]),
        ("request.namespace.startsWith(identity.username + '/')", [Never, Never, Sometimes]),
        ("request.n > int(identity.username)", [Never, Never, Sometimes]),
        ("(request.tag + identity.username).lowerAscii() == 'x'", [Never, Never, Sometimes]),
        ("(identity.username + request.tag).matches('^a')", [Never, Never, Sometimes]),
        ("cidr('10.0.0.0/8').containsIP(identity.client_ip)", [Sometimes; 3]),
    ] {
        let policy = policy(DefaultDecision::Deny, &[rule]);
        assert_eq!(policy.analyze_rule(0, &nobody), expected_of_anonymous, "{rule}, anonymous");
        assert_eq!(policy.analyze_rule(0, &certified), expected_of_certified, "{rule}, certified");
        assert_eq!(policy.analyze_rule(0, &anybody), expected_of_any, "{rule}, anybody");
    }
}

#[test]
fn policies_are_analyzed() {
    use DefaultDecision::{Allow, Deny};
    use Possibility::{Always, Never, Sometimes};
    for (default, rules, expected) in [
        (Deny, &[] as &[&str], Never),
        (Allow, &[], Always),
        (Deny, &["false", "1 / 0 == 1", "true"], Always),
        (Deny, &["request.n == 1", "true"], Always),
        (Deny, &["false", "request.n == 1"], Sometimes),
        (Deny, &["false", "1 / 0 == 1"], Never),
        (Allow, &["false", "identity.certificate.present"], Always),
        (Allow, &["false", "request.n == 1"], Sometimes),
        (Allow, &["request.n == 1", "true"], Never),
        (Allow, &["false", "1 / 0 == 1"], Never),
    ] {
        let possibility = policy(default, rules).analyze(&put(Caller::ANONYMOUS));
        assert_eq!(possibility, expected, "{default:?} {rules:?}");
    }
}

#[test]
fn a_rule_that_costs_too_much_is_sometimes_true() {
    let list = format!("[{}]", ["1"; 60].join(", "));
    let walk = format!("{list}.all(a, {list}.all(b, {list}.all(c, a + b + c == 3)))");
    for (rule, expected) in [
        (walk.clone(), Possibility::Sometimes),
        (format!("true || {walk}"), Possibility::Always),
        (format!("false && {walk}"), Possibility::Never),
    ] {
        let possibility = policy(DefaultDecision::Deny, &[&rule]).analyze(&put(Caller::ANY));
        assert_eq!(possibility, expected, "{rule}");
    }
}

/// A request in full, and how much of it is known.
#[derive(Debug, Clone)]
struct World {
    who: usize,
    caller_known: u8,
    facts: Vec<(usize, Value<'static>, u8)>,
}

static CALLERS: LazyLock<[Identity; 4]> = LazyLock::new(|| {
    let leaf = Leaf::client("a").organization("b").organization("prod/a");
    [caller(None, None), caller(Some(&leaf), None), caller(None, Some("a")), caller(Some(&leaf), Some("b"))]
});

impl World {
    fn identity(&self) -> &'static Identity {
        &CALLERS[self.who]
    }

    fn request(&self) -> Request {
        Request(self.facts.iter().map(|(index, value, _)| (*index, *value)).collect())
    }

    /// The same with gaps.
    fn partly(&self) -> TestFacts {
        let of = |present: bool, known: bool| match (known, present) {
            (false, _) => Presence::Unknown,
            (true, true) => Presence::Present,
            (true, false) => Presence::Absent,
        };
        let caller = if self.caller_known == 4 {
            Caller::Exactly(self.identity().clone())
        } else {
            Caller::With {
                certificate: of(self.identity().certificate().is_some(), self.caller_known & 1 != 0),
                credential: of(self.identity().username().is_some(), self.caller_known & 2 != 0),
            }
        };
        let weaken = |value: Value<'static>, how: u8| match (how, value) {
            (0, _) => Known::Nothing,
            (1, Value::String(text)) => Known::StartsWith(&text[..text.len() / 2]),
            (1 | 2, value) if value != Value::Absent => Known::Present,
            _ => Known::Exactly(value),
        };
        let facts = self.facts.iter().map(|(index, value, how)| (*index, weaken(*value, *how)));
        TestFacts { caller, facts: facts.collect() }
    }
}

fn tags(tags: &[&str]) -> Value<'static> {
    Value::Strings(Box::leak(tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>().into_boxed_slice()))
}

fn worlds() -> impl Strategy<Value = World> {
    static POOLS: LazyLock<[(usize, Vec<Value<'static>>); 6]> = LazyLock::new(|| {
        let strings = ["", "a", "b", "prod/a", "dev/b"].map(Value::String);
        let strings = || strings.into_iter().chain([Value::Absent]).collect::<Vec<_>>();
        [
            (0, ["put-manifest", "get-blob", "metrics"].map(Value::String).to_vec()),
            (1, strings()),
            (2, strings()),
            (3, vec![Value::Absent, tags(&[]), tags(&["a"]), tags(&["b", "prod/a"])]),
            (4, vec![Value::Absent, Value::Int(0), Value::Int(1), Value::Int(i64::MAX)]),
            (10, vec![Value::Bool(true), Value::Bool(false), Value::Absent]),
        ]
    });
    let facts: Vec<_> =
        POOLS.iter().map(|(index, pool)| (Just(*index), select(pool.as_slice()), 0..4_u8)).collect();
    (0..4_usize, 0..5_u8, facts).prop_map(|(who, caller_known, facts)| World { who, caller_known, facts })
}

fn text() -> impl Strategy<Value = &'static str> {
    select(vec![
        "''",
        "'a'",
        "'b'",
        "'prod/'",
        "'prod/a'",
        "request.action",
        "request.namespace",
        "request.tag",
        "identity.username",
        "identity.certificate.spiffe_id",
        "identity.certificate.subject",
        "identity.client_ip",
        "identity.method",
        "(request.tag + 'a')",
        "string(request.n)",
        "request.tags[0]",
        "(request.n == 0 ? request.tag : 'a')",
        "{'a': 'b'}[request.tag]",
        "request.namespace.substring(1)",
        "request.tag.upperAscii()",
    ])
}

fn list() -> impl Strategy<Value = &'static str> {
    select(vec![
        "request.tags",
        "identity.certificate.organizations",
        "['a', 'b']",
        "['a', '', null]",
        "[]",
        "request.tags.map(m, m + 'a')",
        "request.tags.filter(f, f != request.tag)",
        "['a', request.tag]",
        "request.namespace.split('/')",
        "(request.tags + ['a'])",
        "(request.n == 0 ? request.tags : ['a'])",
    ])
}

/// Enums make some comparisons errors; the values below are all members.
fn rules() -> impl Strategy<Value = String> {
    let comparison = || select(vec!["==", "!="]);
    let search = select(vec!["startsWith", "endsWith", "contains"]);
    let leaf = prop_oneof![
        select(vec![
            "true",
            "false",
            "1 / 0 == 1",
            "has_repository_policy()",
            "identity.certificate.present",
            "has(request.tag)",
            "has(request.tags)",
            "has(identity.username)",
            "has(request.n)",
            "request.tag == null",
            "request.n == 1",
            "request.n + 1 > 1",
            "size(request.tags) == 1",
            "request.n != null",
            "request.action == 'metrics'",
            "request.action in ['metrics', 'get-blob']",
            "identity.method in ['basic', 'anonymous']",
            "has_repository_policy() == true",
            "request.tag.matches('^p')",
            "isIP(request.tag)",
            "request.time > timestamp('2020-01-01T00:00:00Z')",
        ])
        .prop_map(str::to_owned),
        (text(), comparison(), text()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        (text(), search, text()).prop_map(|(a, search, b)| format!("{a}.{search}({b})")),
        (text(), list()).prop_map(|(text, list)| format!("{text} in {list}")),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let quantifier = select(vec!["all", "exists", "exists_one"]);
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(c, a, b)| format!("({c} ? {a} : {b})")),
            (list(), quantifier, text(), inner)
                .prop_map(|(list, q, text, test)| format!("{list}.{q}(e, e == {text} || {test})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_decision_contradicts_a_proof(
        sources in prop::collection::vec(rules(), 1..4),
        default in select(vec![DefaultDecision::Deny, DefaultDecision::Allow]),
        worlds in prop::collection::vec(worlds(), 24),
    ) {
        let sources: Vec<RuleSource> = sources.iter().map(|rule| RuleSource::from(rule.as_str())).collect();
        // Some comparisons with a string outside an enum do not compile, as they should not.
        let Ok(policy) = Policy::compile(&environment(), default, &sources) else { return Ok(()) };
        for world in worlds {
            let request = world.request();
            let decision = policy.decide(world.identity(), &request as &dyn Facts);
            let contradicted = if decision.allowed { Possibility::Never } else { Possibility::Always };
            let possibility = policy.analyze(&world.partly());
            prop_assert!(possibility != contradicted, "{sources:?} {default:?} {world:?}: {decision:?}");
        }
    }

    #[test]
    fn leaving_a_redundant_rule_out_changes_no_decision(
        (first, second) in (rules(), rules()),
        default in select(vec![DefaultDecision::Deny, DefaultDecision::Allow]),
        worlds in prop::collection::vec(worlds(), 24),
    ) {
        let rules = [&first, &second, &format!("({first}) && ({second})"), &format!("({second}) || 1 == 2")];
        let sources = rules.map(|rule| RuleSource::from(rule.as_str()));
        let Ok(whole) = Policy::compile(&environment(), default, &sources) else { return Ok(()) };
        let partly: Vec<TestFacts> = worlds.iter().map(World::partly).collect();
        let situations: Vec<&dyn PartialFacts> = partly.iter().map(|it| it as &dyn PartialFacts).collect();
        for redundancy in whole.redundancies(&situations, &mut u64::MAX.clone()) {
            let mut fewer = sources.to_vec();
            fewer.remove(redundancy.rule);
            let fewer = Policy::compile(&environment(), default, &fewer).expect("it compiled with one more");
            for world in &worlds {
                let (with, without) = [&whole, &fewer].map(|it| it.decide(world.identity(), &world.request())).into();
                prop_assert_eq!(with.allowed, without.allowed, "{:?} {:?} {:?} {:?}", rules, default, redundancy, world);
            }
        }
    }
}
