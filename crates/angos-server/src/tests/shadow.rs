//! What rules on trial would change, and what is counted of it.

use std::sync::Arc;
use std::time::SystemTime;

use angos_access::{AccessPolicies, AccessPolicy, AccessRequest, Action, Decisions, environment};
use angos_identity::{Certificate, CertificateFacts, Identity};
use angos_policy::{DefaultDecision, Policy, RuleSource};

use crate::authorize::access::CurrentAccess;
use crate::metrics::Metrics;

/// Rules that are true, false and undecidable in every test.
const TRUE: &str = "request.action == 'list-tags'";
const FALSE: &str = "request.action == 'put-manifest'";
const UNDECIDABLE: &str = "request.tag.startsWith('v')";

fn compiled(default: DefaultDecision, rules: &[&str]) -> Policy {
    let named = |(index, rule): (usize, &&str)| RuleSource {
        name: Some(format!("r{index}")),
        when: (*rule).to_owned(),
    };
    let sources: Vec<_> = rules.iter().enumerate().map(named).collect();
    Policy::compile(&environment(), default, &sources).unwrap()
}

fn tried(default: DefaultDecision, rules: &[&str], shadow: &[&str]) -> AccessPolicy {
    AccessPolicy::new(compiled(default, rules)).with_shadow(compiled(default, shadow))
}

fn asked(access: &AccessPolicies) -> Decisions<'_> {
    let mut inquiry = AccessRequest::new(Action::ListTags, SystemTime::now());
    inquiry.set("namespace", "team/app").unwrap();
    let nobody = Identity::new([127, 0, 0, 1].into(), None, None);
    access.decide_and_count(&nobody, &inquiry)
}

fn scraped(access: AccessPolicies) -> String {
    Metrics::new().encode(
        Arc::new(CurrentAccess::new(access.into(), 1)),
        None,
        angos_registry::Damage::default(),
        angos_registry::GcStatus::default(),
    )
}

#[track_caller]
fn assert_has(scrape: &str, lines: &[&str]) {
    for line in lines {
        assert!(scrape.lines().any(|found| found == *line), "{line} is missing from\n{scrape}");
    }
}

/// The shadow decision is that of all rules together, whatever their order.
#[test]
fn rules_on_trial_decide_as_if_they_stood_among_the_others() {
    for default in [DefaultDecision::Deny, DefaultDecision::Allow] {
        for rules in [&[][..], &[TRUE], &[FALSE], &[UNDECIDABLE], &[FALSE, UNDECIDABLE], &[UNDECIDABLE, TRUE]]
        {
            for shadow in
                [&[][..], &[TRUE], &[FALSE], &[UNDECIDABLE], &[UNDECIDABLE, TRUE], &[FALSE, UNDECIDABLE]]
            {
                let access = AccessPolicies {
                    global: Some(tried(default, rules, shadow)),
                    ..AccessPolicies::default()
                };
                let together = [rules, shadow].concat();
                let alone = AccessPolicies {
                    global: Some(compiled(default, rules).into()),
                    ..AccessPolicies::default()
                };
                let joined = AccessPolicies {
                    global: Some(compiled(default, &together).into()),
                    ..AccessPolicies::default()
                };
                let decisions = asked(&access);
                let would = decisions.shadow.unwrap();
                let case = format!("{default:?} {rules:?} {shadow:?}");
                assert_eq!(decisions.enforced.is_allowed(), asked(&alone).enforced.is_allowed(), "{case}");
                assert_eq!(would.is_allowed(), asked(&joined).enforced.is_allowed(), "{case}");
                assert_eq!(would.reason(), asked(&joined).enforced.reason(), "{case}");
            }
        }
    }
}

#[test]
fn without_rules_on_trial_there_is_no_shadow() {
    let access = AccessPolicies {
        global: Some(compiled(DefaultDecision::Deny, &[TRUE]).into()),
        ..AccessPolicies::default()
    };
    assert!(asked(&access).shadow.is_none());
    assert!(asked(&AccessPolicies::default()).shadow.is_none());
}

