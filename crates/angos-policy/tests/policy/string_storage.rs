//! A string behaves the same in every storage: a literal, a fact, or built by the rule itself,
//! also as the element of a loop whose body builds more.

use angos_identity::Identity;
use angos_policy::{Environment, Expression, Facts, Type, Undecidable, Value};
use proptest::prelude::*;

struct Handed(String);

impl Facts for Handed {
    fn fact(&self, _: usize) -> Value<'_> {
        Value::String(&self.0)
    }
}

/// The value of an expression about the string `s`, as text, or why it has none.
fn evaluate(source: &str, s: &str) -> Result<String, Undecidable> {
    let environment = Environment::builder().variable("s", Type::String).build().expect("environment");
    let expression = Expression::compile(&environment, source).expect(source);
    let caller = Identity::new([192, 0, 2, 1].into(), None, None);
    expression.evaluate(&caller, &Handed(s.to_owned()), |value| value.map(|value| format!("{value:?}")))
}

fn shown(text: &str) -> String {
    format!("{:?}", Value::String(text))
}

fn text() -> impl Strategy<Value = String> {
    "[abé, ]{0,6}"
}

/// Expressions with a placeholder `S`.
fn about() -> impl Strategy<Value = String> {
    let part = || text().prop_map(|text| format!("'{text}'"));
    let piece = prop_oneof![
        Just("S".to_owned()),
        Just("S.trim()".to_owned()),
        Just("S.upperAscii()".to_owned()),
        part(),
        (-1..7).prop_map(|at| format!("S.charAt({at})")),
        (0..4, 0..7).prop_map(|(from, to)| format!("S.substring({from}, {to})")),
        (part(), part(), -1..3).prop_map(|(old, new, most)| format!("S.replace({old}, {new}, {most})")),
        (part(), -1..4, 0..3).prop_map(|(by, most, at)| format!("S.split({by}, {most})[{at}]")),
        (part(), -1..4).prop_map(|(part, from)| format!("string(S.indexOf({part}, {from}))")),
        (part(), 0..4).prop_map(|(part, from)| format!("string(S.lastIndexOf({part}, {from}))")),
        part().prop_map(|part| format!("'<%s|%X|%s>'.format([S, {part} + S, [S, {part}]])")),
        part().prop_map(|part| format!("(S + '%s%%').format([{part} + S])")),
    ];
    piece.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} + {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}.replace({b}, S)")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {b}].map(x, {b} + x + S)[1]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} < {b} ? {b} : {a} + S)")),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| format!("'%s%s%s'.format([{a}, {{{b}: {a}}}, {b}])")),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| format!("'%s/%s'.format([{a}, {b}].map(f, f + S))")),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| format!("[{a}, {b}, S].sortBy(k, k.upperAscii() + S)[0]")),
            inner.prop_map(|a| format!("{a}.split('a').map(p, p.upperAscii() + p)[0]")),
        ]
    })
}

proptest! {
    #[test]
    fn every_storage_of_a_string_gives_the_same_values(s in text(), about in about()) {
        let handed = evaluate(&about.replace('S', "s"), &s);
        let written = evaluate(&about.replace('S', &format!("'{s}'")), &s);
        prop_assert_eq!(&handed, &written, "{} with {:?}", &about, &s);
        let built = evaluate(&about.replace('S', "('' + s)"), &s);
        prop_assert_eq!(&handed, &built, "{} with {:?} built", &about, &s);
        let element = evaluate(&format!("['' + s, 'z' + s].map(e, {})[0]", about.replace('S', "e")), &s);
        // A list with an error in it is an error, so only what both elements have can be compared.
        if let (Ok(handed), Ok(element)) = (&handed, &element) {
            prop_assert_eq!(handed, element, "{} with {:?} as an element", &about, &s);
        }
    }

    #[test]
    fn parts_are_counted_in_characters(s in text(), part in text(), from in 0_usize..7, to in 0_usize..7) {
        let chars: Vec<char> = s.chars().collect();
        let slice = chars.get(from..to).map(|chars| shown(&chars.iter().collect::<String>()));
        let actual = evaluate(&format!("s.substring({from}, {to})"), &s).ok();
        prop_assert_eq!(actual, slice);
        let wanted: Vec<char> = part.chars().collect();
        let at = |at: &usize| chars.get(*at..).is_some_and(|rest| rest.starts_with(&wanted));
        let found = |place: Option<usize>| Some(format!("Int({})", place.map_or(-1, |at| i64::try_from(at).expect("place"))));
        if !part.is_empty() {
            let within = |place| if from < chars.len() { found(place) } else { None };
            let first = (from..chars.len()).find(at);
            prop_assert_eq!(evaluate(&format!("s.indexOf('{part}', {from})"), &s).ok(), within(first));
            let last = (0..=from).rev().find(at);
            prop_assert_eq!(evaluate(&format!("s.lastIndexOf('{part}', {from})"), &s).ok(), within(last));
        }
        let replaced = shown(&s.replace(&part, "-+"));
        prop_assert_eq!(evaluate(&format!("s.replace('{part}', '-+')"), &s), Ok(replaced));
    }
}
