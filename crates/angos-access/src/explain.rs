//! Why a request is allowed or denied, for tools.

mod json;
mod text;

use angos_identity::Identity;
use angos_policy::{Policy, PolicyExplanation, Reason, RuleOutcome};

use crate::decide::{Decision, GLOBAL};
use crate::policy_set::AccessPolicies;
use crate::request::{AccessRequest, AccessRequests};

/// Why a set of policies answers one request as it does: every policy that is about it, with every rule and the value of
/// every part of it.
///
/// [`Serialize`](serde::Serialize) writes all of it, texts bounded.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Explanation {
    /// Whether the caller may, as [`AccessPolicies::decide`] says.
    pub is_allowed: bool,
    /// The policy that decided: [`Decision::scope`](crate::Decision::scope).
    pub scope: String,
    /// The rule that decided: [`Decision::rule`](crate::Decision::rule).
    pub rule: String,
    /// What kind of answer it is: [`Decision::reason`](crate::Decision::reason).
    pub reason: &'static str,
    /// The policies that must allow, in the order they are asked; one after a denial was not asked any more.
    pub policies: Vec<ScopeExplanation>,
    /// What would be answered if the shadow rules were enforced; none when none is about the request.
    pub shadow: Option<ShadowExplanation>,
}

/// What would be answered, in the words of [`Explanation`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ShadowExplanation {
    /// Whether the caller might.
    pub is_allowed: bool,
    /// The policy that would decide.
    pub scope: String,
    /// The rule that would decide.
    pub rule: String,
    /// What kind of answer it would be.
    pub reason: &'static str,
}

/// What one policy says.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ScopeExplanation {
    /// `global`, or the repository's configured name.
    pub scope: String,
    /// Whether the server asks it: not after another one denied.
    pub is_asked: bool,
    /// What it says, whether it is asked or not.
    pub explanation: PolicyExplanation,
    /// What its shadow rules say. Their own decision plays no part: see [`Explanation::shadow`].
    pub shadow: Option<PolicyExplanation>,
}

impl Explanation {
    /// The rule by which each policy allows that does, `default` for none, with the policy's scope.
    pub fn allowing(&self) -> impl Iterator<Item = (&str, &str)> {
        let allowing = self.policies.iter().filter(|policy| policy.explanation.decision.allowed);
        allowing.map(|ScopeExplanation { scope, explanation, .. }| match explanation.decision.reason {
            Reason::Rule(rule) => {
                (&**scope, explanation.rules.get(rule).map_or("default", |rule| &rule.name))
            }
            Reason::Default | Reason::Undecidable { .. } => (&**scope, "default"),
        })
    }
}

impl AccessPolicies {
    /// What the policies answer, as [`decide`](Self::decide) does, and why. Allocates, and parses every rule again: for
    /// people and tests.
    pub fn explain(&self, identity: &Identity, request: &AccessRequest) -> Explanation {
        let decision = self.decide(identity, request);
        let mut is_asked = !matches!(decision, Decision::CaRestriction(_));
        let policies = self.applicable(request).map(|(scope, policy, asked)| {
            let explanation = policy.rules().explain(identity, &asked);
            let shadow = policy.shadow_rules().map(|rules| rules.explain(identity, &asked));
            let told = ScopeExplanation { scope: scope.to_owned(), is_asked, explanation, shadow };
            is_asked &= told.explanation.decision.allowed;
            told
        });
        let shadow = self.decide_with_shadow(identity, request).map(|would| ShadowExplanation {
            is_allowed: would.is_allowed(),
            scope: would.scope().to_owned(),
            rule: would.rule().to_owned(),
            reason: would.reason(),
        });
        Explanation {
            policies: policies.collect(),
            shadow,
            is_allowed: decision.is_allowed(),
            scope: decision.scope().to_owned(),
            rule: decision.rule().to_owned(),
            reason: decision.reason(),
        }
    }

    /// What every rule says that the server would ask about a request, for counting which rules are ever true: the
    /// scope of its policy, its position there, and its value.
    pub fn evaluate_all(
        &self,
        identity: &Identity,
        request: &AccessRequest,
        visit: &mut dyn FnMut(&str, usize, RuleOutcome),
    ) {
        if matches!(self.decide(identity, request), Decision::CaRestriction(_)) {
            return;
        }
        for (scope, policy, asked) in self.applicable(request) {
            let rules = policy.rules();
            let mut next = 0;
            rules.evaluate_all(identity, &asked, &mut |reason| {
                let (rule, outcome) = match reason {
                    Reason::Rule(rule) => (rule, RuleOutcome::True),
                    Reason::Undecidable { rule, cause, .. } => (rule, RuleOutcome::Undecidable(cause)),
                    Reason::Default => return,
                };
                // Those passed over are false.
                (next..rule).for_each(|rule| visit(scope, rule, RuleOutcome::False));
                visit(scope, rule, outcome);
                next = rule + 1;
            });
            (next..rules.len()).for_each(|rule| visit(scope, rule, RuleOutcome::False));
            if !rules.decide(identity, &asked).allowed {
                return;
            }
        }
    }

    /// The policies with the names they have in decisions, in alphabetical order after the global one.
    pub fn scopes(&self) -> Vec<(&str, &Policy)> {
        let mut scopes: Vec<_> = self.policies().map(|(scope, policy)| (scope, policy.rules())).collect();
        scopes.sort_by_key(|(scope, _)| (*scope != GLOBAL, *scope));
        scopes
    }

    /// Whether a whole request passes.
    pub fn allows(&self, identity: &Identity, requests: &AccessRequests) -> bool {
        let may = |request: &AccessRequest| self.decide(identity, request).is_allowed();
        let alternatives = requests.alternatives();
        requests.required().iter().all(may) && (alternatives.is_empty() || alternatives.iter().any(may))
    }
}
