//! Nanoseconds per decision and per compiled rule, beside two other evaluators of CEL on the same rules, and
//! how long each kind of broken rule takes to refuse. `cargo bench -p angos-policy` also counts allocations
//! (`allocations.rs`); with `--profile dev` it times an unoptimised build.
#![allow(clippy::expect_used, reason = "a benchmark that cannot be set up must stop")]
#![allow(clippy::print_stdout, reason = "a benchmark prints its results")]

#[path = "../tests/policy/invalid_rules.rs"]
mod invalid_rules;
#[path = "decide/other_engines.rs"]
mod other_engines;

use angos_identity::{Certificate, CertificateFacts, Identity};
use angos_policy::{DefaultDecision, Environment, Expression, Facts, Policy, RuleSource, Type, Value};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Rules from the documentation of Angos.
const REFERENCE: &[&str] = &[
    "identity.certificate.organizations.contains('Infrastructure')",
    "'build-server' in identity.certificate.common_names",
    "identity.username == 'admin'",
];

/// One rule for each part of the evaluator.
const OTHERS: &[(&str, &str)] = &[
    ("exists over 2 names", "identity.certificate.organizations.exists(o, o.startsWith('x'))"),
    ("in a list of 8 words", "request.action in ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']"),
    ("network of the caller", "cidr('192.168.0.0/16').containsIP(identity.client_ip)"),
    ("pattern", "request.action.matches('^(put|delete)-[a-z]+$')"),
    ("hour in a time zone", "request.time.getHours('Europe/Paris') == 99"),
    ("built string", "request.action + '/' == identity.client_ip"),
    ("table written in the rule", "'x' in {'put-manifest': ['a'], 'get-manifest': ['b']}[request.action]"),
    ("built map", "{'a': request.action, 'b': 'c'} == {'b': request.action, 'a': 'c'}"),
    ("built and sorted list", "identity.certificate.organizations.map(o, o + '!').sort()[0] == 'x'"),
];

struct Request;

impl Facts for Request {
    fn fact(&self, index: usize) -> Value<'_> {
        match index {
            0 => Value::String("get-manifest"),
            1 => Value::String("team/app"),
            _ => Value::Timestamp(1_896_093_045, 0),
        }
    }
}

fn environment() -> Environment {
    Environment::builder()
        .variable("request.action", Type::String)
        .variable("request.namespace", Type::String)
        .variable("request.time", Type::Timestamp)
        .build()
        .expect("environment")
}

fn caller() -> Identity {
    let certificate = Certificate::described(CertificateFacts {
        common_names: vec!["laptop".to_owned()],
        organizations: vec!["Sales".to_owned(), "Support".to_owned()],
        ..CertificateFacts::default()
    })
    .expect("certificate");
    Identity::new([10, 1, 2, 3].into(), Some(Arc::new(certificate)), None)
}

fn main() {
    let (environment, caller) = (environment(), caller());
    let compile =
        |rules: &[RuleSource]| Policy::compile(&environment, DefaultDecision::Deny, rules).expect("rules");
    let decide = |policy: &Policy| time(|| black_box(policy.decide(black_box(&caller), &Request)).allowed);
    let reference: Vec<RuleSource> = REFERENCE.iter().copied().map(RuleSource::from).collect();
    let hundred: Vec<RuleSource> = reference.iter().cycle().take(100).cloned().collect();
    println!("decisions, no rule true, a caller with a certificate                target     measured");
    let ours = decide(&compile(&reference));
    report("reference policy, 3 rules", "300 ns", ours);
    report("100 rules", "3000 ns", decide(&compile(&hundred)));
    for (what, rule) in OTHERS {
        report(what, "", decide(&compile(&[RuleSource::from(*rule)])));
    }
    println!("compiling");
    let taken = time(|| Policy::compile(&environment, DefaultDecision::Deny, &hundred).is_ok());
    report("per rule, of 100", "100000 ns", taken / 100.0);
    let one = time(|| Expression::compile(&environment, REFERENCE.first().unwrap_or(&"")).is_ok());
    report("one expression, with its thread", "", one);
    println!("the reference policy, by others, context built as usual");
    let (cel, cel_interpreter) = (other_engines::cel(REFERENCE), other_engines::cel_interpreter(REFERENCE));
    for (what, theirs) in [
        ("cel 0.15", time(|| cel(black_box(&caller)))),
        ("cel-interpreter 0.10", time(|| cel_interpreter(black_box(&caller)))),
    ] {
        report(what, "", theirs);
        println!("{:45} {:>18} {:10.1} x", "  times slower", "20 x", theirs / ours);
    }
    broken_rules(&environment);
}

/// Each kind's slowest rule, the best of five.
fn broken_rules(environment: &Environment) {
    println!("refusing broken rules, slowest of each kind");
    let caller = caller();
    let refuse = |rule: &str| {
        let begun = Instant::now();
        let rules = [RuleSource::from(rule)];
        if let Ok(policy) = Policy::compile(environment, DefaultDecision::Deny, &rules) {
            let _decision = black_box(policy.decide(&caller, &Request));
        }
        begun.elapsed()
    };
    let mut worst = Duration::ZERO;
    for invalid_rules::InvalidRules { kind, inputs } in invalid_rules::invalid_rules() {
        let best = |rule: &String| (0..5).map(|_| refuse(rule)).min().unwrap_or_default();
        let slowest = inputs.iter().map(best).max().unwrap_or_default();
        worst = worst.max(slowest);
        println!("{kind:45} {:>18} {:10.3} ms", "10 ms", slowest.as_secs_f64() * 1e3);
    }
    println!("{:45} {:>18} {:10.3} ms", "the slowest of all", "10 ms", worst.as_secs_f64() * 1e3);
}

/// Nanoseconds per call: the best of many rounds, short enough for some to pass undisturbed on a busy machine.
#[allow(clippy::cast_precision_loss, reason = "a measurement")]
fn time(mut run: impl FnMut() -> bool) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..400 {
        let (begun, mut calls) = (Instant::now(), 0_u64);
        while begun.elapsed() < Duration::from_micros(500) {
            for _ in 0..8 {
                black_box(run());
            }
            calls += 8;
        }
        best = best.min(begun.elapsed().as_nanos() as f64 / calls as f64);
    }
    best
}

fn report(what: &str, target: &str, nanoseconds: f64) {
    println!("{what:45} {target:>18} {nanoseconds:10.1} ns");
}
