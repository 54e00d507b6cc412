//! Connections that outlive the trust they were built on.

use std::time::{Duration, SystemTime};

use angos_test_ca::{Authority, Issued, Leaf, RevocationList};
use angos_tls::{Acceptor, ClientAuth, ClientCa, Peer, TrustError};

use crate::client::Client;
use crate::site::Site;

async fn accepted(site: &Site, acceptor: &Acceptor, leaf: Option<Leaf>) -> Peer {
    let mut client = Client::new(&site.servers);
    if let Some(leaf) = leaf {
        client = client.with(site.clients.issue(&leaf));
    }
    client.attempt(acceptor).await.server.unwrap()
}

#[tokio::test]
async fn the_same_again_is_no_new_generation() {
    let mut site = Site::required();
    let acceptor = site.acceptor();
    let mut generations = acceptor.generations();
    let bundle = site.settings.clients.cas[0].bundle.clone();
    assert_eq!(acceptor.replace(site.load().unwrap()), 1);
    // The same certificates in other clothes.
    let ca = site.clients.certificate_pem();
    std::fs::write(&bundle, format!("# our authority\r\n{}", ca.replace('\n', "\r\n"))).unwrap();
    assert_eq!(acceptor.replace(site.load().unwrap()), 1);
    let waiting = tokio::time::timeout(Duration::from_millis(20), generations.changed()).await;
    assert!(waiting.is_err(), "nothing changed");

    let check = |site: &Site, expected: u64, change: &str| {
        assert_eq!(acceptor.replace(site.load().unwrap()), expected, "{change}");
        assert_eq!(acceptor.replace(site.load().unwrap()), expected, "{change}, again");
    };
    site.settings.clients.auth = ClientAuth::Optional;
    check(&site, 2, "mode");
    site.settings.clients.cas[0].name = Some("clients".into());
    check(&site, 3, "name");
    site.settings.clients.cas[0].spiffe_trust_domain = Some("prod.example".into());
    check(&site, 4, "trust domain");
    site.settings.handshake_timeout += Duration::from_secs(1);
    check(&site, 5, "deadline");
    std::fs::write(&bundle, format!("{ca}{}", Authority::new("Second").certificate_pem())).unwrap();
    check(&site, 6, "bundle");
    let (certificate, key) = site.servers.issue(&Leaf::server(["localhost"])).write(site.path(), "server");
    assert_eq!(
        (&certificate, &key),
        (&site.settings.server_certificate_bundle, &site.settings.server_private_key)
    );
    check(&site, 7, "server certificate");
    assert_eq!(generations.changed().await, 7, "the last of those that were missed");
}

#[tokio::test]
async fn generations_are_told_to_those_who_wait() {
    let mut site = Site::required();
    let acceptor = site.acceptor();
    let mut generations = acceptor.generations();
    site.settings.clients.auth = ClientAuth::Optional;
    let (told, ()) = tokio::join!(generations.changed(), async {
        tokio::task::yield_now().await;
        acceptor.replace(site.load().unwrap());
    });
    assert_eq!((told, acceptor.generation()), (2, 2));
    drop(acceptor);
    assert!(tokio::time::timeout(Duration::from_millis(20), generations.changed()).await.is_err());
}

#[tokio::test]
async fn a_peer_whose_authority_is_gone_is_distrusted_and_the_others_are_not() {
    let mut site = Site::required();
    let other = Authority::new("Other CA");
    site.settings.clients.cas.push(ClientCa::named("other", other.write(site.path(), "other")));
    let acceptor = site.acceptor();
    let alice = accepted(&site, &acceptor, Some(Leaf::client("alice"))).await;
    let client = Client::new(&site.servers).with(other.intermediate("Team").issue(&Leaf::client("bob")));
    let bob = client.attempt(&acceptor).await.server.unwrap();
    assert_eq!((alice.recheck(), bob.recheck()), (Ok(()), Ok(())));

    site.settings.clients.cas.remove(0);
    acceptor.replace(site.load().unwrap());
    for _ in 0..3 {
        assert_eq!(alice.recheck(), Err(TrustError::CaRemoved));
        assert_eq!(alice.clone().recheck(), Err(TrustError::CaRemoved));
        assert_eq!(bob.recheck(), Ok(()));
    }
    // It may come back.
    let bundle = site.clients.write(site.path(), "clients");
    site.settings.clients.cas.push(ClientCa::new(bundle));
    acceptor.replace(site.load().unwrap());
    assert_eq!((alice.recheck(), bob.recheck()), (Ok(()), Ok(())));
    assert_eq!((alice.generation(), acceptor.generation()), (1, 3));
}

#[tokio::test]
async fn other_rules_for_the_same_authority_count() {
    let mut site = Site::required();
    let acceptor = site.acceptor();
    let alice = accepted(&site, &acceptor, Some(Leaf::client("alice"))).await;
    let check = |site: &Site, expected| {
        acceptor.replace(site.load().unwrap());
        assert_eq!(alice.recheck().map_err(TrustError::class), expected);
    };
    let impostor = Authority::new("Client CA");
    let original = site.settings.clone();
    site.settings.clients.cas[0].name = Some("renamed".into());
    check(&site, Err("ca_changed"));
    site.settings.clients.cas[0].name = None;
    site.settings.clients.cas[0].spiffe_trust_domain = Some("prod.example".into());
    check(&site, Err("name_constraint"));
    site.settings.clients.cas = vec![ClientCa::new(impostor.write(site.path(), "impostor"))];
    check(&site, Err("ca_removed"));
    site.settings.clients.cas.clear();
    site.settings.clients.auth = ClientAuth::None;
    check(&site, Err("ca_removed"));
    site.settings = original;
    check(&site, Ok(()));
}

