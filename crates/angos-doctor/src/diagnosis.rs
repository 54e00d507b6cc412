//! From a handshake to findings: the server's certificate, what it requested, and how the handshake ended.

use angos_tls::probe::{Alert, CertificateInfo, CertificateRequest, ProbeEnd, ProbeReport, ServerCertError};

use crate::client::Client;
use crate::findings::{self as kind, Kind};
use crate::report::Report;

/// A handshake as the client entered it.
#[derive(Debug)]
pub(crate) struct HandshakeContext<'a> {
    /// The server, as findings name it.
    pub(crate) place: String,
    /// The name it was reached by, if that is known.
    pub(crate) host: Option<&'a str>,
    /// The client's certificate and key.
    pub(crate) client: Option<&'a Client>,
    /// Certificates found elsewhere: an intermediate that the client does not send may be among them.
    pub(crate) nearby: Vec<CertificateInfo>,
    /// What a simulated server decided about the client; `None` for a server on the network.
    pub(crate) decision: Option<ServerDecision>,
}

/// What a server decided about a client.
#[derive(Debug)]
pub(crate) enum ServerDecision {
    Accepted {
        /// The subject of the certificate, or words for an anonymous caller.
        subject: String,
    },
    Refused {
        /// The failure class, as metrics and logs name it.
        class: &'static str,
        words: String,
    },
}

