//! A line of the decision log, read back: the caller, the request and the decision.

use std::sync::Arc;
use std::time::SystemTime;

use angos_identity::{Certificate, CertificateError, CertificateFacts, Credential, Identity};

use super::{Answer, CertificateLine, IdentityFacts, Line, Outcome};
use crate::request::{AccessRequest, AccessRequestError};

/// A decision read from the decision log, ready to be decided again with
/// [`AccessPolicies::decide`](crate::AccessPolicies::decide).
///
/// It proves nothing, since anyone may write such a line. The secret code in the session id of an upload is not
/// recorded and reads as zeros.
#[derive(Debug)]
pub struct RecordedDecision {
    time: String,
    generation: u64,
    is_allowed: bool,
    policy: String,
    rule: String,
    identity: Identity,
    request: AccessRequest,
}

/// Why a line cannot be decided again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// It is not a line of the decision log.
    #[error("not a decision: {0}")]
    Malformed(#[source] serde_json::Error),
    /// The names in the certificate were left out when it was written.
    #[error("the certificate was too large to be recorded as a whole")]
    Cut,
    /// The client's address is none.
    #[error("client_ip is not an address")]
    Address,
    /// The certificate is one that cannot be.
    #[error("certificate: {0}")]
    Certificate(#[from] CertificateError),
    /// The request is one that cannot be.
    #[error("request.{field}: {error}")]
    Request {
        /// The field that is at fault.
        field: &'static str,
        /// What is wrong with it.
        #[source]
        error: AccessRequestError,
    },
}

impl RecordedDecision {
    /// Reads one line, with or without its line break. Unknown fields are passed over.
    pub fn parse(line: &[u8]) -> Result<Self, RecordError> {
        let line: Line<'_> = serde_json::from_slice(line).map_err(RecordError::Malformed)?;
        let request = AccessRequest::from_record(&line.request, &line.time)
            .map_err(|(field, error)| RecordError::Request { field, error })?;
        let Answer { outcome, policy, rule, reason, .. } = line.answer;
        Ok(Self {
            identity: identity(line.identity)?,
            request,
            time: line.time,
            generation: line.generation,
            is_allowed: outcome == Outcome::Allow,
            policy: policy.into_owned(),
            rule: rule.unwrap_or(reason).into_owned(),
        })
    }

    /// When it was asked, in RFC 3339.
    pub fn time(&self) -> &str {
        &self.time
    }

    /// The time of the request.
    pub fn timestamp(&self) -> SystemTime {
        self.request.time()
    }

    /// Which set of policies answered.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// What was answered.
    pub fn is_allowed(&self) -> bool {
        self.is_allowed
    }

    /// The policy that answered, as [`Decision::scope`](crate::Decision::scope) names it.
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// The rule that answered, as [`Decision::rule`](crate::Decision::rule) names it.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// Who asked.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What for.
    pub fn request(&self) -> &AccessRequest {
        &self.request
    }

    /// Who asked, in a word or two: the user name, else the SPIFFE id, else the subject, else the fingerprint of the
    /// certificate, else `anonymous`.
    pub fn caller(&self) -> &str {
        let certificate = self.identity.certificate();
        let named = certificate.map(|certificate| {
            certificate
                .spiffe_id()
                .or_else(|| Some(certificate.subject()).filter(|subject| !subject.is_empty()))
                .unwrap_or_else(|| certificate.fingerprint())
        });
        self.identity.username().or(named).unwrap_or("anonymous")
    }
}

fn identity(facts: IdentityFacts<'_>) -> Result<Identity, RecordError> {
    let address = facts.client_ip.parse().map_err(|_| RecordError::Address)?;
    let credential = facts.username.map(|username| {
        let id = facts.id.unwrap_or_default();
        Arc::new(Credential { id: id.as_ref().into(), username: username.as_ref().into() })
    });
    let certificate = facts.certificate.map(certificate).transpose()?.map(Arc::new);
    Ok(Identity::new(address, certificate, credential))
}

fn certificate(line: CertificateLine<'_>) -> Result<Certificate, RecordError> {
    if line.cut {
        return Err(RecordError::Cut);
    }
    let facts = CertificateFacts {
        common_names: line.common_names.into_owned(),
        organizations: line.organizations.into_owned(),
        organizational_units: line.organizational_units.into_owned(),
        dns_names: line.dns_names.into_owned(),
        email_addresses: line.email_addresses.into_owned(),
        uris: line.uris.into_owned(),
        ip_addresses: line.ip_addresses.into_owned(),
        subject: line.subject.into_owned(),
        issuer: line.issuer.into_owned(),
        serial_number: line.serial_number.into_owned(),
        fingerprint: line.fingerprint.into_owned(),
        public_key_fingerprint: line.public_key_fingerprint.into_owned(),
        not_before: line.not_before,
        not_after: line.not_after,
        ca: line.ca.map(std::borrow::Cow::into_owned),
    };
    Ok(Certificate::described(facts)?)
}
