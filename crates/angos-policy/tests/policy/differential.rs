//! Generated expressions, decided here and by the evaluator of the crate whose parser we use.
//!
//! Generates only expressions that both define alike: no absent values, no `contains` of lists, no `matches`.
//! [`EXPLAINED`] lists where they differ, and why.

use crate::fixtures::{caller, environment, full};
use angos_policy::{DefaultDecision, Policy, Reason, RuleSource, Undecidable};
use cel_parser::{Context, Env, Value, extensions};
use proptest::prelude::*;
use std::sync::{Arc, LazyLock};

fn integer() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (-4_i64..5).prop_map(|value| value.to_string()),
        Just("9223372036854775807".to_owned()),
        Just("request.n".to_owned()),
        Just("size(request.tags)".to_owned()),
        text().prop_map(|text| format!("size({text})")),
        (text(), text()).prop_map(|(text, part)| format!("{text}.indexOf({part})")),
        (text(), text(), -1..5).prop_map(|(text, part, from)| format!("{text}.indexOf({part}, {from})")),
        (text(), text(), -1..5).prop_map(|(text, part, from)| format!("{text}.lastIndexOf({part}, {from})")),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        let operator = prop_oneof![Just("+"), Just("-"), Just("*"), Just("/"), Just("%")];
        let bits =
            prop_oneof![Just("bitAnd"), Just("bitOr"), Just("bitXor"), Just("greatest"), Just("least")];
        let one = prop_oneof![Just("abs"), Just("sign"), Just("bitNot")];
        prop_oneof![
            (inner.clone(), operator, inner.clone()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            inner.clone().prop_map(|a| format!("-({a})")),
            (bits, inner.clone(), inner.clone()).prop_map(|(f, a, b)| format!("math.{f}({a}, {b})")),
            (one, inner.clone()).prop_map(|(f, a)| format!("math.{f}({a})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, i)| format!("[{a}, {b}][{i}]")),
            (inner.clone(), inner.clone(), text())
                .prop_map(|(a, b, key)| format!("{{'a': {a}, 'b': {b}}}[{key}]")),
            (inner.clone(), inner).prop_map(|(key, a)| format!("{{{key}: {a}, 99: 7}}[99]")),
        ]
    })
}

fn text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[a-c]{0,3}".prop_map(|text| format!("'{text}'")),
        Just("'é'".to_owned()),
        Just("request.namespace".to_owned()),
        Just("request.tags[0]".to_owned()),
        Just("request.tags[7]".to_owned()),
    ];
    leaf.prop_recursive(2, 6, 2, |inner| {
        let one = prop_oneof![
            Just("lowerAscii()".to_owned()),
            Just("upperAscii()".to_owned()),
            Just("trim()".to_owned()),
            Just("reverse()".to_owned()),
            (-1..5).prop_map(|at| format!("charAt({at})")),
            (0..4, 0..5).prop_map(|(from, to)| format!("substring({from}, {to})")),
            (-1..5).prop_map(|from| format!("substring({from})")),
        ];
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} + {right})")),
            (inner.clone(), one).prop_map(|(text, call)| format!("{text}.{call}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}.replace('a', {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {b}, 'z'].join({b})")),
            inner.clone().prop_map(|a| format!("strings.quote({a})")),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| format!("'%s: %s'.format([[{a}, {b}], {{'k': {a}, 'a': {b}}}])")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} + '%X').format([{b}])")),
            // Concatenated, so that errors occur at evaluation and not at load.
            (inner.clone(), clauses(), value())
                .prop_map(|(a, clause, value)| format!("({a} + '%' + '{clause}').format([dyn({value})])")),
        ]
    })
}

/// A value to be written, of any type.
fn value() -> impl Strategy<Value = String> {
    let doubles =
        vec!["0.0", "-1.5", "0.125", "2.5", "1e300", "5e-324", "123456.789", "0.0 / 0.0", "-1.0 / 0.0"];
    let others =
        vec!["true", "7u", "-9", "null", "b'az'", "'é'", "[1, 2]", "{2: 'b', 10: 'a'}", "duration('90s')"];
    prop_oneof![prop::sample::select(doubles), prop::sample::select(others)].prop_map(str::to_owned)
}

/// A format specifier without its percent sign.
fn clauses() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["s", "d", "f", "e", "b", "o", "x", "X", ".0f", ".2f", ".1e", "q", "."])
}

/// Lists of strings.
pub(crate) fn strings() -> impl Strategy<Value = String> {
    let literal = prop::collection::vec(text(), 0..4).prop_map(|items| format!("[{}]", items.join(", ")));
    prop_oneof![Just("request.tags".to_owned()), literal].prop_recursive(2, 4, 2, |inner| {
        let one = prop_oneof![
            Just("reverse()".to_owned()),
            Just("distinct()".to_owned()),
            Just("sort()".to_owned()),
            Just("sortBy(s, size(s))".to_owned()),
            text().prop_map(|text| format!("sortBy(s, s.replace('a', {text}))")),
            (0..3, 0..3).prop_map(|(from, to)| format!("slice({from}, {to})")),
        ];
        prop_oneof![
            (inner.clone(), text()).prop_map(|(list, text)| format!("{list}.map(m, m + {text})")),
            (inner.clone(), text()).prop_map(|(list, text)| format!("{list}.filter(f, f != {text})")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} + {right})")),
            (inner.clone(), one).prop_map(|(list, call)| format!("{list}.{call}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {b}].flatten()")),
            (inner, text()).prop_map(|(list, key)| format!("{{'a': {list}, 'b': ['q']}}[{key}]")),
            text().prop_map(|text| format!("{text}.split('a')")),
        ]
    })
}

