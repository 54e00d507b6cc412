//! A service that is not a registry: who may open which door of a building, and when.

use angos_identity::{Credential, Identity};
use angos_policy::{DefaultDecision, Environment, Facts, Policy, RuleSource, Type, Undecidable, Value};
use std::error::Error;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

const DOORS: &[&str] = &["front", "workshop", "archive"];

/// One attempt to open a door: the facts, in the order of their declaration.
struct Attempt<'a> {
    door: &'a str,
    now: i64,
}

impl Facts for Attempt<'_> {
    fn fact(&self, index: usize) -> Value<'_> {
        match index {
            0 => Value::String(self.door),
            1 => Value::Timestamp(self.now, 0),
            _ => Value::Absent,
        }
    }
}

/// What the rules call `floor(…)`.
fn floor<'v>(arguments: &[Value<'v>]) -> Result<Value<'v>, Undecidable> {
    match arguments {
        [Value::String("archive")] => Ok(Value::Int(-1)),
        [Value::String(_)] => Ok(Value::Int(0)),
        _ => Err(Undecidable::Function),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let environment = Environment::builder()
        .variable("door.name", Type::Word(DOORS))
        .variable("door.time", Type::Timestamp)
        .function("floor", &[Type::Word(DOORS)], Type::Int, floor)
        .build()?;
    let rules = [
        "door.name == 'front' && door.time.getHours('+01:00') >= 8",
        "identity.username in ['ada', 'grace'] && door.name != 'archive'",
        "identity.method != 'anonymous' && floor(door.name) < 0",
        "identity.certificate.organizations.contains('Archivists')",
    ]
    .map(RuleSource::from);
    let mut out = io::stdout();
    let policy = match Policy::compile(&environment, DefaultDecision::Deny, &rules) {
        Ok(policy) => policy,
        Err(errors) => return errors.iter().try_for_each(|error| Ok(writeln!(out, "{error}")?)),
    };
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    let ada = Some(Arc::new(Credential { id: "badge-7".into(), username: "ada".into() }));
    for caller in [None, ada].map(|credential| Identity::new([192, 0, 2, 1].into(), None, credential)) {
        for door in DOORS {
            let decision = policy.decide(&caller, &Attempt { door, now });
            let answer = if decision.allowed { "opens" } else { "stays shut" };
            let (who, why) = (caller.username().unwrap_or("nobody"), policy.describe(decision.reason));
            writeln!(out, "{door} {answer} for {who}: {why}")?;
        }
    }
    Ok(())
}
