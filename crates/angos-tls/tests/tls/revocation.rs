//! Revocation lists: which are used, which are not, and whom they stop.

use std::path::PathBuf;

use angos_test_ca::{Authority, Issued, KEY_CERT_SIGN, Leaf, RevocationList, Scope, pem};
use angos_tls::{
    Acceptor, ClientAuth, ClientCa, ExpiryKind, Material, Problem, RevocationDepth, TrustError,
    UnknownStatusPolicy, WarningKind,
};
use rustls::{AlertDescription, version};

use crate::client::Client;
use crate::site::Site;

const DAY: i64 = 24 * 3600;

fn client(name: &str, serial: u8) -> Leaf {
    Leaf::client(name).serial(&[serial])
}

/// Gives the site's client authority these lists, one file each.
fn set(site: &mut Site, lists: &[Vec<u8>]) {
    let files = lists.iter().enumerate().map(|(at, list)| site.file(&format!("{at}.crl"), list));
    site.settings.clients.cas[0].crls = Some(files.collect());
}

fn list(authority: &Authority, list: &RevocationList) -> Vec<u8> {
    authority.revocation_list(list)
}

fn revoking(number: u64, serials: &[u8]) -> RevocationList {
    serials.iter().fold(RevocationList::new(number), |list, serial| list.revoke(&[*serial]))
}

fn concerns(material: &Material) -> Vec<WarningKind> {
    material.warnings().iter().map(angos_tls::Warning::kind).collect()
}

async fn outcome(site: &Site, acceptor: &Acceptor, issued: &Issued) -> &'static str {
    let client = Client::new(&site.servers).with(issued.clone());
    client.attempt(acceptor).await.server.map_or_else(|error| error.class(), |_| "ok")
}

/// What becomes of a client of `issuer` with this serial number.
async fn of(site: &Site, issuer: &Authority, serial: u8) -> &'static str {
    outcome(site, &site.acceptor(), &issuer.issue(&client("alice", serial))).await
}

#[tokio::test]
async fn who_is_on_the_list_is_refused_and_told() {
    let mut site = Site::required();
    let listed = list(&site.clients, &revoking(1, &[7]));
    set(&mut site, &[listed]);
    let acceptor = site.acceptor();
    for tls in [&version::TLS12, &version::TLS13] {
        let attempt = |serial| {
            let issued = site.clients.issue(&client("alice", serial));
            Client::new(&site.servers).tls(tls).with(issued)
        };
        let good = attempt(8).attempt(&acceptor).await;
        assert_eq!(good.client.as_deref(), Ok("welcome"));
        let bad = attempt(7).attempt(&acceptor).await;
        let error = bad.server.unwrap_err();
        assert_eq!(error.class(), "revoked");
        assert!(error.to_string().contains("it is on the list of CN=Client CA"), "{error}");
        assert_eq!(error.certificate().and_then(|offered| offered.serial_number()), Some("07"));
        assert_eq!(bad.client, Err(Some(AlertDescription::CertificateRevoked)));
    }
}

#[tokio::test]
async fn every_wrapping_is_read() {
    let mut site = Site::required();
    let second = Authority::new("Second CA");
    site.file("clients.pem", site.clients.certificate_pem() + &second.certificate_pem());
    let (one, two) = (list(&site.clients, &revoking(1, &[1])), list(&second, &revoking(1, &[2])));
    let (one_pem, two_pem) = (pem("X509 CRL", &one), pem("X509 CRL", &two));
    let both = format!("{one_pem}{two_pem}");
    let folder = site.path().join("folder");
    std::fs::create_dir_all(folder.join(".hidden")).unwrap();
    std::fs::write(folder.join("a.pem"), &one_pem).unwrap();
    std::fs::write(folder.join("b.crl"), &two).unwrap();
    std::fs::write(folder.join(".c.swp"), "nonsense").unwrap();
    let rows: [(&str, Vec<PathBuf>); 4] = [
        ("DER", vec![site.file("1.crl", &one), site.file("2.crl", &two)]),
        ("PEM", vec![site.file("1.pem", &one_pem), site.file("2.pem", two_pem.replace('\n', "\r\n"))]),
        ("one file", vec![site.file("both.pem", &both)]),
        ("folder", vec![folder]),
    ];
    for (name, crls) in rows {
        site.settings.clients.cas[0].crls = Some(crls);
        assert_eq!(concerns(&site.load().unwrap()), [], "{name}");
        for (issuer, serial, expected) in [
            (&site.clients, 1, "revoked"),
            (&site.clients, 2, "ok"),
            (&second, 1, "ok"),
            (&second, 2, "revoked"),
        ] {
            assert_eq!(of(&site, issuer, serial).await, expected, "{name}: {serial}");
        }
    }
}

