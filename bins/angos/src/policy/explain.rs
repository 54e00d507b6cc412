//! `angos policy explain`: one request, asked and explained.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use angos_access::{AccessRequest, AccessRequests, Action, Explanation, ShadowExplanation, UnknownAction};
use angos_config::{CertificateCheck, Policies, read_certificate};
use angos_identity::{Certificate, Identity};
use angos_tls::AcceptError;
use clap::Args;
use serde_json::{Value, json};

use super::{indented, policies, print};
use crate::arguments::{Files, ReportFormat};

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) files: Files,

    /// PEM file of the caller's certificate, then its intermediates; verified as the server would
    #[arg(long, value_name = "FILE", help_heading = "Caller")]
    certificate: Option<PathBuf>,
    /// Name of the client authority that is taken to vouch for the certificate, which is then not verified
    #[arg(long, value_name = "NAME", requires = "certificate", help_heading = "Caller")]
    client_ca: Option<String>,
    /// User name of the caller, one of [auth.identity]; no password is asked for
    #[arg(long, value_name = "NAME", help_heading = "Caller")]
    user: Option<String>,
    /// Address of the caller
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1", help_heading = "Caller")]
    client_ip: IpAddr,

    /// What is asked for, in the words of `request.action`
    #[arg(long, value_name = "ACTION", value_parser = action, help_heading = "Request")]
    action: Action,
    /// Repository
    #[arg(long, visible_alias = "repository", value_name = "NAME", help_heading = "Request")]
    namespace: Option<String>,
    /// Tag or digest of a manifest
    #[arg(long, value_name = "REFERENCE", help_heading = "Request")]
    reference: Option<String>,
    /// Tag of a manifest; repeat it for a push by digest that sets several
    #[arg(long, value_name = "TAG", help_heading = "Request")]
    tag: Vec<String>,
    /// Digest of a manifest or blob; that of no bytes where a request must have one
    #[arg(long, value_name = "DIGEST", help_heading = "Request")]
    digest: Option<String>,
    /// Repository a blob is mounted from
    #[arg(long, value_name = "NAME", help_heading = "Request")]
    from: Option<String>,
    /// Session of an upload
    #[arg(long, value_name = "ID", help_heading = "Request")]
    session_id: Option<String>,
    /// Length of a page of a listing
    #[arg(long, value_name = "COUNT", help_heading = "Request")]
    n: Option<String>,
    /// Last entry of the page before
    #[arg(long, value_name = "ENTRY", help_heading = "Request")]
    last: Option<String>,
    /// Artifact type of the referrers asked for
    #[arg(long, value_name = "TYPE", help_heading = "Request")]
    artifact_type: Option<String>,
    /// Algorithm an upload is started with
    #[arg(long, value_name = "NAME", help_heading = "Request")]
    digest_algorithm: Option<String>,
    /// HTTP method [default: the one clients use; GET rather than HEAD]
    #[arg(long, value_name = "METHOD", help_heading = "Request")]
    method: Option<String>,
    /// Moment of the request, like 2026-01-31T08:00:00Z [default: now]
    #[arg(long, value_name = "TIME", help_heading = "Request")]
    time: Option<String>,

    /// How the explanation looks
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: ReportFormat,
    /// Exit with 1 if the request is denied
    #[arg(long)]
    exit_code: bool,
}

fn action(word: &str) -> Result<Action, String> {
    word.parse().map_err(|error: UnknownAction| match error.nearest {
        Some(_) => error.to_string(),
        None => format!("no such action; the actions are {}", Action::WORDS.join(", ")),
    })
}

