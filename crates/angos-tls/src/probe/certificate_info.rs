//! What a certificate says of itself. Nothing in it is verified here.

use std::fmt::Write as _;
use std::time::Duration;

use angos_identity::{Certificate, CertificateError};
use rustls_pki_types::{CertificateDer, UnixTime};
use sha2::{Digest, Sha256};
use webpki::{EndEntityCert, KeyUsage};

use crate::algorithms::key_problem;
use crate::client_cert_info::printable;
use crate::limits;
use crate::material::provider;
use crate::parsed_certificate::ParsedCertificate;

/// A certificate that was looked at. **Nothing in it is verified.** Texts are printable and bounded.
#[derive(Clone, Debug)]
pub struct CertificateInfo {
    der: CertificateDer<'static>,
    facts: Result<Box<Certificate>, CertificateError>,
    subject: String,
    issuer: String,
    /// DER of the names, without the outer frame; empty if the certificate is none.
    raw_subject: Vec<u8>,
    raw_issuer: Vec<u8>,
}

/// What the extensions of a certificate permit it to be, as the verifier of the other side will read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Suitability {
    /// It may be used for this end of a connection.
    Suitable,
    /// Its extended key usage names other purposes and not this one.
    WrongUsage,
    /// It is an authority (basic constraints CA:TRUE).
    Ca,
    /// It is of version 1, which has no extensions: it was made without saying what it is for.
    Version1,
    /// It cannot be used at all: malformed, or with a critical extension that is not understood.
    Unusable,
}

const UNREADABLE: &str = "(unreadable)";

impl CertificateInfo {
    pub(super) fn new(der: CertificateDer<'static>) -> Self {
        let facts = Certificate::from_der(&der).map(Box::new);
        let shown = |text: &str| {
            let text = if text.is_empty() { "(empty name)" } else { text };
            printable(text, limits::CERT_TEXT_MAX_CHARS)
        };
        let (subject, issuer) = match &facts {
            Ok(facts) => (shown(facts.subject()), shown(facts.issuer())),
            Err(_) => (UNREADABLE.to_owned(), UNREADABLE.to_owned()),
        };
        let (raw_subject, raw_issuer) = EndEntityCert::try_from(&der)
            .map(|entity| (entity.subject().to_vec(), entity.issuer().to_vec()))
            .unwrap_or_default();
        Self { der, facts, subject, issuer, raw_subject, raw_issuer }
    }

    /// Its subject, RFC 4514.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Who signed it, by its own account, RFC 4514.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// SHA-256 of its DER, as lower-case hex.
    pub fn fingerprint(&self) -> String {
        let mut text = String::with_capacity(64);
        for byte in Sha256::digest(&self.der) {
            let _infallible = write!(text, "{byte:02x}");
        }
        text
    }

    /// All that it says, or why a server of ours cannot read who its holder is.
    pub fn facts(&self) -> Result<&Certificate, &CertificateError> {
        self.facts.as_deref()
    }

    /// Why a server of ours accepts no signature by its key; `None` if it does.
    pub fn key_problem(&self) -> Option<String> {
        let parsed = ParsedCertificate::read(&self.der)?;
        key_problem(parsed.public_key, &provider().signature_verification_algorithms)
    }

    /// First and last second of its validity, in Unix seconds. None if the certificate is none.
    pub fn validity(&self) -> Option<(i64, i64)> {
        ParsedCertificate::read(&self.der).map(|outline| (outline.not_before, outline.not_after))
    }

    /// Names and addresses a server with it may be reached by, in the order of the certificate: DNS names, then
    /// addresses. The common name is not among them: no client of today looks at it.
    pub fn host_names(&self) -> Vec<String> {
        let Ok(facts) = &self.facts else { return Vec::new() };
        let names = facts.dns_names().iter().chain(facts.ip_addresses());
        names.take(limits::PROBE_NAMES_MAX).map(|name| printable(name, limits::CERT_TEXT_MAX_CHARS)).collect()
    }

    /// Whether it names itself as its issuer.
    pub fn is_self_issued(&self) -> bool {
        !self.raw_subject.is_empty() && self.raw_subject == self.raw_issuer
    }

