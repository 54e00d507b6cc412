//! The decision on one request: which policies apply to it, and what follows from their answers.

mod counters;
mod shadow;

use angos_identity::Identity;
use angos_oci::Name;
use angos_policy::{Facts, Policy, Reason, Undecidable, Value};

use crate::action::Action;
use crate::policy_set::{AccessPolicies, AccessPolicy};
use crate::request::AccessRequest;

pub use counters::DecisionCounters;
use shadow::ShadowDecision;
pub use shadow::ShadowRules;

/// Whether one request is allowed, and why.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Decision<'a> {
    /// A policy decided.
    Policy {
        /// `global`, or the repository's configured name.
        scope: &'a str,
        /// The policy.
        policy: &'a Policy,
        /// What it decisions.
        decision: angos_policy::Decision,
    },
    /// Denied, whatever the policies say: the CA of this name issued the caller's certificate, and is restricted to other
    /// repositories.
    CaRestriction(&'a str),
    /// Denied: no policy is configured for this request.
    Unconfigured,
    /// Allowed: only repositories have policies, and an authenticated caller asks for the version of the API.
    Identified,
}

impl<'a> Decision<'a> {
    /// Whether the request is allowed.
    pub fn is_allowed(&self) -> bool {
        match self {
            Self::Policy { decision, .. } => decision.allowed,
            Self::CaRestriction(_) | Self::Unconfigured => false,
            Self::Identified => true,
        }
    }

    /// `allow` or `deny`.
    pub fn outcome(&self) -> &'static str {
        if self.is_allowed() { "allow" } else { "deny" }
    }

    /// The policy that decided: `global`, the repository's configured name, or `none`.
    pub fn scope(&self) -> &'a str {
        match self {
            Self::Policy { scope, .. } => scope,
            Self::CaRestriction(_) | Self::Unconfigured | Self::Identified => "none",
        }
    }

    /// The rule that decided, by name or position; else one of `default`, `ca_restriction`, `unconfigured` and `identified`.
    pub fn rule(&self) -> &'a str {
        match self {
            Self::Policy { policy, decision, .. } => match decision.reason {
                Reason::Rule(rule) | Reason::Undecidable { rule, .. } => policy.rule_name(rule),
                Reason::Default => "default",
            },
            Self::CaRestriction(_) => "ca_restriction",
            Self::Unconfigured => "unconfigured",
            Self::Identified => "identified",
        }
    }

    /// The kind of decision: `rule`, `undecidable`, `default`, `ca_restriction`, `unconfigured` or `identified`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Policy { decision, .. } => match decision.reason {
                Reason::Rule(_) => "rule",
                Reason::Undecidable { .. } => "undecidable",
                Reason::Default => "default",
            },
            Self::CaRestriction(_) => "ca_restriction",
            Self::Unconfigured => "unconfigured",
            Self::Identified => "identified",
        }
    }

    /// The rule that decided, if one did.
    pub fn rule_name(&self) -> Option<&'a str> {
        matches!(self.reason(), "rule" | "undecidable").then(|| self.rule())
    }

    /// Why the rule that decided has no value, if it has none.
    pub fn undecidable(&self) -> Option<Undecidable> {
        match self {
            Self::Policy {
                decision: angos_policy::Decision { reason: Reason::Undecidable { cause, .. }, .. },
                ..
            } => Some(*cause),
            _ => None,
        }
    }
}

/// The decision to enforce, and the decision with the shadow rules, if any shadow rules apply.
#[derive(Debug, Clone, Copy)]
pub struct Decisions<'a> {
    /// The decision to enforce.
    pub enforced: Decision<'a>,
    /// What it would be if the shadow rules were enforced; for logs only.
    pub shadow: Option<Decision<'a>>,
}

pub(crate) const GLOBAL: &str = "global";