pub(super) fn run(options: &Options, files: &[PathBuf]) -> Result<bool, String> {
    let policies = policies(files)?;
    let inquiry = options.inquiry()?;
    let request = AccessRequests::of(&inquiry).map_err(|error| error.to_string())?;
    let certificate = options.certificate.as_deref();
    let shown = certificate.map(|file| options.shown(file, &policies, inquiry.time())).transpose()?;
    let identity = options.identity(shown.as_ref(), &policies)?;
    let told = |inquiry: &AccessRequest| (inquiry.to_string(), policies.access.explain(&identity, inquiry));
    let required: Vec<_> = request.required().iter().map(told).collect();
    let is_out_of_bounds = required.iter().any(|(_, explanation)| explanation.reason == "ca_restriction");
    let answer = Answer {
        is_allowed: shown.as_ref().is_none_or(|it| it.refusal.is_none())
            && policies.access.allows(&identity, &request),
        notes: notes(shown.as_ref(), &policies, &request),
        refusal: shown.as_ref().and_then(|it| it.refusal.as_ref()),
        is_challenged: identity.username().is_none() && !policies.users.is_empty() && !is_out_of_bounds,
        required,
        alternatives: request.alternatives().iter().map(told).collect(),
        identity: &identity,
    };
    match options.format {
        ReportFormat::Text => print(&answer.text())?,
        ReportFormat::Json => print(&format!("{:#}\n", answer.json()))?,
    }
    Ok(answer.is_allowed || !options.exit_code)
}

impl Options {
    fn identity(&self, shown: Option<&Shown>, policies: &Policies) -> Result<Identity, String> {
        let credential = self.user.as_deref().map(|user| policies.credential(user)).transpose()?;
        Ok(Identity::new(self.client_ip, shown.map(|shown| Arc::clone(&shown.certificate)), credential))
    }

    /// The certificate, and what the server makes of it.
    fn shown(&self, file: &Path, policies: &Policies, time: SystemTime) -> Result<Shown, String> {
        let failed = |message: String| format!("{}: {message}", file.display());
        if let Some(name) = &self.client_ca {
            let read = read_certificate(file).map_err(failed)?.with_ca(name.as_str());
            let note =
                format!("the certificate was not verified; the authority `{name}` is taken to vouch for it");
            return Ok(Shown { certificate: Arc::new(read), refusal: None, note });
        }
        let shown = |certificate, refusal, note| Ok(Shown { certificate, refusal, note });
        match policies.standing(file, time).map_err(failed)? {
            CertificateCheck::Accepted(certificate) => {
                let authority = match certificate.ca() {
                    Some(name) => format!("the client authority `{name}`"),
                    None => "an authority of client_ca_bundle".to_owned(),
                };
                let note = format!("the certificate is good: {authority} vouches for it");
                shown(certificate, None, note)
            }
            CertificateCheck::Refused(Some(certificate), error) => {
                let note = "what follows is what the policies would say if it were accepted".to_owned();
                shown(Arc::new(certificate), Some(error), note)
            }
            CertificateCheck::Refused(None, error) => Err(failed(error.to_string())),
            CertificateCheck::Unknown(certificate, reason) => {
                shown(Arc::new(certificate), None, format!("the certificate was not verified: {reason}"))
            }
            _ => Err(failed("it cannot be told what the server makes of it".to_owned())),
        }
    }

    fn inquiry(&self) -> Result<AccessRequest, String> {
        let mut inquiry = AccessRequest::new(self.action, SystemTime::now());
        let single = [
            ("namespace", &self.namespace),
            ("reference", &self.reference),
            ("digest", &self.digest),
            ("from", &self.from),
            ("session_id", &self.session_id),
            ("n", &self.n),
            ("last", &self.last),
            ("artifact_type", &self.artifact_type),
            ("digest_algorithm", &self.digest_algorithm),
            ("method", &self.method),
            ("time", &self.time),
        ];
        let single = single.into_iter().filter_map(|(field, text)| Some((field, text.as_deref()?)));
        let field = if self.tag.len() > 1 { "tags" } else { "tag" };
        for (field, text) in single.chain(self.tag.iter().map(|tag| (field, tag.as_str()))) {
            inquiry.set(field, text).map_err(|error| format!("--{}: {error}", field.replace('_', "-")))?;
        }
        Ok(inquiry)
    }
}

/// The caller's certificate.
struct Shown {
    certificate: Arc<Certificate>,
    /// Why the server would end the handshake.
    refusal: Option<AcceptError>,
    /// What else is to be known of it.
    note: String,
}

