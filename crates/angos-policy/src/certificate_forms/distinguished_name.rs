//! Stage 1: subjects and issuers, which other tools write in another order and with other separators.

use crate::string_form::StringForm;
use angos_identity::attribute_short_names;

pub(crate) static DISTINGUISHED_NAME: StringForm = StringForm {
    description: "a subject or issuer is RFC 4514 text, last attribute first: `CN=alice,O=Example` (`openssl x509 \
                  -nameopt RFC2253` prints it)",
    is_value: |text| components(text).iter().all(|component| is_component(component)),
    is_prefix: |text| {
        let components = components(text);
        let Some((last, before)) = components.split_last() else { return true };
        let begins_a_type = !last.contains('=') && last.bytes().all(is_type_byte);
        before.iter().all(|component| is_component(component)) && (begins_a_type || is_component(last))
    },
    is_part: |_| true,
    respell,
};

/// The parts between unescaped `,` and `+`.
fn components(text: &str) -> Vec<&str> {
    let mut escaped = false;
    text.split(|c: char| {
        let separates = !escaped && matches!(c, ',' | '+');
        escaped = c == '\\' && !escaped;
        separates
    })
    .collect()
}

fn is_type_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'.'
}

/// `type=value` as RFC 4514 escapes it.
fn is_component(component: &str) -> bool {
    let Some((kind, value)) = component.split_once('=') else { return false };
    let numbers = kind.contains('.') && kind.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let known = attribute_short_names().any(|name| name == kind);
    let as_numbers = numbers && value.starts_with('#');
    if !known && !as_numbers {
        return false;
    }
    let mut escaped = false;
    let syntax = value.chars().any(|c| {
        let found = !escaped && matches!(c, '"' | ';' | '<' | '>');
        escaped = c == '\\' && !escaped;
        found
    });
    !syntax && !value.starts_with(' ')
}

/// The name meant by one in OpenSSL's slash or one-line form, or with spaces behind its commas.
fn respell(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text.strip_prefix("subject=").or_else(|| text.strip_prefix("issuer=")).unwrap_or(text).trim();
    let mut pairs = match text.strip_prefix('/') {
        Some(rest) => slashed(rest)?,
        None => components(text).into_iter().map(pair).collect::<Option<Vec<_>>>()?,
    };
    // OpenSSL prints the order of the certificate, which ends with the name of the subject itself.
    let most_general_first = pairs.last().is_some_and(|(kind, _)| is_own_name(kind))
        && pairs.first().is_some_and(|(kind, _)| !is_own_name(kind));
    if text.starts_with('/') || text.contains(" = ") || most_general_first {
        pairs.reverse();
    }
    let written: Vec<String> = pairs.iter().map(|(kind, value)| format!("{kind}={value}")).collect();
    Some(written.join(","))
}

fn is_own_name(kind: &str) -> bool {
    matches!(kind, "CN" | "UID" | "emailAddress")
}

/// The attributes of `C=US/O=Example/CN=alice`; a slash without a type behind it is part of a value.
fn slashed(text: &str) -> Option<Vec<(&'static str, String)>> {
    let mut values: Vec<(&'static str, String)> = Vec::new();
    for part in text.split('/') {
        match (part.split_once('='), values.last_mut()) {
            (Some((kind, value)), _) => values.push((short_name(kind)?, value.to_owned())),
            (None, Some((_, value))) => {
                value.push('/');
                value.push_str(part);
            }
            (None, None) => return None,
        }
    }
    for (_, value) in &mut values {
        let special = |c: char| matches!(c, '"' | '+' | ',' | ';' | '<' | '>' | '\\');
        *value = value.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect();
    }
    Some(values)
}

fn pair(component: &str) -> Option<(&'static str, String)> {
    let (kind, value) = component.split_once('=')?;
    Some((short_name(kind)?, value.trim().to_owned()))
}

/// The short name of an attribute type as other tools write it.
fn short_name(kind: &str) -> Option<&'static str> {
    let kind = match kind.trim() {
        "E" | "EMAIL" => "emailAddress",
        "S" => "ST",
        kind => kind,
    };
    attribute_short_names().find(|name| name.eq_ignore_ascii_case(kind))
}
