//! The client side: which servers a connector accepts, what it sends them, and how its material is replaced.

use std::fs;
use std::time::Duration;

use angos_test_ca::{Authority, Issued, Leaf, RevocationList, Subtree, Usage};
use angos_tls::{
    Acceptor, ClientStream, ConnectError, Connector, ConnectorMaterial, ConnectorSettings, ExpectedServer,
    Peer,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use crate::site::Site;

const ID: &str = "spiffe://example.org/policy";

/// A server that shows this certificate and requires one of its clients.
fn server(site: &Site, certificate: &Issued) -> Acceptor {
    certificate.write(site.path(), "server");
    site.acceptor()
}

/// Trusts the site's CA and authenticates as alice.
fn settings(site: &Site) -> ConnectorSettings {
    let ca = site.servers.write(site.path(), "server-ca");
    let (certificate, key) = site.clients.issue(&Leaf::client("alice")).write(site.path(), "alice");
    ConnectorSettings::new(ca).with_client_certificate(certificate, key)
}

fn connector(settings: &ConnectorSettings) -> Connector {
    Connector::new(ConnectorMaterial::load(settings).unwrap())
}

type Connected = Result<(ClientStream<DuplexStream>, String), ConnectError>;

/// Connects to `localhost`; returns what the server sent and the client it saw.
async fn connect(connector: &Connector, acceptor: &Acceptor) -> (Connected, Option<Peer>) {
    let (near, far) = duplex(64 * 1024);
    let serve = async {
        let (mut stream, peer) = acceptor.accept(far).await.ok()?;
        stream.write_all(b"welcome").await.unwrap();
        stream.shutdown().await.unwrap();
        Some(peer)
    };
    let call = async {
        let mut stream = connector.connect("localhost", near).await?;
        let mut sent = String::new();
        // A server that refuses the client says so here under TLS 1.3.
        let _refused = stream.read_to_string(&mut sent).await;
        Ok((stream, sent))
    };
    tokio::join!(call, serve)
}

/// What a connector with these settings says about a server with this certificate.
async fn outcome(site: &Site, settings: &ConnectorSettings, certificate: &Issued) -> &'static str {
    match connect(&connector(settings), &server(site, certificate)).await.0 {
        Ok((_, sent)) if sent == "welcome" => "connected",
        Ok(_) => "refused by the server",
        Err(error) => error.class(),
    }
}

#[tokio::test]
async fn the_server_sees_the_client_certificate() {
    let site = Site::required();
    let acceptor = server(&site, &site.servers.issue(&Leaf::server(["localhost"])));
    let mut settings = settings(&site);
    settings.alpn = vec![b"http/1.1".to_vec()];
    let alice = connector(&settings);
    let (connected, peer) = connect(&alice, &acceptor).await;
    let (stream, sent) = connected.unwrap();
    assert_eq!((sent.as_str(), stream.alpn()), ("welcome", Some(b"http/1.1".as_slice())));
    assert!(stream.is_current());
    let peer = peer.unwrap();
    assert_eq!(peer.certificate().unwrap().common_names(), ["alice"]);
    let (_, again) = connect(&alice, &acceptor).await;
    assert!(!again.unwrap().is_resumed(), "the certificate and the CRLs are checked on each connection");

    settings.client_certificate = None;
    let (connected, peer) = connect(&connector(&settings), &acceptor).await;
    assert_eq!(connected.unwrap().1, "", "an anonymous client is refused by the server");
    assert!(peer.is_none());
}

