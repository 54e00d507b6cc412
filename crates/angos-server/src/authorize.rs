//! Stage 6: caller and operation → [`Permit`] or [`Denial`]. Nothing else makes a permit, and no operation runs without
//! one. Writes the decision log.

pub(crate) mod access;
pub(crate) mod denial_log;
pub(crate) mod permit;
pub(crate) mod recheck;

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use angos_access::{
    AccessRequest, Challenge, Decision, DecisionRecord, Decisions, Denial, Operation, RequestMethod,
};
use angos_identity::{CallerKey, Certificate, Identity};
use angos_oci::{Digest, Name};
use angos_policy::Undecidable;

use crate::authorize::access::CurrentAccess;
use crate::authorize::denial_log::DenialLog;
use crate::authorize::permit::{AsOperation, Permit};
use crate::decision_log::DecisionLog;
use crate::metrics::Metrics;
use crate::request::id::RequestId;

/// Allows a probe of the management surface, which no policy is about. `None` for every other operation.
pub(crate) fn authorize_probe(operation: Operation) -> Option<Permit<Operation>> {
    let is_probe = matches!(operation, Operation::Healthz | Operation::Readyz | Operation::Metrics);
    is_probe.then(|| Permit::new(operation))
}

/// Decides on behalf of one request.
#[derive(Debug)]
pub(crate) struct Authorizer<'a> {
    pub(crate) access: &'a Arc<CurrentAccess>,
    pub(crate) identity: &'a Identity,
    pub(crate) method: RequestMethod,
    pub(crate) time: SystemTime,
    pub(crate) request: RequestId,
    /// Whether a refusal asks for a credential.
    pub(crate) challenge: Challenge,
    pub(crate) metrics: &'a Metrics,
    pub(crate) denial_log: &'a DenialLog,
    pub(crate) decision_log: Option<&'a DecisionLog>,
}

impl Authorizer<'_> {
    /// Decides every access request of an operation, counts and logs each decision.
    ///
    /// Callers must not depend on the decision being local: a service that the operator named may be asked after the
    /// policies. Cancel safe.
    #[expect(
        clippy::unused_async,
        reason = "the policies decide at once; a service that is asked after them does not"
    )]
    pub(crate) async fn authorize<O>(&self, operation: O) -> Result<Permit<O>, Denial>
    where
        O: AsOperation,
    {
        operation.with_operation(|operation| self.check(operation))?;
        Ok(Permit::new(operation))
    }

    /// The local part of [`authorize`](Self::authorize): what the policies decide.
    pub(crate) fn check(&self, operation: &Operation) -> Result<(), Denial> {
        AccessRequest::for_operation(operation, self.method, self.time)
            .try_for_each(|request| self.decide_and_record(&request))
    }

    /// Decides again what was allowed before. Counts and logs only denials.
    pub(crate) fn confirm(&self, operation: &Operation) -> Result<(), Denial> {
        AccessRequest::for_operation(operation, self.method, self.time)
            .filter(|request| !self.decide(request).is_allowed())
            .try_for_each(|request| self.decide_and_record(&request))
    }

    /// Whether the caller may see a repository in a listing. Always local, and neither logged nor counted: one page asks
    /// this a thousand times, which would hide the requests of callers.
    pub(crate) fn may_list(&self, name: &Name) -> bool {
        self.decide(&AccessRequest::list(name, self.method, self.time)).is_allowed()
    }

    /// Whether the caller may read a blob that the request did not name. Always local, and neither logged nor counted.
    pub(crate) fn may_read(&self, name: &Name, digest: &Digest) -> bool {
        self.decide(&AccessRequest::read(name, digest, self.method, self.time)).is_allowed()
    }

    fn decide(&self, request: &AccessRequest) -> Decision<'_> {
        self.access.access.policies.decide(self.identity, request)
    }

    fn decide_and_record(&self, request: &AccessRequest) -> Result<(), Denial> {
        let started = Instant::now();
        let decisions = self.access.access.policies.decide_and_count(self.identity, request);
        self.metrics.decision_time.observe(started.elapsed());
        let denial = decisions.enforced.denial();
        let counter = if denial.is_none() { &self.metrics.allowed } else { &self.metrics.denied };
        counter.inc();
        self.log(request, decisions);
        let Decisions { enforced, shadow } = decisions;
        if let Some(log) = self.decision_log {
            let (generation, identity) = (self.access.generation, self.identity);
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
        denial.map_or(Ok(()), Err)
    }

    /// Logs denials at `info` as far as the [`DenialLog`] admits them, and all other decisions at `debug`.
    ///
    /// Text of a certificate or client is a field of the event and never part of its message, because subscribers escape
    /// fields.
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
                    generation = self.access.generation,
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
