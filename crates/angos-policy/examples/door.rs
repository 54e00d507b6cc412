//! A service that is not a registry: who may open which door of a building, and when, and why not.

use angos_identity::{Credential, Identity};
use angos_policy::{DefaultDecision, Environment, Facts, Policy, RuleSource, Type, Undecidable, Value};
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
    let [Value::String(door)] = arguments else { return Err(Undecidable::Function) };
    Ok(Value::Int(if *door == "archive" { -1 } else { 0 }))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let environment = Environment::builder()
        .variable("door.name", Type::Enum(DOORS))
        .variable("door.time", Type::Timestamp)
        .function("floor", &[Type::Enum(DOORS)], Type::Int, floor)
        .build()?;
    let rules = [
        "door.name == 'front' && door.time.getHours('Europe/Paris') >= 8",
        "identity.username in ['ada', 'grace'] && floor(door.name) == 0",
        "identity.certificate.organizations.contains('Archivists')",
    ]
    .map(RuleSource::from);
    let policy = Policy::compile(&environment, DefaultDecision::Deny, &rules)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<String>())?;
    let ada = Arc::new(Credential { id: "badge-7".into(), username: "ada".into() });
    let caller = Identity::new([192, 0, 2, 1].into(), None, Some(ada));
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    for door in DOORS {
        let attempt = Attempt { door, now };
        if policy.decide(&caller, &attempt).allowed {
            writeln!(io::stdout(), "{door} opens")?;
        } else {
            writeln!(io::stdout(), "{door} stays shut; {}", policy.explain(&caller, &attempt))?;
        }
    }
    Ok(())
}
