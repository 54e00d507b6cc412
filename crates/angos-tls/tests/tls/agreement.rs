//! What client and server agree on: version, protocol, key exchange; and that no session is resumed.

use std::sync::Arc;

use angos_test_ca::Leaf;
use angos_tls::Protocol;
use rustls::crypto::aws_lc_rs::kx_group::{SECP256R1, SECP384R1, X25519, X25519MLKEM768};
use rustls::{AlertDescription, HandshakeKind, version};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_rustls::TlsConnector;

use crate::client::Client;
use crate::site::Site;

#[tokio::test]
async fn alpn() {
    let site = Site::new(None);
    let acceptor = site.acceptor();
    for tls in [&version::TLS12, &version::TLS13] {
        for (offered, expected) in [
            (&["h2", "http/1.1"][..], Protocol::Http2),
            (&["http/1.1", "h2"], Protocol::Http2),
            (&["h2"], Protocol::Http2),
            (&["http/1.1"], Protocol::Http1),
            (&["spdy/1", "http/1.1"], Protocol::Http1),
            (&[], Protocol::Http1),
        ] {
            let mut client = Client::new(&site.servers).tls(tls);
            client.alpn = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
            let peer = client.attempt(&acceptor).await.server.unwrap();
            assert_eq!(peer.protocol(), expected, "{offered:?} under {:?}", tls.version);
        }
    }
}

#[tokio::test]
async fn a_client_of_another_protocol_is_refused() {
    let site = Site::new(None);
    let mut client = Client::new(&site.servers);
    client.alpn = vec![b"imap".to_vec()];
    let attempt = client.attempt(&site.acceptor()).await;
    assert_eq!(attempt.server.unwrap_err().class(), "protocol");
    assert_eq!(attempt.client, Err(Some(AlertDescription::NoApplicationProtocol)));
}

#[tokio::test]
async fn both_versions() {
    let site = Site::new(None);
    let acceptor = site.acceptor();
    for (tls, name) in [(&version::TLS12, "TLSv1.2"), (&version::TLS13, "TLSv1.3")] {
        let peer = Client::new(&site.servers).tls(tls).attempt(&acceptor).await.server.unwrap();
        assert_eq!(peer.tls_version(), name);
    }
}

#[tokio::test]
async fn post_quantum_key_exchange_is_preferred() {
    let site = Site::new(None);
    let acceptor = site.acceptor();
    for (groups, post_quantum) in [
        (vec![X25519MLKEM768, X25519], true),
        (vec![X25519MLKEM768, SECP256R1, SECP384R1], true),
        // A client that sends no post-quantum key share is not made to start over.
        (vec![SECP256R1, X25519MLKEM768], false),
        (vec![X25519, SECP256R1], false),
        (vec![SECP256R1], false),
        (vec![SECP384R1], false),
    ] {
        let mut client = Client::new(&site.servers);
        client.groups.clone_from(&groups);
        let peer = client.attempt(&acceptor).await.server.unwrap();
        assert_eq!(peer.is_post_quantum(), post_quantum, "{groups:?}");
    }
}

#[tokio::test]
async fn no_session_is_resumed_when_that_is_off() {
    let mut site = Site::required();
    site.settings.resumption = false;
    let acceptor = site.acceptor();
    for tls in [&version::TLS12, &version::TLS13] {
        let client =
            Client::new(&site.servers).tls(tls).with(site.clients.issue(&Leaf::client("alice"))).config();
        let connector = TlsConnector::from(Arc::new(client)); // keeps sessions and tickets, if it gets any
        for _ in 0..3 {
            let (near, far) = duplex(64 * 1024);
            let server = async {
                let (mut stream, _) = acceptor.accept(far).await.unwrap();
                stream.write_all(b"welcome").await.unwrap();
                stream.shutdown().await.unwrap();
            };
            let client = async {
                let mut stream = connector.connect("localhost".try_into().unwrap(), near).await.unwrap();
                stream.read_to_end(&mut Vec::new()).await.unwrap();
                let connection = stream.get_ref().1;
                assert_eq!(connection.tls13_tickets_received(), 0);
                // A key share the server asks for anew is still a full handshake.
                assert_ne!(connection.handshake_kind(), Some(HandshakeKind::Resumed));
            };
            tokio::join!(server, client);
        }
    }
}
