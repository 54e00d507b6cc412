//! Nanoseconds per decision and per compiled rule, beside the `cel` evaluator on the same rules:
//! `cargo bench -p angos-policy`.
#![allow(clippy::expect_used, reason = "a benchmark that cannot be set up must stop")]

use angos_identity::{Certificate, Identity};
use angos_policy::{DefaultDecision, Environment, Facts, Policy, RuleSource, Type, Value};
use angos_test_ca::{Authority, Leaf};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

const REFERENCE: &[&str] = &[
    "identity.certificate.organizations.contains('Infrastructure')",
    "'build-server' in identity.certificate.common_names",
    "identity.username == 'admin'",
];

struct Request;

impl Facts for Request {
    fn fact(&self, _index: usize) -> Value<'_> {
        Value::String("get-manifest")
    }
}

fn main() {
    let environment =
        Environment::builder().variable("request.action", Type::String).build().expect("environment");
    let leaf = Leaf::client("laptop").organization("Sales").organization("Support");
    let issued = Authority::new("Angos Test CA").issue(&leaf);
    let certificate = Certificate::from_der(&issued.certificate_der).expect("certificate");
    let caller = Identity::new("10.1.2.3".parse().expect("address"), Some(Arc::new(certificate)), None);
    let reference: Vec<RuleSource> = REFERENCE.iter().copied().map(RuleSource::from).collect();
    let hundred: Vec<RuleSource> = reference.iter().cycle().take(100).cloned().collect();
    let single = |rule: &str| vec![RuleSource::from(rule)];
    for (what, rules) in [
        ("reference policy, 3 rules, none true", &reference),
        ("100 rules, none true", &hundred),
        ("exists over 2 names", &single("identity.certificate.organizations.exists(o, o.startsWith('x'))")),
        ("network of the caller", &single("cidr('192.168.0.0/16').containsIP(identity.client_ip)")),
        ("pattern", &single("request.action.matches('^(put|delete)-[a-z]+$')")),
        ("built string", &single("request.action + '/' == identity.client_ip")),
    ] {
        let policy = Policy::compile(&environment, DefaultDecision::Deny, rules).expect("rules");
        let taken = time(|| black_box(policy.decide(black_box(&caller), &Request)).allowed);
        report(what, "decision", taken);
    }
    let taken = time(|| Policy::compile(&environment, DefaultDecision::Deny, &hundred).is_ok());
    report("compiling 100 rules", "rule", taken / 100.0);
    report("cel's evaluator, 3 rules, context as usual", "decision", interpreter(&caller));
}

/// The same decision as an interpreter over a context filled per request makes it.
fn interpreter(caller: &Identity) -> f64 {
    use cel_parser::{Context, Program};
    use std::collections::HashMap;
    // Its lists have no `contains`.
    let rules =
        ["'Infrastructure' in organizations", "'build-server' in common_names", "username == 'admin'"];
    let programs: Vec<Program> = rules.iter().map(|rule| Program::compile(rule).expect("rule")).collect();
    let none: HashMap<String, String> = HashMap::new();
    time(|| {
        let mut context = Context::default();
        if let Some(certificate) = caller.certificate() {
            context.add_variable_from_value("organizations", certificate.organizations().to_vec());
            context.add_variable_from_value("common_names", certificate.common_names().to_vec());
        }
        context.add_variable_from_value("username", caller.username().unwrap_or("").to_owned());
        context.add_variable_from_value("request", none.clone());
        programs.iter().any(|program| program.execute(&context) == Ok(true.into()))
    })
}

/// Nanoseconds per call: the best of seven rounds.
#[allow(clippy::cast_precision_loss, reason = "a measurement")]
fn time(mut run: impl FnMut() -> bool) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..7 {
        let (begun, mut calls) = (Instant::now(), 0_u64);
        while begun.elapsed() < Duration::from_millis(60) {
            for _ in 0..16 {
                black_box(run());
            }
            calls += 16;
        }
        best = best.min(begun.elapsed().as_nanos() as f64 / calls as f64);
    }
    best
}

#[allow(clippy::print_stdout, reason = "a benchmark prints its result")]
fn report(what: &str, unit: &str, nanoseconds: f64) {
    println!("{what:45} {nanoseconds:10.1} ns per {unit}");
}
