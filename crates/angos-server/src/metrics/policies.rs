//! What the access policies in force have decided, read when somebody scrapes. A set that was replaced takes its
//! series with it.
//!
//! Labels hold what the operator wrote, names of repositories and rules, and nothing a client chose.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::UNIX_EPOCH;

use angos_access::{AccessPolicies, DecisionCounters};
use angos_policy::{DefaultDecision, Policy};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};

use crate::authorize::access::CurrentAccess;

/// Reads one set.
#[derive(Debug)]
pub(crate) struct PolicyMetrics(pub(crate) Arc<CurrentAccess>);

impl Collector for PolicyMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        moments(&self.0, &mut encoder)?;
        let access = &self.0.access.policies;
        decisions(access, &mut encoder)?;
        rules(access, &mut encoder)?;
        shadows(access, &mut encoder)
    }
}

fn moments(set: &CurrentAccess, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let mut gauge = |name, help, value| {
        let gauge = Gauge::<f64, AtomicU64>::default();
        gauge.set(value);
        gauge.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
    };
    let since = set.since.duration_since(UNIX_EPOCH).unwrap_or_default();
    gauge(
        "policy_loaded_timestamp_seconds",
        "When the access policies in force were put into force",
        since.as_secs_f64(),
    )?;
    gauge(
        "policy_compile_seconds",
        "How long reading and compiling the access policies in force took",
        set.access.policies.compile_time.as_secs_f64(),
    )
}

fn decisions(access: &AccessPolicies, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "Decisions of each policy, by outcome";
    let mut family = encoder.encode_descriptor("policy_decisions", help, None, MetricType::Counter)?;
    for (scope, policy) in access.policies() {
        let (rules, counters) = (policy.rules(), policy.counters());
        let matches: u64 = (0..rules.len()).map(|rule| counters.matches(rule)).sum();
        let undecidable: u64 = (0..rules.len()).map(|rule| counters.undecidable(rule)).sum();
        let (allowed, denied) = match rules.default_decision() {
            DefaultDecision::Deny => (matches, counters.defaults() + undecidable),
            DefaultDecision::Allow => (counters.defaults(), matches + undecidable),
        };
        for (outcome, count) in [("allow", allowed), ("deny", denied)] {
            let labels = [("policy", scope), ("outcome", outcome)];
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

fn rules(access: &AccessPolicies, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "Decisions a rule made by being true";
    let family = encoder.encode_descriptor("policy_rule_matches", help, None, MetricType::Counter)?;
    each_rule(enforced(access), family, DecisionCounters::matches)?;
    let help = "Requests denied because a rule could not be decided";
    let family = encoder.encode_descriptor("policy_rule_undecidable", help, None, MetricType::Counter)?;
    each_rule(enforced(access), family, DecisionCounters::undecidable)?;
    let help = "Rules that have decided nothing since they were loaded";
    let mut family =
        encoder.encode_descriptor("policy_rules_never_matched", help, None, MetricType::Gauge)?;
    for (scope, policy) in access.policies() {
        let (rules, counters) = (policy.rules(), policy.counters());
        let idle = (0..rules.len()).filter(|rule| counters.matches(*rule) == 0).count();
        let idle = i64::try_from(idle).unwrap_or(i64::MAX);
        ConstGauge::new(idle).encode(family.encode_family(&[("policy", scope)])?)?;
    }
    Ok(())
}

fn shadows(access: &AccessPolicies, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "Decisions a rule on trial was true in";
    let family = encoder.encode_descriptor("policy_shadow_rule_matches", help, None, MetricType::Counter)?;
    each_rule(shadow_rules(access), family, DecisionCounters::matches)?;
    let help = "Decisions a rule on trial had no value in";
    let family =
        encoder.encode_descriptor("policy_shadow_rule_undecidable", help, None, MetricType::Counter)?;
    each_rule(shadow_rules(access), family, DecisionCounters::undecidable)?;
    let help = "Decisions the rules on trial would change, by what the outcome would be";
    let mut family = encoder.encode_descriptor("policy_shadow_changes", help, None, MetricType::Counter)?;
    for (scope, policy) in access.policies() {
        let Some(shadow) = policy.shadow() else { continue };
        for (outcome, count) in [("allow", shadow.would_allow()), ("deny", shadow.would_deny())] {
            let labels = [("policy", scope), ("outcome", outcome)];
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

/// The rules of one policy, under its name, with their numbers.
type Counted<'a> = (&'a str, &'a Policy, &'a DecisionCounters);

fn enforced(access: &AccessPolicies) -> impl Iterator<Item = Counted<'_>> {
    access.policies().map(|(scope, policy)| (scope, policy.rules(), policy.counters()))
}

fn shadow_rules(access: &AccessPolicies) -> impl Iterator<Item = Counted<'_>> {
    access.policies().filter_map(|(scope, policy)| {
        let shadow = policy.shadow()?;
        Some((scope, shadow.rules(), shadow.counters()))
    })
}

/// One counter for each name of a rule: rules that share a name share it.
fn each_rule<'a>(
    counted: impl Iterator<Item = Counted<'a>>,
    mut family: MetricEncoder<'_>,
    count: impl Fn(&DecisionCounters, usize) -> u64,
) -> fmt::Result {
    for (scope, rules, counters) in counted {
        let mut counts = BTreeMap::new();
        for rule in 0..rules.len() {
            *counts.entry(rules.rule_name(rule)).or_insert(0) += count(counters, rule);
        }
        for (rule, count) in counts {
            let labels = [("policy", scope), ("rule", rule)];
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}
