//! How often each rule of a policy decided: one counter for each possible answer, and one atomic add per decision.

use std::sync::atomic::{AtomicU64, Ordering};

use angos_policy::{Policy, Reason};

/// One number for each answer a policy can give: first those of the rules that are true, then those of the rules that
/// cannot be decided, and last the default's.
#[derive(Debug)]
pub struct DecisionCounters {
    rules: usize,
    counts: Box<[AtomicU64]>,
}

impl DecisionCounters {
    pub(crate) fn new(policy: &Policy) -> Self {
        let rules = policy.len();
        Self { rules, counts: (0..=2 * rules).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Counts one decision.
    pub(crate) fn count(&self, reason: Reason) {
        let slot = match reason {
            Reason::Rule(rule) => rule,
            Reason::Undecidable { rule, .. } => self.rules + rule,
            Reason::Default => 2 * self.rules,
        };
        if let Some(count) = self.counts.get(slot) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Decisions this rule made by being true.
    pub fn matches(&self, rule: usize) -> u64 {
        self.read(rule)
    }

    /// Decisions this rule made by having no value.
    pub fn undecidable(&self, rule: usize) -> u64 {
        self.read(self.rules + rule)
    }

    /// Decisions the default made.
    pub fn defaults(&self) -> u64 {
        self.read(2 * self.rules)
    }

    fn read(&self, slot: usize) -> u64 {
        self.counts.get(slot).map_or(0, |count| count.load(Ordering::Relaxed))
    }
}
