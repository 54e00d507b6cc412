//! A list or a map behaves the same in every storage: iterated as written, built as a whole, bound to a
//! name, taken out of another one, or behind `dyn`.

use crate::differential::{map, nested, strings};
use crate::fixtures::{caller, environment, full};
use angos_policy::{Expression, Undecidable};
use proptest::prelude::*;

/// The value of an expression as text, or why it has none.
fn evaluate(source: &str) -> Result<String, Undecidable> {
    let expression = Expression::compile(&environment(), source).unwrap_or_else(|error| panic!("{error}"));
    expression.evaluate(&caller(None, None), &full(), |value| value.map(|value| format!("{value:?}")))
}

/// Compiles when a part of an expression is not invalid itself: a duplicate constant key, for example.
fn compiles(source: &str) -> bool {
    Expression::compile(&environment(), source).is_ok()
}

/// Other ways to hold a list.
const LISTS: &[&str] = &[
    "LIST.map(e, e)",
    "LIST.filter(e, true)",
    "LIST.transformList(i, e, e)",
    "(LIST + [])",
    "([] + LIST)",
    "(true ? LIST : [])",
    "cel.bind(v, LIST, v)",
    "cel.bind(v, LIST, v.map(e, e))",
    "dyn(LIST)",
    "dyn(LIST).map(e, e)",
    "[LIST][0]",
    "[[], LIST, []].filter(e, e != [])[0]",
    "[1, 2].map(n, LIST)[1]",
    "{'a': [], 'k': LIST}['k']",
    "[[LIST]].map(e, e[0])[0]",
    "LIST.reverse().reverse()",
    "LIST.slice(0, size(LIST))",
    "LIST.transformMap(i, e, e).transformList(i, e, e)",
    "['x'].map(x, cel.bind(y, x + 'y', [y, LIST.size() > -1 ? 'z' : y])).map(p, LIST)[0]",
];

/// Other ways to hold a map.
const MAPS: &[&str] = &[
    "MAP.transformMap(k, v, v)",
    "cel.bind(m, MAP, m)",
    "dyn(MAP)",
    "[MAP][0]",
    "{'k': MAP}.k",
    "[1, 2].map(n, MAP)[1]",
    "(true ? MAP : {})",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_storage_of_a_list_gives_the_same_values(list in prop_oneof![strings(), nested()]) {
        let plain = evaluate(&list);
        for held in LISTS {
            // An empty list leaves `filter(e, e != [])` nothing to find.
            let missed = plain.as_deref() == Ok("List([])") && held.contains("!= []");
            let source = held.replace("LIST", &list);
            if !missed && compiles(&source) {
                prop_assert_eq!(static_type(&evaluate(&source)), static_type(&plain), "{} as {}", &list, held);
            }
        }
        let same = format!("{list} == {list}");
        if plain.is_ok() {
            prop_assert_eq!(evaluate(&same), Ok("Bool(true)".to_owned()), "{}", same);
        }
    }

    #[test]
    fn every_storage_of_a_map_gives_the_same_values(map in map()) {
        prop_assume!(compiles(&map));
        let plain = evaluate(&map);
        for held in MAPS {
            let source = held.replace("MAP", &map);
            if compiles(&source) {
                prop_assert_eq!(evaluate(&source), plain.clone(), "{} as {}", &map, held);
            }
        }
    }
}

/// A list handed in as strings prints otherwise than one that is built; what fails first may depend on the form.
fn static_type(outcome: &Result<String, Undecidable>) -> Option<String> {
    outcome
        .as_ref()
        .ok()
        .map(|text| text.replace("Strings(", "List(").replace("String(", "").replace(')', ""))
}
