//! Literals that no fact can equal: the error names the spelling that would match.

use crate::fixtures::environment;
use angos_policy::{DefaultDecision, Policy, RuleSource};

/// Compiles a rule in both default modes; an expected error contains the text.
fn check(rule: &str, expected: Result<(), &str>) {
    for default in [DefaultDecision::Deny, DefaultDecision::Allow] {
        let loaded = Policy::compile(&environment(), default, &[RuleSource::from(rule)]).map(|_| ());
        match (loaded, expected) {
            (Ok(()), Ok(())) => {}
            (Err(errors), Err(part)) => {
                let text = errors.first().map(ToString::to_string).unwrap_or_default();
                assert!(text.contains(part), "{rule}: {text}");
            }
            (loaded, _) => panic!("{rule}: {loaded:?}"),
        }
    }
}

/// A fact of the certificate compared with a literal: the spelling that is suggested, or part of the error.
fn compared(fact: &str, literal: &str, suggestion: &str) {
    let expected = match suggestion.strip_prefix('!') {
        Some(part) => part.to_owned(),
        None => format!("did you mean '{suggestion}'?"),
    };
    let path = format!("identity.certificate.{fact}");
    for rule in [
        format!("{path} == {literal}"),
        format!("{literal} != {path}"),
        format!("{path} in ['', {literal}]"),
        format!("{path} in {{{literal}: true}}"),
        format!("cel.bind(f, {path}, f == {literal})"),
    ] {
        check(&rule, Err(&expected));
    }
}

#[test]
fn what_other_tools_print_is_refused_with_the_right_spelling() {
    let hash = "0123456789abcdef".repeat(4);
    let colons =
        hash.to_uppercase().as_bytes().chunks(2).map(String::from_utf8_lossy).collect::<Vec<_>>().join(":");
    for fact in ["fingerprint", "public_key_fingerprint"] {
        compared(fact, &format!("'{colons}'"), &hash);
        compared(fact, &format!("'sha256 Fingerprint={colons}'"), &hash);
        compared(fact, &format!("'{}'", hash.to_uppercase()), &hash);
        compared(fact, &format!("'SHA256:{hash}'"), &hash);
        compared(fact, "'sha256//ASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4mrze8='", &hash);
        compared(fact, "'da39a3ee5e6b4b0d3255bfef95601890afd80709'", "!64 lower-case hexadecimal digits");
    }
    compared("serial_number", "'12:AB:0F'", "12ab0f");
    compared("serial_number", "'0x12AB0F'", "12ab0f");
    compared("serial_number", "'0012ab0f'", "12ab0f");
    compared("serial_number", "'serial=2AB0F'", "02ab0f");
    compared("serial_number", "'alice'", "!two digits per byte");
    for fact in ["subject", "issuer"] {
        compared(fact, "'/C=US/O=Example/CN=alice'", "CN=alice,O=Example,C=US");
        compared(fact, "'/O=A, B/CN=a/b'", r"CN=a/b,O=A\\, B");
        compared(fact, "'C = US, O = Example, CN = alice'", "CN=alice,O=Example,C=US");
        compared(fact, "'subject=C=US, O=Example, CN=alice'", "CN=alice,O=Example,C=US");
        compared(fact, "'CN=alice, O=Example, C=US'", "CN=alice,O=Example,C=US");
        compared(fact, "'cn=alice'", "CN=alice");
        compared(fact, "'E=a@b.example,CN=alice'", "emailAddress=a@b.example,CN=alice");
        compared(fact, "'alice'", "!RFC 4514");
    }
    compared("spiffe_id", "'SPIFFE://Prod.Example/ci/'", "spiffe://prod.example/ci");
    compared("spiffe_id", "'prod.example/ci'", "spiffe://prod.example/ci");
    compared("spiffe_id", "'spiffe://prod.example/a b'", "!a SPIFFE id is");
    compared("spiffe_trust_domain", "'spiffe://Prod.Example/ci'", "prod.example");
    compared("spiffe_path", "'ci/builder/'", "/ci/builder");
    compared("spiffe_path", "'spiffe://prod.example/ci'", "/ci");
    for (literal, expected) in [
        ("10.01.2.3", "did you mean '10.1.2.3'?"),
        ("10.1.2.3/32", "did you mean '10.1.2.3'?"),
        ("[2001:DB8::1]", "did you mean '2001:db8::1'?"),
        ("2001:db8:0:0::1", "did you mean '2001:db8::1'?"),
        ("10.0.0.0/8", "containsIP"),
        ("localhost", "one IP address"),
    ] {
        check(&format!("identity.client_ip == '{literal}'"), Err(expected));
        check(&format!("'{literal}' in identity.certificate.ip_addresses"), Err(expected));
        check(&format!("identity.certificate.ip_addresses.exists(a, a == '{literal}')"), Err(expected));
    }
    check("identity.client_ip == '::ffff:10.1.2.3'", Err("did you mean '10.1.2.3'?"));
}

#[test]
fn beginnings_and_parts_no_value_has_are_refused() {
    for (rule, expected) in [
        ("identity.certificate.fingerprint.startsWith('AB')", "no value starts with 'AB'"),
        ("identity.certificate.fingerprint.contains(':')", "no value contains ':'"),
        ("identity.certificate.serial_number.endsWith('0F')", "no value ends with '0F'"),
        ("identity.certificate.subject.startsWith('/C=US')", "no value starts with"),
        ("identity.certificate.subject.startsWith('CN = alice')", "no value starts with"),
        ("identity.certificate.spiffe_id.startsWith('prod.example/')", "no value starts with"),
        ("identity.certificate.spiffe_path.startsWith('ns/')", "no value starts with"),
        ("identity.client_ip.startsWith('10.0.0.0/8')", "no value starts with"),
    ] {
        check(rule, Err(expected));
    }
}

#[test]
fn spellings_that_match_load() {
    for rule in [
        "identity.certificate.fingerprint.startsWith('ab') || identity.certificate.fingerprint == ''",
        "identity.certificate.serial_number in ['00', '7f', '-05', '']",
        "identity.certificate.serial_number.startsWith('-')",
        r"identity.certificate.subject == 'CN=a\\, b = c,O=x+OU=y,1.2.3.4=#0c0141'",
        "identity.certificate.subject.startsWith('CN=') || identity.certificate.issuer.startsWith('CN=a,O')",
        "identity.certificate.subject.endsWith(',O=Example') || identity.certificate.subject.contains('O=')",
        "identity.certificate.spiffe_id.startsWith('spiffe://prod.example/')",
        "identity.certificate.spiffe_id.startsWith('spiffe:') || identity.certificate.spiffe_id.endsWith('/ci')",
        "identity.certificate.spiffe_trust_domain == 'prod.example' || identity.certificate.spiffe_path == '/ci'",
        "identity.client_ip in ['10.1.2.3', '2001:db8::1'] || identity.client_ip.startsWith('10.')",
        "identity.certificate.fingerprint != identity.certificate.public_key_fingerprint",
    ] {
        check(rule, Ok(()));
    }
}
