//! One decision as a line of the decision log: the format, its writer and its reader.

mod replayed;

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};

use angos_identity::{Certificate, Identity};
use serde::{Deserialize, Serialize};
use serde_json::ser::Formatter;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::decide::Decision;
use crate::limits::DECISION_LINE_BYTES;
use crate::request::{AccessRequest, RecordedRequest};

pub use replayed::{RecordError, RecordedDecision};

/// One decision, before it is written.
#[derive(Clone, Copy)]
pub struct DecisionRecord<'a> {
    /// The generation of the policies.
    pub generation: u64,
    /// The id of the HTTP request.
    pub request_id: &'a dyn fmt::Display,
    /// The decision that was enforced.
    pub decision: Decision<'a>,
    /// The decision with the shadow rules.
    pub shadow: Option<Decision<'a>>,
    /// The caller.
    pub identity: &'a Identity,
    /// The request.
    pub request: &'a AccessRequest,
}

/// The fields of a line, in their order. Absent ones are left out.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Line<'a> {
    pub(crate) time: String,
    pub(crate) generation: u64,
    pub(crate) request_id: String,
    #[serde(flatten)]
    pub(crate) answer: Answer<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shadow: Option<Answer<'a>>,
    pub(crate) identity: IdentityFacts<'a>,
    pub(crate) request: RecordedRequest<'a>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer<'a> {
    pub(crate) outcome: Outcome,
    pub(crate) policy: Cow<'a, str>,
    pub(crate) reason: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) undecidable: Option<Cow<'a, str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Allow,
    Deny,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct IdentityFacts<'a> {
    pub(crate) method: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) username: Option<Cow<'a, str>>,
    pub(crate) client_ip: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) certificate: Option<CertificateLine<'a>>,
}

/// Everything a rule can name, but for the SPIFFE id, which is among the URIs.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct CertificateLine<'a> {
    pub(crate) fingerprint: Cow<'a, str>,
    pub(crate) public_key_fingerprint: Cow<'a, str>,
    pub(crate) serial_number: Cow<'a, str>,
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "is_empty")]
    pub(crate) subject: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "is_empty")]
    pub(crate) issuer: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) common_names: Cow<'a, [String]>,
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) organizations: Cow<'a, [String]>,
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) organizational_units: Cow<'a, [String]>,
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) dns_names: Cow<'a, [String]>,
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) email_addresses: Cow<'a, [String]>,
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) uris: Cow<'a, [String]>,
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) ip_addresses: Cow<'a, [String]>,
    /// Subject, issuer and all lists were left out, to keep the line within its bound.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) cut: bool,
}

fn is_empty(text: &str) -> bool {
    text.is_empty()
}

fn is_none(list: &[String]) -> bool {
    list.is_empty()
}

impl fmt::Debug for DecisionRecord<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("DecisionRecord");
        shown.field("request", self.request).field("decision", &self.decision).finish_non_exhaustive()
    }
}

impl DecisionRecord<'_> {
    /// The line with its line break, at most [`DECISION_LINE_BYTES`] long.
    pub fn line(&self) -> Vec<u8> {
        let mut line = self.described();
        let mut text = write(&line);
        if text.len() > DECISION_LINE_BYTES
            && let Some(certificate) = &mut line.identity.certificate
        {
            certificate.cut();
            text = write(&line);
        }
        text
    }

    fn described(&self) -> Line<'_> {
        let time = OffsetDateTime::from(self.request.time());
        Line {
            // A moment of this millennium can be written.
            time: time.format(&Rfc3339).unwrap_or_default(),
            generation: self.generation,
            request_id: self.request_id.to_string(),
            answer: Answer::of(&self.decision),
            shadow: self.shadow.as_ref().map(Answer::of),
            identity: IdentityFacts::of(self.identity),
            request: self.request.to_record(),
        }
    }
}

impl<'a> Answer<'a> {
    fn of(decision: &Decision<'a>) -> Self {
        Self {
            outcome: if decision.is_allowed() { Outcome::Allow } else { Outcome::Deny },
            policy: decision.scope().into(),
            reason: decision.reason().into(),
            rule: decision.rule_name().map(Cow::from),
            undecidable: decision.undecidable().map(|cause| cause.as_str().into()),
        }
    }
}

impl<'a> IdentityFacts<'a> {
    fn of(identity: &'a Identity) -> Self {
        Self {
            method: identity.method().as_str().into(),
            id: identity.id().map(Cow::from),
            username: identity.username().map(Cow::from),
            client_ip: identity.client_ip().into(),
            certificate: identity.certificate().map(CertificateLine::of),
        }
    }
}

impl<'a> CertificateLine<'a> {
    fn of(certificate: &'a Certificate) -> Self {
        Self {
            fingerprint: certificate.fingerprint().into(),
            public_key_fingerprint: certificate.public_key_fingerprint().into(),
            serial_number: certificate.serial_number().into(),
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
            ca: certificate.ca().map(Cow::from),
            subject: certificate.subject().into(),
            issuer: certificate.issuer().into(),
            common_names: certificate.common_names().into(),
            organizations: certificate.organizations().into(),
            organizational_units: certificate.organizational_units().into(),
            dns_names: certificate.dns_names().into(),
            email_addresses: certificate.email_addresses().into(),
            uris: certificate.uris().into(),
            ip_addresses: certificate.ip_addresses().into(),
            cut: false,
        }
    }

    /// Keeps what tells which certificate it was.
    fn cut(&mut self) {
        let whole = std::mem::take(self);
        *self = Self {
            fingerprint: whole.fingerprint,
            public_key_fingerprint: whole.public_key_fingerprint,
            serial_number: whole.serial_number,
            not_before: whole.not_before,
            not_after: whole.not_after,
            ca: whole.ca,
            cut: true,
            ..Self::default()
        };
    }
}

fn write(line: &Line<'_>) -> Vec<u8> {
    let mut text = Vec::with_capacity(1024);
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, OneLine);
    // Strings and numbers into memory: nothing in it can fail.
    let _ = line.serialize(&mut serializer);
    text.push(b'\n');
    text
}

/// JSON whose strings cannot end a line, move a cursor or turn text around, whoever reads it: besides what JSON itself
/// escapes, the other control characters, the line separators and what changes the direction of text.
struct OneLine;

impl Formatter for OneLine {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut plain = 0;
        for (place, character) in fragment.char_indices().filter(|(_, character)| is_hidden(*character)) {
            writer.write_all(fragment.get(plain..place).unwrap_or_default().as_bytes())?;
            write!(writer, "\\u{:04x}", u32::from(character))?;
            plain = place + character.len_utf8();
        }
        writer.write_all(fragment.get(plain..).unwrap_or_default().as_bytes())
    }
}

fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests;
