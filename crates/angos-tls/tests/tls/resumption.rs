//! Sessions: who may continue one, and what ends them.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use angos_test_ca::{Leaf, RevocationList};
use angos_tls::{AcceptError, Acceptor, ClientAuth, Peer};
use rustls::{ClientConfig, HandshakeKind, SupportedProtocolVersion, version};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_rustls::TlsConnector;

use crate::client::Client;
use crate::site::Site;

const VERSIONS: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];

/// A client that keeps its sessions between connections.
struct Returning(TlsConnector);

impl Returning {
    fn new(client: &Client) -> Self {
        Self(TlsConnector::from(Arc::new(client.config())))
    }

    /// Connects; whether the client says that a session was continued, and what the server says.
    async fn connect(&self, acceptor: &Acceptor) -> (Option<bool>, Result<Peer, AcceptError>) {
        let (near, far) = duplex(64 * 1024);
        let server = async {
            let (mut stream, peer) = acceptor.accept(far).await?;
            stream.write_all(b"welcome").await.unwrap();
            stream.shutdown().await.unwrap();
            Ok(peer)
        };
        let client = async {
            let mut stream = self.0.connect("localhost".try_into().unwrap(), near).await.ok()?;
            stream.read_to_end(&mut Vec::new()).await.ok()?;
            Some(stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed))
        };
        let (server, client) = tokio::join!(server, client);
        (client, server)
    }

    async fn peer(&self, acceptor: &Acceptor, resumed: bool, why: &str) -> Peer {
        let (continued, peer) = self.connect(acceptor).await;
        let peer = peer.unwrap_or_else(|error| panic!("{why}: {error}"));
        assert_eq!((continued, peer.is_resumed()), (Some(resumed), resumed), "{why}");
        peer
    }
}

#[tokio::test]
async fn a_session_keeps_its_identity() {
    let site = Site::required();
    let acceptor = site.acceptor();
    for tls in VERSIONS {
        for (name, issuer) in [("alice", &site.clients), ("bob", &site.clients.intermediate("Team CA"))] {
            let issued = issuer.issue(&Leaf::client(name).organization("DevOps"));
            let client = Returning::new(&Client::new(&site.servers).tls(tls).with(issued));
            let first = client.peer(&acceptor, false, name).await;
            for _ in 0..5 {
                let again = client.peer(&acceptor, true, name).await;
                assert_eq!(again.certificate().unwrap().common_names(), [name]);
                assert_eq!(again.trusted_until(), first.trusted_until());
                assert_eq!(again.tls_version(), first.tls_version());
                assert_eq!(again.recheck(), Ok(()));
            }
        }
    }
}

#[tokio::test]
async fn nothing_survives_a_change_of_trust() {
    for tls in VERSIONS {
        let mut site = Site::new(Some(ClientAuth::Optional));
        let acceptor = site.acceptor();
        let issued = site.clients.issue(&Leaf::client("alice").serial(&[7]));
        let alice = Returning::new(&Client::new(&site.servers).tls(tls).with(issued));
        let nobody = Returning::new(&Client::new(&site.servers).tls(tls));
        for client in [&alice, &nobody] {
            client.peer(&acceptor, false, "first").await;
            client.peer(&acceptor, true, "second").await;
        }
        acceptor.replace(site.load().unwrap());
        alice.peer(&acceptor, true, "the same set again").await;
        nobody.peer(&acceptor, true, "the same set again").await;

        // Any change of the set, even one that does not kind them.
        site.settings.handshake_timeout += Duration::from_secs(1);
        acceptor.replace(site.load().unwrap());
        for client in [&alice, &nobody] {
            client.peer(&acceptor, false, "another set").await;
            client.peer(&acceptor, true, "another set, again").await;
        }

        let list = site.clients.revocation_list(&RevocationList::new(1).revoke(&[7]));
        site.settings.clients.cas[0].crls = Some(vec![site.file("a.crl", list)]);
        acceptor.replace(site.load().unwrap());
        let (_, refused) = alice.connect(&acceptor).await;
        assert_eq!(refused.unwrap_err().class(), "revoked", "a ticket does not help");

        site.settings.clients.auth = ClientAuth::Required;
        acceptor.replace(site.load().unwrap());
        let (_, refused) = nobody.connect(&acceptor).await;
        assert_eq!(refused.unwrap_err().class(), "no_certificate", "an anonymous session does not help");

        site.settings.clients.cas[0].bundle = site.servers.write(site.path(), "others");
        site.settings.clients.cas[0].crls = None;
        acceptor.replace(site.load().unwrap());
        let (_, refused) = alice.connect(&acceptor).await;
        assert_eq!(refused.unwrap_err().class(), "unknown_ca");
    }
}