#[tokio::test]
async fn the_whole_chain_is_checked_unless_told_otherwise() {
    let mut site = Site::required();
    let team = site.clients.subordinate(&Leaf::authority("Team CA").serial(&[50]));
    let root = |serials: &[u8]| list(&site.clients, &revoking(1, serials));
    let below = |serials: &[u8]| list(&team, &revoking(1, serials));
    let (deny, allow) = (UnknownStatusPolicy::Deny, UnknownStatusPolicy::Allow);
    let rows = [
        ("both lists", vec![root(&[]), below(&[])], deny, RevocationDepth::Chain, "ok"),
        ("the leaf is revoked", vec![root(&[]), below(&[7])], deny, RevocationDepth::Chain, "revoked"),
        (
            "the intermediate is revoked",
            vec![root(&[50]), below(&[])],
            deny,
            RevocationDepth::Chain,
            "revoked",
        ),
        (
            "the same serial of another issuer",
            vec![root(&[7]), below(&[50])],
            deny,
            RevocationDepth::Chain,
            "ok",
        ),
        ("no list for the leaf", vec![root(&[])], deny, RevocationDepth::Chain, "revocation_unknown"),
        ("no list for the leaf, allowed", vec![root(&[])], allow, RevocationDepth::Chain, "ok"),
        (
            "no list for the intermediate",
            vec![below(&[])],
            deny,
            RevocationDepth::Chain,
            "revocation_unknown",
        ),
        ("no list for the intermediate, leaf only", vec![below(&[])], deny, RevocationDepth::Leaf, "ok"),
        (
            "the intermediate is revoked, leaf only",
            vec![root(&[50]), below(&[])],
            deny,
            RevocationDepth::Leaf,
            "ok",
        ),
        ("the leaf is revoked, leaf only", vec![below(&[7])], deny, RevocationDepth::Leaf, "revoked"),
        ("revoked intermediate, allowed", vec![root(&[50])], allow, RevocationDepth::Chain, "revoked"),
    ];
    for (name, lists, unknown_status, depth, expected) in rows {
        set(&mut site, &lists);
        site.settings.revocation.unknown_status = unknown_status;
        site.settings.revocation.depth = depth;
        assert_eq!(of(&site, &team, 7).await, expected, "{name}");
    }
}

