//! Stage 6: caller and operation → [`Permit`] or [`Denied`]. Nothing else makes a permit, and no operation runs
//! without one. Writes the decision log.

use std::collections::HashMap;
use std::time::SystemTime;

use angos_identity::{Certificate, Identity};
use angos_oci::{Digest, Name};
use angos_policy::{Decision, Policy, Reason};

use crate::environment::Question;
use crate::metrics::Metrics;
use crate::request_id::RequestId;
use crate::route::{Action, Operation};

/// Proof that a policy allowed this operation to this caller. Only this module can make one.
#[derive(Debug)]
pub(crate) struct Permit {
    operation: Operation,
}

impl Permit {
    /// What is permitted.
    pub(crate) fn operation(&self) -> &Operation {
        &self.operation
    }
}

/// The policies said no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Denied;

/// The configured policies, ready to be asked.
#[derive(Debug)]
pub(crate) struct Policies {
    global: Option<Policy>,
    repositories: HashMap<String, Policy>,
    generation: u64,
}

/// What was decided and why, for the log.
#[derive(Debug, Clone, Copy)]
enum Verdict<'a> {
    /// A policy decided: its name (`global`, or the repository's), and its reason.
    Policy(&'a str, &'a Policy, Decision),
    /// No policy is configured for this request.
    Unconfigured,
    /// Only repositories have policies, and an identified caller asked for the version of the API.
    Identified,
}

const GLOBAL: &str = "global";

impl Policies {
    /// Takes a set into use; `generation` names it in the decision log.
    pub(crate) fn new(global: Option<Policy>, repositories: Vec<(String, Policy)>, generation: u64) -> Self {
        Self { global, repositories: repositories.into_iter().collect(), generation }
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
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

    /// Every configured policy must allow: first the global one, then the repository's.
    fn decide<'a>(&'a self, identity: &Identity, question: &mut Question<'_>) -> Verdict<'a> {
        let repository = question.namespace.and_then(|namespace| self.repository(namespace));
        question.has_repository_policy = repository.is_some();
        let global = self.global.as_ref().map(|policy| (GLOBAL, policy));
        let mut verdict = Verdict::Unconfigured;
        for (scope, policy) in global.into_iter().chain(repository) {
            let decision = policy.decide(identity, question);
            verdict = Verdict::Policy(scope, policy, decision);
            if !decision.allowed {
                return verdict;
            }
        }
        let unruled = matches!(verdict, Verdict::Unconfigured) && question.action == Action::GetApiVersion;
        if unruled && !self.repositories.is_empty() && !identity.is_anonymous() {
            return Verdict::Identified;
        }
        verdict
    }
}

impl Verdict<'_> {
    fn allows(&self) -> bool {
        match self {
            Self::Policy(_, _, decision) => decision.allowed,
            Self::Unconfigured => false,
            Self::Identified => true,
        }
    }
}

/// Asks the policies on behalf of one request.
#[derive(Debug)]
pub(crate) struct Gate<'a> {
    pub(crate) policies: &'a Policies,
    pub(crate) identity: &'a Identity,
    pub(crate) method: &'a str,
    pub(crate) time: SystemTime,
    pub(crate) request: RequestId,
    pub(crate) metrics: &'a Metrics,
}

impl Gate<'_> {
    /// Asks everything there is to ask about an operation, counts and logs each decision.
    pub(crate) fn admit(&self, operation: Operation) -> Result<Permit, Denied> {
        let allowed = Question::all(&operation, self.method, self.time).all(|question| self.ask(question));
        if allowed { Ok(Permit { operation }) } else { Err(Denied) }
    }

    /// Whether the caller may see a repository in a listing. Not logged: a page asks this a thousand times.
    pub(crate) fn may_list(&self, name: &Name) -> bool {
        let mut question = Question::new(Action::ListTags, Some(name), self.method, self.time);
        self.policies.decide(self.identity, &mut question).allows()
    }

    /// Whether the caller may read a blob where it was not asked for by name. Not logged.
    pub(crate) fn may_read(&self, name: &Name, digest: &Digest) -> bool {
        let question = Question::new(Action::GetBlob, Some(name), self.method, self.time);
        self.policies.decide(self.identity, &mut question.with_digest(digest)).allows()
    }

    fn ask(&self, mut question: Question<'_>) -> bool {
        let verdict = self.policies.decide(self.identity, &mut question);
        let allowed = verdict.allows();
        let (counter, level_enabled) = if allowed {
            (&self.metrics.allowed, tracing::enabled!(target: "angos::policy", tracing::Level::DEBUG))
        } else {
            (&self.metrics.denied, tracing::enabled!(target: "angos::policy", tracing::Level::INFO))
        };
        counter.inc();
        if level_enabled {
            self.log(&question, verdict, allowed);
        }
        allowed
    }

    /// What a certificate or client wrote is a field of the event and never part of its message: subscribers escape fields.
    fn log(&self, question: &Question<'_>, verdict: Verdict<'_>, allowed: bool) {
        let (scope, rule, undecidable) = match verdict {
            Verdict::Policy(scope, policy, Decision { reason, .. }) => match reason {
                Reason::Rule(rule) => (scope, policy.rule_name(rule), None),
                Reason::Undecidable { rule, cause, .. } => {
                    (scope, policy.rule_name(rule), Some(cause.as_str()))
                }
                Reason::Default => (scope, "default", None),
            },
            Verdict::Unconfigured => ("none", "unconfigured", None),
            Verdict::Identified => ("none", "identified", None),
        };
        macro_rules! decision {
            ($level:ident, $outcome:literal) => {
                tracing::$level!(
                    target: "angos::policy",
                    policy = scope,
                    rule,
                    undecidable,
                    generation = self.policies.generation,
                    method = self.identity.method().as_str(),
                    identity = self.identity.id(),
                    subject = self.identity.certificate().map(Certificate::subject),
                    fingerprint = self.identity.certificate().map(Certificate::fingerprint),
                    client_ip = self.identity.client_ip(),
                    action = question.action.as_str(),
                    namespace = question.namespace.map(AsRef::<str>::as_ref),
                    request_id = %self.request,
                    $outcome
                )
            };
        }
        if allowed {
            decision!(debug, "allowed");
        } else {
            decision!(info, "denied");
        }
    }
}

#[cfg(test)]
mod tests;