#[tokio::test]
async fn an_expired_holder_of_a_ticket_is_refused_and_told_why() {
    for tls in VERSIONS {
        let site = Site::required();
        let acceptor = site.acceptor();
        let issued = site.clients.issue(&Leaf::client("brief").valid(-60, 3));
        let client = Returning::new(&Client::new(&site.servers).tls(tls).with(issued));
        let end = client.peer(&acceptor, false, "first").await.trusted_until().unwrap();
        while SystemTime::now() < end {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let (_, refused) = client.connect(&acceptor).await;
        let error = refused.unwrap_err();
        assert_eq!(error.class(), "expired");
        assert!(error.certificate().is_some(), "it had to offer its certificate again");
    }
}

#[tokio::test]
async fn an_expired_list_ends_sessions_too() {
    for tls in VERSIONS {
        let mut site = Site::required();
        let list = site.clients.revocation_list(&RevocationList::new(1).valid(-60, 3));
        site.settings.clients.cas[0].crls = Some(vec![site.file("a.crl", list)]);
        let acceptor = site.acceptor();
        let issued = site.clients.issue(&Leaf::client("alice"));
        let client = Returning::new(&Client::new(&site.servers).tls(tls).with(issued));
        let end = client.peer(&acceptor, false, "first").await.trusted_until().unwrap();
        while SystemTime::now() < end {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let (_, refused) = client.connect(&acceptor).await;
        assert_eq!(refused.unwrap_err().class(), "revocation_unknown");
    }
}

#[tokio::test]
async fn a_session_of_a_lenient_port_is_worth_nothing_at_a_strict_one() {
    for tls in VERSIONS {
        let site = Site::required();
        let strict = site.acceptor();
        let lenient = strict.with_client_auth(ClientAuth::Optional);
        let nobody = Returning::new(&Client::new(&site.servers).tls(tls));
        nobody.peer(&lenient, false, "first").await;
        nobody.peer(&lenient, true, "second").await;
        let (_, refused) = nobody.connect(&strict).await;
        assert_eq!(refused.unwrap_err().class(), "no_certificate");
    }
}

#[tokio::test]
async fn who_drives_rustls_without_us_resumes_nothing() {
    let site = Site::required();
    let bare = tokio_rustls::TlsAcceptor::from(site.acceptor().server_config());
    for tls in VERSIONS {
        let issued = site.clients.issue(&Leaf::client("alice"));
        let config: ClientConfig = Client::new(&site.servers).tls(tls).with(issued).config();
        let connector = TlsConnector::from(Arc::new(config));
        for _ in 0..3 {
            let (near, far) = duplex(64 * 1024);
            let server = async {
                let mut stream = bare.accept(far).await.unwrap();
                stream.write_all(b"welcome").await.unwrap();
                stream.shutdown().await.unwrap();
            };
            let client = async {
                let mut stream = connector.connect("localhost".try_into().unwrap(), near).await.unwrap();
                stream.read_to_end(&mut Vec::new()).await.unwrap();
                assert_ne!(stream.get_ref().1.handshake_kind(), Some(HandshakeKind::Resumed));
            };
            tokio::join!(server, client);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_shared_by_threads() {
    let site = Site::required();
    let acceptor = site.acceptor();
    let clients: Vec<_> = (0..8)
        .map(|number| {
            let issued = site.clients.issue(&Leaf::client(&format!("client {number}")));
            let client = Returning::new(&Client::new(&site.servers).with(issued));
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                client.peer(&acceptor, false, "first").await;
                for _ in 0..10 {
                    let acceptor = acceptor.clone();
                    let peer = client.peer(&acceptor, true, "again").await;
                    let name = format!("client {number}");
                    assert_eq!(peer.certificate().unwrap().common_names(), [name]);
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
}