#[tokio::test]
async fn certificates_are_refused_with_their_class() {
    let site = Site::required();
    let settings = settings(&site);
    let localhost = || Leaf::server(["localhost"]);
    let ca = &site.servers;
    let constrained = ca.subordinate(
        &Leaf::authority("Constrained CA").name_constraints(&[Subtree::Dns("example.org")], &[]),
    );
    let with_others = |count: usize| {
        let others = (0..count).map(|place| Authority::new(&format!("CA {place}")).certificate_der());
        ca.issue(&localhost()).with_intermediates(others)
    };
    let rows = [
        ("good", ca.issue(&localhost()), "connected"),
        ("by an intermediate", ca.intermediate("Issuing CA").issue(&localhost()), "connected"),
        ("another CA", Authority::new("Server CA 2").issue(&localhost()), "unknown_ca"),
        ("same name, another key", Authority::new("Server CA").issue(&localhost()), "bad_signature"),
        ("expired", ca.issue(&localhost().expired()), "expired"),
        ("not yet valid", ca.issue(&localhost().not_yet_valid()), "not_yet_valid"),
        ("for clients only", ca.issue(&localhost().usage(Usage::Client)), "wrong_usage"),
        ("another name", ca.issue(&Leaf::server(["other.example.com"])), "wrong_name"),
        (
            "name in the subject only",
            ca.issue(&Leaf::new(Usage::Server).common_name("localhost")),
            "wrong_name",
        ),
        ("outside the name constraints", constrained.issue(&localhost()), "name_constraint"),
        ("eight certificates beside it", with_others(8), "connected"),
        ("nine certificates beside it", with_others(9), "bad_certificate"),
    ];
    for (row, certificate, expected) in rows {
        assert_eq!(outcome(&site, &settings, &certificate).await, expected, "{row}");
    }
}

#[tokio::test]
async fn only_a_server_of_the_expected_name_is_accepted() {
    let site = Site::required();
    let mut settings = settings(&site);
    let names = |names: &[&str]| ExpectedServer::AnyOf(names.iter().map(ToString::to_string).collect());
    let id = |id: &str| ExpectedServer::SpiffeId(id.to_owned());
    let localhost = || Leaf::server(["localhost"]);
    let rows = [
        (names(&["other.test", "localhost"]), localhost(), "connected"),
        (names(&["other.test"]), localhost(), "wrong_name"),
        (names(&["127.0.0.1"]), localhost().ip([127, 0, 0, 1].into()), "connected"),
        (names(&["127.0.0.2"]), localhost().ip([127, 0, 0, 1].into()), "wrong_name"),
        (id(ID), Leaf::new(Usage::Server).uri(ID), "connected"),
        (id(ID), localhost(), "wrong_name"),
        (id(ID), localhost().uri("spiffe://example.org/policy/other"), "wrong_name"),
        (id(ID), localhost().uri(ID).uri("spiffe://example.org/other"), "wrong_name"),
    ];
    for (expected_server, leaf, expected) in rows {
        settings.expected_server = expected_server;
        let found = outcome(&site, &settings, &site.servers.issue(&leaf)).await;
        assert_eq!(found, expected, "{:?}", settings.expected_server);
    }
}

#[tokio::test]
async fn crls_are_checked_strictly() {
    let site = Site::required();
    let mut settings = settings(&site);
    let certificate = site.servers.issue(&Leaf::server(["localhost"]).serial(&[7]));
    let (other, impostor) = (Authority::new("Other CA"), Authority::new("Server CA"));
    let rows = [
        ("not on it", site.servers.revocation_list(&RevocationList::new(1)), "connected"),
        ("revoked", site.servers.revocation_list(&RevocationList::new(1).revoke(&[7])), "revoked"),
        (
            "past its nextUpdate",
            site.servers.revocation_list(&RevocationList::new(1).valid(-7200, -3600)),
            "revocation_unknown",
        ),
        ("same name, another key", impostor.revocation_list(&RevocationList::new(1)), "revocation_unknown"),
        ("of another CA", other.revocation_list(&RevocationList::new(1)), "revocation_unknown"),
    ];
    for (row, crl, expected) in rows {
        settings.server_crls = Some(vec![site.file("server.crl", crl)]);
        assert_eq!(outcome(&site, &settings, &certificate).await, expected, "{row}");
    }
}