#[tokio::test]
async fn an_expired_list_denies_unless_told_otherwise_and_revokes_either_way() {
    for (expired_list, good) in
        [(UnknownStatusPolicy::Deny, "revocation_unknown"), (UnknownStatusPolicy::Allow, "ok")]
    {
        let mut site = Site::required();
        let old = list(&site.clients, &revoking(1, &[7]).valid(-2 * DAY, -DAY));
        set(&mut site, &[old]);
        site.settings.revocation.expired_list = expired_list;
        assert_eq!(concerns(&site.load().unwrap()), [WarningKind::CrlExpired]);
        assert_eq!(of(&site, &site.clients, 7).await, "revoked");
        assert_eq!(of(&site, &site.clients, 8).await, good);
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_relied_on_is_not_used_and_its_clients_are_denied() {
    let mut site = Site::required();
    let mut forged = list(&site.clients, &revoking(1, &[]));
    *forged.last_mut().unwrap() ^= 1;
    let impostor = list(&Authority::new("Client CA"), &revoking(1, &[]));
    let stranger = list(&Authority::new("Stranger CA"), &revoking(1, &[]));
    for (name, bytes, kind) in [
        ("of another key", impostor, WarningKind::CrlBadSignature),
        ("with a broken signature", forged, WarningKind::CrlBadSignature),
        ("of another issuer", stranger, WarningKind::CrlIssuerUnknown),
    ] {
        set(&mut site, &[bytes]);
        assert_eq!(concerns(&site.load().unwrap()), [kind], "{name}");
        site.settings.revocation.unknown_status = UnknownStatusPolicy::Deny;
        assert_eq!(of(&site, &site.clients, 7).await, "revocation_unknown", "{name}");
        site.settings.revocation.unknown_status = UnknownStatusPolicy::Allow;
        assert_eq!(of(&site, &site.clients, 7).await, "ok", "{name}");
    }
}

#[tokio::test]
async fn an_authority_that_may_not_sign_lists_has_none() {
    let mut site = Site::required();
    let mute = Authority::root(&Leaf::authority("Mute CA").key_usage(Some(KEY_CERT_SIGN)));
    site.settings.clients.cas = vec![ClientCa::new(mute.write(site.path(), "mute"))];
    let listed = list(&mute, &revoking(1, &[]));
    set(&mut site, &[listed]);
    assert_eq!(concerns(&site.load().unwrap()), [WarningKind::CrlIssuerMayNotSign]);
    assert_eq!(of(&site, &mute, 7).await, "revocation_unknown");

    // An intermediate that may not sign lists.
    let mut site = Site::required();
    let team = site.clients.subordinate(&Leaf::authority("Team CA").key_usage(Some(KEY_CERT_SIGN)));
    let lists = [list(&site.clients, &revoking(1, &[])), list(&team, &revoking(1, &[]))];
    set(&mut site, &lists);
    assert_eq!(of(&site, &team, 7).await, "revocation_unknown");
}

#[tokio::test]
async fn an_intermediate_s_list_must_be_signed_by_that_intermediate() {
    let mut site = Site::required();
    let team = site.clients.intermediate("Team CA");
    let other = site.clients.intermediate("Team CA");
    let lists = [list(&site.clients, &revoking(1, &[])), list(&team, &revoking(1, &[7]))];
    set(&mut site, &lists);
    assert_eq!(of(&site, &team, 7).await, "revoked");
    assert_eq!(of(&site, &team, 8).await, "ok");
    assert_eq!(of(&site, &other, 7).await, "revocation_unknown", "the same name, another key");
}

#[tokio::test]
async fn lists_of_one_authority_say_nothing_about_another() {
    let mut site = Site::required();
    let ops = Authority::new("Ops CA");
    site.settings.clients.cas.push(ClientCa::named("ops", ops.write(site.path(), "ops")));
    let listed = list(&site.clients, &revoking(1, &[7]));
    set(&mut site, &[listed]);
    assert_eq!(of(&site, &site.clients, 7).await, "revoked");
    assert_eq!(of(&site, &site.clients, 8).await, "ok");
    assert_eq!(of(&site, &ops, 7).await, "ok", "an authority without lists is not checked");
}

#[tokio::test]
async fn parted_lists_cover_what_they_are_for() {
    let mut site = Site::required();
    let (a, b) = ("http://crl.example/a", "http://crl.example/b");
    let part = |serials: &[u8], uri: &str, scope| {
        list(&site.clients, &revoking(1, serials).distribution_point(uri, scope))
    };
    let lists =
        [part(&[1], a, Scope::Users), part(&[2, 3], b, Scope::All), part(&[4], a, Scope::Authorities)];
    set(&mut site, &lists);
    assert_eq!(concerns(&site.load().unwrap()), []);
    let acceptor = site.acceptor();
    for (serial, points, expected) in [
        (1, vec![a], "revoked"),
        (9, vec![a], "ok"),
        (2, vec![b], "revoked"),
        (2, vec![a, b], "revoked"),
        (2, vec![b, a], "revoked"),
        (3, vec!["http://crl.example/c", b], "revoked"),
        (9, vec!["http://crl.example/c"], "revocation_unknown"),
        // Whichever part it is on: the serial number is the issuer's own.
        (2, vec![a], "revoked"),
        (4, vec![a], "revoked"),
        // Its point is its issuer, so that a part which is not there could name it.
        (9, vec![], "revocation_unknown"),
        (1, vec![], "revoked"),
    ] {
        let leaf = client("alice", serial);
        let leaf = if points.is_empty() { leaf } else { leaf.crl_distribution_points(&points) };
        let found = outcome(&site, &acceptor, &site.clients.issue(&leaf)).await;
        assert_eq!(found, expected, "{serial} {points:?}");
    }
    // A part for authorities alone covers no leaf; a whole list covers every certificate.
    set(&mut site, &lists[2..]);
    let leaf = site.clients.issue(&client("alice", 9).crl_distribution_points(&[a]));
    assert_eq!(outcome(&site, &site.acceptor(), &leaf).await, "revocation_unknown");
    let whole = list(&site.clients, &revoking(1, &[]));
    set(&mut site, &[lists[2].clone(), whole]);
    assert_eq!(outcome(&site, &site.acceptor(), &leaf).await, "ok");
}

#[test]
fn what_is_no_usable_list_does_not_load() {
    let mut site = Site::required();
    let ca = &site.clients;
    let plain = || RevocationList::new(1);
    let uri = "http://crl.example/a";
    let good = pem("X509 CRL", &list(ca, &plain()));
    let folder = site.path().join("empty");
    std::fs::create_dir(&folder).unwrap();
    let nested = site.path().join("nested");
    std::fs::create_dir_all(nested.join("below")).unwrap();
    let rows: Vec<(&str, PathBuf, &str)> = vec![
        ("absent", site.path().join("absent.crl"), "does not exist"),
        ("an empty file", site.file("a", ""), "holds no revocation list"),
        ("an empty folder", folder, "holds no revocation list"),
        ("a folder in a folder", nested, "not a regular file"),
        ("a certificate", site.file("b", ca.certificate_pem()), "section \"CERTIFICATE\""),
        ("a certificate, DER", site.file("c", ca.certificate_der()), "revocation list 1 cannot be used"),
        ("cut off", site.file("d", &good[..good.len() - 40]), "looks cut off"),
        ("cut off, DER", site.file("e", &list(ca, &plain())[..60]), "it is malformed"),
        ("trailing bytes", site.file("f", [list(ca, &plain()), vec![0]].concat()), "it is malformed"),
        (
            "the second is bad",
            site.file("g", format!("{good}{}", pem("X509 CRL", b"\x30\x00"))),
            "list 2 cannot",
        ),
        ("version 1", site.file("h", list(ca, &plain().version(1))), "cannot be used"),
        ("delta", site.file("i", list(ca, &plain().delta_of(1))), "it is a delta list"),
        (
            "indirect",
            site.file("j", list(ca, &plain().distribution_point(uri, Scope::Indirect))),
            "certificates of other issuers",
        ),
        (
            "some reasons",
            site.file("k", list(ca, &plain().distribution_point(uri, Scope::KeyCompromise))),
            "some reasons only",
        ),
        ("no next update", site.file("l", list(ca, &plain().without_next_update())), "cannot be used"),
        (
            "an unknown critical extension",
            site.file("m", list(ca, &plain().extension(&[1, 2, 3], true, b"\x05\x00"))),
            "a critical extension that is not understood",
        ),
        (
            "no reasons at all (RUSTSEC-2026-0104)",
            site.file("n", list(ca, &plain().extension(&[2, 5, 29, 28], true, b"\x30\x02\x83\x00"))),
            "cannot be used",
        ),
    ];
    for (name, path, expected) in rows {
        site.settings.clients.cas[0].crls = Some(vec![path]);
        let errors = site.load().map(|_| ()).expect_err(name);
        assert_eq!(errors.len(), 1, "{name}: {errors:?}");
        assert_eq!(errors[0].setting().to_string(), "clients.cas[0].crls[0]", "{name}");
        assert!(errors[0].to_string().contains(expected), "{name}: {}", errors[0]);
    }
    let huge = std::fs::File::create(site.path().join("huge")).unwrap();
    huge.set_len(angos_tls::limits::CRL_MAX_BYTES + 1).unwrap();
    site.settings.clients.cas[0].crls = Some(vec![site.path().join("huge")]);
    assert!(matches!(site.load().map(|_| ()).unwrap_err()[0].problem(), Problem::CrlTooLarge));
}

#[tokio::test]
async fn of_several_lists_the_newest_counts() {
    let mut site = Site::required();
    let numbered = |number, serials: &[u8]| list(&site.clients, &revoking(number, serials));
    for lists in [[numbered(9, &[]), numbered(10, &[7])], [numbered(256, &[7]), numbered(255, &[])]] {
        set(&mut site, &lists);
        assert_eq!(concerns(&site.load().unwrap()), [WarningKind::CrlOlder]);
        assert_eq!(of(&site, &site.clients, 7).await, "revoked");
    }
    let dated =
        |since, serials| list(&site.clients, &revoking(1, serials).without_number().valid(since, DAY));
    let lists = [dated(-60, &[7]), dated(-120, &[])];
    set(&mut site, &lists);
    assert_eq!(of(&site, &site.clients, 7).await, "revoked");
    // The same list twice is one list.
    set(&mut site, &[lists[0].clone(), lists[0].clone()]);
    assert_eq!(concerns(&site.load().unwrap()), []);
}

#[tokio::test]
async fn an_old_list_put_back_does_not_make_anybody_good_again() {
    let mut site = Site::required();
    let (old, new) = (list(&site.clients, &revoking(1, &[])), list(&site.clients, &revoking(2, &[7])));
    let alice = site.clients.issue(&client("alice", 7));
    set(&mut site, std::slice::from_ref(&old));
    let acceptor = site.acceptor();
    let connected = Client::new(&site.servers).with(alice.clone());
    let peer = connected.attempt(&acceptor).await.server.unwrap();

    set(&mut site, std::slice::from_ref(&new));
    assert_eq!(acceptor.replace(site.load().unwrap()), 2);
    assert_eq!(peer.recheck(), Err(TrustError::Revoked));
    assert_eq!(outcome(&site, &acceptor, &alice).await, "revoked");

    set(&mut site, std::slice::from_ref(&old));
    assert_eq!(acceptor.replace(site.load().unwrap()), 2, "what counts is as before");
    site.settings.clients.auth = ClientAuth::Optional;
    assert_eq!(acceptor.replace(site.load().unwrap()), 3);
    assert_eq!(outcome(&site, &acceptor, &alice).await, "revoked");
    assert_eq!(peer.recheck(), Err(TrustError::Revoked));
    // Another acceptor has seen nothing newer.
    assert_eq!(outcome(&site, &site.acceptor(), &alice).await, "ok");
    // No list at all is what the operator says it is.
    site.settings.clients.cas[0].crls = None;
    acceptor.replace(site.load().unwrap());
    assert_eq!(peer.recheck(), Ok(()));
}

#[tokio::test]
async fn trust_ends_with_the_list() {
    let mut site = Site::required();
    let brief = list(&site.clients, &revoking(1, &[]).valid(-60, 3));
    set(&mut site, &[brief]);
    let material = site.load().unwrap();
    let ends = material.expiries().iter().find(|it| it.kind() == ExpiryKind::Crl).unwrap();
    assert_eq!((ends.subject(), ends.file()), ("CN=Client CA", site.path().join("0.crl").as_path()));
    let acceptor = Acceptor::new(material);
    let alice = Client::new(&site.servers).with(site.clients.issue(&client("alice", 7)));
    let peer = alice.attempt(&acceptor).await.server.unwrap();
    let end = peer.trusted_until().unwrap();
    while std::time::SystemTime::now() < end {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(peer.recheck(), Err(TrustError::RevocationUnknown));
    assert_eq!(alice.attempt(&acceptor).await.server.unwrap_err().class(), "revocation_unknown");
}

#[tokio::test]
async fn an_authority_revoked_by_another_of_its_bundle_vouches_for_nobody() {
    let mut site = Site::required();
    let team = site.clients.subordinate(&Leaf::authority("Team CA").serial(&[50]));
    site.file("clients.pem", site.clients.certificate_pem() + &team.certificate_pem());
    let lists = |serials| [list(&site.clients, &revoking(1, serials)), list(&team, &revoking(1, &[]))];
    let (good, bad) = (lists(&[]), lists(&[50]));
    set(&mut site, &good);
    assert_eq!(of(&site, &team, 7).await, "ok");
    set(&mut site, &bad);
    assert_eq!(concerns(&site.load().unwrap()), [WarningKind::CaRevoked]);
    assert_eq!(of(&site, &team, 7).await, "revoked", "by way of the authority above");
}

/// A pattern that matches no file must not turn revocation off.
#[test]
fn lists_that_name_no_file_do_not_load() {
    let mut site = Site::required();
    site.settings.clients.cas[0].crls = Some(Vec::new());
    let errors = site.load().map(|_| ()).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(matches!(errors[0].problem(), Problem::NoCrls), "{errors:?}");
    assert_eq!(errors[0].setting().to_string(), "clients.cas[0].crls");
    site.settings.clients.cas[0].crls = None;
    assert!(site.load().is_ok());
}