#[test]
fn an_authority_vouches_where_it_may_and_nowhere_else() {
    let global = Some(compiled(DefaultDecision::Allow, &[]).into());
    let names = ["a/b", "c"].map(|name| name.parse().unwrap()).to_vec();
    let authorities = [("bound".to_owned(), names)].into();
    let access = AccessPolicies { global, authorities, ..AccessPolicies::default() };
    let caller = |ca: Option<&str>| {
        let facts = CertificateFacts { ca: ca.map(str::to_owned), ..CertificateFacts::default() };
        let certificate = Certificate::described(facts).unwrap();
        Identity::new([127, 0, 0, 1].into(), Some(Arc::new(certificate)), None)
    };
    for (ca, action, namespace, expected) in [
        (Some("bound"), Action::PutManifest, Some("a/b"), "default"),
        (Some("bound"), Action::GetBlob, Some("a/b/c"), "default"),
        (Some("bound"), Action::ListTags, Some("c"), "default"),
        (Some("bound"), Action::ListTags, Some("a"), "ca_restriction"),
        (Some("bound"), Action::ListTags, Some("a/bc"), "ca_restriction"),
        (Some("bound"), Action::ListTags, Some("x/c"), "ca_restriction"),
        (Some("bound"), Action::GetApiVersion, None, "default"),
        (Some("bound"), Action::ListCatalog, None, "default"),
        (Some("bound"), Action::Metrics, None, "ca_restriction"),
        (Some("bound"), Action::Healthz, None, "ca_restriction"),
        (Some("free"), Action::ListTags, Some("a"), "default"),
        (None, Action::Metrics, None, "default"),
    ] {
        let mut inquiry = AccessRequest::new(action, SystemTime::now());
        if let Some(namespace) = namespace {
            inquiry.set("namespace", namespace).unwrap();
        }
        let caller = caller(ca);
        let decision = access.decide(&caller, &inquiry);
        assert_eq!(decision.reason(), expected, "{ca:?} {action:?} {namespace:?}");
        assert_eq!(decision.is_allowed(), expected != "ca_restriction");
        assert_eq!(
            access.decide_and_count(&caller, &inquiry).enforced.reason(),
            expected,
            "the same when counted"
        );
    }
}

/// Counting, and the rules on trial, take nothing from the heap.
#[test]
fn a_counted_decision_does_not_allocate() {
    let global = tried(DefaultDecision::Deny, &[FALSE, UNDECIDABLE], &[UNDECIDABLE, TRUE, FALSE]);
    let repositories =
        [("team".parse().unwrap(), tried(DefaultDecision::Allow, &[FALSE], &[TRUE]))].into_iter().collect();
    let access = AccessPolicies { global: Some(global), repositories, ..AccessPolicies::default() };
    let mut inquiry = AccessRequest::new(Action::ListTags, SystemTime::now());
    inquiry.set("namespace", "team/app").unwrap();
    let nobody = Identity::new([127, 0, 0, 1].into(), None, None);
    let metrics = Metrics::new();
    let allocated = allocation_counter::measure(|| {
        assert!(access.decide_and_count(&nobody, &inquiry).shadow.is_some());
        metrics.decision_time.observe(std::time::Duration::from_nanos(1));
    });
    assert_eq!(allocated.count_total, 0);
}

/// Each policy's rules and decisions, and rules that share a name.
#[test]
fn every_answer_is_counted_once() {
    let global = AccessPolicy::new(compiled(DefaultDecision::Deny, &[FALSE, UNDECIDABLE, TRUE, TRUE]));
    let repositories = [("team".parse().unwrap(), compiled(DefaultDecision::Allow, &[UNDECIDABLE]).into())]
        .into_iter()
        .collect();
    let access = AccessPolicies { global: Some(global), repositories, ..AccessPolicies::default() };
    for _ in 0..3 {
        assert!(!asked(&access).enforced.is_allowed());
    }
    let nobody = Identity::new([127, 0, 0, 1].into(), None, None);
    access.decide(&nobody, &AccessRequest::new(Action::ListTags, SystemTime::now())); // asking what if does not count
    let scrape = scraped(access);
    assert_has(
        &scrape,
        &[
            "angos_policy_decisions_total{policy=\"global\",outcome=\"allow\"} 3",
            "angos_policy_decisions_total{policy=\"global\",outcome=\"deny\"} 0",
            "angos_policy_decisions_total{policy=\"team\",outcome=\"deny\"} 3",
            "angos_policy_rule_matches_total{policy=\"global\",rule=\"r0\"} 0",
            "angos_policy_rule_matches_total{policy=\"global\",rule=\"r2\"} 3",
            "angos_policy_rule_matches_total{policy=\"global\",rule=\"r3\"} 0",
            "angos_policy_rule_undecidable_total{policy=\"global\",rule=\"r1\"} 0",
            "angos_policy_rule_undecidable_total{policy=\"team\",rule=\"r0\"} 3",
            "angos_policy_rules_never_matched{policy=\"global\"} 3",
            "angos_policy_rules_never_matched{policy=\"team\"} 1",
        ],
    );
    assert!(!scrape.contains("shadow_rule_matches_total{"), "{scrape}");
}

