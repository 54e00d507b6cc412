//! Whatever stands in a line of a decision log, it is a decision that can be judged and told, or it is said in one line why
//! it is none.
#![no_main]

use angos_policy::{DefaultDecision, Policy, RuleSource};
use angos_access::{AccessPolicies, RecordedDecision};
use libfuzzer_sys::fuzz_target;
use std::collections::HashMap;
use std::sync::OnceLock;

/// Policies that look at everything a line may say.
fn access() -> &'static AccessPolicies {
    static ACCESS: OnceLock<AccessPolicies> = OnceLock::new();
    ACCESS.get_or_init(|| {
        let policy = |default, rules: &[&str]| {
            let rules: Vec<_> = rules.iter().map(|rule| RuleSource::from(*rule)).collect();
            Policy::compile(&angos_access::environment(), default, &rules).unwrap()
        };
        let global = policy(
            DefaultDecision::Deny,
            &[
                "identity.certificate.organizations.exists(o, o.size() > 3) && identity.certificate.not_after > request.time",
                "request.tags.contains(request.tag) || request.reference.startsWith('sha256:') || request.n > 5",
                "cidr('10.0.0.0/8').containsIP(identity.client_ip) && identity.certificate.spiffe_path != ''",
                "request.session_id != '' && request.time.getHours('Europe/Paris') > 8 && request.method == 'PUT'",
            ],
        );
        let repository =
            policy(DefaultDecision::Allow, &["request.digest_algorithm == 'sha512'", "request.last > 'b'"]);
        AccessPolicies {
            global: Some(global.into()),
            repositories: [("a".parse().unwrap(), repository.into())].into_iter().collect(),
            authorities: HashMap::from([("staff".to_owned(), vec!["a".parse().unwrap()])]),
            ..AccessPolicies::default()
        }
    })
}

fuzz_target!(|line: &[u8]| {
    let recorded = match RecordedDecision::parse(line) {
        Ok(recorded) => recorded,
        Err(error) => {
            let said = error.to_string();
            assert!(!said.is_empty() && said.len() < 2 * line.len() + 1024, "{said}");
            return;
        }
    };
    let (identity, inquiry) = (recorded.identity(), recorded.request());
    let judgement = access().decide(identity, inquiry);
    let explained = access().explain(identity, inquiry);
    assert_eq!(explained.is_allowed, judgement.is_allowed());
    assert_eq!((&*explained.scope, &*explained.rule), (judgement.scope(), judgement.rule()));
    assert!(!recorded.caller().is_empty() && !recorded.time().is_empty());
    assert!(!inquiry.to_string().is_empty());
});
