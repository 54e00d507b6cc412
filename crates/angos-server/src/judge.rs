//! Stage 6, the answer: which policies are asked about one inquiry, and what follows from what they say.

mod shadow;
mod tally;

use angos_identity::Identity;
use angos_oci::Name;
use angos_policy::{Decision, Facts, Policy, Reason, Undecidable, Value};

use crate::access::{Access, AccessPolicy};
use crate::inquiry::Inquiry;
use crate::route::Action;

pub(crate) use shadow::Shadow;
use shadow::Trial;
pub(crate) use tally::Tally;

/// What a set of policies answers to one inquiry, and why.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Judgement<'a> {
    /// A policy decided.
    Policy {
        /// `global`, or the repository's configured name.
        scope: &'a str,
        /// The policy.
        policy: &'a Policy,
        /// What it said.
        decision: Decision,
    },
    /// The client authority of this name vouches for the caller, and may not do so here: no, whatever the policies say.
    Authority(&'a str),
    /// No policy is configured for this inquiry: no.
    Unconfigured,
    /// Only repositories have policies, and an identified caller asked for the version of the API: yes.
    Identified,
}

impl<'a> Judgement<'a> {
    /// Whether the caller may.
    pub fn is_allowed(&self) -> bool {
        match self {
            Self::Policy { decision, .. } => decision.allowed,
            Self::Authority(_) | Self::Unconfigured => false,
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
            Self::Authority(_) | Self::Unconfigured | Self::Identified => "none",
        }
    }

    /// The rule that decided, by name or position; else one of `default`, `authority`, `unconfigured` and `identified`.
    pub fn rule(&self) -> &'a str {
        match self {
            Self::Policy { policy, decision, .. } => match decision.reason {
                Reason::Rule(rule) | Reason::Undecidable { rule, .. } => policy.rule_name(rule),
                Reason::Default => "default",
            },
            Self::Authority(_) => "authority",
            Self::Unconfigured => "unconfigured",
            Self::Identified => "identified",
        }
    }

    /// What kind of answer it is: `rule`, `undecidable`, `default`, `authority`, `unconfigured` or `identified`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Policy { decision, .. } => match decision.reason {
                Reason::Rule(_) => "rule",
                Reason::Undecidable { .. } => "undecidable",
                Reason::Default => "default",
            },
            Self::Authority(_) => "authority",
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
            Self::Policy { decision: Decision { reason: Reason::Undecidable { cause, .. }, .. }, .. } => {
                Some(*cause)
            }
            _ => None,
        }
    }
}

/// What the server acts on, and what it would act on with the rules on trial, if there are any.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verdict<'a> {
    pub(crate) judgement: Judgement<'a>,
    pub(crate) shadow: Option<Judgement<'a>>,
}

pub(crate) const GLOBAL: &str = "global";