    /// Whether `issuer` bears the name of whoever signed it. A name, not a signature.
    pub fn names_as_issuer(&self, issuer: &Self) -> bool {
        !self.raw_issuer.is_empty() && self.raw_issuer == issuer.raw_subject
    }

    /// What its extensions permit at the client's end.
    pub fn suitability_as_client(&self) -> Suitability {
        self.suitability(KeyUsage::client_auth())
    }

    /// What its extensions permit at the server's end.
    pub fn suitability_as_server(&self) -> Suitability {
        self.suitability(KeyUsage::server_auth())
    }

    pub(super) fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    pub(super) fn raw_subject(&self) -> &[u8] {
        &self.raw_subject
    }

    pub(super) fn raw_issuer(&self) -> &[u8] {
        &self.raw_issuer
    }

    /// webpki looks at what a certificate is before it looks for an issuer, of which it is given none here; the
    /// moment asked about is one at which the certificate is valid.
    fn suitability(&self, usage: KeyUsage) -> Suitability {
        let entity = match EndEntityCert::try_from(&self.der) {
            Ok(entity) => entity,
            Err(webpki::Error::UnsupportedCertVersion) => return Suitability::Version1,
            Err(_) => return Suitability::Unusable,
        };
        let moment = self.validity().map_or(0, |(from, _)| from);
        let moment = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(moment).unwrap_or(0)));
        let verdict =
            entity.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &[], &[], moment, usage, None, None);
        match verdict {
            Err(webpki::Error::CaUsedAsEndEntity) => Suitability::Ca,
            Err(webpki::Error::RequiredEkuNotFoundContext(_) | webpki::Error::EmptyEkuExtension) => {
                Suitability::WrongUsage
            }
            Ok(_)
            | Err(
                webpki::Error::UnknownIssuer
                | webpki::Error::CertExpired { .. }
                | webpki::Error::CertNotValidYet { .. },
            ) => Suitability::Suitable,
            Err(_) => Suitability::Unusable,
        }
    }
}

#[cfg(test)]
mod tests {
    use angos_test_ca::{Authority, Leaf, Usage};

    use super::*;

    fn inspected(der: Vec<u8>) -> CertificateInfo {
        CertificateInfo::new(CertificateDer::from(der))
    }

    #[test]
    fn standing_follows_the_extensions_whatever_the_dates() {
        let authority = Authority::new("CA");
        let check = |der: Vec<u8>, as_client, as_server| {
            let certificate = inspected(der);
            let found = (certificate.suitability_as_client(), certificate.suitability_as_server());
            assert_eq!(found, (as_client, as_server), "{}", certificate.subject());
        };
        let leaf = |usage| authority.issue(&Leaf::new(usage).common_name("x")).certificate_der;
        check(leaf(Usage::Client), Suitability::Suitable, Suitability::WrongUsage);
        check(leaf(Usage::Server), Suitability::WrongUsage, Suitability::Suitable);
        check(leaf(Usage::Both), Suitability::Suitable, Suitability::Suitable);
        check(leaf(Usage::None), Suitability::Suitable, Suitability::Suitable);
        check(leaf(Usage::Other), Suitability::WrongUsage, Suitability::WrongUsage);
        check(authority.certificate_der(), Suitability::Ca, Suitability::Ca);
        check(
            authority.issue(&Leaf::client("old").expired()).certificate_der,
            Suitability::Suitable,
            Suitability::WrongUsage,
        );
        check(b"nothing".to_vec(), Suitability::Unusable, Suitability::Unusable);
    }

    #[test]
    fn names_lead_from_a_certificate_to_its_issuer() {
        let root = Authority::new("Root");
        let middle = root.intermediate("Middle");
        let leaf = inspected(middle.issue(&Leaf::client("alice")).certificate_der);
        let (root, middle) = (inspected(root.certificate_der()), inspected(middle.certificate_der()));
        assert!(leaf.names_as_issuer(&middle) && middle.names_as_issuer(&root) && root.is_self_issued());
        assert!(!leaf.names_as_issuer(&root) && !middle.is_self_issued());
        let nothing = inspected(b"nothing".to_vec());
        assert!(!nothing.is_self_issued() && !nothing.names_as_issuer(&nothing));
        assert_eq!((nothing.subject(), nothing.host_names()), ("(unreadable)", Vec::new()));
    }
}
