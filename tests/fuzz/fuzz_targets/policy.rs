//! Any rule is compiled or refused in bounded time, and a compiled one is decided; an undecidable one never
//! allows. Any expression has a value that can be looked at to its end, or a reason why not.
#![no_main]

use std::net::IpAddr;
use std::sync::LazyLock;

use angos_identity::Identity;
use angos_policy::{
    DefaultDecision, Environment, EnvironmentBuilder, Expression, Facts, List, Map, Mapping, NoFacts,
    Policy, Reason, RuleSource, Sequence, Type, Undecidable, Value,
};
use libfuzzer_sys::fuzz_target;

fn environment() -> EnvironmentBuilder {
    Environment::builder()
        .variable("request.action", Type::Enum(&["get-blob", "put-manifest"]))
        .variable("request.namespace", Type::String)
        .variable("request.tags", Type::StringList)
        .variable("request.n", Type::Int)
        .variable("request.time", Type::Timestamp)
        .variable("claims", Type::Map(&Type::String, &Type::Dyn))
        .variable("d", Type::Dyn)
        .variable("l", Type::List(&Type::List(&Type::Int)))
        .nullary("has_repository_policy", Type::Bool)
        .function("either", &[Type::String, Type::String], Type::String, |arguments| {
            let longest = arguments.iter().max_by_key(|argument| match argument {
                Value::String(text) => text.len(),
                _ => 0,
            });
            longest.copied().ok_or(Undecidable::Function)
        })
        .function("count", &[Type::Dyn], Type::Int, |arguments| match arguments {
            [Value::List(list)] => Ok(Value::Int(list.iter().count() as i64)),
            [Value::Map(map)] => Ok(Value::Int(map.iter().count() as i64)),
            _ => Ok(Value::Absent),
        })
        .alias("request.repository", "request.namespace")
}

static STRICT: LazyLock<Environment> = LazyLock::new(|| environment().build().unwrap());
static MIXED: LazyLock<Environment> = LazyLock::new(|| environment().mixed_types().build().unwrap());

/// A list of lists of which one has the wrong type, and a map of everything, both of the service's own.
#[derive(Debug)]
struct Own;

impl Sequence for Own {
    fn len(&self) -> usize {
        3
    }

    fn element(&self, index: usize) -> Value<'_> {
        [Value::Strings(&[]), Value::List(List::new(&Numbers)), Value::Int(1)][index]
    }
}

#[derive(Debug)]
struct Numbers;

impl Sequence for Numbers {
    fn len(&self) -> usize {
        40
    }

    fn element(&self, index: usize) -> Value<'_> {
        Value::Int(index as i64)
    }
}

impl Mapping for Own {
    fn len(&self) -> usize {
        6
    }

    fn entry(&self, index: usize) -> (Value<'_>, Value<'_>) {
        [
            (Value::String("roles"), Value::List(List::new(&Own))),
            (Value::String("a"), Value::Map(Map::new(&Leaf))),
            (Value::Int(1), Value::Null),
            (Value::Bool(true), Value::Double(f64::NAN)),
            (Value::String("b"), Value::Bytes(b"\xff\0")),
            (Value::String("self"), Value::Map(Map::new(&Endless))),
        ][index]
    }
}

#[derive(Debug)]
struct Leaf;

impl Mapping for Leaf {
    fn len(&self) -> usize {
        1
    }

    fn entry(&self, _: usize) -> (Value<'_>, Value<'_>) {
        (Value::String("x"), Value::Uint(7))
    }
}

/// Holds itself.
#[derive(Debug)]
struct Endless;

impl Mapping for Endless {
    fn len(&self) -> usize {
        1
    }

    fn entry(&self, _: usize) -> (Value<'_>, Value<'_>) {
        (Value::String("self"), Value::Map(Map::new(self)))
    }
}

/// A request that knows everything.
struct Request([String; 2]);

impl Facts for Request {
    fn fact(&self, index: usize) -> Value<'_> {
        match index {
            0 => Value::String("get-blob"),
            1 => Value::String("library/alpine"),
            2 => Value::Strings(&self.0),
            3 => Value::Int(7),
            4 => Value::Timestamp(1_700_000_000, 5),
            5 | 6 => Value::Map(Map::new(&Own)),
            7 => Value::List(List::new(&Own)),
            8 => Value::Bool(true),
            _ => Value::Absent,
        }
    }
}

/// Looks at a value to its end, or as deep as nobody writes.
fn look(value: Value<'_>, depth: usize) -> usize {
    if depth > 70 {
        return 0;
    }
    match value {
        Value::List(list) => {
            let elements: Vec<_> = list.iter().collect();
            assert_eq!(elements.len(), list.len(), "a list as long as it says");
            elements.into_iter().map(|element| look(element, depth + 1)).sum()
        }
        Value::Map(map) => {
            let entries: Vec<_> = map.iter().collect();
            assert_eq!(entries.len(), map.len(), "a map as large as it says");
            entries.into_iter().map(|(key, value)| look(key, depth + 1) + look(value, depth + 1)).sum()
        }
        Value::String(text) => text.chars().count(),
        _ => 1,
    }
}

fuzz_target!(|rule: &str| {
    let identity = Identity::new(IpAddr::from([127, 0, 0, 1]), None, None);
    let request = Request(["v1".to_owned(), "latest".to_owned()]);
    let facts: [&dyn Facts; 2] = [&request, &NoFacts];
    // What is a mistake where types may mix is one where they may not.
    let Ok(expression) = Expression::compile(&MIXED, rule) else {
        let errors = Policy::compile(&STRICT, DefaultDecision::Deny, &[RuleSource::from(rule)]).unwrap_err();
        assert_eq!(errors.len(), 1);
        let text = errors[0].to_string();
        assert!(!text.contains("please report"), "{text}");
        return;
    };
    for facts in facts {
        expression.evaluate(&identity, facts, |value| value.map(|value| look(value, 0)).is_ok());
    }
    let rules = [RuleSource::from(rule)];
    let Ok(deny) = Policy::compile(&STRICT, DefaultDecision::Deny, &rules) else { return };
    let allow = Policy::compile(&STRICT, DefaultDecision::Allow, &rules).unwrap();
    for facts in facts {
        let (deny, allow) = (deny.decide(&identity, facts), allow.decide(&identity, facts));
        assert_eq!(deny.reason, allow.reason, "the default changes the answer, not the reason");
        let expected = match deny.reason {
            Reason::Rule(0) => (true, false),
            Reason::Default => (false, true),
            _ => (false, false),
        };
        assert_eq!((deny.allowed, allow.allowed), expected);
        // The rule and the expression are evaluated by one evaluator.
        expression.evaluate(&identity, facts, |value| match (deny.reason, value) {
            (Reason::Rule(_), Ok(Value::Bool(true))) | (Reason::Default, Ok(Value::Bool(false))) => {}
            (Reason::Undecidable { .. }, Err(_) | Ok(Value::Absent)) => {}
            (Reason::Undecidable { .. }, Ok(value)) => assert!(!matches!(value, Value::Bool(_)), "{value:?}"),
            other => panic!("{other:?}"),
        });
    }
});
