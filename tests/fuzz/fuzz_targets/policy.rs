//! Any rule is compiled or refused in bounded time, and a compiled one is decided; an undecidable one never allows.
#![no_main]

use std::net::IpAddr;
use std::sync::LazyLock;

use angos_identity::Identity;
use angos_policy::{
    DefaultDecision, Environment, Facts, Policy, Reason, RuleSource, Type, Undecidable, Value,
};
use libfuzzer_sys::fuzz_target;

static ENVIRONMENT: LazyLock<Environment> = LazyLock::new(|| {
    Environment::builder()
        .variable("request.action", Type::Word(&["get-blob", "put-manifest"]))
        .variable("request.namespace", Type::String)
        .variable("request.tags", Type::StringList)
        .variable("request.n", Type::Int)
        .variable("request.time", Type::Timestamp)
        .nullary("has_repository_policy", Type::Bool)
        .function("either", &[Type::String, Type::String], Type::String, |arguments| {
            let longest = arguments.iter().max_by_key(|argument| match argument {
                Value::String(text) => text.len(),
                _ => 0,
            });
            longest.copied().ok_or(Undecidable::Function)
        })
        .alias("request.repository", "request.namespace")
        .build()
        .unwrap()
});

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
            5 => Value::Bool(true),
            _ => Value::Absent,
        }
    }
}

/// A request that knows nothing.
struct Nothing;

impl Facts for Nothing {
    fn fact(&self, _: usize) -> Value<'_> {
        Value::Absent
    }
}

fuzz_target!(|rule: &str| {
    let rules = [RuleSource::from(rule)];
    let identity = Identity::new(IpAddr::from([127, 0, 0, 1]), None, None);
    let request = Request(["v1".to_owned(), "latest".to_owned()]);
    let facts: [&dyn Facts; 2] = [&request, &Nothing];
    match Policy::compile(&ENVIRONMENT, DefaultDecision::Deny, &rules) {
        Ok(deny) => {
            let allow = Policy::compile(&ENVIRONMENT, DefaultDecision::Allow, &rules).unwrap();
            for facts in facts {
                let (deny, allow) = (deny.decide(&identity, facts), allow.decide(&identity, facts));
                assert_eq!(deny.reason, allow.reason, "the default changes the answer, not the reason");
                let expected = match deny.reason {
                    Reason::Rule(0) => (true, false),
                    Reason::Default => (false, true),
                    _ => (false, false),
                };
                assert_eq!((deny.allowed, allow.allowed), expected);
            }
        }
        Err(errors) => {
            assert_eq!(errors.len(), 1);
            let text = errors[0].to_string();
            assert!(!text.contains("please report"), "{text}");
        }
    }
});
