//! What a line says, and how hostile text is written and read.

use std::sync::Arc;
use std::time::SystemTime;

use angos_identity::{Certificate, CertificateFacts, Credential, Identity};
use angos_policy::{DefaultDecision, Facts as _, Policy, RuleSource};

use super::*;
use crate::action::Action;
use crate::decide::Decisions;
use crate::environment::environment;
use crate::policy_set::{AccessPolicies, AccessPolicy};

/// A caller with everything a rule can name.
fn somebody(facts: CertificateFacts) -> Identity {
    let certificate = Arc::new(Certificate::described(facts).unwrap());
    let credential = Arc::new(Credential { id: "ci".into(), username: "réader\"\\".into() });
    Identity::new([192, 0, 2, 7].into(), Some(certificate), Some(credential))
}

fn facts() -> CertificateFacts {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    CertificateFacts {
        common_names: words(&["a\"},{\"", "b\u{2028}forged\u{202e}"]),
        organizations: words(&["Team"]),
        organizational_units: words(&["Unit"]),
        dns_names: words(&["a.example"]),
        email_addresses: words(&["a@b.example"]),
        uris: words(&["spiffe://prod.example/ci", "https://a/"]),
        ip_addresses: words(&["192.0.2.1", "2001:db8::1"]),
        subject: "CN=a".to_owned(),
        issuer: "CN=CA".to_owned(),
        serial_number: "01ff".to_owned(),
        fingerprint: "ab".repeat(32),
        public_key_fingerprint: "cd".repeat(32),
        not_before: 1,
        not_after: 4_000_000_000,
        ca: Some("partners".to_owned()),
    }
}

fn request(action: Action, fields: &[(&str, &str)]) -> AccessRequest {
    let mut request = AccessRequest::new(action, SystemTime::now());
    for (field, text) in fields {
        request.set(field, text).unwrap();
    }
    request
}

fn line_of(identity: &Identity, request: &AccessRequest) -> Vec<u8> {
    let access = AccessPolicies::default();
    let decision = access.decide(identity, request);
    DecisionRecord { generation: 7, request_id: &"id", decision, shadow: None, identity, request }.line()
}

/// All that rules can see of a request and its caller is the same after a round trip; a code is not.
#[test]
fn a_line_read_back_is_the_same_question() {
    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let session = "5".repeat(50) + &"c".repeat(32);
    let identity = somebody(facts());
    let cases = [
        request(Action::GetApiVersion, &[("method", "HEAD")]),
        request(
            Action::PutManifest,
            &[("namespace", "a/b"), ("reference", "v1"), ("tags", "v2"), ("tags", "v3")],
        ),
        request(
            Action::PutManifest,
            &[("namespace", "a/b"), ("reference", DIGEST), ("tag", "v2"), ("tags", "v2")],
        ),
        request(Action::MountBlob, &[("namespace", "a"), ("digest", DIGEST), ("from", "other/one")]),
        request(Action::CompleteUpload, &[("namespace", "a"), ("session_id", &session), ("digest", DIGEST)]),
        request(Action::StartUpload, &[("namespace", "a"), ("digest_algorithm", "sha512")]),
        request(
            Action::ListTags,
            &[("namespace", "a"), ("n", "18446744073709551615"), ("last", "é \u{202e}x")],
        ),
        request(Action::GetReferrers, &[("namespace", "a"), ("digest", DIGEST), ("artifact_type", "a/b+c")]),
    ];
    for asked in cases {
        let line = line_of(&identity, &asked);
        let text = std::str::from_utf8(&line).unwrap();
        let is_harmless = |c: char| !c.is_control() && !matches!(c, '\u{2028}' | '\u{202e}');
        assert!(text.strip_suffix('\n').unwrap().chars().all(is_harmless), "{text}");
        assert!(!text.contains("cccc"), "the code of an upload: {text}");
        let read = RecordedDecision::parse(&line).unwrap();
        assert_eq!((read.generation(), read.is_allowed()), (7, false));
        assert_eq!((read.policy(), read.rule(), read.caller()), ("none", "unconfigured", "réader\"\\"));
        assert_eq!(format!("{:?}", read.identity()), format!("{identity:?}"));
        for fact in (0..14).filter(|fact| *fact != 6) {
            assert_eq!(read.request().fact(fact), asked.fact(fact), "fact {fact} of {text}");
        }
    }
}

