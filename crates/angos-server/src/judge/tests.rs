//! What rules on trial would change, and what is counted of it.

use std::sync::Arc;
use std::time::SystemTime;

use angos_identity::{Certificate, CertificateFacts};
use angos_policy::{DefaultDecision, RuleSource};

use super::*;
use crate::access::AccessInForce;
use crate::environment::environment;
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

fn asked(access: &Access) -> Verdict<'_> {
    let mut inquiry = Inquiry::new(Action::ListTags, SystemTime::now());
    inquiry.set("namespace", "team/app").unwrap();
    let nobody = Identity::new([127, 0, 0, 1].into(), None, None);
    access.decide(&nobody, &inquiry)
}

fn scraped(access: Access) -> String {
    Metrics::new().encode(Arc::new(AccessInForce::new(access, 1)), None, angos_registry::Damage::default())
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
                let access = Access { global: Some(tried(default, rules, shadow)), ..Access::default() };
                let together = [rules, shadow].concat();
                let alone = Access { global: Some(compiled(default, rules).into()), ..Access::default() };
                let joined =
                    Access { global: Some(compiled(default, &together).into()), ..Access::default() };
                let verdict = asked(&access);
                let would = verdict.shadow.unwrap();
                let case = format!("{default:?} {rules:?} {shadow:?}");
                assert_eq!(verdict.judgement.is_allowed(), asked(&alone).judgement.is_allowed(), "{case}");
                assert_eq!(would.is_allowed(), asked(&joined).judgement.is_allowed(), "{case}");
                assert_eq!(would.reason(), asked(&joined).judgement.reason(), "{case}");
            }
        }
    }
}

#[test]
fn without_rules_on_trial_there_is_no_shadow() {
    let access =
        Access { global: Some(compiled(DefaultDecision::Deny, &[TRUE]).into()), ..Access::default() };
    assert!(asked(&access).shadow.is_none());
    assert!(asked(&Access::default()).shadow.is_none());
}

#[test]
fn an_authority_vouches_where_it_may_and_nowhere_else() {
    let global = Some(compiled(DefaultDecision::Allow, &[]).into());
    let names = ["a/b", "c"].map(|name| name.parse().unwrap()).to_vec();
    let authorities = [("bound".to_owned(), names)].into();
    let access = Access { global, authorities, ..Access::default() };
    let caller = |authority: Option<&str>| {
        let facts =
            CertificateFacts { authority: authority.map(str::to_owned), ..CertificateFacts::default() };
        let certificate = Certificate::described(facts).unwrap();
        Identity::new([127, 0, 0, 1].into(), Some(Arc::new(certificate)), None)
    };
    for (authority, action, namespace, expected) in [
        (Some("bound"), Action::PutManifest, Some("a/b"), "default"),
        (Some("bound"), Action::GetBlob, Some("a/b/c"), "default"),
        (Some("bound"), Action::ListTags, Some("c"), "default"),
        (Some("bound"), Action::ListTags, Some("a"), "authority"),
        (Some("bound"), Action::ListTags, Some("a/bc"), "authority"),
        (Some("bound"), Action::ListTags, Some("x/c"), "authority"),
        (Some("bound"), Action::GetApiVersion, None, "default"),
        (Some("bound"), Action::ListCatalog, None, "default"),
        (Some("bound"), Action::Metrics, None, "authority"),
        (Some("bound"), Action::Healthz, None, "authority"),
        (Some("free"), Action::ListTags, Some("a"), "default"),
        (None, Action::Metrics, None, "default"),
    ] {
        let mut inquiry = Inquiry::new(action, SystemTime::now());
        if let Some(namespace) = namespace {
            inquiry.set("namespace", namespace).unwrap();
        }
        let caller = caller(authority);
        let judgement = access.judge(&caller, &inquiry);
        assert_eq!(judgement.reason(), expected, "{authority:?} {action:?} {namespace:?}");
        assert_eq!(judgement.is_allowed(), expected != "authority");
        assert_eq!(access.decide(&caller, &inquiry).judgement.reason(), expected, "the same when counted");
    }
}

/// Counting, and the rules on trial, take nothing from the heap.
#[test]
fn a_counted_decision_does_not_allocate() {
    let global = tried(DefaultDecision::Deny, &[FALSE, UNDECIDABLE], &[UNDECIDABLE, TRUE, FALSE]);
    let repositories =
        [("team".parse().unwrap(), tried(DefaultDecision::Allow, &[FALSE], &[TRUE]))].into_iter().collect();
    let access = Access { global: Some(global), repositories, ..Access::default() };
    let mut inquiry = Inquiry::new(Action::ListTags, SystemTime::now());
    inquiry.set("namespace", "team/app").unwrap();
    let nobody = Identity::new([127, 0, 0, 1].into(), None, None);
    let metrics = Metrics::new();
    let allocated = allocation_counter::measure(|| {
        assert!(access.decide(&nobody, &inquiry).shadow.is_some());
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
    let access = Access { global: Some(global), repositories, ..Access::default() };
    for _ in 0..3 {
        assert!(!asked(&access).judgement.is_allowed());
    }
    let nobody = Identity::new([127, 0, 0, 1].into(), None, None);
    access.judge(&nobody, &Inquiry::new(Action::ListTags, SystemTime::now())); // asking what if does not count
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
    let access = Access { global: Some(global), repositories, ..Access::default() };
    let verdict = asked(&access);
    assert_eq!(verdict.judgement.outcome(), "deny");
    let would = verdict.shadow.unwrap();
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
    let access = Access { global: Some(global), repositories, ..Access::default() };
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
    let access = Access { global: Some(global), repositories, ..Access::default() };
    let verdict = asked(&access);
    assert_eq!((verdict.judgement.outcome(), verdict.shadow.unwrap().outcome()), ("allow", "deny"));
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
    let access = Access { repositories, ..Access::default() };
    let mut inquiry = Inquiry::new(Action::ListTags, SystemTime::now());
    inquiry.set("namespace", "global/app").unwrap();
    let nobody = Identity::new([127, 0, 0, 1].into(), None, None);
    assert_eq!(access.judge(&nobody, &inquiry).scope(), "repository.global");
}
