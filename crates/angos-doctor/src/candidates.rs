//! Several client certificates for one registry: which of them a container runtime shows, and what happens to the others.

use angos_tls::probe::{CertificateRequest, ProbeEnd, ProbeReport};

use crate::client::Client;
use crate::diagnosis::{HandshakeContext, ServerDecision};
use crate::findings as kind;
use crate::limits::CANDIDATES_MAX;
use crate::report::Report;

/// One handshake, and what the client brought to it.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    pub(crate) context: HandshakeContext<'a>,
    pub(crate) seen: ProbeReport,
}

/// The clients to try, one after the other: every certificate that can be shown. If none can, the first client, whose
/// handshake is then one without a certificate.
pub(crate) fn candidates<'a>(clients: &'a [Client], report: &mut Report) -> Vec<Option<&'a Client>> {
    let usable = || clients.iter().filter(|client| client.pair.is_some());
    let over = usable().count().saturating_sub(CANDIDATES_MAX);
    if over > 0 {
        report.good(format!("further client certificates, not tried: {over}"));
    }
    let found: Vec<_> = usable().take(CANDIDATES_MAX).map(Some).collect();
    if found.is_empty() { vec![clients.first()] } else { found }
}

impl Attempt<'_> {
    /// Whether the server requested a client certificate, so that another certificate may have another result.
    pub(crate) fn was_requested(&self) -> bool {
        self.seen.request.is_some()
    }

    /// Whether Docker, Podman and containerd, which are all written in Go, may show this certificate: its key can sign for
    /// this server, and the server names an issuer of its chain as a CA, or names no CA.
    fn is_showable(&self) -> bool {
        let chain = self.context.client.map_or(&[][..], |client| &client.chain);
        let is_wanted = |asked: &&CertificateRequest| {
            !asked.names_cas() || chain.iter().any(|it| asked.accepts_issuer_of(it))
        };
        self.seen.request.as_ref().filter(is_wanted).is_some_and(CertificateRequest::was_answered)
    }

    fn is_accepted(&self) -> bool {
        matches!(self.seen.end, ProbeEnd::Answered(_))
            || matches!(self.context.decision, Some(ServerDecision::Accepted { .. }))
    }

    /// Reports what would happen with this certificate, which is not the one that is shown.
    fn diagnose_unshown(&self, shown: &str, report: &mut Report) {
        let Some(client) = self.context.client else { return };
        let words = if !self.is_showable() {
            format!("{shown} is shown: the server does not accept the issuer or the key of this one.")
        } else if let Some((kind, words)) = self.context.certificate_fault(&self.seen, report) {
            format!("{shown} comes before it. This one would be refused ({}). {words}", kind.name)
        } else if self.is_accepted() {
            let file = &client.file;
            return report.good(format!("{file}: would be accepted too, but {shown} comes before it"));
        } else {
            return;
        };
        report.add(&kind::LAYOUT_PAIR_NOT_SHOWN, &client.file, words.trim_end());
    }
}

/// Diagnoses every attempt at one server and returns the one with the certificate that a runtime shows: the first that
/// it may show. If it may show none, each certificate is diagnosed by the server's answer to it.
pub(crate) fn diagnose<'a, 'b>(attempts: &'b [Attempt<'a>], report: &mut Report) -> Option<&'b Attempt<'a>> {
    let Some(shown) = attempts.iter().find(|attempt| attempt.is_showable()) else {
        for Attempt { context, seen } in attempts {
            context.diagnose(seen, report);
        }
        return attempts.first();
    };
    shown.context.diagnose(&shown.seen, report);
    let file = shown.context.client.map_or("", |client| &client.file);
    for other in attempts.iter().filter(|other| !std::ptr::eq(*other, shown)) {
        other.diagnose_unshown(file, report);
    }
    Some(shown)
}
