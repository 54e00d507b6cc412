//! A decision replayed: the same decision, and the true value of every part.

use crate::fixtures::{action, caller, environment, full};
use angos_identity::Identity;
use angos_policy::{
    DefaultDecision, Expression, Facts, PartExplanation, PartOutcome, Policy, Reason, RuleExplanation,
    RuleOutcome, RuleSource, Undecidable,
};
use angos_test_ca::Leaf;

fn compile(rules: &[&str]) -> Policy {
    let rules: Vec<_> = rules.iter().map(|rule| RuleSource::from(*rule)).collect();
    Policy::compile(&environment(), DefaultDecision::Deny, &rules)
        .unwrap_or_else(|errors| panic!("{}", errors[0]))
}

/// Explains a decision and compares the outcome of every part with its evaluation alone.
pub(crate) fn check_account(policy: &Policy, identity: &Identity, facts: &dyn Facts) {
    let explanation = policy.explain(identity, facts);
    assert_eq!(explanation.decision, policy.decide(identity, facts));
    let mut evaluate_all = vec![RuleOutcome::False; policy.len()];
    policy.evaluate_all(identity, facts, &mut |reason| match reason {
        Reason::Rule(rule) => evaluate_all[rule] = RuleOutcome::True,
        Reason::Undecidable { rule, cause, .. } => evaluate_all[rule] = RuleOutcome::Undecidable(cause),
        Reason::Default => unreachable!("not about a rule"),
    });
    let outcomes: Vec<_> = explanation.rules.iter().map(|rule| rule.outcome).collect();
    assert_eq!(outcomes, evaluate_all);
    for rule in &explanation.rules {
        let expected = match rule.outcome {
            RuleOutcome::True => PartOutcome::Value("true".into()),
            RuleOutcome::False => PartOutcome::Value("false".into()),
            RuleOutcome::Undecidable(cause) => PartOutcome::Undecidable(cause),
        };
        if rule.outcome != RuleOutcome::Undecidable(Undecidable::Cost) {
            assert_eq!(rule.whole.outcome, expected, "{rule}");
            check_part(rule, &rule.whole, identity, facts);
        }
    }
}

fn check_part(rule: &RuleExplanation, part: &PartExplanation, identity: &Identity, facts: &dyn Facts) {
    let text = rule.text(part);
    // Names that loops give are unknown outside; such parts, and lists, are no expressions of their own.
    if let Ok(alone) = Expression::compile(&environment(), text) {
        let expected = alone.evaluate(identity, facts, |value| value.map(|value| value.to_cel()));
        match &part.outcome {
            PartOutcome::Value(value) => assert_eq!(Ok(value), expected.as_ref(), "{text} in {rule}"),
            PartOutcome::Absent => assert_eq!(expected, Ok("absent".into()), "{text} in {rule}"),
            // Absence is no value where a boolean is needed.
            PartOutcome::Undecidable(Undecidable::Absent) if expected == Ok("absent".into()) => {}
            PartOutcome::Undecidable(cause) => assert_eq!(expected, Err(*cause), "{text} in {rule}"),
            _ => {}
        }
    }
    for inner in &part.parts {
        assert!(part.span.start <= inner.span.start && inner.span.end <= part.span.end, "{text} in {rule}");
        check_part(rule, inner, identity, facts);
    }
}

/// The lines about one rule, for alice with a request that has everything but a tag.
fn lines(rule: &str) -> String {
    let leaf = Leaf::client("alice").organization("DevOps").organization("Platform");
    let explanation = compile(&[rule]).explain(&caller(Some(&leaf), Some("alice")), &full());
    explanation.rules[0].to_string()
}