#[tokio::test]
async fn replaced_material_holds_for_new_connections_and_ends_old_ones() {
    let site = Site::required();
    let acceptor = server(&site, &site.servers.issue(&Leaf::server(["localhost"])));
    let settings = settings(&site);
    let connector = connector(&settings);
    let (stream, _) = connect(&connector, &acceptor).await.0.unwrap();
    assert!(!connector.replace(ConnectorMaterial::load(&settings).unwrap()), "nothing changed");
    assert!(stream.is_current());

    let before = fs::read(&settings.server_ca_bundle).unwrap();
    fs::write(&settings.server_ca_bundle, Authority::new("Other CA").certificate_pem()).unwrap();
    assert!(connector.replace(ConnectorMaterial::load(&settings).unwrap()));
    assert!(!stream.is_current(), "its server would not be trusted any more");
    assert_eq!(connect(&connector, &acceptor).await.0.unwrap_err().class(), "unknown_ca");

    fs::write(&settings.server_ca_bundle, "no certificate").unwrap();
    assert!(ConnectorMaterial::load(&settings).is_err(), "a broken file never reaches the connector");
    fs::write(&settings.server_ca_bundle, before).unwrap();
    assert!(connector.replace(ConnectorMaterial::load(&settings).unwrap()));
    assert!(connect(&connector, &acceptor).await.0.is_ok());
}

#[tokio::test]
async fn servers_that_do_not_finish_or_speak_no_tls_are_given_up() {
    let site = Site::required();
    let mut settings = settings(&site);
    settings.handshake_timeout = Duration::from_millis(50);
    let silent = connector(&settings);
    let (near, _far) = duplex(1024);
    assert_eq!(silent.connect("localhost", near).await.unwrap_err().class(), "timeout");

    settings.handshake_timeout = Duration::from_secs(20);
    let connector = connector(&settings);
    let (near, mut far) = duplex(64 * 1024);
    far.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    assert_eq!(connector.connect("localhost", near).await.unwrap_err().class(), "protocol");
    let (near, far) = duplex(64 * 1024);
    drop(far);
    assert_eq!(connector.connect("localhost", near).await.unwrap_err().class(), "io");
    let (near, _far) = duplex(1024);
    let error = connector.connect("not a name", near).await.unwrap_err();
    assert_eq!(error.class(), "bad_server_name");
}

#[test]
fn every_problem_of_the_files_is_reported() {
    let site = Site::required();
    let good = settings(&site);
    let ca = || good.server_ca_bundle.clone();
    let leaf = site.file("leaf.pem", site.servers.issue(&Leaf::server(["localhost"])).certificate_pem);
    let (bundle, key) = site.clients.issue(&Leaf::client("bob")).write(site.path(), "bob");
    let (_, other_key) = site.clients.issue(&Leaf::client("eve")).write(site.path(), "eve");
    let crls = |paths| ConnectorSettings { server_crls: Some(paths), ..good.clone() };
    let expected = |expected_server| ConnectorSettings { expected_server, ..good.clone() };
    let any_of = |name: &str| ExpectedServer::AnyOf(vec![name.to_owned()]);
    let rows: Vec<(ConnectorSettings, &[&str])> = vec![
        (good.clone(), &[]),
        (ConnectorSettings::new(leaf), &["server_ca_bundle"]),
        (ConnectorSettings::new(ca()).with_client_certificate(&bundle, other_key), &["client_private_key"]),
        (
            ConnectorSettings::new("/missing").with_client_certificate("/missing", key),
            &["server_ca_bundle", "client_certificate_bundle"],
        ),
        (crls(vec![]), &["server_crls"]),
        (crls(vec![ca()]), &["server_crls"]),
        (expected(any_of("not a name")), &["expected_server"]),
        (expected(ExpectedServer::AnyOf(vec![])), &["expected_server"]),
        (expected(ExpectedServer::SpiffeId("example.org".into())), &["expected_server"]),
        (ConnectorSettings { handshake_timeout: Duration::ZERO, ..good.clone() }, &["handshake_timeout"]),
    ];
    for (settings, expected) in rows {
        let problems = ConnectorMaterial::load(&settings).err().unwrap_or_default();
        let found: Vec<_> = problems.iter().map(|problem| problem.setting().to_string()).collect();
        assert_eq!(found, expected, "{problems:?}");
    }
}
