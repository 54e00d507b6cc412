//! The running port as TLS clients see it: which certificates pass under either version, and handshakes that are cut up,
//! broken off or never end.

use crate::harness::{Client, Registry, Setup, TIMEOUT, Wire};
use angos_test_ca::{Issued, Leaf, Usage};
use hyper::StatusCode;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Everybody may do everything, so whoever is taken for anonymous is let in.
const ANYONE: &str = "[global.access_policy]\ndefault = \"allow\"\n";

const VERSIONS: [&[&SupportedProtocolVersion]; 2] = [&[&TLS12], &[&TLS13]];

fn leaf() -> Leaf {
    Leaf::client("alice").organization("Team")
}

async fn status(
    registry: &Registry,
    issued: Option<&Issued>,
    versions: &[&'static SupportedProtocolVersion],
) -> u16 {
    let client = Client::with_versions(registry.address, &registry.pki, issued, Wire::Http1, versions);
    client.send("GET", "/v2/", &[], "").await.map_or(0, |answer| answer.status.as_u16())
}

#[tokio::test]
async fn every_certificate_passes_or_ends_the_handshake() {
    for mode in ["optional", "required"] {
        let registry = Setup::mutual(mode, ANYONE).start();
        let (ours, theirs) = (&registry.pki.authority, &registry.pki.stranger);
        let rows = [
            ("good", 200, ours.issue(&leaf())),
            ("for both ends", 200, ours.issue(&leaf().usage(Usage::Both))),
            ("without a purpose", 200, ours.issue(&leaf().usage(Usage::None))),
            ("with its intermediate", 200, ours.intermediate("Team CA").issue(&leaf())),
            ("of a stranger", 0, theirs.issue(&leaf())),
            ("expired", 0, ours.issue(&leaf().expired())),
            ("not yet valid", 0, ours.issue(&leaf().not_yet_valid())),
            ("for servers", 0, ours.issue(&leaf().usage(Usage::Server))),
            ("for signing code", 0, ours.issue(&leaf().usage(Usage::Other))),
            ("with two SPIFFE ids", 0, ours.issue(&leaf().uri("spiffe://a/x").uri("spiffe://b/x"))),
            ("with a broken SPIFFE id", 0, ours.issue(&leaf().uri("spiffe://UPPER/../x"))),
            ("with NUL in its name", 0, ours.issue(&Leaf::client("alice\0.evil"))),
        ];
        for versions in VERSIONS {
            for (what, expected, issued) in &rows {
                let status = status(&registry, Some(issued), versions).await;
                assert_eq!(status, *expected, "{mode}, {versions:?}: a certificate {what}");
            }
            let anonymous = status(&registry, None, versions).await;
            assert_eq!(anonymous, if mode == "optional" { 200 } else { 0 }, "{mode}, {versions:?}");
        }
        assert_eq!(status(&registry, Some(&rows[0].2), rustls::ALL_VERSIONS).await, 200);
    }
}

/// What a client of ours says first, as it goes over the wire.
pub(crate) fn client_hello(registry: &Registry) -> Vec<u8> {
    let config = registry.client(None).tls().unwrap();
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let mut connection = rustls::ClientConnection::new(config, name).unwrap();
    let mut bytes = Vec::new();
    connection.write_tls(&mut bytes).unwrap();
    bytes
}

/// The handshake message of a record, in records of so many bytes.
fn in_records_of(size: usize, record: &[u8]) -> Vec<u8> {
    let fragments = record[5..].chunks(size);
    fragments
        .flat_map(|it| [&record[..3], &u16::try_from(it.len()).unwrap().to_be_bytes(), it].concat())
        .collect()
}

/// Writes each piece by itself, then reads until the server closes; what came, and how long it took.
pub(crate) async fn say(
    registry: &Registry,
    pieces: impl IntoIterator<Item = Vec<u8>>,
) -> (Vec<u8>, Duration) {
    let started = Instant::now();
    let mut stream = TcpStream::connect(registry.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for piece in pieces {
        if stream.write_all(&piece).await.is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let _ = tokio::time::timeout(TIMEOUT, read).await.expect("the server closes the connection");
    (answer, started.elapsed())
}

/// Says these pieces, one packet each; the first byte of the answer, and when it came.
async fn first_byte(
    registry: &Registry,
    pieces: impl IntoIterator<Item = Vec<u8>>,
) -> (Option<u8>, Duration) {
    let started = Instant::now();
    let mut stream = TcpStream::connect(registry.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for piece in pieces {
        if stream.write_all(&piece).await.is_err() {
            break;
        }
    }
    let read = tokio::time::timeout(TIMEOUT, stream.read_u8()).await.expect("an answer, or the end");
    (read.ok(), started.elapsed())
}

/// Processor time used so far, in hundredths of a second.
pub(crate) fn processor_time(registry: &Registry) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/stat", registry.pid())).unwrap();
    let fields: Vec<_> = text.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

const HANDSHAKE_RECORD: u8 = 22;

#[tokio::test]
async fn a_client_hello_may_come_in_any_pieces() {
    let registry = Setup::mutual("optional", ANYONE).tls_lines("handshake_timeout = \"2s\"\n").start();
    let hello = client_hello(&registry);
    let single: Vec<_> = hello.iter().map(|byte| vec![*byte]).collect();
    let (answer, _) = first_byte(&registry, single).await;
    assert_eq!(answer, Some(HANDSHAKE_RECORD), "byte by byte");
    for size in [1, 2, 7, 64] {
        let (answer, elapsed) = first_byte(&registry, [in_records_of(size, &hello)]).await;
        // Absurdly small fragments may be refused, by an alert and at once; nothing may hang or panic.
        assert!(matches!(answer, Some(21 | HANDSHAKE_RECORD)), "records of {size}: {answer:?}");
        assert!(elapsed < TIMEOUT / 2, "records of {size} took {elapsed:?}");
    }
    assert!(!registry.log().contains("panicked"), "{}", registry.log());
    assert_eq!(registry.client(None).fetch("/v2/").await.status, StatusCode::OK);
}

/// RUSTSEC-2024-0336: a polite goodbye in the middle of a handshake made servers turn in circles.
#[tokio::test]
async fn a_goodbye_in_mid_handshake_costs_nothing() {
    const CLOSE_NOTIFY: [u8; 7] = [21, 3, 3, 0, 2, 1, 0];
    const EMPTY: [u8; 5] = [HANDSHAKE_RECORD, 3, 1, 0, 0];
    let registry = Setup::mutual("required", ANYONE).tls_lines("handshake_timeout = \"1s\"\n").start();
    let hello = client_hello(&registry);
    let half = hello[..hello.len() / 2].to_vec();
    let rows = [
        ("first of all", vec![CLOSE_NOTIFY.to_vec()]),
        ("after the hello", vec![hello.clone(), CLOSE_NOTIFY.to_vec()]),
        ("inside of the hello", vec![half, CLOSE_NOTIFY.to_vec()]),
        ("many times", vec![hello.clone(), CLOSE_NOTIFY.repeat(1000)]),
        ("warnings before the hello", vec![[21, 3, 1, 0, 2, 1, 90].repeat(1000), hello.clone()]),
        ("empty records", vec![EMPTY.repeat(10_000), hello]),
    ];
    let before = processor_time(&registry);
    for (what, pieces) in rows {
        let (_, elapsed) = say(&registry, pieces).await;
        assert!(elapsed < Duration::from_secs(10), "{what}: held open for {elapsed:?}");
    }
    let spent = processor_time(&registry) - before;
    assert!(spent < 200, "six broken handshakes took {spent} hundredths of a second");
    let certificate = registry.pki.authority.issue(&leaf());
    assert_eq!(registry.client(Some(&certificate)).fetch("/v2/").await.status, StatusCode::OK);
}

/// A session that was kept must not outlive the authority its certificate came from.
#[tokio::test]
async fn no_kept_session_outlives_its_authority() {
    let registry = Setup::mutual("required", ANYONE).start();
    let certificate = registry.pki.authority.issue(&leaf());
    let clients: Vec<_> = VERSIONS
        .iter()
        .map(|it| Client::with_versions(registry.address, &registry.pki, Some(&certificate), Wire::Http1, it))
        .collect();
    for client in &clients {
        assert_eq!(client.fetch("/v2/").await.status, StatusCode::OK, "and what it may keep is kept");
    }
    std::fs::write(registry.folder.path().join("ca.pem"), registry.pki.stranger.certificate_pem()).unwrap();
    registry.reload();
    let newcomer = registry.pki.stranger.issue(&leaf());
    let started = Instant::now();
    while status(&registry, Some(&newcomer), rustls::ALL_VERSIONS).await != 200 {
        assert!(started.elapsed() < TIMEOUT, "{}", registry.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for client in &clients {
        assert!(client.send("GET", "/v2/", &[], "").await.is_err(), "a session outlived its authority");
    }
}