#[test]
fn every_part_has_its_value() {
    let check = |rule: &str, expected: &[&str]| {
        assert_eq!(lines(rule).lines().collect::<Vec<_>>(), expected, "{rule}");
    };
    check(
        "identity.username == 'bob' || request.namespace.startsWith('prod/') && request.n + 1 > 2 * 60",
        &[
            "rules[0] is false",
            "  identity.username == 'bob' || request.namespace.startsWith('prod/') && request.n + 1 > 2 * 60 → false",
            "    identity.username == 'bob' → false",
            "      identity.username → 'alice'",
            "    request.namespace.startsWith('prod/') && request.n + 1 > 2 * 60 → false",
            "      request.namespace.startsWith('prod/') → true",
            "        request.namespace → 'prod/app'",
            "      request.n + 1 > 2 * 60 → false",
            "        request.n + 1 → 101",
            "          request.n → 100",
            "        2 * 60 → 120",
        ],
    );
    check(
        "true || identity.username == 'bob' || has(request.tag)",
        &[
            "rules[0] is true",
            "  true || identity.username == 'bob' || has(request.tag) → true",
            "    identity.username == 'bob' → not evaluated",
            "    has(request.tag) → not evaluated",
        ],
    );
    check(
        "request.tag.startsWith('v') && request.size == 7u",
        &[
            "rules[0] cannot be decided: an absent value is used without a guard",
            "  request.tag.startsWith('v') && request.size == 7u → no value",
            "    request.tag.startsWith('v') → no value: an absent value is used without a guard",
            "      request.tag → absent",
            "    request.size == 7u → true",
            "      request.size → 7u",
        ],
    );
    check(
        "has(request.tag) ? request.tag == 'v1' : cidr('10.0.0.0/8').containsIP(identity.client_ip)",
        &[
            "rules[0] is true",
            "  has(request.tag) ? request.tag == 'v1' : cidr('10.0.0.0/8').containsIP(identity.client_ip) → true",
            "    has(request.tag) → false",
            "    request.tag == 'v1' → not evaluated",
            "    cidr('10.0.0.0/8').containsIP(identity.client_ip) → true",
            "      cidr('10.0.0.0/8') → cidr('10.0.0.0/8')",
            "      identity.client_ip → '10.1.2.3'",
        ],
    );
}

#[test]
fn optionals_have_their_values() {
    let check = |rule: &str, expected: &[&str]| {
        assert_eq!(lines(rule).lines().skip(1).collect::<Vec<_>>(), expected, "{rule}");
    };
    check(
        "request.?tag.or(identity.?username).orValue('x') == 'alice'",
        &[
            "  request.?tag.or(identity.?username).orValue('x') == 'alice' → true",
            "    request.?tag.or(identity.?username).orValue('x') → 'alice'",
            "      request.?tag.or(identity.?username) → optional.of('alice')",
            "        request.?tag → optional.none()",
            "        identity.?username → optional.of('alice')",
        ],
    );
    check(
        "size([?request.?tag, ?{'a-b': request.n}.?`a-b`.optMap(n, string(n + 1))]) == 1",
        &[
            "  size([?request.?tag, ?{'a-b': request.n}.?`a-b`.optMap(n, string(n + 1))]) == 1 → true",
            "    size([?request.?tag, ?{'a-b': request.n}.?`a-b`.optMap(n, string(n + 1))]) → 1",
            "      [?request.?tag, ?{'a-b': request.n}.?`a-b`.optMap(n, string(n + 1))] → iterated element by element",
            "        request.?tag → optional.none()",
            "        {'a-b': request.n}.?`a-b`.optMap(n, string(n + 1)) → optional.of('101')",
            "          {'a-b': request.n}.?`a-b` → optional.of(100)",
            "            {'a-b': request.n} → {'a-b': 100}",
            "              request.n → 100",
            "          string(n + 1) → '101'",
            "            n + 1 → 101",
            "              n → 100",
        ],
    );
    check(
        "{'a': request.n}.a == 100",
        &[
            "  {'a': request.n}.a == 100 → true",
            "    {'a': request.n}.a → 100",
            "      {'a': request.n} → {'a': 100}",
            "        request.n → 100",
        ],
    );
}

#[test]
fn formats_and_keys_have_their_values() {
    let text = lines("'%s-%d'.format([request.namespace, 1 + 1]) in ['bb', 'a'].sortBy(e, size(e))");
    assert_eq!(
        text.lines().skip(2).collect::<Vec<_>>(),
        [
            "    '%s-%d'.format([request.namespace, 1 + 1]) → 'prod/app-2'",
            "      [request.namespace, 1 + 1] → iterated element by element",
            "        request.namespace → 'prod/app'",
            "        1 + 1 → 2",
            "    ['bb', 'a'].sortBy(e, size(e)) → ['a', 'bb']",
            "      size(e) → 2",
            "        e → 'bb'",
            "      size(e) → 1",
            "        e → 'a'",
        ]
    );
}

