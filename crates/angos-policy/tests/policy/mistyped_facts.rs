//! A fact outside its declared type never allows a request: every rule that reads it is undecidable.

use angos_identity::Identity;
use angos_policy::{
    Decision, DefaultDecision, Environment, Facts, List, Map, Mapping, Policy, Reason, RuleSource, Sequence,
    Type, Undecidable, Value,
};

const KINDS: &[&str] = &["build", "deploy"];

/// The facts of one job, by index of declaration.
struct Job([Value<'static>; 5]);

impl Facts for Job {
    fn fact(&self, index: usize) -> Value<'_> {
        self.0.get(index).copied().unwrap_or(Value::Absent)
    }
}

/// A list of strings, and a map of them to themselves, in a form of their own.
#[derive(Debug)]
struct Held(&'static [&'static str]);

impl Sequence for Held {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn element(&self, index: usize) -> Value<'_> {
        self.0.get(index).map_or(Value::Absent, |text| Value::String(text))
    }
}

impl Mapping for Held {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn entry(&self, index: usize) -> (Value<'_>, Value<'_>) {
        (self.element(index), self.element(index))
    }
}

fn decide(default: DefaultDecision, rule: &str, facts: [Value<'static>; 5]) -> Decision {
    let environment = Environment::builder()
        .variable("job.kind", Type::Enum(KINDS))
        .variable("job.kinds", Type::List(&Type::Enum(KINDS)))
        .variable("job.labels", Type::Map(&Type::String, &Type::Enum(KINDS)))
        .variable("job.ports", Type::List(&Type::Int))
        .nullary("kind", Type::Enum(KINDS))
        .build()
        .expect("environment");
    let policy = Policy::compile(&environment, default, &[RuleSource::from(rule)]).expect(rule);
    policy.decide(&Identity::new([192, 0, 2, 1].into(), None, None), &Job(facts))
}

/// Facts that are as declared, and those that are not, in the same place.
fn facts(good: bool) -> [Value<'static>; 5] {
    const GOOD: &Held = &Held(&["build", "build"]);
    const ODD: &Held = &Held(&["build", "delete"]);
    let word = Value::String(if good { "build" } else { "delete" });
    let held = if good { GOOD } else { ODD };
    let labels = Value::Map(Map::new(held));
    // A list of strings where integers were declared.
    let ports = if good { Value::Absent } else { Value::List(List::new(GOOD)) };
    [word, Value::List(List::new(held)), labels, ports, word]
}

/// Each rule has a value of good facts; the same rule of odd ones has none, and the answer is no in both modes.
#[test]
fn a_mistyped_fact_denies() {
    for (rule, cause) in [
        ("job.kind == 'deploy'", Undecidable::UnknownEnumValue),
        ("job.kind != 'deploy'", Undecidable::UnknownEnumValue),
        ("!(job.kind == 'deploy')", Undecidable::UnknownEnumValue),
        ("job.kind in ['deploy', 'build']", Undecidable::UnknownEnumValue),
        ("!(job.kind in ['deploy'])", Undecidable::UnknownEnumValue),
        ("job.kind.startsWith('dep')", Undecidable::UnknownEnumValue),
        ("!job.kind.matches('dep')", Undecidable::UnknownEnumValue),
        ("job.kind == null", Undecidable::UnknownEnumValue),
        ("has(job.kind)", Undecidable::UnknownEnumValue),
        ("!has(job.kind)", Undecidable::UnknownEnumValue),
        ("job.?kind.orValue('build') == 'deploy'", Undecidable::UnknownEnumValue),
        ("dyn(job.kind) == 'deploy'", Undecidable::UnknownEnumValue),
        ("job.kind + 's' == 'deploys'", Undecidable::UnknownEnumValue),
        ("kind() != 'deploy'", Undecidable::UnknownEnumValue),
        ("'deploy' in job.kinds", Undecidable::UnknownEnumValue),
        ("job.kinds.exists(kind, kind == 'deploy')", Undecidable::UnknownEnumValue),
        ("job.kinds.all(kind, kind != 'deploy')", Undecidable::UnknownEnumValue),
        ("job.kinds[0] == 'build'", Undecidable::UnknownEnumValue),
        ("size(job.kinds) == 2", Undecidable::UnknownEnumValue),
        ("job.labels.build == 'build'", Undecidable::UnknownEnumValue),
        ("has(job.labels)", Undecidable::UnknownEnumValue),
        ("22 in job.ports", Undecidable::Mistyped),
        ("!job.ports.exists(port, port == 22)", Undecidable::Mistyped),
    ] {
        for default in [DefaultDecision::Deny, DefaultDecision::Allow] {
            let good = decide(default, rule, facts(true));
            assert!(!matches!(good.reason, Reason::Undecidable { .. }), "{rule}: {good:?}");
            let odd = decide(default, rule, facts(false));
            assert!(!odd.allowed, "{rule}, {default:?}");
            let told = matches!(odd.reason, Reason::Undecidable { cause: told, .. } if told == cause);
            assert!(told, "{rule}: {odd:?}");
        }
    }
}

#[test]
fn an_empty_enum_value_is_unknown_and_an_absent_one_is_not() {
    let with = |word| [word, Value::Absent, Value::Absent, Value::Absent, word];
    for (word, rule, expected) in [
        (Value::Absent, "job.kind == null && !has(job.kind) && kind() == ''", Reason::Rule(0)),
        (Value::Absent, "job.kind == 'deploy' || kind() == 'build'", Reason::Default),
        (
            Value::String(""),
            "job.kind == null",
            Reason::Undecidable { rule: 0, cause: Undecidable::UnknownEnumValue, offset: 0 },
        ),
        (
            Value::Int(1),
            "has(job.kind)",
            Reason::Undecidable { rule: 0, cause: Undecidable::Mistyped, offset: 4 },
        ),
    ] {
        assert_eq!(decide(DefaultDecision::Deny, rule, with(word)).reason, expected, "{rule}");
    }
}
