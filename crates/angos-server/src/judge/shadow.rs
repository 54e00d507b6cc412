//! Rules on trial: what would be answered if they stood among the enforced ones.

use std::sync::atomic::{AtomicU64, Ordering};

use angos_identity::Identity;
use angos_policy::{Decision, DefaultDecision, Facts, Policy, Reason};

use super::{Case, Judgement, Tally};

/// The rules of one policy that are on trial, and what they would have done.
#[derive(Debug)]
pub(crate) struct Shadow {
    pub(crate) rules: Policy,
    pub(crate) tally: Tally,
    /// Requests that would have been allowed instead of denied.
    pub(crate) would_allow: AtomicU64,
    /// Requests that would have been denied instead of allowed.
    pub(crate) would_deny: AtomicU64,
}

impl Shadow {
    pub(crate) fn new(rules: Policy) -> Self {
        let tally = Tally::new(&rules);
        Self { rules, tally, would_allow: AtomicU64::new(0), would_deny: AtomicU64::new(0) }
    }

    /// The decision of the enforced rules and those on trial together, and which of the two made it. Every rule on
    /// trial is evaluated and counted, whatever the others say.
    fn decide<'a>(
        &'a self,
        enforced: &'a Policy,
        decision: Decision,
        (identity, facts): (&Identity, &dyn Facts),
        count: impl Fn(&Tally, Reason),
    ) -> (&'a Policy, Decision) {
        let (mut matching, mut undecidable) = (None, None);
        self.rules.evaluate_all(identity, facts, &mut |reason| {
            count(&self.tally, reason);
            let first = if matches!(reason, Reason::Rule(_)) { &mut matching } else { &mut undecidable };
            first.get_or_insert(reason);
        });
        let allows = enforced.default_decision() == DefaultDecision::Deny;
        match (decision.reason, matching, undecidable) {
            (Reason::Rule(_), ..) | (_, None, None) | (Reason::Undecidable { .. }, None, _) => {
                (enforced, decision)
            }
            (_, Some(reason), _) => (&self.rules, Decision { allowed: allows, reason }),
            (_, None, Some(reason)) => (&self.rules, Decision { allowed: false, reason }),
        }
    }

    /// Counts a decision that would have been another one.
    pub(super) fn count_change(&self, would_allow: bool) {
        let count = if would_allow { &self.would_allow } else { &self.would_deny };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// What would be answered if every rule on trial stood among the enforced ones.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trial<'a> {
    pub(super) judgement: Judgement<'a>,
    /// The rules on trial that change what their policy says, of the first policy of which any do.
    pub(super) changed: Option<&'a Shadow>,
}

impl<'a> Case<'a, '_> {
    /// The trial of this inquiry; `None` when no rule on trial is about it. `said` is what the policies that were asked
    /// have answered, in their order; `count` hears what each rule on trial said.
    pub(super) fn shadow(
        &self,
        identity: &Identity,
        said: [Option<Decision>; 2],
        count: impl Fn(&Tally, Reason) + Copy,
    ) -> Option<Trial<'a>> {
        if !self.policies().any(|(_, policy)| policy.shadow.is_some()) {
            return None;
        }
        let mut verdict: Option<Judgement<'a>> = None;
        let mut changed = None;
        for ((scope, policy), said) in self.policies().zip(said) {
            let is_open = verdict.as_ref().is_none_or(Judgement::is_allowed);
            let decision = match said {
                Some(decision) => decision,
                // The enforced rules ended before this policy; with those on trial it is asked.
                None if is_open => policy.rules.decide(identity, &self.asked),
                None => break,
            };
            let asked = (identity, &self.asked as &dyn Facts);
            let (rules, would) = match &policy.shadow {
                Some(shadow) => shadow.decide(&policy.rules, decision, asked, count),
                None => (&policy.rules, decision),
            };
            if would.allowed != decision.allowed {
                changed = changed.or(policy.shadow.as_ref());
            }
            if is_open {
                verdict = Some(Judgement::Policy { scope, policy: rules, decision: would });
            }
        }
        verdict.map(|judgement| Trial { judgement, changed })
    }
}
