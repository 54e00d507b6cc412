//! `angos policy explain`: explains the decision about one request.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::SystemTime;

use angos_access::{AccessRequest, Action, UnknownAction};
use angos_config::CallerOptions;
use clap::Args;

use super::policies;
use crate::options::{Files, ReportFormat};
use crate::output::print;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) files: Files,

    /// PEM file of the caller's certificate, then its intermediates; verified as in a handshake
    #[arg(long, value_name = "FILE", help_heading = "Caller")]
    certificate: Option<PathBuf>,
    /// Name of the client CA that is assumed to have issued the certificate, which is then not verified
    #[arg(long, value_name = "NAME", requires = "certificate", help_heading = "Caller")]
    client_ca: Option<String>,
    /// User name of the caller, one of [auth.identity]; no password is asked for
    #[arg(long, value_name = "NAME", help_heading = "Caller")]
    user: Option<String>,
    /// Address of the caller
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1", help_heading = "Caller")]
    client_ip: IpAddr,

    /// The action, as in `request.action`
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
    /// Digest of a manifest or blob [default: that of empty content, where the action needs one]
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
    /// Artifact type of the referrers to list
    #[arg(long, value_name = "TYPE", help_heading = "Request")]
    artifact_type: Option<String>,
    /// Digest algorithm of an upload
    #[arg(long, value_name = "NAME", help_heading = "Request")]
    digest_algorithm: Option<String>,
    /// HTTP method [default: the usual one; GET rather than HEAD]
    #[arg(long, value_name = "METHOD", help_heading = "Request")]
    method: Option<String>,
    /// Time of the request, like 2026-01-31T08:00:00Z [default: now]
    #[arg(long, value_name = "TIME", help_heading = "Request")]
    time: Option<String>,

    /// Format of the explanation
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
    let caller = CallerOptions {
        certificate: options.certificate.clone(),
        client_ca: options.client_ca.clone(),
        user: options.user.clone(),
        client_ip: options.client_ip,
    };
    let explanation = policies.explain(&caller, &options.request()?)?;
    print(|out| match options.format {
        ReportFormat::Text => explanation.write_text(out),
        ReportFormat::Json => explanation.write_json(out),
    })?;
    Ok(explanation.is_allowed() || !options.exit_code)
}

impl Options {
    fn request(&self) -> Result<AccessRequest, String> {
        let mut request = AccessRequest::new(self.action, SystemTime::now());
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
            request.set(field, text).map_err(|error| format!("--{}: {error}", field.replace('_', "-")))?;
        }
        Ok(request)
    }
}