impl Access {
    /// What the policies answer; the server asks nothing else. Nobody may touch what the
    /// [authority](Access::authorities) that vouches for him may not vouch for; then every policy that is about the inquiry
    /// must allow it: first the global one, then the repository's. Does not allocate, and counts nothing.
    ///
    /// A request may need several: [`Inquiry`] says which. The credentials of the set play no part: the identity is
    /// taken as proven.
    pub fn judge(&self, identity: &Identity, inquiry: &Inquiry) -> Judgement<'_> {
        match self.outside(identity, inquiry) {
            Some(authority) => Judgement::Authority(authority),
            None => self.case(inquiry).judge(identity, |_, _| ()).0,
        }
    }

    /// The same for a request that is acted on: counted, and judged once more with the rules on trial.
    pub(crate) fn decide(&self, identity: &Identity, inquiry: &Inquiry) -> Verdict<'_> {
        let case = self.case(inquiry);
        if let Some(authority) = self.outside(identity, inquiry) {
            return Verdict { judgement: Judgement::Authority(authority), shadow: None };
        }
        let (judgement, said) = case.judge(identity, |policy, decision| policy.tally.count(decision.reason));
        let trial = case.shadow(identity, said, Tally::count);
        if let Some(Trial { judgement: would, changed: Some(shadow) }) = trial
            && would.is_allowed() != judgement.is_allowed()
        {
            shadow.count_change(would.is_allowed());
        }
        Verdict { judgement, shadow: trial.map(|trial| trial.judgement) }
    }

    /// What [`judge`](Self::judge) would answer if the rules on trial were enforced; `None` when none is about the inquiry.
    /// Counts nothing.
    pub fn judge_with_trial(&self, identity: &Identity, inquiry: &Inquiry) -> Option<Judgement<'_>> {
        if self.outside(identity, inquiry).is_some() {
            return None;
        }
        let case = self.case(inquiry);
        let (_, said) = case.judge(identity, |_, _| ());
        case.shadow(identity, said, |_, _| ()).map(|trial| trial.judgement)
    }

    /// Every policy with the name it has in decisions, metrics and logs.
    pub(crate) fn policies(&self) -> impl Iterator<Item = (&str, &AccessPolicy)> {
        let repositories = self.repositories.iter().map(|(name, policy)| (scope(name), policy));
        self.global.iter().map(|policy| (GLOBAL, policy)).chain(repositories)
    }

    /// Every policy that is about an inquiry, and what it is asked.
    pub(crate) fn about<'a, 'b>(
        &'a self,
        inquiry: &'b Inquiry,
    ) -> impl Iterator<Item = (&'a str, &'a AccessPolicy, Asked<'b>)> {
        let case = self.case(inquiry);
        case.policies().map(move |(scope, policy)| (scope, policy, case.asked))
    }

    fn case<'a, 'b>(&'a self, inquiry: &'b Inquiry) -> Case<'a, 'b> {
        let repository = inquiry.namespace().and_then(|namespace| self.repository(namespace));
        let asked = Asked { inquiry, has_repository_policy: repository.is_some() };
        Case { access: self, repository, asked }
    }

    /// The authority that vouches for the caller, if it may not do so here.
    fn outside(&self, identity: &Identity, inquiry: &Inquiry) -> Option<&str> {
        let authority = identity.certificate()?.authority()?;
        let (authority, namespaces) = self.authorities.get_key_value(authority)?;
        let is_inside = match inquiry.namespace() {
            Some(namespace) => namespaces.iter().any(|allowed| namespace.is_within(allowed)),
            // Listings show nothing else; clients begin with the version.
            None => matches!(inquiry.action(), Action::GetApiVersion | Action::ListCatalog),
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

/// One inquiry before the policies that are about it.
#[derive(Debug)]
struct Case<'a, 'b> {
    access: &'a Access,
    repository: Option<(&'a str, &'a AccessPolicy)>,
    asked: Asked<'b>,
}

impl<'a> Case<'a, '_> {
    /// The policies that must allow, in the order they are asked.
    fn policies(&self) -> impl Iterator<Item = (&'a str, &'a AccessPolicy)> + use<'a> {
        let global = self.access.global.as_ref().map(|policy| (GLOBAL, policy));
        global.into_iter().chain(self.repository)
    }

    /// The answer, and what each policy that was asked said; `told` hears it, too.
    fn judge(
        &self,
        identity: &Identity,
        told: impl Fn(&AccessPolicy, Decision),
    ) -> (Judgement<'a>, [Option<Decision>; 2]) {
        let mut judgement = Judgement::Unconfigured;
        let mut said = [None; 2];
        for ((scope, policy), place) in self.policies().zip(&mut said) {
            let decision = policy.rules.decide(identity, &self.asked);
            told(policy, decision);
            *place = Some(decision);
            judgement = Judgement::Policy { scope, policy: &policy.rules, decision };
            if !decision.allowed {
                return (judgement, said);
            }
        }
        let is_version = self.asked.inquiry.action() == Action::GetApiVersion;
        let unruled = matches!(judgement, Judgement::Unconfigured) && is_version;
        if unruled && !self.access.repositories.is_empty() && !identity.is_anonymous() {
            judgement = Judgement::Identified;
        }
        (judgement, said)
    }
}

/// An inquiry and what the policies in force add to it, in the order of [`environment`](crate::environment()).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    inquiry: &'a Inquiry,
    has_repository_policy: bool,
}

impl Facts for Asked<'_> {
    fn fact(&self, index: usize) -> Value<'_> {
        match index {
            14 => Value::Bool(self.has_repository_policy),
            index => self.inquiry.fact(index),
        }
    }
}

#[cfg(test)]
mod tests;
