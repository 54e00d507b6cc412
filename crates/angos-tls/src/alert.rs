//! The names of TLS alerts.

use std::fmt;

use rustls::AlertDescription;

/// Why a peer ended the connection, in its own words: the description of a TLS alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Alert(u8);

impl Alert {
    pub(crate) fn new(description: AlertDescription) -> Self {
        Self(u8::from(description))
    }

    /// The number, as the IANA registry of TLS alerts has it.
    pub fn number(self) -> u8 {
        self.0
    }

    /// The name in that registry (RFC 8446 §6.2, and RFC 5246 §7.2 for those that TLS 1.3 dropped).
    pub fn name(self) -> &'static str {
        match self.0 {
            0 => "close_notify",
            10 => "unexpected_message",
            20 => "bad_record_mac",
            21 => "decryption_failed",
            22 => "record_overflow",
            30 => "decompression_failure",
            40 => "handshake_failure",
            41 => "no_certificate",
            42 => "bad_certificate",
            43 => "unsupported_certificate",
            44 => "certificate_revoked",
            45 => "certificate_expired",
            46 => "certificate_unknown",
            47 => "illegal_parameter",
            48 => "unknown_ca",
            49 => "access_denied",
            50 => "decode_error",
            51 => "decrypt_error",
            60 => "export_restriction",
            70 => "protocol_version",
            71 => "insufficient_security",
            80 => "internal_error",
            86 => "inappropriate_fallback",
            90 => "user_canceled",
            100 => "no_renegotiation",
            109 => "missing_extension",
            110 => "unsupported_extension",
            111 => "certificate_unobtainable",
            112 => "unrecognized_name",
            113 => "bad_certificate_status_response",
            114 => "bad_certificate_hash_value",
            115 => "unknown_psk_identity",
            116 => "certificate_required",
            120 => "no_application_protocol",
            121 => "ech_required",
            _ => "unassigned",
        }
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_have_their_registered_names() {
        let check = |description: AlertDescription, shown: &str| {
            assert_eq!(Alert::new(description).to_string(), shown);
        };
        check(AlertDescription::CertificateRequired, "certificate_required (116)");
        check(AlertDescription::UnknownCA, "unknown_ca (48)");
        check(AlertDescription::NoApplicationProtocol, "no_application_protocol (120)");
        check(AlertDescription::Unknown(200), "unassigned (200)");
    }
}
