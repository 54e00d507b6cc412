//! Shadow rules: what would be decided if they stood among the enforced rules.

use std::sync::atomic::{AtomicU64, Ordering};

use angos_identity::Identity;
use angos_policy::{DefaultDecision, Facts, Policy, Reason};

use super::{Decision, DecisionCounters, Evaluation};

/// The shadow rules of one policy, and how they would have decided.
#[derive(Debug)]
pub struct ShadowRules {
    pub(crate) rules: Policy,
    counters: DecisionCounters,
    would_allow: AtomicU64,
    would_deny: AtomicU64,
}

impl ShadowRules {
    pub(crate) fn new(rules: Policy) -> Self {
        let counters = DecisionCounters::new(&rules);
        Self { rules, counters, would_allow: AtomicU64::new(0), would_deny: AtomicU64::new(0) }
    }

    /// The decision of the enforced rules and those on trial together, and which of the two made it. Every
    /// shadow rule is evaluated and counted, whatever the others say.
    fn decide<'a>(
        &'a self,
        enforced: &'a Policy,
        decision: angos_policy::Decision,
        (identity, facts): (&Identity, &dyn Facts),
        count: impl Fn(&DecisionCounters, Reason),
    ) -> (&'a Policy, angos_policy::Decision) {
        let (mut matching, mut undecidable) = (None, None);
        self.rules.evaluate_all(identity, facts, &mut |reason| {
            count(&self.counters, reason);
            let first = if matches!(reason, Reason::Rule(_)) { &mut matching } else { &mut undecidable };
            first.get_or_insert(reason);
        });
        let allows = enforced.default_decision() == DefaultDecision::Deny;
        match (decision.reason, matching, undecidable) {
            (Reason::Rule(_), ..) | (_, None, None) | (Reason::Undecidable { .. }, None, _) => {
                (enforced, decision)
            }
            (_, Some(reason), _) => (&self.rules, angos_policy::Decision { allowed: allows, reason }),
            (_, None, Some(reason)) => (&self.rules, angos_policy::Decision { allowed: false, reason }),
        }
    }

    /// The rules.
    pub fn rules(&self) -> &Policy {
        &self.rules
    }

    /// How often each of them was true or undecidable.
    pub fn counters(&self) -> &DecisionCounters {
        &self.counters
    }

    /// Requests that would have been allowed instead of denied.
    pub fn would_allow(&self) -> u64 {
        self.would_allow.load(Ordering::Relaxed)
    }

    /// Requests that would have been denied instead of allowed.
    pub fn would_deny(&self) -> u64 {
        self.would_deny.load(Ordering::Relaxed)
    }

    /// Counts a decision that would have been another one.
    pub(super) fn count_change(&self, would_allow: bool) {
        let count = if would_allow { &self.would_allow } else { &self.would_deny };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// The decision if every shadow rule stood among the enforced rules.
#[derive(Debug, Clone, Copy)]
pub(super) struct ShadowDecision<'a> {
    pub(super) decision: Decision<'a>,
    /// The shadow rules of the first policy whose decision they change.
    pub(super) changed: Option<&'a ShadowRules>,
}

impl<'a> Evaluation<'a, '_> {
    /// The trial of this request; `None` when no shadow rules is about it. `decisions` is what the policies that were asked
    /// have answered, in their order; `count` hears what each shadow rules said.
    pub(super) fn shadow(
        &self,
        identity: &Identity,
        decisions: [Option<angos_policy::Decision>; 2],
        count: impl Fn(&DecisionCounters, Reason) + Copy,
    ) -> Option<ShadowDecision<'a>> {
        if !self.policies().any(|(_, policy)| policy.shadow.is_some()) {
            return None;
        }
        let mut result: Option<Decision<'a>> = None;
        let mut changed = None;
        for ((scope, policy), decided) in self.policies().zip(decisions) {
            let is_open = result.as_ref().is_none_or(Decision::is_allowed);
            let decision = match decided {
                Some(decision) => decision,
                // The enforced rules ended before this policy; with those on trial it is asked.
                None if is_open => policy.rules.decide(identity, &self.facts),
                None => break,
            };
            let facts = (identity, &self.facts as &dyn Facts);
            let (rules, would) = match &policy.shadow {
                Some(shadow) => shadow.decide(&policy.rules, decision, facts, count),
                None => (&policy.rules, decision),
            };
            if would.allowed != decision.allowed {
                changed = changed.or(policy.shadow.as_ref());
            }
            if is_open {
                result = Some(Decision::Policy { scope, policy: rules, decision: would });
            }
        }
        result.map(|decision| ShadowDecision { decision, changed })
    }
}
