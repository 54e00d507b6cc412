//! `angos policy explain`: one request, asked and explained.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use angos_config::{Policies, read_certificate};
use angos_server::{Action, Certificate, Explanation, Identity, Inquiry, Request, UnknownAction};
use clap::Args;
use serde_json::{Value, json};

use super::{indented, policies, print};
use crate::arguments::{Files, ReportFormat};

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) files: Files,

    /// PEM file of the caller's certificate, the certificate itself first; read, not verified
    #[arg(long, value_name = "FILE", help_heading = "Caller")]
    certificate: Option<PathBuf>,
    /// Name of the client authority taken to have verified the certificate
    #[arg(long, value_name = "NAME", requires = "certificate", help_heading = "Caller")]
    authority: Option<String>,
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
    let identity = options.identity(&policies)?;
    let request = Request::of(&options.inquiry()?).map_err(|error| error.to_string())?;
    let told = |inquiry: &Inquiry| (inquiry.to_string(), policies.access.explain(&identity, inquiry));
    let required: Vec<_> = request.required().iter().map(told).collect();
    let is_out_of_bounds = required.iter().any(|(_, explanation)| explanation.reason == "authority");
    let answer = Answer {
        is_allowed: policies.access.allows(&identity, &request),
        notes: options.notes(&policies),
        is_challenged: identity.username().is_none() && !policies.users.is_empty() && !is_out_of_bounds,
        required,
        alternatives: request.alternatives().iter().map(told).collect(),
        identity: &identity,
    };
    match options.format {
        ReportFormat::Text => print(&answer.text()),
        ReportFormat::Json => print(&format!("{:#}\n", answer.json())),
    }
    Ok(answer.is_allowed || !options.exit_code)
}

impl Options {
    fn identity(&self, policies: &Policies) -> Result<Identity, String> {
        let certificate = match &self.certificate {
            Some(file) => Some(self.certificate(file)?),
            None => None,
        };
        let credential = self.user.as_deref().map(|user| policies.credential(user)).transpose()?;
        Ok(Identity::new(self.client_ip, certificate.map(Arc::new), credential))
    }

    fn certificate(&self, file: &Path) -> Result<Certificate, String> {
        let read = read_certificate(file).map_err(|message| format!("{}: {message}", file.display()))?;
        Ok(match &self.authority {
            Some(name) => read.with_authority(name.as_str()),
            None => read,
        })
    }

    fn inquiry(&self) -> Result<Inquiry, String> {
        let mut inquiry = Inquiry::new(self.action, SystemTime::now());
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

    /// What the answer does not take into account.
    fn notes(&self, policies: &Policies) -> Vec<&'static str> {
        let mut notes = Vec::new();
        if self.certificate.is_some() {
            notes.push(
                "whether the server trusts this certificate was not checked; `angos doctor -c … --cert …` does that",
            );
        } else if policies.requires_certificate {
            notes.push(
                "the server wants a certificate (client_auth = \"required\"): without one the handshake fails first",
            );
        }
        notes
    }
}

/// Everything that is told.
struct Answer<'a> {
    is_allowed: bool,
    /// Whether a denial asks for a password.
    is_challenged: bool,
    notes: Vec<&'static str>,
    required: Vec<(String, Explanation)>,
    alternatives: Vec<(String, Explanation)>,
    identity: &'a Identity,
}

impl Answer<'_> {
    fn text(&self) -> String {
        let answer = match (self.is_allowed, self.is_challenged) {
            (true, _) => "allowed",
            (false, true) => "denied: 401 UNAUTHORIZED, with a challenge for a user name and a password",
            (false, false) => "denied: 403 DENIED",
        };
        let mut text = format!("{answer}\n");
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
        let status = match (self.is_allowed, self.is_challenged) {
            (true, _) => Value::Null,
            (false, true) => 401.into(),
            (false, false) => 403.into(),
        };
        json!({
            "allowed": self.is_allowed,
            "status": status,
            "notes": self.notes,
            "caller": {
                "method": self.identity.method().as_str(),
                "username": self.identity.username(),
                "subject": self.identity.certificate().map(Certificate::subject),
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
        "authority" => {
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
    }
    text
}