impl HandshakeContext<'_> {
    /// Reports findings about the handshake.
    pub(crate) fn diagnose(&self, seen: &ProbeReport, report: &mut Report) {
        self.diagnose_server(seen, report);
        match &seen.end {
            ProbeEnd::Answered(_) | ProbeEnd::ServerNotTrusted => {}
            ProbeEnd::Closed if matches!(self.decision, Some(ServerDecision::Accepted { .. })) => {}
            ProbeEnd::Alert(alert) => self.diagnose_alert(*alert, seen, report),
            ProbeEnd::NotTls => self.diagnose_greeting(&seen.greeting, report),
            other => {
                let (kind, words) = ended(other, seen);
                report.add(kind, &self.place, words);
            }
        }
        self.diagnose_request(seen, report);
    }

    fn diagnose_server(&self, seen: &ProbeReport, report: &mut Report) {
        let Some(leaf) = seen.chain.first() else { return };
        let place = self.place.as_str();
        let subject = leaf.subject();
        for reason in &seen.server_errors {
            let (kind, words) = match reason {
                ServerCertError::Expired => (&kind::SERVER_EXPIRED, dates(&seen.chain, report)),
                ServerCertError::NotYetValid => (&kind::SERVER_NOT_YET_VALID, dates(&seen.chain, report)),
                ServerCertError::Name => (&kind::SERVER_NAME_MISMATCH, self.names(leaf)),
                ServerCertError::UnknownCa => (&kind::SERVER_NOT_TRUSTED, issuers(&seen.chain)),
                ServerCertError::Usage => (
                    &kind::SERVER_WRONG_USAGE,
                    format!("{subject} is for other purposes than server authentication."),
                ),
                ServerCertError::Signature => {
                    let words = "A signature is wrong: the trusted authority has the same name as the one that signed it, and another key.";
                    (&kind::SERVER_NOT_TRUSTED, words.to_owned())
                }
                ServerCertError::Other(words) => {
                    (&kind::SERVER_CERTIFICATE_BAD, format!("{subject}: {words}."))
                }
                _ => (&kind::SERVER_CERTIFICATE_BAD, subject.to_owned()),
            };
            report.add(kind, place, words);
        }
        let outside = dates(&seen.chain, report);
        if !outside.is_empty() && seen.server_errors.is_empty() {
            report.add(&kind::SERVER_EXPIRED, place, outside);
        } else if seen.server_errors.is_empty() && seen.established {
            let version = seen.version.unwrap_or("TLS");
            let until = leaf.validity().map_or_else(|| "?".to_owned(), |(_, until)| report.timestamp(until));
            report.good(format!("{place}: {version}, server certificate of {subject}, until {until}"));
        }
    }

    fn names(&self, leaf: &CertificateInfo) -> String {
        let host = self.host.unwrap_or_default();
        match leaf.host_names() {
            names if names.is_empty() => format!(
                "It was reached as {host}, and its certificate ({}) has no subject alternative name at all.",
                leaf.subject()
            ),
            names => format!("It was reached as {host}, and its certificate is for {}.", names.join(", ")),
        }
    }

    /// Reports a server that requested no certificate, and a key that cannot answer the request.
    fn diagnose_request(&self, seen: &ProbeReport, report: &mut Report) {
        let Some(client) = self.client else { return };
        match &seen.request {
            None if seen.established => report.add(
                &kind::CERTIFICATE_NOT_ASKED,
                &self.place,
                format!(
                    "The handshake is done, and the server did not request the certificate in {}.",
                    client.file
                ),
            ),
            Some(asked) if client.pair.is_some() && !asked.was_answered() => {
                let words = "The server's signature algorithms include none that this key can make.";
                report.add(&kind::KEY_KIND_REFUSED, &client.file, words);
            }
            _ => {}
        }
    }

    fn diagnose_alert(&self, alert: Alert, seen: &ProbeReport, report: &mut Report) {
        let said = format!("The server ended the handshake with the alert {alert}.");
        let shown = seen.request.as_ref().filter(|asked| asked.was_answered());
        if let Some(client) = self.client
            && let Some((kind, words)) = self.certificate_fault(seen, report)
        {
            report.add(kind, &client.file, format!("{words}{said}{}", self.server_words()));
            return;
        }
        let kind = match alert.name() {
            "certificate_required" | "no_certificate" => return self.none_shown(seen, &said, report),
            // TLS 1.2 has no alert for a missing certificate; servers take one of these.
            "handshake_failure" | "bad_certificate" if seen.request.is_some() && shown.is_none() => {
                return self.none_shown(seen, &said, report);
            }
            "decode_error" if seen.chain.is_empty() => &kind::HELLO_CHANGED,
            "protocol_version" => &kind::PROTOCOL_VERSION,
            "handshake_failure" | "insufficient_security" => &kind::NO_COMMON_PARAMETERS,
            "no_application_protocol" => &kind::ALPN,
            "unrecognized_name" => &kind::SERVER_NAME_UNKNOWN,
            "internal_error" => &kind::SERVER_ERROR,
            _ => &kind::ALERT,
        };
        report.add(kind, &self.place, said + &self.server_words());
    }

    /// The server wants a certificate and received none. Unusable files are reported already if they are the cause.
    fn none_shown(&self, seen: &ProbeReport, said: &str, report: &mut Report) {
        if self.client.is_some_and(|client| client.pair.is_none()) {
            return;
        }
        let wanted = seen.request.as_ref().map(accepted).unwrap_or_default();
        report.add(
            &kind::CERTIFICATE_REQUIRED,
            &self.place,
            format!("{said}{wanted}{}", self.server_words()),
        );
    }

    fn server_words(&self) -> String {
        match &self.decision {
            Some(ServerDecision::Refused { words, .. }) => format!(" In its own words: {words}."),
            _ => String::new(),
        }
    }

    /// What is wrong with the certificate that was shown, if the server ended the handshake for it.
    pub(crate) fn certificate_fault(
        &self,
        seen: &ProbeReport,
        report: &Report,
    ) -> Option<(&'static Kind, String)> {
        let ProbeEnd::Alert(alert) = seen.end else { return None };
        let asked = seen.request.as_ref().filter(|asked| asked.was_answered())?;
        self.refusal(self.client?, asked, alert, report)
    }

    /// What an alert says about the certificate that was shown.
    fn refusal(
        &self,
        client: &Client,
        asked: &CertificateRequest,
        alert: Alert,
        report: &Report,
    ) -> Option<(&'static Kind, String)> {
        let none = String::new();
        if let Some(ServerDecision::Refused { class, .. }) = self.decision {
            match class {
                "incomplete_chain" => return Some((&kind::MISSING_INTERMEDIATE, accepted(asked) + " ")),
                "revocation_unknown" => return Some((&kind::REVOCATION_UNKNOWN, none)),
                "unsupported_algorithm" => return Some((&kind::KEY_KIND_REFUSED, none)),
                "key_usage" => return Some((&kind::CLIENT_KEY_USAGE, none)),
                "self_signed" => return Some((&kind::CLIENT_SELF_SIGNED, none)),
                "issuer_name" => return Some((&kind::ISSUER_NAME, none)),
                _ => {}
            }
        }
        let leaf = client.chain.first()?;
        Some(match alert.name() {
            "unknown_ca" => self.unknown_ca(client, asked),
            "certificate_revoked" => (&kind::REVOKED, format!("{} is revoked. ", leaf.subject())),
            "certificate_expired" => outside_validity(report),
            "unsupported_certificate" => (&kind::CLIENT_WRONG_USAGE, none),
            "access_denied" => (&kind::CLIENT_TRUST_DOMAIN, spiffe_id(leaf)),
            "decrypt_error" => {
                let words = format!(
                    "{} says it was signed by {}: a CA of that name that the server accepts has another key, or the client's proof that it holds its own key is wrong. ",
                    leaf.subject(),
                    leaf.issuer()
                );
                (&kind::SIGNATURE_REFUSED, words)
            }
            "bad_certificate" if leaf.facts().is_err() => (&kind::CLIENT_IDENTITY_UNREADABLE, none),
            "bad_certificate" | "certificate_unknown" => (&kind::CLIENT_REFUSED, none),
            _ => return None,
        })
    }

    /// Why no path leads from the certificate to a CA of the server, as far as the client can know.
    fn unknown_ca(&self, client: &Client, asked: &CertificateRequest) -> (&'static Kind, String) {
        let sent = client.chain.as_slice();
        let signed = sent.first().map(|leaf| format!("{} was signed by {}.", leaf.subject(), signer(leaf)));
        let signed = signed.unwrap_or_default();
        if sent.iter().any(|certificate| asked.accepts_issuer_of(certificate)) {
            let words = format!(
                "{signed} The server accepts a CA of this name, so either no current CRL covers the certificate, or that CA has another key than the one that signed. "
            );
            return (&kind::REVOCATION_UNKNOWN, words);
        }
        let forgotten = |last: &CertificateInfo| {
            self.nearby.iter().find(|it| last.names_as_issuer(it) && asked.accepts_issuer_of(it))
        };
        if let Some(missing) = sent.iter().find_map(forgotten) {
            let words = format!(
                "{signed} That is an intermediate of {}, which the server accepts, but the client does not send it. ",
                missing.issuer()
            );
            return (&kind::MISSING_INTERMEDIATE, words);
        }
        let words = format!(
            "{signed}{} Docker, Podman and other programs in Go show no certificate in this case. ",
            accepted(asked)
        );
        (&kind::UNKNOWN_CA, words)
    }

    fn diagnose_greeting(&self, greeting: &[u8], report: &mut Report) {
        let begin = String::from_utf8_lossy(greeting);
        let begin: String = begin.lines().next().unwrap_or_default().escape_debug().collect();
        let kind = if greeting.starts_with(b"HTTP/") { &kind::PLAIN_HTTP } else { &kind::NOT_TLS };
        report.add(kind, &self.place, format!("It answers the first message of TLS with \"{begin}\"."));
    }
}