/// What the answer rests on, and what it does not take into account.
fn notes<'a>(shown: Option<&'a Shown>, policies: &Policies, request: &AccessRequests) -> Vec<&'a str> {
    let mut notes: Vec<&str> = shown.iter().map(|shown| &*shown.note).collect();
    if shown.is_none() && policies.requires_certificate {
        notes.push("the server wants a certificate (client_auth = \"required\"): without one the handshake fails first");
    }
    if request.has_unnamed_source() {
        notes.push("a mount without a source takes the blob from any repository that the caller may read, if one has it");
    }
    notes
}

/// Everything that is told.
struct Answer<'a> {
    is_allowed: bool,
    /// Whether a denial asks for a password.
    is_challenged: bool,
    refusal: Option<&'a AcceptError>,
    notes: Vec<&'a str>,
    required: Vec<(String, Explanation)>,
    alternatives: Vec<(String, Explanation)>,
    identity: &'a Identity,
}

impl Answer<'_> {
    fn text(&self) -> String {
        let mut text = match (self.refusal, self.is_allowed, self.is_challenged) {
            (Some(error), ..) => format!("refused in the handshake, {}: {error}\n", error.class()),
            (None, true, _) => "allowed\n".to_owned(),
            (None, false, true) => {
                "denied: 401 UNAUTHORIZED, with a challenge for a user name and a password\n".to_owned()
            }
            (None, false, false) => "denied: 403 DENIED\n".to_owned(),
        };
        for note in &self.notes {
            let _ = writeln!(text, "note: {note}");
        }
        let all = self.required.iter().chain(&self.alternatives);
        for (index, (inquiry, explanation)) in all.enumerate() {
            if index == self.required.len() {
                text.push_str("\nand one of these, the first if it holds what is asked for:\n");
            }
            let _ = writeln!(text, "\n{inquiry}");
            text.push_str(&explained(explanation));
        }
        text
    }

    fn json(&self) -> Value {
        let questions = |told: &[(String, Explanation)]| {
            let question = |(inquiry, explanation): &(String, Explanation)| json!({ "inquiry": inquiry, "answer": explanation });
            told.iter().map(question).collect::<Vec<_>>()
        };
        let status = match (self.refusal, self.is_allowed, self.is_challenged) {
            (Some(_), ..) | (None, true, _) => Value::Null,
            (None, false, true) => 401.into(),
            (None, false, false) => 403.into(),
        };
        let refusal = |error: &AcceptError| json!({ "class": error.class(), "message": error.to_string() });
        json!({
            "allowed": self.is_allowed,
            "status": status,
            "handshake_refused": self.refusal.map(refusal),
            "notes": self.notes,
            "caller": {
                "method": self.identity.method().as_str(),
                "username": self.identity.username(),
                "subject": self.identity.certificate().map(Certificate::subject),
                "ca": self.identity.certificate().and_then(Certificate::ca),
                "client_ip": self.identity.client_ip(),
            },
            "required": questions(&self.required),
            "alternatives": questions(&self.alternatives),
        })
    }
}

/// What each policy says to one inquiry, a paragraph each.
pub(super) fn explained(explanation: &Explanation) -> String {
    let mut text = String::new();
    match explanation.reason {
        "ca_restriction" => {
            text.push_str("  denied: the authority of the certificate may not vouch for callers here, whatever policies say\n");
        }
        "unconfigured" => text.push_str("  denied: no policy is configured for it\n"),
        "identified" => {
            text.push_str("  allowed: only repositories have policies, and the caller proved who it is\n");
        }
        _ => {}
    }
    for policy in &explanation.policies {
        let asked = if policy.is_asked { "" } else { " (not asked, since it is denied before)" };
        let _ = writeln!(text, "  policy {}{asked}", policy.scope.escape_debug());
        text.push_str(&indented(&policy.explanation.to_string(), 4));
        if let Some(told) = policy.shadow.as_ref().filter(|told| !told.rules.is_empty()) {
            text.push_str("    on trial, not enforced\n");
            told.rules.iter().for_each(|rule| text.push_str(&indented(&rule.to_string(), 6)));
        }
    }
    if let Some(ShadowExplanation { is_allowed, scope, rule, .. }) = &explanation.shadow {
        let answer = if *is_allowed { "allowed" } else { "denied" };
        let (scope, rule) = (scope.escape_debug(), rule.escape_debug());
        let _ = writeln!(text, "  with the rules on trial it would be {answer}, by {scope} {rule}");
    }
    text
}
