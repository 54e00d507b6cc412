//! What a refused client certificate says about itself, made safe to print.

use std::fmt::{self, Write as _};

use angos_identity::Certificate;
use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};

use crate::limits::CERT_TEXT_MAX_CHARS;

/// The leaf certificate of a client that was refused. **Nothing in it is verified**: it tells an operator which
/// file to look at, and must not be taken for an identity.
///
/// Every text is printable (controls, bidirectional marks and the like are escaped) and at most
/// [`CERT_TEXT_MAX_CHARS`] characters of the original long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertInfo {
    names: Option<Names>,
    fingerprint: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Names {
    subject: String,
    issuer: String,
    serial_number: String,
}

impl ClientCertInfo {
    pub(crate) fn from_der(der: &CertificateDer<'_>) -> Self {
        let names = Certificate::from_der(der).ok().map(|certificate| Names {
            subject: printable(certificate.subject(), CERT_TEXT_MAX_CHARS),
            issuer: printable(certificate.issuer(), CERT_TEXT_MAX_CHARS),
            serial_number: printable(certificate.serial_number(), CERT_TEXT_MAX_CHARS),
        });
        let mut fingerprint = String::with_capacity(64);
        for byte in Sha256::digest(der) {
            let _infallible = write!(fingerprint, "{byte:02x}");
        }
        Self { names, fingerprint }
    }

    /// Its subject, RFC 4514; none if the certificate cannot be read.
    pub fn subject(&self) -> Option<&str> {
        self.names.as_ref().map(|names| names.subject.as_str())
    }

    /// Its issuer, RFC 4514; none if the certificate cannot be read.
    pub fn issuer(&self) -> Option<&str> {
        self.names.as_ref().map(|names| names.issuer.as_str())
    }

    /// Its serial number in hex; none if the certificate cannot be read.
    pub fn serial_number(&self) -> Option<&str> {
        self.names.as_ref().map(|names| names.serial_number.as_str())
    }

    /// SHA-256 of its DER, as lower-case hex. Always known.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

impl fmt::Display for ClientCertInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.names {
            Some(Names { subject, issuer, serial_number }) => {
                write!(f, "subject {subject}, issuer {issuer}, serial {serial_number}, ")?;
            }
            None => f.write_str("an unreadable certificate, ")?,
        }
        write!(f, "SHA-256 {}", self.fingerprint)
    }
}

/// `text` with everything escaped that a terminal or a log viewer might act on, cut after `max` characters.
pub(crate) fn printable(text: &str, max: usize) -> String {
    let mut printable = String::with_capacity(text.len().min(max));
    for (position, character) in text.chars().enumerate() {
        if position == max {
            printable.push('…');
            break;
        }
        match character {
            // `escape_debug` would double these, and RFC 4514 names are full of backslashes.
            '\\' | '"' | '\'' => printable.push(character),
            other => printable.extend(other.escape_debug()),
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_escaped_and_bounded() {
        let check = |text: &str, expected: &str| assert_eq!(printable(text, 12), expected, "{text:?}");
        check("CN=build", "CN=build");
        check("CN=Zoë\\, \"x\"", "CN=Zoë\\, \"x\"");
        check("a\nb\r\tc", "a\\nb\\r\\tc");
        check("\u{1b}[31m", "\\u{1b}[31m");
        check("a\u{202e}b\u{200b}", "a\\u{202e}b\\u{200b}");
        check("\0\u{7f}\u{85}", "\\0\\u{7f}\\u{85}");
        check("exactly 12ch", "exactly 12ch");
        check("thirteen char", "thirteen cha…");
    }

    #[test]
    fn an_unreadable_certificate_still_has_a_fingerprint() {
        let offered = ClientCertInfo::from_der(&CertificateDer::from(b"hello".to_vec()));
        assert_eq!(offered.subject(), None);
        assert_eq!(offered.issuer(), None);
        assert_eq!(offered.serial_number(), None);
        assert_eq!(offered.fingerprint(), "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
        assert!(offered.to_string().starts_with("an unreadable certificate, SHA-256 2cf24dba"));
    }
}