/// A loop shows its body for each visited element, and the lists it iterated.
#[test]
fn loops_show_their_rounds() {
    let text = lines("identity.certificate.organizations.exists(o, o.startsWith('Pl'))");
    let rounds: Vec<_> = text.lines().skip(2).collect();
    assert_eq!(
        rounds,
        [
            "    identity.certificate.organizations → ['DevOps', 'Platform']",
            "    o.startsWith('Pl') → false",
            "      o → 'DevOps'",
            "    o.startsWith('Pl') → true",
            "      o → 'Platform'",
        ]
    );
}

/// Of many rounds the first ones and the last are kept, and no value of one round is shown in another.
#[test]
fn many_rounds_are_truncated_and_never_mixed() {
    let mut leaf = Leaf::client("alice");
    for index in 0..40 {
        leaf = leaf.organization(format!("o{index}").as_str());
    }
    let identity = caller(Some(&leaf), None);
    let policy = compile(&[
        "identity.certificate.organizations.exists(o, o.endsWith('0') && o.startsWith('o3') || o == 'o39')",
        "identity.certificate.organizations.all(o, identity.certificate.organizations.exists(p, p == o))",
    ]);
    check_account(&policy, &identity, &action("metrics"));
    let explanation = policy.explain(&identity, &action("metrics"));
    let rounds: Vec<_> = explanation.rules[0].whole.parts.iter().skip(1).collect();
    assert_eq!(rounds.len(), angos_policy::limits::EXPLAINED_ROUNDS_MAX);
    assert!(rounds.iter().all(|round| round.rounds == 31), "{explanation}");
    for round in rounds {
        let element = |part: &PartExplanation| explanation.rules[0].text(part) == "o";
        let mut values = Vec::new();
        let mut open = vec![round];
        while let Some(part) = open.pop() {
            values.extend(element(part).then(|| part.outcome.clone()));
            open.extend(&part.parts);
        }
        values.retain(|outcome| !matches!(outcome, PartOutcome::Truncated));
        values.dedup();
        assert!(values.len() <= 1, "one element in one round: {values:?}\n{explanation}");
    }
}

#[test]
fn the_text_stays_small_and_on_its_lines_whatever_the_values() {
    let hostile = format!("{}\u{202e}", "ü".repeat(1000));
    let mut leaf = Leaf::client(hostile.as_str());
    for _ in 0..20 {
        leaf = leaf.organization(hostile.as_str());
    }
    let identity = caller(Some(&leaf), None);
    let policy = compile(&[
        "identity.certificate.organizations.all(o, identity.certificate.organizations.all(p, p + o + p != o))",
        "identity.certificate.common_names\n  .exists(n,\n    n == 'x')",
    ]);
    let text = policy.explain(&identity, &action("metrics")).to_string();
    assert!(text.len() < 64 * 1024, "{}", text.len());
    assert!(!text.contains('\u{202e}'), "direction marks are escaped");
    assert!(text.contains("identity.certificate.common_names .exists(n, n == 'x') → false"), "{text}");
}

#[test]
fn rules_after_the_deciding_one_are_explained_too() {
    let policy = compile(&["request.tag.size() > 1", "request.n == 100", "request.n == 1", "request.n > 0"]);
    let identity = caller(None, None);
    let explanation = policy.explain(&identity, &full());
    assert_eq!(explanation.decision.reason, Reason::Rule(1));
    let outcomes: Vec<_> = explanation.rules.iter().map(|rule| rule.outcome).collect();
    let undecidable = RuleOutcome::Undecidable(Undecidable::Absent);
    assert_eq!(outcomes, [undecidable, RuleOutcome::True, RuleOutcome::False, RuleOutcome::True]);
    assert!(explanation.to_string().starts_with("allowed: rules[1] is true\nrules[0] cannot be decided: "));
}