/// Lists of lists.
pub(crate) fn nested() -> impl Strategy<Value = String> {
    let literal = prop::collection::vec(strings(), 0..3).prop_map(|lists| format!("[{}]", lists.join(", ")));
    prop_oneof![literal, strings().prop_map(|list| format!("{list}.map(x, [x, x])"))]
}

pub(crate) fn map() -> impl Strategy<Value = String> {
    let entry = |key: &'static str| integer().prop_map(move |value| format!("'{key}': {value}"));
    let entries = (entry("a"), entry("b"), any::<bool>());
    prop_oneof![
        entries.prop_map(|(a, b, turned)| if turned {
            format!("{{{b}, {a}}}")
        } else {
            format!("{{{a}, {b}}}")
        }),
        (text(), integer()).prop_map(|(key, value)| format!("{{{key}: {value}}}")),
    ]
}

fn boolean() -> impl Strategy<Value = String> {
    let order = || prop_oneof![Just("=="), Just("!="), Just("<"), Just("<="), Just(">"), Just(">=")];
    let equal = || prop_oneof![Just("=="), Just("!=")];
    let search = prop_oneof![Just("startsWith"), Just("endsWith"), Just("contains")];
    let leaf = prop_oneof![
        any::<bool>().prop_map(|value| value.to_string()),
        (integer(), order(), integer()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        (text(), order(), text()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        (text(), search, text()).prop_map(|(a, search, b)| format!("{a}.{search}({b})")),
        (text(), strings()).prop_map(|(text, list)| format!("{text} in {list}")),
        (strings(), equal(), strings()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        (nested(), equal(), nested()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        (strings(), nested()).prop_map(|(a, b)| format!("{a} in {b}")),
        (map(), equal(), map()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        (text(), map()).prop_map(|(key, map)| format!("{key} in {map}")),
        (map(), integer())
            .prop_map(|(map, least)| format!("{map}.exists(k, k != 'b' && {map}[k] > {least})")),
        map().prop_map(|map| format!("has({map}.a)")),
        integer().prop_map(|end| format!("lists.range({end} % 5).exists(n, n == 2)")),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let quantifier = prop_oneof![Just("all"), Just("exists"), Just("exists_one")];
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(c, a, b)| format!("({c} ? {a} : {b})")),
            (strings(), quantifier, text(), inner)
                .prop_map(|(list, q, text, test)| format!("{list}.{q}(e, e == {text} || {test})")),
        ]
    })
}

/// With the extensions both have.
static EVALUATOR: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::stdlib();
    for extension in [extensions::strings, extensions::lists, extensions::math] {
        env.add_extension(extension).expect("extension");
    }
    Arc::new(env)
});

/// `None` for an error of any kind.
fn theirs(expression: &str) -> Option<bool> {
    let mut context = Context::with_env(EVALUATOR.clone());
    let strings = |items: &[&str]| items.iter().map(|item| Value::from(*item)).collect::<Vec<Value>>();
    let request: std::collections::HashMap<String, Value> = [
        ("namespace".to_owned(), Value::from("prod/app")),
        ("n".to_owned(), Value::Int(100)),
        ("tags".to_owned(), Value::from(strings(&["v1", "latest"]))),
    ]
    .into();
    context.add_variable_from_value("request", request);
    match EVALUATOR.compile(expression).expect("both parse").execute(&context) {
        Ok(Value::Bool(value)) => Some(value),
        Ok(other) => panic!("not boolean: {other:?}"),
        Err(_) => None,
    }
}

/// `None` for an error of any kind, at load or later; messages about types are not compared.
fn ours(expression: &str) -> Option<bool> {
    let rules = [RuleSource::from(expression)];
    let policy = Policy::compile(&environment(), DefaultDecision::Deny, &rules).ok()?;
    match policy.decide(&caller(None, None), &full()).reason {
        Reason::Rule(_) => Some(true),
        Reason::Default => Some(false),
        Reason::Undecidable { .. } => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn both_evaluators_agree(expression in boolean()) {
        prop_assume!(!is_too_large(&expression));
        prop_assert_eq!(ours(&expression), theirs(&expression), "{}", expression);
    }
}

/// Whether it exceeds a size or cost limit of ours; the other evaluator has none.
fn is_too_large(expression: &str) -> bool {
    let rules = [RuleSource::from(expression)];
    match Policy::compile(&environment(), DefaultDecision::Deny, &rules) {
        Err(errors) => errors.iter().any(|error| {
            let words = error.to_string();
            ["split the rule", "are read", "levels deep"].iter().any(|bound| words.contains(bound))
        }),
        Ok(policy) => match policy.decide(&caller(None, None), &full()).reason {
            Reason::Undecidable { cause, .. } => {
                matches!(cause, Undecidable::Cost | Undecidable::TextTooLong | Undecidable::ListTooLong)
            }
            _ => false,
        },
    }
}

/// Where the two differ: the expression, ours, theirs (`None` is an error), and why ours is as it is.
const EXPLAINED: &[(&str, Option<bool>, Option<bool>, &str)] = &[
    ("request.tags.contains('v1')", Some(true), None, "lists have `contains` here: the seed pages use it"),
    ("[1, 2].contains(2)", Some(true), None, "the same"),
    ("'a' == 1", None, Some(false), "types are checked; behind `dyn` or with `mixed_types` it is false"),
    ("[1, 'a'].size() == 2", None, Some(true), "elements are of one type unless `dyn` says otherwise"),
    ("true || 1", None, Some(true), "each side must be a bool"),
];

#[test]
fn known_differences_from_the_other_evaluator() {
    for (expression, we, they, why) in EXPLAINED {
        assert_eq!(ours(expression), *we, "{expression}: {why}");
        assert_eq!(theirs(expression), *they, "{expression}: {why}");
    }
}
