//! The probe against the acceptor: what a client sees of each refusal, and of peers that are no TLS servers.

use std::time::Duration;

use angos_test_ca::{Authority, Issued, Leaf};
use angos_tls::probe::{Pair, Probe, ProbeEnd, ProbeReport, ServerCertError, certificates};
use angos_tls::{AcceptError, ClientAuth};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use crate::site::Site;

const PATIENCE: Duration = Duration::from_secs(30);
const WORDS: &[u8] = b"ping";

/// The pair of a certificate, read from files as the doctor would.
fn pair(issued: &Issued) -> Pair {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = issued.write(folder.path(), "client");
    Pair::read(&certificate, &key).unwrap()
}

fn probe(site: &Site, trusted: &Authority) -> Probe {
    let bundle = certificates(&trusted.write(site.path(), "trusted")).unwrap();
    Probe::new("localhost").unwrap().trusting(bundle)
}

/// Both ends of a handshake in memory; the server answers with one word.
async fn meet(site: &Site, probe: &Probe) -> (ProbeReport, Result<(), AcceptError>) {
    let (client, server) = duplex(64 * 1024);
    let acceptor = site.acceptor();
    let serving = async {
        let (mut stream, _) = acceptor.accept(server).await?;
        let mut heard = [0; WORDS.len()];
        let _ = stream.read_exact(&mut heard).await;
        let _ = stream.write_all(b"pong").await;
        let _ = stream.shutdown().await;
        Ok(())
    };
    tokio::join!(probe.run(client, WORDS, PATIENCE), serving)
}

#[tokio::test]
async fn a_good_client_is_answered() {
    let site = Site::required();
    let client = pair(&site.clients.issue(&Leaf::client("alice")));
    let (seen, accepted) = meet(&site, &probe(&site, &site.servers).showing(client)).await;
    accepted.unwrap();
    assert_eq!(seen.end, ProbeEnd::Answered(b"pong".to_vec()));
    assert_eq!((seen.version, seen.protocol.as_deref()), (Some("TLSv1.3"), Some("http/1.1")));
    assert!(seen.established && seen.server_errors.is_empty());
    assert!(seen.chain[0].host_names().contains(&"localhost".to_owned()));
    let asked = seen.request.unwrap();
    assert!(asked.was_answered());
    assert_eq!(asked.cas(), ["CN=Client CA"]);
}

#[tokio::test]
async fn each_refusal_is_an_alert() {
    let site = Site::required();
    let stranger = Authority::new("Stranger");
    let probe = probe(&site, &site.servers);
    let rows = [
        ("unknown_ca", Some(stranger.issue(&Leaf::client("alice")))),
        ("certificate_expired", Some(site.clients.issue(&Leaf::client("alice").expired()))),
        ("certificate_required", None),
    ];
    for (alert, issued) in rows {
        let probe = issued.iter().fold(probe.clone(), |probe, issued| probe.showing(pair(issued)));
        let (seen, accepted) = meet(&site, &probe).await;
        assert!(accepted.is_err());
        let ProbeEnd::Alert(found) = seen.end else { panic!("{alert}: {:?}", seen.end) };
        assert_eq!(found.name(), alert);
        assert_eq!(seen.request.unwrap().was_answered(), issued.is_some());
    }
}

#[tokio::test]
async fn a_server_that_is_not_trusted_is_shown_nothing() {
    let site = Site::new(Some(ClientAuth::Optional));
    let client = pair(&site.clients.issue(&Leaf::client("alice")));
    let stranger = Authority::new("Stranger");
    let rows = [
        (probe(&site, &stranger), vec![ServerCertError::UnknownCa]),
        (Probe::new("elsewhere.example").unwrap(), vec![ServerCertError::Name]),
        (Probe::new("localhost").unwrap().trusting(Vec::new()), vec![ServerCertError::UnknownCa]),
    ];
    for (probe, reasons) in rows {
        let (seen, accepted) = meet(&site, &probe.showing(client.clone())).await;
        assert!(accepted.is_err(), "the client left");
        assert_eq!((seen.end, seen.server_errors), (ProbeEnd::ServerNotTrusted, reasons));
        assert!(!seen.established && !seen.chain.is_empty());
    }
    let (seen, accepted) = meet(&site, &Probe::nameless()).await;
    accepted.unwrap();
    assert!(seen.server_errors.is_empty() && matches!(seen.end, ProbeEnd::Answered(_)));
}

#[tokio::test]
async fn a_server_that_asks_for_no_certificate() {
    let site = Site::new(None);
    let client = pair(&site.clients.issue(&Leaf::client("alice")));
    let (seen, accepted) = meet(&site, &probe(&site, &site.servers).showing(client)).await;
    accepted.unwrap();
    assert!(seen.request.is_none() && matches!(seen.end, ProbeEnd::Answered(_)));
}

/// Says what `script` says, whatever it hears.
async fn hear(script: impl AsyncFnOnce(DuplexStream), deadline: Duration) -> ProbeReport {
    let (client, mut server) = duplex(64 * 1024);
    let probe = Probe::new("localhost").unwrap();
    let serving = async {
        let mut hello = [0; 4096];
        let _ = server.read(&mut hello).await.unwrap();
        script(server).await;
    };
    tokio::join!(probe.run(client, WORDS, deadline), serving).0
}

#[tokio::test]
async fn peers_that_speak_no_tls() {
    for words in ["HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "\0\0\0\0\0\0\0"] {
        let seen = hear(
            async |mut peer| {
                let _ = peer.write_all(words.as_bytes()).await;
            },
            PATIENCE,
        )
        .await;
        assert_eq!(seen.end, ProbeEnd::NotTls, "{words:?}");
        assert_eq!(seen.greeting, words.as_bytes());
    }
}

#[tokio::test]
async fn peers_that_end_it() {
    const PROTOCOL_VERSION: [u8; 7] = [21, 3, 3, 0, 2, 2, 70];
    let refused = async |mut peer: DuplexStream| {
        let _ = peer.write_all(&PROTOCOL_VERSION).await;
    };
    let ProbeEnd::Alert(alert) = hear(refused, PATIENCE).await.end else { panic!("an alert") };
    assert_eq!(alert.to_string(), "protocol_version (70)");
    let silent = async |_peer: DuplexStream| {};
    assert_eq!(hear(silent, PATIENCE).await.end, ProbeEnd::Closed);
}

#[tokio::test]
async fn a_peer_that_never_ends() {
    let waiting = async |peer: DuplexStream| {
        tokio::time::sleep(Duration::from_millis(200)).await;
        drop(peer);
    };
    assert_eq!(hear(waiting, Duration::from_millis(50)).await.end, ProbeEnd::TimedOut);
    // Warnings of TLS 1.2 that mean nothing, and application data in a handshake, without end.
    for record in [vec![21, 3, 3, 0, 2, 1, 90], [&[22, 3, 3, 0x40, 0][..], &[0; 0x4000]].concat()] {
        let chattering = async |mut peer: DuplexStream| while peer.write_all(&record).await.is_ok() {};
        let end = hear(chattering, PATIENCE).await.end;
        assert!(!matches!(end, ProbeEnd::TimedOut | ProbeEnd::Answered(_)), "{end:?}");
    }
}
