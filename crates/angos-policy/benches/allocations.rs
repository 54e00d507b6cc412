//! Allocations per decision, by a counting allocator, which times would not be fair with: beside `decide.rs`.
#![allow(clippy::expect_used, reason = "a benchmark that cannot be set up must stop")]
#![allow(clippy::print_stdout, reason = "a benchmark prints its results")]

#[path = "decide/other_engines.rs"]
mod other_engines;

use allocation_counter::measure;
use angos_identity::{Certificate, CertificateFacts, Identity};
use angos_policy::{DefaultDecision, Environment, NoFacts, Policy, RuleSource};
use std::sync::Arc;

const REFERENCE: &[&str] = &[
    "identity.certificate.organizations.contains('Infrastructure')",
    "'build-server' in identity.certificate.common_names",
    "identity.username == 'admin'",
];

/// Strings, lists and maps that are built.
const BUILT: &[&str] = &[
    "identity.certificate.organizations.map(o, o.lowerAscii() + '!').sort().join(',') == 'x'",
    "{'a': identity.certificate.organizations, 'b': [string(size(identity.client_ip))]}.b[0] == 'x'",
];

fn main() {
    let environment = Environment::builder().build().expect("environment");
    let certificate = Certificate::described(CertificateFacts {
        common_names: vec!["laptop".to_owned()],
        organizations: vec!["Sales".to_owned(), "Support".to_owned()],
        ..CertificateFacts::default()
    })
    .expect("certificate");
    let caller = Identity::new([10, 1, 2, 3].into(), Some(Arc::new(certificate)), None);
    println!("allocations per decision");
    for (what, rules) in [("reference policy, 3 rules", REFERENCE), ("strings, lists and maps built", BUILT)]
    {
        let rules: Vec<RuleSource> = rules.iter().copied().map(RuleSource::from).collect();
        let policy = Policy::compile(&environment, DefaultDecision::Deny, &rules).expect("rules");
        report(what, || policy.decide(&caller, &NoFacts).allowed);
    }
    let (cel, cel_interpreter) = (other_engines::cel(REFERENCE), other_engines::cel_interpreter(REFERENCE));
    report("cel 0.15, reference policy", || cel(&caller));
    report("cel-interpreter 0.10, reference policy", || cel_interpreter(&caller));
}

fn report(what: &str, run: impl Fn() -> bool) {
    run();
    let counted = measure(|| {
        run();
    });
    println!("{what:45} {:10} of {:8} bytes", counted.count_total, counted.bytes_total);
}
