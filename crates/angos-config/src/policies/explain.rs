//! One request explained: the decision, the policies with the value of every expression, and the client certificate.

use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use angos_access::{AccessRequest, AccessRequests, Challenge, Denial, Explanation};
use angos_identity::{Certificate, Credential, Identity};
use angos_server::DenialResponse;
use angos_tls::AcceptError;
use serde_json::json;

use super::{CertificateCheck, Policies, read_certificate};

/// The caller of a request to explain.
#[derive(Clone, Debug)]
pub struct CallerOptions {
    /// PEM file of its certificate, then its intermediates.
    pub certificate: Option<PathBuf>,
    /// Name of the client CA that is assumed to have issued the certificate, which is then not verified.
    pub client_ca: Option<String>,
    /// Its user name; no password is needed.
    pub user: Option<String>,
    /// Its address.
    pub client_ip: IpAddr,
}

/// Why a request is allowed or denied, and what the server would answer.
#[derive(Debug)]
pub struct RequestExplanation {
    is_allowed: bool,
    /// Whether a denial asks for a password.
    is_challenged: bool,
    /// Why the server would refuse the handshake.
    refusal: Option<AcceptError>,
    notes: Vec<String>,
    required: Vec<(String, Explanation)>,
    alternatives: Vec<(String, Explanation)>,
    identity: Identity,
}

/// The caller's certificate.
struct CheckedCertificate {
    certificate: Arc<Certificate>,
    refusal: Option<AcceptError>,
    note: String,
}

impl Policies {
    /// Decides a request and explains the decision.
    ///
    /// The error is a message: the request is incomplete, the user does not exist, or the certificate cannot be read.
    /// Blocking: reads the certificate, and the client CAs and CRLs of the configuration to verify it.
    pub fn explain(
        &self,
        caller: &CallerOptions,
        request: &AccessRequest,
    ) -> Result<RequestExplanation, String> {
        let requests = AccessRequests::of(request).map_err(|error| error.to_string())?;
        let checked = caller.certificate.as_deref();
        let checked = checked.map(|file| self.checked(file, caller, request.time())).transpose()?;
        let credential: Option<Arc<Credential>> =
            caller.user.as_deref().map(|user| self.credential(user)).transpose()?;
        let certificate = checked.as_ref().map(|it| Arc::clone(&it.certificate));
        let identity = Identity::new(caller.client_ip, certificate, credential);
        let explain =
            |request: &AccessRequest| (request.to_string(), self.access.explain(&identity, request));
        let required: Vec<_> = requests.required().iter().map(explain).collect();
        let denial = required.iter().find_map(|(_, explanation)| explanation.denial());
        let challenge = Challenge::new(!self.users.is_empty(), identity.username().is_some());
        Ok(RequestExplanation {
            is_allowed: checked.as_ref().is_none_or(|it| it.refusal.is_none())
                && self.access.allows(&identity, &requests),
            is_challenged: challenge.after_denial(denial.unwrap_or(Denial::ByPolicies)),
            notes: self.notes(checked.as_ref(), &requests),
            refusal: checked.and_then(|it| it.refusal),
            required,
            alternatives: requests.alternatives().iter().map(explain).collect(),
            identity,
        })
    }

    fn checked(
        &self,
        file: &Path,
        caller: &CallerOptions,
        time: SystemTime,
    ) -> Result<CheckedCertificate, String> {
        let failed = |message: String| format!("{}: {message}", file.display());
        if let Some(name) = &caller.client_ca {
            let certificate = Arc::new(read_certificate(file).map_err(failed)?.with_ca(name.as_str()));
            let note =
                format!("the certificate was not verified; the CA `{name}` is assumed to have issued it");
            return Ok(CheckedCertificate { certificate, refusal: None, note });
        }
        let (certificate, refusal, note) = match self.check_certificate(file, time).map_err(failed)? {
            CertificateCheck::Accepted(certificate) => {
                let ca = match certificate.ca() {
                    Some(name) => format!("the client CA `{name}`"),
                    None => "a CA of client_ca_bundle".to_owned(),
                };
                (certificate, None, format!("the certificate is accepted: {ca} issued it"))
            }
            CertificateCheck::Refused(Some(certificate), error) => {
                let note = "the decision below assumes that the certificate is accepted".to_owned();
                (Arc::new(certificate), Some(error), note)
            }
            CertificateCheck::Refused(None, error) => return Err(failed(error.to_string())),
            CertificateCheck::Unknown(certificate, reason) => {
                (Arc::new(certificate), None, format!("the certificate was not verified: {reason}"))
            }
        };
        Ok(CheckedCertificate { certificate, refusal, note })
    }

    /// The assumptions of an explanation.
    fn notes(&self, checked: Option<&CheckedCertificate>, requests: &AccessRequests) -> Vec<String> {
        let mut notes: Vec<String> = checked.iter().map(|checked| checked.note.clone()).collect();
        if checked.is_none() && self.requires_certificate {
            notes.push("the server requires a certificate (client_auth = \"required\"): without one it refuses the handshake".to_owned());
        }
        if requests.has_unnamed_source() {
            notes.push("a mount without a source takes the blob from any repository that the caller may read, if one has it".to_owned());
        }
        notes
    }
}

impl RequestExplanation {
    /// Whether the request is allowed, and the certificate accepted.
    pub fn is_allowed(&self) -> bool {
        self.is_allowed
    }

    /// Writes the explanation for people.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write_text(&self, out: &mut impl Write) -> io::Result<()> {
        match (&self.refusal, self.is_allowed) {
            (Some(error), _) => writeln!(out, "refused in the handshake, {}: {error}", error.class())?,
            (None, true) => writeln!(out, "allowed")?,
            (None, false) => {
                let DenialResponse { status, code } = DenialResponse::new(self.is_challenged);
                let challenge =
                    if self.is_challenged { ", with a challenge for a user name and a password" } else { "" };
                writeln!(out, "denied: {status} {code}{challenge}")?;
            }
        }
        self.notes.iter().try_for_each(|note| writeln!(out, "note: {note}"))?;
        let all = self.required.iter().chain(&self.alternatives);
        for (index, (request, explanation)) in all.enumerate() {
            if index == self.required.len() {
                writeln!(out, "\nand one of these, the first whose repository has the blob:")?;
            }
            write!(out, "\n{request}\n{explanation}")?;
        }
        Ok(())
    }

    /// Writes the explanation as one JSON object.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        let requests = |explained: &[(String, Explanation)]| {
            let json = |(request, explanation): &(String, Explanation)| json!({ "request": request, "answer": explanation });
            explained.iter().map(json).collect::<Vec<_>>()
        };
        let is_denied = self.refusal.is_none() && !self.is_allowed;
        let status = is_denied.then(|| DenialResponse::new(self.is_challenged).status);
        let refusal = |error: &AcceptError| json!({ "class": error.class(), "message": error.to_string() });
        let certificate = self.identity.certificate();
        let explanation = json!({
            "allowed": self.is_allowed,
            "status": status,
            "handshake_refused": self.refusal.as_ref().map(refusal),
            "notes": self.notes,
            "caller": {
                "method": self.identity.method().as_str(),
                "username": self.identity.username(),
                "subject": certificate.map(Certificate::subject),
                "ca": certificate.and_then(Certificate::ca),
                "client_ip": self.identity.client_ip(),
            },
            "required": requests(&self.required),
            "alternatives": requests(&self.alternatives),
        });
        writeln!(out, "{explanation:#}")
    }
}