#[tokio::test]
async fn anonymous_peers_are_distrusted_when_certificates_become_required() {
    let mut site = Site::new(Some(ClientAuth::Optional));
    let acceptor = site.acceptor();
    let port = acceptor.with_client_auth(ClientAuth::Optional);
    let peer = accepted(&site, &acceptor, None).await;
    let other = accepted(&site, &port, None).await;
    assert_eq!((peer.trusted_until(), peer.ca(), peer.is_resumed()), (None, None, false));
    site.settings.clients.auth = ClientAuth::Required;
    acceptor.replace(site.load().unwrap());
    assert_eq!(peer.recheck(), Err(TrustError::CertificateRequired));
    assert_eq!(other.recheck(), Ok(()), "a port with its own mode");
}

/// Two acceptors of one program, both at generation 2: one knows that alice is revoked, the other does not check.
/// Each peer is asked about at its own, whatever the other one answered before.
#[tokio::test]
async fn another_acceptor_has_no_say() {
    let (mut strict, mut open) =
        (Site::new(Some(ClientAuth::Optional)), Site::new(Some(ClientAuth::Optional)));
    open.clients = strict.clients.clone();
    open.settings.clients.cas[0].bundle = strict.settings.clients.cas[0].bundle.clone();
    let (of_strict, of_open) = (strict.acceptor(), open.acceptor());
    let alice = strict.clients.issue(&Leaf::client("alice"));
    let with = async |site: &Site, acceptor: &Acceptor, issued: Option<&Issued>| {
        let client = Client::new(&site.servers);
        let client = match issued {
            Some(issued) => client.with(issued.clone()),
            None => client,
        };
        client.attempt(acceptor).await.server.unwrap()
    };
    let (strict_alice, strict_nobody) =
        (with(&strict, &of_strict, Some(&alice)).await, with(&strict, &of_strict, None).await);
    let (open_alice, open_nobody) =
        (with(&open, &of_open, Some(&alice)).await, with(&open, &of_open, None).await);

    let list = strict.clients.revocation_list(&RevocationList::new(1).revoke(&alice.serial));
    strict.settings.clients.cas[0].crls = Some(vec![strict.file("list.crl", list)]);
    strict.settings.clients.auth = ClientAuth::Required;
    open.settings.handshake_timeout += Duration::from_secs(1);
    assert_eq!((of_strict.replace(strict.load().unwrap()), of_open.replace(open.load().unwrap())), (2, 2));
    for _ in 0..2 {
        assert_eq!((open_alice.recheck(), open_nobody.recheck()), (Ok(()), Ok(())));
        assert_eq!(strict_alice.recheck(), Err(TrustError::Revoked));
        assert_eq!(strict_nobody.recheck(), Err(TrustError::CertificateRequired));
    }
    // A second port of the same acceptor has its own mode, and a peer stays with the port that accepted it.
    let port = of_open.with_client_auth(ClientAuth::Required);
    open.settings.handshake_timeout += Duration::from_secs(1);
    of_open.replace(open.load().unwrap());
    assert_eq!((port.generation(), open_nobody.recheck()), (3, Ok(())));
}

#[tokio::test]
async fn trust_ends_with_the_certificate() {
    let site = Site::required();
    let acceptor = site.acceptor();
    // The shortest of the path: the leaf's second day is beyond nobody's.
    let alice = accepted(&site, &acceptor, Some(Leaf::client("alice"))).await;
    let end = alice.certificate().unwrap().not_after();
    let told = alice.trusted_until().unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(told.as_secs(), u64::try_from(end).unwrap() + 1);
    // The authority ends before the leaf.
    let long = accepted(&site, &acceptor, Some(Leaf::client("long").valid(-60, 30 * 24 * 3600))).await;
    let authority = angos_identity::Certificate::from_der(&site.clients.certificate_der()).unwrap();
    let told = long.trusted_until().unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(told.as_secs(), u64::try_from(authority.not_after()).unwrap() + 1);

    let brief = accepted(&site, &acceptor, Some(Leaf::client("brief").valid(-60, 2))).await;
    let end = brief.trusted_until().unwrap();
    while SystemTime::now() < end {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(brief.recheck(), Err(TrustError::Expired));
    assert_eq!(alice.recheck(), Ok(()));
}

#[tokio::test]
async fn distrust_is_waited_for() {
    const PATIENCE: Duration = Duration::from_secs(30);
    let mut site = Site::required();
    let other = Authority::new("Other CA");
    let bundle = other.write(site.path(), "other");
    site.settings.clients.cas.push(ClientCa::new(bundle));
    let acceptor = site.acceptor();
    let alice = accepted(&site, &acceptor, Some(Leaf::client("alice"))).await;
    let brief = accepted(&site, &acceptor, Some(Leaf::client("brief").valid(-60, 1))).await;
    let client = Client::new(&site.servers).with(other.issue(&Leaf::client("bob")));
    let bob = client.attempt(&acceptor).await.server.unwrap();
    let wait = async |peer: &Peer| tokio::time::timeout(PATIENCE, peer.until_untrusted()).await.ok();
    assert_eq!(wait(&brief).await, Some(TrustError::Expired), "its certificate ends by itself");
    assert_eq!(wait(&brief).await, Some(TrustError::Expired), "and that is told at once afterwards");

    let change = async {
        tokio::task::yield_now().await;
        site.settings.clients.cas.remove(0);
        acceptor.replace(site.load().unwrap());
    };
    let (told, ()) = tokio::join!(wait(&alice), change);
    assert_eq!(told, Some(TrustError::CaRemoved));
    let still = tokio::time::timeout(Duration::from_millis(50), bob.until_untrusted()).await;
    assert!(still.is_err(), "nothing changed for the others: {still:?}");
}