#[test]
fn what_would_change_is_counted_where_it_would_change() {
    // The global policy denies; its rule on trial would pass the request on, and the repository allows it.
    let global = tried(DefaultDecision::Deny, &[FALSE], &[FALSE, TRUE, TRUE, UNDECIDABLE]);
    let repositories =
        [("team".parse().unwrap(), compiled(DefaultDecision::Deny, &[TRUE]).into())].into_iter().collect();
    let access = AccessPolicies { global: Some(global), repositories, ..AccessPolicies::default() };
    let decisions = asked(&access);
    assert_eq!(decisions.enforced.outcome(), "deny");
    let would = decisions.shadow.unwrap();
    assert_eq!((would.outcome(), would.scope(), would.rule()), ("allow", "team", "r0"));
    assert_has(
        &scraped(access),
        &[
            "angos_policy_shadow_rule_matches_total{policy=\"global\",rule=\"r0\"} 0",
            "angos_policy_shadow_rule_matches_total{policy=\"global\",rule=\"r1\"} 1",
            "angos_policy_shadow_rule_matches_total{policy=\"global\",rule=\"r2\"} 1",
            "angos_policy_shadow_rule_undecidable_total{policy=\"global\",rule=\"r3\"} 1",
            "angos_policy_shadow_changes_total{policy=\"global\",outcome=\"allow\"} 1",
            "angos_policy_shadow_changes_total{policy=\"global\",outcome=\"deny\"} 0",
            "angos_policy_decisions_total{policy=\"team\",outcome=\"allow\"} 0",
        ],
    );
    // Another policy still denies: nothing would change for the caller.
    let global = tried(DefaultDecision::Deny, &[FALSE], &[TRUE]);
    let repositories =
        [("team".parse().unwrap(), tried(DefaultDecision::Allow, &[], &[TRUE]))].into_iter().collect();
    let access = AccessPolicies { global: Some(global), repositories, ..AccessPolicies::default() };
    assert_eq!(asked(&access).shadow.unwrap().outcome(), "deny");
    let scrape = scraped(access);
    for policy in ["global", "team"] {
        for outcome in ["allow", "deny"] {
            let line =
                format!("angos_policy_shadow_changes_total{{policy=\"{policy}\",outcome=\"{outcome}\"}} 0");
            assert_has(&scrape, &[&line]);
        }
    }
    // A rule on trial that denies is counted in its own policy, and those behind it are still tried.
    let global = tried(DefaultDecision::Allow, &[], &[TRUE]);
    let repositories = [("team".parse().unwrap(), tried(DefaultDecision::Deny, &[TRUE], &[UNDECIDABLE]))]
        .into_iter()
        .collect();
    let access = AccessPolicies { global: Some(global), repositories, ..AccessPolicies::default() };
    let decisions = asked(&access);
    assert_eq!((decisions.enforced.outcome(), decisions.shadow.unwrap().outcome()), ("allow", "deny"));
    assert_has(
        &scraped(access),
        &[
            "angos_policy_shadow_changes_total{policy=\"global\",outcome=\"deny\"} 1",
            "angos_policy_shadow_rule_undecidable_total{policy=\"team\",rule=\"r0\"} 1",
        ],
    );
}

#[test]
fn a_repository_called_global_is_not_the_global_policy() {
    let repositories =
        [("global".parse().unwrap(), compiled(DefaultDecision::Deny, &[TRUE]).into())].into_iter().collect();
    let access = AccessPolicies { repositories, ..AccessPolicies::default() };
    let mut inquiry = AccessRequest::new(Action::ListTags, SystemTime::now());
    inquiry.set("namespace", "global/app").unwrap();
    let nobody = Identity::new([127, 0, 0, 1].into(), None, None);
    assert_eq!(access.decide(&nobody, &inquiry).scope(), "repository.global");
}
