//! Generated expressions, decided here and by the evaluator of the crate whose parser we use.
//!
//! Only what both promise alike is generated: no absent values, no lists' `contains`, no `matches`, and no
//! empty list literals, whose elements have no type here.

use crate::callers::{caller, environment, full};
use angos_policy::{DefaultDecision, Policy, Reason, RuleSource};
use cel_parser::{Context, Program, Value};
use proptest::prelude::*;

fn integer() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (-4_i64..5).prop_map(|value| value.to_string()),
        Just("9223372036854775807".to_owned()),
        Just("request.n".to_owned()),
        Just("size(request.tags)".to_owned()),
        text().prop_map(|text| format!("size({text})")),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        let operator = prop_oneof![Just("+"), Just("-"), Just("*"), Just("/"), Just("%")];
        prop_oneof![
            (inner.clone(), operator, inner.clone()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            inner.prop_map(|a| format!("-({a})")),
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
        (inner.clone(), inner).prop_map(|(left, right)| format!("({left} + {right})"))
    })
}

fn strings() -> impl Strategy<Value = String> {
    let literal = prop::collection::vec(text(), 1..4).prop_map(|items| format!("[{}]", items.join(", ")));
    prop_oneof![Just("request.tags".to_owned()), literal].prop_recursive(2, 4, 2, |inner| {
        prop_oneof![
            (inner.clone(), text()).prop_map(|(list, text)| format!("{list}.map(m, m + {text})")),
            (inner.clone(), text()).prop_map(|(list, text)| format!("{list}.filter(f, f != {text})")),
            (inner.clone(), inner).prop_map(|(left, right)| format!("({left} + {right})")),
        ]
    })
}

fn boolean() -> impl Strategy<Value = String> {
    let order = || prop_oneof![Just("=="), Just("!="), Just("<"), Just("<="), Just(">"), Just(">=")];
    let search = prop_oneof![Just("startsWith"), Just("endsWith"), Just("contains")];
    let leaf = prop_oneof![
        any::<bool>().prop_map(|value| value.to_string()),
        (integer(), order(), integer()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        (text(), order(), text()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        (text(), search, text()).prop_map(|(a, search, b)| format!("{a}.{search}({b})")),
        (text(), strings()).prop_map(|(text, list)| format!("{text} in {list}")),
        (strings(), strings()).prop_map(|(a, b)| format!("{a} == {b}")),
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

/// `None` for an error of any kind.
fn theirs(expression: &str) -> Option<bool> {
    let mut context = Context::default();
    let strings = |items: &[&str]| items.iter().map(|item| Value::from(*item)).collect::<Vec<Value>>();
    let request: std::collections::HashMap<String, Value> = [
        ("namespace".to_owned(), Value::from("prod/app")),
        ("n".to_owned(), Value::Int(100)),
        ("tags".to_owned(), Value::from(strings(&["v1", "latest"]))),
    ]
    .into();
    context.add_variable_from_value("request", request);
    match Program::compile(expression).expect("both parse").execute(&context) {
        Ok(Value::Bool(value)) => Some(value),
        Ok(other) => panic!("not boolean: {other:?}"),
        Err(_) => None,
    }
}

fn ours(expression: &str) -> Option<bool> {
    let rules = [RuleSource::from(expression)];
    let policy = Policy::compile(&environment(), DefaultDecision::Deny, &rules)
        .unwrap_or_else(|errors| panic!("{}", errors[0]));
    match policy.decide(&caller(None, None), &full()).reason {
        Reason::Rule(_) => Some(true),
        Reason::Default => Some(false),
        Reason::Undecidable { .. } => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn both_evaluators_agree(expression in boolean()) {
        prop_assert_eq!(ours(&expression), theirs(&expression), "{}", expression);
    }
}
