//! Stage 6, the answer: which policies are asked about one inquiry, and what follows from what they say.

use angos_identity::Identity;
use angos_oci::Name;
use angos_policy::{Decision, Facts, Policy, Reason, Undecidable, Value};

use crate::access::Access;
use crate::inquiry::Inquiry;
use crate::route::Action;

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
            Self::Unconfigured => false,
            Self::Identified => true,
        }
    }

    /// The policy that decided: `global`, the repository's configured name, or `none`.
    pub fn scope(&self) -> &'a str {
        match self {
            Self::Policy { scope, .. } => scope,
            Self::Unconfigured | Self::Identified => "none",
        }
    }

    /// The rule that decided, by name or position; else one of `default`, `unconfigured` and `identified`.
    pub fn rule(&self) -> &'a str {
        match self {
            Self::Policy { policy, decision, .. } => match decision.reason {
                Reason::Rule(rule) | Reason::Undecidable { rule, .. } => policy.rule_name(rule),
                Reason::Default => "default",
            },
            Self::Unconfigured => "unconfigured",
            Self::Identified => "identified",
        }
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

const GLOBAL: &str = "global";

impl Access {
    /// What the policies answer; the server asks nothing else. Every policy that is about the inquiry must allow it:
    /// first the global one, then the repository's. Does not allocate.
    ///
    /// A request may need several: [`Inquiry`] says which. The credentials of the set play no part: the identity is
    /// taken as proven.
    pub fn judge(&self, identity: &Identity, inquiry: &Inquiry) -> Judgement<'_> {
        let repository = inquiry.namespace().and_then(|namespace| self.repository(namespace));
        let asked = Asked { inquiry, has_repository_policy: repository.is_some() };
        let global = self.global.as_ref().map(|policy| (GLOBAL, policy));
        let mut judgement = Judgement::Unconfigured;
        for (scope, policy) in global.into_iter().chain(repository) {
            let decision = policy.decide(identity, &asked);
            judgement = Judgement::Policy { scope, policy, decision };
            if !decision.allowed {
                return judgement;
            }
        }
        let unruled =
            matches!(judgement, Judgement::Unconfigured) && inquiry.action() == Action::GetApiVersion;
        if unruled && !self.repositories.is_empty() && !identity.is_anonymous() {
            return Judgement::Identified;
        }
        judgement
    }

    /// The policy with the longest name that is `namespace` or a path prefix of it, by whole components.
    fn repository<'a>(&'a self, namespace: &Name) -> Option<(&'a str, &'a Policy)> {
        let mut prefix: &str = namespace.as_ref();
        loop {
            if let Some((name, policy)) = self.repositories.get_key_value(prefix) {
                return Some((name, policy));
            }
            prefix = prefix.rsplit_once('/')?.0;
        }
    }
}

/// An inquiry and what the policies in force add to it, in the order of [`environment`](crate::environment()).
#[derive(Debug)]
struct Asked<'a> {
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
