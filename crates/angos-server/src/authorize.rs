//! Stage 6: caller and operation → [`Permit`] or [`Denied`]. Nothing else makes a permit, and no operation runs
//! without one. Writes the decision log.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use angos_identity::{Certificate, Identity};
use angos_oci::{Digest, Name};
use angos_policy::Undecidable;
use hyper::Method;

use crate::access::AccessInForce;
use crate::decision_log::{DecisionLog, Entry};
use crate::inquiry::Inquiry;
use crate::judge::{Judgement, Verdict};
use crate::metrics::Metrics;
use crate::request_id::RequestId;
use crate::route::Operation;

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
    ByAuthority,
}

impl Denied {
    /// Whether a credential might turn it into a yes: a challenge without that hope would have people type passwords
    /// in vain (RFC 9110 §15.5.2, §15.5.4).
    pub(crate) fn may_change(self) -> bool {
        self == Self::ByPolicies
    }
}

/// Asks the policies on behalf of one request.
#[derive(Debug)]
pub(crate) struct Gate<'a> {
    pub(crate) in_force: &'a Arc<AccessInForce>,
    pub(crate) identity: &'a Identity,
    pub(crate) method: &'a Method,
    pub(crate) time: SystemTime,
    pub(crate) request: RequestId,
    pub(crate) metrics: &'a Metrics,
    pub(crate) decision_log: Option<&'a DecisionLog>,
}

impl Gate<'_> {
    /// Asks everything there is to ask about an operation, counts and logs each decision.
    pub(crate) fn admit(&self, operation: Operation) -> Result<Permit, Denied> {
        Inquiry::all(&operation, self.method, self.time).try_for_each(|inquiry| self.ask(&inquiry))?;
        Ok(Permit { operation })
    }

    /// Decides again what was permitted before. Counted and logged only where the answer is another one.
    pub(crate) fn confirm(&self, operation: &Operation) -> Result<(), Denied> {
        Inquiry::all(operation, self.method, self.time)
            .filter(|inquiry| !self.judge(inquiry).is_allowed())
            .try_for_each(|inquiry| self.ask(&inquiry))
    }

    /// Whether the caller may see a repository in a listing. Neither logged nor counted: a page asks this a thousand
    /// times, which would drown what callers ask for.
    pub(crate) fn may_list(&self, name: &Name) -> bool {
        self.judge(&Inquiry::list(name, self.method, self.time)).is_allowed()
    }

    /// Whether the caller may read a blob where it was not asked for by name. Neither logged nor counted.
    pub(crate) fn may_read(&self, name: &Name, digest: &Digest) -> bool {
        self.judge(&Inquiry::read(name, digest, self.method, self.time)).is_allowed()
    }

    fn judge(&self, inquiry: &Inquiry) -> Judgement<'_> {
        self.in_force.access.judge(self.identity, inquiry)
    }

    fn ask(&self, inquiry: &Inquiry) -> Result<(), Denied> {
        let started = Instant::now();
        let verdict = self.in_force.access.decide(self.identity, inquiry);
        self.metrics.decision_time.observe(started.elapsed());
        let allowed = verdict.judgement.is_allowed();
        let (counter, level_enabled) = if allowed {
            (&self.metrics.allowed, tracing::enabled!(target: "angos::policy", tracing::Level::DEBUG))
        } else {
            (&self.metrics.denied, tracing::enabled!(target: "angos::policy", tracing::Level::INFO))
        };
        counter.inc();
        if level_enabled {
            self.log(inquiry, verdict);
        }
        let Verdict { judgement, shadow } = verdict;
        if let Some(log) = self.decision_log {
            let (generation, identity) = (self.in_force.generation, self.identity);
            log.record(&Entry { generation, request: self.request, judgement, shadow, identity, inquiry });
        }
        match judgement {
            _ if allowed => Ok(()),
            Judgement::Authority(_) => Err(Denied::ByAuthority),
            _ => Err(Denied::ByPolicies),
        }
    }

    /// What a certificate or client wrote is a field of the event and never part of its message: subscribers escape fields.
    fn log(&self, inquiry: &Inquiry, Verdict { judgement, shadow }: Verdict<'_>) {
        macro_rules! decision {
            ($level:ident, $outcome:literal) => {
                tracing::$level!(
                    target: "angos::policy",
                    policy = judgement.scope(),
                    rule = judgement.rule(),
                    undecidable = judgement.undecidable().map(Undecidable::as_str),
                    shadow = shadow.map(|shadow| shadow.outcome()),
                    shadow_policy = shadow.map(|shadow| shadow.scope()),
                    shadow_rule = shadow.map(|shadow| shadow.rule()),
                    generation = self.in_force.generation,
                    method = self.identity.method().as_str(),
                    identity = self.identity.id(),
                    authority = self.identity.certificate().and_then(Certificate::authority),
                    subject = self.identity.certificate().map(Certificate::subject),
                    fingerprint = self.identity.certificate().map(Certificate::fingerprint),
                    client_ip = self.identity.client_ip(),
                    action = inquiry.action().as_str(),
                    namespace = inquiry.namespace().map(AsRef::<str>::as_ref),
                    request_id = %self.request,
                    $outcome
                )
            };
        }
        if judgement.is_allowed() {
            decision!(debug, "allowed");
        } else {
            decision!(info, "denied");
        }
    }
}

#[cfg(test)]
mod tests;