/// Which certificate an alert about dates means: one that is reported already; otherwise the clocks differ.
fn outside_validity(report: &Report) -> (&'static Kind, String) {
    let candidates = [
        &kind::CLIENT_EXPIRED,
        &kind::CLIENT_NOT_YET_VALID,
        &kind::INTERMEDIATE_EXPIRED,
        &kind::INTERMEDIATE_NOT_YET_VALID,
    ];
    match candidates.into_iter().find(|kind| report.has(kind)) {
        Some(kind) => (kind, String::new()),
        None => (&kind::CLIENT_EXPIRED, "Its dates are good by the clock of this machine. ".to_owned()),
    }
}

/// The SPIFFE id of a certificate, as a sentence.
fn spiffe_id(certificate: &CertificateInfo) -> String {
    match certificate.facts().ok().and_then(|facts| facts.spiffe_id()) {
        Some(id) => format!("Its SPIFFE id is {}. ", id.escape_debug()),
        None => "It has no SPIFFE id. ".to_owned(),
    }
}

/// The CAs a server accepts, as a sentence.
fn accepted(asked: &CertificateRequest) -> String {
    if asked.names_cas() {
        format!(" The server accepts certificates of: {}.", asked.cas().join("; "))
    } else {
        " The server does not say which CAs it accepts.".to_owned()
    }
}

/// The certificates of a chain that are not valid now.
fn dates(chain: &[CertificateInfo], report: &Report) -> String {
    let outside = chain.iter().filter_map(|certificate| {
        let (from, until) = certificate.validity()?;
        if report.now() > until {
            Some(format!("{} ended {}.", certificate.subject(), report.timestamp(until)))
        } else if report.now() < from {
            Some(format!("{} begins {}.", certificate.subject(), report.timestamp(from)))
        } else {
            None
        }
    });
    outside.collect::<Vec<_>>().join(" ")
}

fn signer(certificate: &CertificateInfo) -> &str {
    if certificate.is_self_issued() { "itself" } else { certificate.issuer() }
}

/// Who signed each certificate of a chain that ends at no trusted CA.
fn issuers(chain: &[CertificateInfo]) -> String {
    let signed = chain.iter().map(|it| format!("{} was signed by {}", it.subject(), signer(it)));
    format!("It sends: {}. The client trusts none of these issuers.", signed.collect::<Vec<_>>().join(", "))
}

fn ended(end: &ProbeEnd, seen: &ProbeReport) -> (&'static Kind, String) {
    match end {
        ProbeEnd::OldVersion => {
            (&kind::PROTOCOL_VERSION, "It answers in a version of TLS before 1.2.".to_owned())
        }
        ProbeEnd::Incompatible(words) => {
            (&kind::NO_COMMON_PARAMETERS, format!("The handshake cannot be finished: {words}."))
        }
        ProbeEnd::TooMuch => (&kind::TOO_MUCH_DATA, "It was cut off.".to_owned()),
        ProbeEnd::TimedOut if seen.established => (
            &kind::HANDSHAKE_TIMEOUT,
            "The handshake was done, and the request was never answered.".to_owned(),
        ),
        ProbeEnd::TimedOut => {
            (&kind::HANDSHAKE_TIMEOUT, "The server did not finish the handshake in time.".to_owned())
        }
        ProbeEnd::Closed if seen.established => {
            let words = "It closed right after the client's side of the handshake, where TLS 1.3 servers refuse certificates.";
            (&kind::CONNECTION_CLOSED, words.to_owned())
        }
        ProbeEnd::Closed => {
            (&kind::CONNECTION_CLOSED, "It closed in mid-handshake, without an alert.".to_owned())
        }
        ProbeEnd::Failed(words) => (&kind::CONNECTION_FAILED, format!("{words}.")),
        _ => (&kind::CONNECTION_FAILED, "It ended in an unknown way.".to_owned()),
    }
}
