//! Rules on trial and what the policies in force have decided, as a scrape and the log show them.

use crate::harness::{Registry, Setup, TIMEOUT};
use hyper::StatusCode;
use std::time::Instant;

const MANAGED: &str = "\n[server.management]\nport = 0\n";

/// The value of one series, or none when there is no such series.
fn value(scrape: &str, series: &str) -> Option<f64> {
    scrape.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

#[track_caller]
fn assert_values(scrape: &str, expected: &[(&str, f64)]) {
    for (series, count) in expected {
        assert_eq!(value(scrape, series), Some(*count), "{series} in\n{scrape}");
    }
}

/// The metrics, once they show `words`.
async fn scrape_with(registry: &Registry, words: &str) -> String {
    let started = Instant::now();
    loop {
        let scrape = registry.management_client().fetch("/metrics").await.text();
        if scrape.contains(words) {
            return scrape;
        }
        assert!(started.elapsed() < TIMEOUT, "no {words}:\n{}", registry.log());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn rules_on_trial_are_counted_and_logged_and_never_enforced() {
    let rest = format!(
        "[global.access_policy]\ndefault = \"deny\"\nrules = [{{ name = \"version\", when = \"request.action == 'get-api-version'\" }}]\n\
         shadow_rules = [{{ name = \"team tags\", when = \"identity.certificate.organizations.contains('Team')\" }}, \"request.tag.startsWith('v')\"]\n\
         [repository.open.access_policy]\ndefault = \"allow\"\nrules = []\nshadow_rules = [\"request.action == 'list-tags'\"]\n{MANAGED}"
    );
    let registry = Setup::mutual("required", &rest).log("angos::policy=debug").start();
    let [team, other] = ["Team", "Other"].map(|organization| registry.pki.client("someone", organization));
    for (certificate, path, expected) in [
        (&team, "/v2/", StatusCode::OK),
        (&other, "/v2/", StatusCode::OK),
        (&team, "/v2/any/manifests/v1", StatusCode::FORBIDDEN),
        (&other, "/v2/any/manifests/x", StatusCode::FORBIDDEN),
        (&other, "/v2/any/tags/list", StatusCode::FORBIDDEN), // has no tag: the second rule on trial is undecidable
        (&team, "/v2/open/tags/list", StatusCode::FORBIDDEN), // the global one would pass it on, the other deny it
    ] {
        assert_eq!(registry.client(Some(certificate)).fetch(path).await.status, expected, "{path}");
    }
    let scrape = registry.management_client().fetch("/metrics").await.text();
    assert_values(
        &scrape,
        &[
            ("angos_decisions_total{outcome=\"allow\"}", 2.0),
            ("angos_decisions_total{outcome=\"deny\"}", 4.0),
            ("angos_policy_decisions_total{policy=\"global\",outcome=\"allow\"}", 2.0),
            ("angos_policy_decisions_total{policy=\"global\",outcome=\"deny\"}", 4.0),
            ("angos_policy_decisions_total{policy=\"open\",outcome=\"deny\"}", 0.0),
            ("angos_policy_rule_matches_total{policy=\"global\",rule=\"version\"}", 2.0),
            ("angos_policy_rules_never_matched{policy=\"global\"}", 0.0),
            ("angos_policy_shadow_rule_matches_total{policy=\"global\",rule=\"team tags\"}", 3.0),
            ("angos_policy_shadow_rule_matches_total{policy=\"global\",rule=\"shadow_rules[1]\"}", 1.0),
            ("angos_policy_shadow_rule_undecidable_total{policy=\"global\",rule=\"shadow_rules[1]\"}", 4.0),
            ("angos_policy_shadow_rule_matches_total{policy=\"open\",rule=\"shadow_rules[0]\"}", 1.0),
            ("angos_policy_shadow_changes_total{policy=\"global\",outcome=\"allow\"}", 1.0),
            ("angos_policy_shadow_changes_total{policy=\"global\",outcome=\"deny\"}", 0.0),
            ("angos_policy_shadow_changes_total{policy=\"open\",outcome=\"deny\"}", 0.0),
            ("angos_policy_decision_duration_seconds_count", 6.0),
        ],
    );
    registry.wait_for_log("namespace=\"open\"");
    let log = registry.log();
    for (action, namespace, fields) in [
        ("get-api-version", "", "shadow=\"allow\" shadow_policy=\"global\" shadow_rule=\"version\""),
        ("get-manifest", "any", "shadow=\"allow\" shadow_policy=\"global\" shadow_rule=\"team tags\""),
        ("list-tags", "any", "shadow=\"deny\" shadow_policy=\"global\" shadow_rule=\"shadow_rules[1]\""),
        ("list-tags", "open", "shadow=\"deny\" shadow_policy=\"open\" shadow_rule=\"shadow_rules[0]\""),
    ] {
        let of_request = |line: &&str| line.contains(action) && line.contains(namespace);
        assert!(log.lines().filter(of_request).any(|line| line.contains(fields)), "{action} {fields}\n{log}");
    }
}

#[tokio::test]
async fn a_reload_brings_its_own_series_and_takes_the_old_ones() {
    let rest = format!(
        "[global.access_policy]\nrules = [{{ name = \"old\", when = \"true\" }}]\n\
         [repository.gone.access_policy]\nrules = [\"true\"]\n{MANAGED}"
    );
    let registry = Setup::plain(&rest).start();
    assert_eq!(registry.plain_client().fetch("/v2/").await.status, StatusCode::OK);
    let first = scrape_with(&registry, "rule=\"old\"").await;
    assert_values(&first, &[("angos_policy_rule_matches_total{policy=\"global\",rule=\"old\"}", 1.0)]);
    assert!(first.contains("policy=\"gone\""), "{first}");
    for round in 2..5 {
        registry.rewrite_configuration(|text| {
            let kept = text.split("[repository").next().unwrap();
            let before = if round == 2 { "old".to_owned() } else { format!("new {}", round - 1) };
            let after = format!("new {round}");
            format!("{}\n{MANAGED}", kept.replace(&before, &after).replace(MANAGED, ""))
        });
        let scrape = scrape_with(&registry, &format!("rule=\"new {round}\"")).await;
        assert!(value(&scrape, "angos_policy_generation").unwrap() >= f64::from(round), "{scrape}");
        let series = format!("angos_policy_rule_matches_total{{policy=\"global\",rule=\"new {round}\"}}");
        assert_values(
            &scrape,
            &[(&series, 0.0), ("angos_policy_rules_never_matched{policy=\"global\"}", 1.0)],
        );
        let named = scrape.lines().filter(|line| line.starts_with("angos_policy_rule_matches_total{"));
        assert_eq!(named.count(), 1, "series of an old set are left:\n{scrape}");
        assert!(!scrape.contains("gone"), "{scrape}");
        let loaded = |text| value(text, "angos_policy_loaded_timestamp_seconds").unwrap();
        assert!(loaded(&scrape) > loaded(&first), "{scrape}");
        assert!(value(&scrape, "angos_policy_compile_seconds").unwrap() > 0.0, "{scrape}");
    }
}

#[tokio::test]
async fn names_of_rules_cannot_break_a_scrape() {
    let rest = format!(
        "[global.access_policy]\nrules = [{{ name = 'a\"}} 1 # \\', when = \"true\" }}, {{ name = \"ünïcode 🦀\", when = \"false\" }}]\n{MANAGED}"
    );
    let registry = Setup::plain(&rest).start();
    let scrape = registry.management_client().fetch("/metrics").await.text();
    assert_values(
        &scrape,
        &[
            (r#"angos_policy_rule_matches_total{policy="global",rule="a\"} 1 # \\"}"#, 0.0),
            (r#"angos_policy_rule_matches_total{policy="global",rule="ünïcode 🦀"}"#, 0.0),
        ],
    );
}
