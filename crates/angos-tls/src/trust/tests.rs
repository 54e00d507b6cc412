//! What is remembered of chains, and for how long a verdict holds.

use angos_test_ca::Leaf;

use super::*;

#[test]
fn chains_with_ballast_do_not_fill_memory() {
    let authority = angos_test_ca::Authority::new("CA");
    let anchors = crate::ca_bundle::parse(authority.certificate_pem().as_bytes()).unwrap();
    let client = CaBundle { name: None, spiffe_trust_domain: None, anchors, lists: None };
    let algorithms = crate::material::provider().signature_verification_algorithms;
    let trust = Trust::new(vec![client], Revocation::default(), algorithms);
    let leaf = CertificateDer::from(authority.issue(&Leaf::client("alice")).certificate_der);
    for number in 0..500_u16 {
        let mut ballast = vec![0; 60_000];
        ballast[..2].copy_from_slice(&number.to_le_bytes());
        let ballast = [CertificateDer::from(ballast)];
        let verified = trust.verify(&leaf, &ballast, UnixTime::now()).unwrap();
        assert_eq!(verified.chain.len(), 2);
    }
    let kept = trust.known.lock().unwrap().len();
    assert!(kept > 10 && kept * 60_000 <= limits::VERIFIED_CHAINS_MAX_BYTES, "{kept}");
}

#[test]
fn a_verdict_holds_no_longer_than_its_path() {
    let authority = angos_test_ca::Authority::new("CA");
    let anchors = crate::ca_bundle::parse(authority.certificate_pem().as_bytes()).unwrap();
    let client = CaBundle { name: None, spiffe_trust_domain: None, anchors, lists: None };
    let algorithms = crate::material::provider().signature_verification_algorithms;
    let trust = Trust::new(vec![client], Revocation::default(), algorithms);
    let leaf = CertificateDer::from(authority.issue(&Leaf::client("alice")).certificate_der);
    let at = |seconds: i64| {
        let since = std::time::Duration::from_secs(u64::try_from(seconds).unwrap());
        trust.verify(&leaf, &[], UnixTime::since_unix_epoch(since))
    };
    let verified = at(unix_now()).unwrap();
    assert!(at(verified.until).is_ok() && at(verified.from).is_ok());
    assert_eq!(at(verified.until + 1).unwrap_err().class, FailureClass::Expired);
    assert_eq!(at(verified.from - 1).unwrap_err().class, FailureClass::NotYetValid);
}