impl AccessPolicies {
    /// Decides one request. A caller whose CA is [restricted](AccessPolicies::authorities) to other repositories is
    /// denied; then every policy that applies must allow: first the global one, then the repository's. Does not
    /// allocate, and counts nothing.
    ///
    /// An operation may need several requests, see [`AccessRequest::for_operation`]. The identity is taken as proven.
    pub fn decide(&self, identity: &Identity, request: &AccessRequest) -> Decision<'_> {
        match self.ca_restriction(identity, request) {
            Some(authority) => Decision::CaRestriction(authority),
            None => self.evaluation(request).decide(identity, |_, _| ()).0,
        }
    }

    /// The same for a request that is enforced: counts the decision, and decides once more with the shadow rules.
    pub fn decide_and_count(&self, identity: &Identity, request: &AccessRequest) -> Decisions<'_> {
        let evaluation = self.evaluation(request);
        if let Some(authority) = self.ca_restriction(identity, request) {
            return Decisions { enforced: Decision::CaRestriction(authority), shadow: None };
        }
        let (enforced, decisions) =
            evaluation.decide(identity, |policy, decision| policy.counters.count(decision.reason));
        let shadow = evaluation.shadow(identity, decisions, DecisionCounters::count);
        if let Some(ShadowDecision { decision: would, changed: Some(rules) }) = shadow
            && would.is_allowed() != enforced.is_allowed()
        {
            rules.count_change(would.is_allowed());
        }
        Decisions { enforced, shadow: shadow.map(|shadow| shadow.decision) }
    }

    /// What [`decide`](Self::decide) would return if the shadow rules were enforced; `None` when none of them applies
    /// to the request. Counts nothing.
    pub fn decide_with_shadow(&self, identity: &Identity, request: &AccessRequest) -> Option<Decision<'_>> {
        if self.ca_restriction(identity, request).is_some() {
            return None;
        }
        let evaluation = self.evaluation(request);
        let (_, decisions) = evaluation.decide(identity, |_, _| ());
        evaluation.shadow(identity, decisions, |_, _| ()).map(|shadow| shadow.decision)
    }

    /// Every policy with the name it has in decisions, metrics and logs.
    pub fn policies(&self) -> impl Iterator<Item = (&str, &AccessPolicy)> {
        let repositories = self.repositories.iter().map(|(name, policy)| (scope(name), policy));
        self.global.iter().map(|policy| (GLOBAL, policy)).chain(repositories)
    }

    /// The policies that apply to a request, in the order they are evaluated, with the facts they are evaluated on.
    pub(crate) fn applicable<'a, 'b>(
        &'a self,
        request: &'b AccessRequest,
    ) -> impl Iterator<Item = (&'a str, &'a AccessPolicy, RequestFacts<'b>)> {
        let evaluation = self.evaluation(request);
        evaluation.policies().map(move |(scope, policy)| (scope, policy, evaluation.facts))
    }

    fn evaluation<'a, 'b>(&'a self, request: &'b AccessRequest) -> Evaluation<'a, 'b> {
        let repository = request.namespace().and_then(|namespace| self.repository(namespace));
        let facts = RequestFacts { request, has_repository_policy: repository.is_some() };
        Evaluation { access: self, repository, facts }
    }

    /// The CA that issued the caller's certificate, if it is restricted to other repositories than the request's.
    fn ca_restriction(&self, identity: &Identity, request: &AccessRequest) -> Option<&str> {
        let authority = identity.certificate()?.ca()?;
        let (authority, namespaces) = self.authorities.get_key_value(authority)?;
        let is_inside = match request.namespace() {
            Some(namespace) => namespaces.iter().any(|allowed| namespace.is_within(allowed)),
            // Listings show nothing else; clients begin with the version.
            None => matches!(request.action(), Action::GetApiVersion | Action::ListCatalog),
        };
        (!is_inside).then_some(authority)
    }

    /// The policy with the longest name that is `namespace` or a path prefix of it, by whole components.
    fn repository<'a>(&'a self, namespace: &Name) -> Option<(&'a str, &'a AccessPolicy)> {
        let (name, policy) = self.repositories.applicable(namespace)?;
        Some((scope(name), policy))
    }
}

/// A repository's policy goes by the repository's name, unless that is the name of the global one.
fn scope(repository: &str) -> &str {
    if repository == GLOBAL { "repository.global" } else { repository }
}

/// One request and the policies that apply to it.
#[derive(Debug)]
struct Evaluation<'a, 'b> {
    access: &'a AccessPolicies,
    repository: Option<(&'a str, &'a AccessPolicy)>,
    facts: RequestFacts<'b>,
}

impl<'a> Evaluation<'a, '_> {
    /// The policies that must allow, in the order they are evaluated.
    fn policies(&self) -> impl Iterator<Item = (&'a str, &'a AccessPolicy)> + use<'a> {
        let global = self.access.global.as_ref().map(|policy| (GLOBAL, policy));
        global.into_iter().chain(self.repository)
    }

    /// The decision, and those of each policy that was evaluated, which `on_decision` receives too.
    fn decide(
        &self,
        identity: &Identity,
        on_decision: impl Fn(&AccessPolicy, angos_policy::Decision),
    ) -> (Decision<'a>, [Option<angos_policy::Decision>; 2]) {
        let mut result = Decision::Unconfigured;
        let mut decisions = [None; 2];
        for ((scope, policy), place) in self.policies().zip(&mut decisions) {
            let decision = policy.rules.decide(identity, &self.facts);
            on_decision(policy, decision);
            *place = Some(decision);
            result = Decision::Policy { scope, policy: &policy.rules, decision };
            if !decision.allowed {
                return (result, decisions);
            }
        }
        let is_version = self.facts.request.action() == Action::GetApiVersion;
        let unruled = matches!(result, Decision::Unconfigured) && is_version;
        if unruled && !self.access.repositories.is_empty() && !identity.is_anonymous() {
            result = Decision::Identified;
        }
        (result, decisions)
    }
}

/// A request and whether a repository policy applies to it, in the order of [`environment`](crate::environment()).
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestFacts<'a> {
    request: &'a AccessRequest,
    has_repository_policy: bool,
}

impl Facts for RequestFacts<'_> {
    fn fact(&self, index: usize) -> Value<'_> {
        match index {
            14 => Value::Bool(self.has_repository_policy),
            index => self.request.fact(index),
        }
    }
}