#[test]
fn a_line_says_what_decided() {
    let rule = |name: &str, when: &str| RuleSource { name: Some(name.to_owned()), when: when.to_owned() };
    let rules = [rule("pull", "request.action == 'get-blob'"), rule("tags", "request.tag.startsWith('v')")];
    let policy = Policy::compile(&environment(), DefaultDecision::Deny, &rules).unwrap();
    let trial = Policy::compile(&environment(), DefaultDecision::Deny, &[rule("try", "true")]).unwrap();
    let global = AccessPolicy::new(policy).with_shadow(trial);
    let access = AccessPolicies { global: Some(global), ..AccessPolicies::default() };
    let nobody = Identity::new([127, 0, 0, 1].into(), None, None);
    for (action, answer, shadow) in [
        (
            Action::GetBlob,
            r#""outcome":"allow","policy":"global","reason":"rule","rule":"pull""#,
            r#""shadow":{"outcome":"allow","policy":"global","reason":"rule","rule":"pull"}"#,
        ),
        (
            Action::ListTags,
            r#""outcome":"deny","policy":"global","reason":"undecidable","rule":"tags","undecidable":"absent""#,
            r#""shadow":{"outcome":"allow","policy":"global","reason":"rule","rule":"try"}"#,
        ),
    ] {
        let asked = request(action, &[("namespace", "a")]);
        let Decisions { enforced: decision, shadow: would } = access.decide_and_count(&nobody, &asked);
        let entry = DecisionRecord {
            generation: 1,
            request_id: &"id",
            decision,
            shadow: would,
            identity: &nobody,
            request: &asked,
        };
        let text = String::from_utf8(entry.line()).unwrap();
        assert!(text.contains(answer) && text.contains(shadow), "{text}");
        assert!(text.contains(r#""identity":{"method":"anonymous","client_ip":"127.0.0.1"}"#), "{text}");
    }
}

/// The largest names there can be, and a query that is escaped in every place.
#[test]
fn the_length_of_a_line_is_bounded() {
    let described = |count: usize| {
        let names = vec!["x".repeat(2048); count];
        CertificateFacts { subject: names.concat(), common_names: names, ..facts() }
    };
    let asked = request(Action::ListTags, &[("namespace", "a"), ("last", "x")]);
    let whole = line_of(&somebody(described(60)), &asked);
    assert!(whole.len() > 240_000 && whole.len() <= DECISION_LINE_BYTES, "{}", whole.len());
    RecordedDecision::parse(&whole).unwrap();
    let asked = request(Action::ListTags, &[("namespace", "a"), ("last", &"\u{202e}".repeat(10_000))]);
    let cut = line_of(&somebody(described(62)), &asked);
    assert!(cut.len() > 60_000 && cut.len() < 70_000, "{}", cut.len());
    assert!(std::str::from_utf8(&cut).unwrap().contains(r#""cut":true"#));
    assert!(matches!(RecordedDecision::parse(&cut), Err(RecordError::Cut)));
}

#[test]
fn what_is_no_line_is_refused() {
    let line =
        String::from_utf8(line_of(&somebody(facts()), &request(Action::GetBlob, &[("namespace", "a")])))
            .unwrap();
    RecordedDecision::parse(line.as_bytes()).unwrap();
    for (from, to) in [
        ("\"outcome\":\"deny\"", "\"outcome\":\"maybe\""),
        ("get-blob", "get-blobs"),
        ("192.0.2.7", "nowhere"),
        ("\"a.example\"", "\"a example\""),
        ("\"namespace\":\"a\"", "\"namespace\":\"A\""),
        ("}", ""),
        ("{", "[{"),
    ] {
        assert!(line.contains(from), "{line}");
        assert!(RecordedDecision::parse(line.replace(from, to).as_bytes()).is_err(), "{from} → {to}");
    }
    for line in [&b""[..], b"\xff", b"null", b"{}", &b"[".repeat(100_000)] {
        assert!(matches!(RecordedDecision::parse(line), Err(RecordError::Malformed(_))));
    }
}

proptest::proptest! {
    /// A log may have been written by anybody, and cut anywhere.
    #[test]
    fn anything_may_stand_in_a_log(
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..4),
        place in 0usize..1200,
        cut in 0usize..1200,
    ) {
        let asked = request(Action::ListTags, &[("namespace", "a"), ("n", "1"), ("last", "x")]);
        let mut line = line_of(&somebody(facts()), &asked);
        if cut < 600 {
            line.truncate(line.len() - cut.min(line.len()));
        }
        let end = place.min(line.len());
        line.splice(end..(end + bytes.len()).min(line.len()), bytes);
        if let Ok(read) = RecordedDecision::parse(&line) {
            proptest::prop_assert!(!read.caller().is_empty());
            AccessPolicies::default().decide(read.identity(), read.request());
        }
    }
}
