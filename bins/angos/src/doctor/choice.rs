//! Several client certificates for one registry: which of them a runtime shows, and what would become of the others.

use angos_config::probe::{Asked, End, Sighting};

use crate::doctor::catalogue as kind;
use crate::doctor::client::Client;
use crate::doctor::report::Report;
use crate::doctor::verdict::{Case, Verdict};
use crate::limits::DOCTOR_PAIRS_MAX;

/// One handshake, and what the client brought to it.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    pub(crate) case: Case<'a>,
    pub(crate) seen: Sighting,
}

/// What there is to try, one after the other: every certificate that can be shown; or else the first that cannot, which
/// is as good as none.
pub(crate) fn candidates<'a>(clients: &'a [Client], report: &mut Report) -> Vec<Option<&'a Client>> {
    let usable = || clients.iter().filter(|client| client.pair.is_some());
    let over = usable().count().saturating_sub(DOCTOR_PAIRS_MAX);
    if over > 0 {
        report.good(format!("further client certificates, not tried: {over}"));
    }
    let found: Vec<_> = usable().take(DOCTOR_PAIRS_MAX).map(Some).collect();
    if found.is_empty() { vec![clients.first()] } else { found }
}

impl Attempt<'_> {
    /// Whether the server looks at client certificates, so that another one may fare otherwise.
    pub(crate) fn is_asked(&self) -> bool {
        self.seen.asked.is_some()
    }

    /// Whether Docker, Podman and containerd, all of them programs in Go, may show it: its key can sign for this server,
    /// which names an issuer of its chain as an authority, or names none.
    fn is_showable(&self) -> bool {
        let chain = self.case.client.map_or(&[][..], |client| &client.chain);
        let is_wanted =
            |asked: &&Asked| !asked.names_authorities() || chain.iter().any(|it| asked.accepts_issuer_of(it));
        self.seen.asked.as_ref().filter(is_wanted).is_some_and(Asked::was_answered)
    }

    fn is_accepted(&self) -> bool {
        matches!(self.seen.end, End::Answered(_))
            || matches!(self.case.verdict, Some(Verdict::Accepted { .. }))
    }

    /// What would be, for a certificate that is not the one that is shown.
    fn judge_unshown(&self, shown: &str, report: &mut Report) {
        let Some(client) = self.case.client else { return };
        let words = if !self.is_showable() {
            format!("{shown} is shown: the server wants none of the issuer or key of this one.")
        } else if let Some((kind, words)) = self.case.blame(&self.seen, report) {
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

/// Judges every attempt on one server, and returns the one that tells how a runtime fares: the first with a certificate
/// that it may show. If it may show none, every certificate is judged by what the server says of it.
pub(crate) fn judge<'a, 'b>(attempts: &'b [Attempt<'a>], report: &mut Report) -> Option<&'b Attempt<'a>> {
    let Some(shown) = attempts.iter().find(|attempt| attempt.is_showable()) else {
        for Attempt { case, seen } in attempts {
            case.judge(seen, report);
        }
        return attempts.first();
    };
    shown.case.judge(&shown.seen, report);
    let file = shown.case.client.map_or("", |client| &client.file);
    for other in attempts.iter().filter(|other| !std::ptr::eq(*other, shown)) {
        other.judge_unshown(file, report);
    }
    Some(shown)
}
