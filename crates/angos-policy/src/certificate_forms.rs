//! Stage 1: how the facts of an identity are spelled, and how other tools spell them.

mod distinguished_name;

use crate::string_form::StringForm;
use angos_identity::{Certificate, CertificateFacts};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::net::IpAddr;

pub(crate) use distinguished_name::DISTINGUISHED_NAME;

/// Hexadecimal digits of a SHA-256.
const SHA256_DIGITS: usize = 64;

pub(crate) static FINGERPRINT: StringForm = StringForm {
    description: "a fingerprint is the SHA-256 in 64 lower-case hexadecimal digits without colons",
    is_value: |text| text.len() == SHA256_DIGITS && is_hex(text),
    is_prefix: |text| text.len() <= SHA256_DIGITS && is_hex(text),
    is_part: |text| text.len() <= SHA256_DIGITS && is_hex(text),
    respell: |text| {
        let pin = text.trim().trim_start_matches("sha256//");
        match STANDARD.decode(pin) {
            Ok(hash) if hash.len() * 2 == SHA256_DIGITS => Some(hex(&hash)),
            _ => hex_of(text),
        }
    },
};

pub(crate) static SERIAL_NUMBER: StringForm = StringForm {
    description: "a serial number is lower-case hexadecimal, two digits per byte, without colons, `0x` and \
                  leading zero bytes",
    is_value: |text| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let minimal = digits == "00" || !digits.starts_with("00");
        !digits.is_empty() && digits.len().is_multiple_of(2) && minimal && is_hex(digits)
    },
    is_prefix: |text| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        is_hex(digits) && (digits == "00" || !digits.starts_with("00"))
    },
    is_part: |text| is_hex(text.strip_prefix('-').unwrap_or(text)),
    respell: |text| {
        let (sign, text) = match text.trim().strip_prefix('-') {
            Some(rest) => ("-", rest),
            None => ("", text),
        };
        let digits = hex_of(text)?;
        let digits = digits.trim_start_matches('0');
        Some(match digits.len() {
            0 => "00".to_owned(),
            length if length.is_multiple_of(2) => format!("{sign}{digits}"),
            _ => format!("{sign}0{digits}"),
        })
    },
};

pub(crate) static CLIENT_IP: StringForm = StringForm {
    description: "a client address is one IP address in its shortest lower-case spelling; for a network write \
                  `cidr('10.0.0.0/8').containsIP(identity.client_ip)`",
    is_value: |text| canonical(text).as_deref() == Some(text),
    is_prefix: is_address_part,
    is_part: is_address_part,
    respell: address_of,
};

pub(crate) static IP_ADDRESS: StringForm = StringForm {
    description: "an address is one IP address in its shortest lower-case spelling; for a network write \
                  `cidr('10.0.0.0/8').containsIP(address)`",
    is_value: |text| {
        let facts = CertificateFacts { ip_addresses: vec![text.to_owned()], ..CertificateFacts::default() };
        Certificate::described(facts).is_ok_and(|certificate| certificate.ip_addresses() == [text])
    },
    is_prefix: is_address_part,
    is_part: is_address_part,
    respell: address_of,
};

pub(crate) static SPIFFE_ID: StringForm = StringForm {
    description: "a SPIFFE id is `spiffe://`, a trust domain in lower case, and a path without a final slash",
    is_value: is_spiffe_id,
    is_prefix: |text| {
        "spiffe://".starts_with(text) || is_spiffe_id(text) || is_spiffe_id(&format!("{text}a"))
    },
    is_part: |text| text.bytes().all(|byte| byte == b':' || is_spiffe_byte(byte)),
    respell: |text| {
        let (domain, path) = spiffe_parts(text);
        Some(format!("spiffe://{domain}{path}"))
    },
};

pub(crate) static TRUST_DOMAIN: StringForm = StringForm {
    description: "a trust domain is in lower case, without `spiffe://` and path",
    is_value: is_trust_domain,
    is_prefix: is_trust_domain,
    is_part: is_trust_domain,
    respell: |text| Some(spiffe_parts(text).0),
};

pub(crate) static SPIFFE_PATH: StringForm = StringForm {
    description: "a SPIFFE path begins with `/` and does not end with one",
    is_value: is_spiffe_path,
    is_prefix: |text| is_spiffe_path(text) || is_spiffe_path(&format!("{text}a")),
    is_part: |text| text.bytes().all(is_spiffe_byte),
    respell: |text| {
        let id = text.trim().contains("://");
        let path = if id { spiffe_parts(text).1 } else { text.trim().trim_matches('/').to_owned() };
        Some(if id { path } else { format!("/{path}") })
    },
};

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).flatten().collect()
}

/// The digits of hexadecimal text as `openssl x509`, `ssh-keygen` and browsers print it.
fn hex_of(text: &str) -> Option<String> {
    let text = text.rsplit('=').next().unwrap_or(text).trim().to_ascii_lowercase();
    let text = text.strip_prefix("sha256:").or_else(|| text.strip_prefix("0x")).unwrap_or(&text);
    let digits: String = text.chars().filter(|c| !matches!(c, ':' | ' ' | '-')).collect();
    (!digits.is_empty() && is_hex(&digits)).then_some(digits)
}

/// An address as the server writes the client's.
fn canonical(text: &str) -> Option<String> {
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical().to_string())
}

fn is_address_part(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b':' | b'.'))
}

/// The address meant by one in brackets, with a prefix of its whole length, or with zeros before its numbers.
fn address_of(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches('[').trim_end_matches(']');
    let text = text.strip_suffix("/32").or_else(|| text.strip_suffix("/128")).unwrap_or(text);
    let without_zeros = |number: &str| match number.trim_start_matches('0') {
        "" if !number.is_empty() => "0".to_owned(),
        digits => digits.to_owned(),
    };
    canonical(text).or_else(|| canonical(&text.split('.').map(without_zeros).collect::<Vec<_>>().join(".")))
}

/// Asks the one reader of SPIFFE ids, so that both agree.
fn is_spiffe_id(text: &str) -> bool {
    let facts = CertificateFacts { uris: vec![text.to_owned()], ..CertificateFacts::default() };
    Certificate::described(facts).is_ok_and(|certificate| certificate.spiffe_id() == Some(text))
}

fn is_trust_domain(text: &str) -> bool {
    !text.contains('/') && is_spiffe_id(&format!("spiffe://{text}"))
}

fn is_spiffe_path(text: &str) -> bool {
    text.starts_with('/') && is_spiffe_id(&format!("spiffe://a{text}"))
}

fn is_spiffe_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'/')
}

/// Trust domain and path, with its `/`, of a SPIFFE id in any case, with or without its scheme.
fn spiffe_parts(text: &str) -> (String, String) {
    let text = text.trim().trim_start_matches("URI:");
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest).trim_end_matches('/');
    let (domain, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    (domain.to_ascii_lowercase(), path.to_owned())
}
