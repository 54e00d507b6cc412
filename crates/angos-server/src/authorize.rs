//! Stage 6: caller and operation → [`Permit`] or [`Denied`]. Nothing else makes a permit, and no operation runs
//! without one. Writes the decision log.

pub(crate) mod access;
pub(crate) mod denial_log;
pub(crate) mod recheck;

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use angos_access::{AccessRequest, Decision, DecisionRecord, Decisions, Operation, RequestMethod};
use angos_identity::{CallerKey, Certificate, Identity};
use angos_oci::{Digest, Name};
use angos_policy::Undecidable;

use crate::authorize::access::CurrentAccess;
use crate::authorize::denial_log::DenialLog;
use crate::decision_log::DecisionLog;
use crate::metrics::Metrics;
use crate::request::id::RequestId;

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

/// Who said no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// The policies. They may answer otherwise to somebody who also proves who he is by a credential.
    ByPolicies,
    /// The bound of the authority that vouches for the caller, which holds whatever else the caller proves.
    ByCa,
}

impl Denied {
    /// Whether a credential might turn it into a yes: a challenge without that hope would have people type passwords
    /// in vain (RFC 9110 §15.5.2, §15.5.4).
    pub(crate) fn credential_may_help(self) -> bool {
        self == Self::ByPolicies
    }
}

/// Asks the policies on behalf of one request.
#[derive(Debug)]
pub(crate) struct Authorizer<'a> {
    pub(crate) in_force: &'a Arc<CurrentAccess>,
    pub(crate) identity: &'a Identity,
    pub(crate) method: RequestMethod,
    pub(crate) time: SystemTime,
    pub(crate) request: RequestId,
    pub(crate) metrics: &'a Metrics,
    pub(crate) denial_log: &'a DenialLog,
    pub(crate) decision_log: Option<&'a DecisionLog>,
}

impl Authorizer<'_> {
    /// Asks everything there is to ask about an operation, counts and logs each decision.
    pub(crate) fn admit(&self, operation: Operation) -> Result<Permit, Denied> {
        AccessRequest::for_operation(&operation, self.method, self.time)
            .try_for_each(|request| self.ask(&request))?;
        Ok(Permit { operation })
    }

    /// Decides again what was permitted before. Counted and logged only where the answer is another one.
    pub(crate) fn confirm(&self, operation: &Operation) -> Result<(), Denied> {
        AccessRequest::for_operation(operation, self.method, self.time)
            .filter(|request| !self.decide(request).is_allowed())
            .try_for_each(|request| self.ask(&request))
    }

    /// Whether the caller may see a repository in a listing. Neither logged nor counted: a page asks this a thousand
    /// times, which would drown what callers ask for.
    pub(crate) fn may_list(&self, name: &Name) -> bool {
        self.decide(&AccessRequest::list(name, self.method, self.time)).is_allowed()
    }

    /// Whether the caller may read a blob where it was not asked for by name. Neither logged nor counted.
    pub(crate) fn may_read(&self, name: &Name, digest: &Digest) -> bool {
        self.decide(&AccessRequest::read(name, digest, self.method, self.time)).is_allowed()
    }

    fn decide(&self, request: &AccessRequest) -> Decision<'_> {
        self.in_force.access.policies.decide(self.identity, request)
    }

    fn ask(&self, request: &AccessRequest) -> Result<(), Denied> {
        let started = Instant::now();
        let decisions = self.in_force.access.policies.decide_and_count(self.identity, request);
        self.metrics.decision_time.observe(started.elapsed());
        let allowed = decisions.enforced.is_allowed();
        if allowed {
            self.metrics.allowed.inc();
        } else {
            self.metrics.denied.inc();
        }
        self.log(request, decisions);
        let Decisions { enforced, shadow } = decisions;
        if let Some(log) = self.decision_log {
            let (generation, identity) = (self.in_force.generation, self.identity);
            let request_id = &self.request;
            log.record(&DecisionRecord {
                generation,
                request_id,
                decision: enforced,
                shadow,
                identity,
                request,
            });
        }
        match enforced {
            _ if allowed => Ok(()),
            Decision::CaRestriction(_) => Err(Denied::ByCa),
            _ => Err(Denied::ByPolicies),
        }
    }

    /// Denials at `info`, as far as the [`DenialLog`] admits; the rest at `debug`.
    ///
    /// What a certificate or client wrote is a field of the event and never part of its message: subscribers escape fields.
    fn log(&self, request: &AccessRequest, Decisions { enforced, shadow }: Decisions<'_>) {
        let debug = tracing::enabled!(target: "angos::policy", tracing::Level::DEBUG);
        let suppressed =
            if enforced.is_allowed() || !tracing::enabled!(target: "angos::policy", tracing::Level::INFO) {
                None
            } else {
                let caller = CallerKey::new(self.identity.client_address(), self.identity.certificate());
                self.denial_log.admit(caller, Instant::now())
            };
        macro_rules! decision {
            ($level:ident, $suppressed:expr, $outcome:literal) => {
                tracing::$level!(
                    target: "angos::policy",
                    suppressed = $suppressed,
                    policy = enforced.scope(),
                    rule = enforced.rule(),
                    undecidable = enforced.undecidable().map(Undecidable::as_str),
                    shadow = shadow.map(|shadow| shadow.outcome()),
                    shadow_policy = shadow.map(|shadow| shadow.scope()),
                    shadow_rule = shadow.map(|shadow| shadow.rule()),
                    generation = self.in_force.generation,
                    method = self.identity.method().as_str(),
                    identity = self.identity.id(),
                    ca = self.identity.certificate().and_then(Certificate::ca),
                    subject = self.identity.certificate().map(Certificate::subject),
                    fingerprint = self.identity.certificate().map(Certificate::fingerprint),
                    client_ip = self.identity.client_ip(),
                    action = request.action().as_str(),
                    namespace = request.namespace().map(AsRef::<str>::as_ref),
                    request_id = %self.request,
                    $outcome
                )
            };
        }
        match suppressed {
            Some(suppressed) => decision!(info, (suppressed > 0).then_some(suppressed), "denied"),
            None if !debug => {}
            None if enforced.is_allowed() => decision!(debug, None::<u64>, "allowed"),
            None => decision!(debug, None::<u64>, "denied"),
        }
    }
}

#[cfg(test)]
mod tests;
