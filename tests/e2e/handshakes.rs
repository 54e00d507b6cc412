//! Handshakes nobody means well: garbage, other protocols, ends in the middle, crowds that stand still, and second
//! handshakes. Each is over soon and costs little, and meanwhile the port serves whoever means well.

use crate::harness::{Client, Pki, Registry, Setup, TIMEOUT, Wire};
use crate::tls::{client_hello, processor_time, say};
use angos_test_ca::Issued;
use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use hyper::StatusCode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls::ConnectionTrafficSecrets;
use rustls::crypto::{CryptoProvider, aws_lc_rs as provider};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

const ANYONE: &str = "[server.management]\nport = 0\n[global.access_policy]\ndefault = \"allow\"\n";

fn start(handshake_timeout: &str) -> (Registry, Issued) {
    start_with(handshake_timeout, "")
}

fn start_with(handshake_timeout: &str, server: &str) -> (Registry, Issued) {
    let lines = format!("handshake_timeout = \"{handshake_timeout}\"\n");
    let registry = Setup::mutual("required", ANYONE).server(server).tls_lines(&lines).start();
    let certificate = registry.pki.client("good", "Team");
    (registry, certificate)
}

async fn assert_serves(registry: &Registry, certificate: &Issued, what: &str) {
    let client = registry.client(Some(certificate));
    let answer = tokio::time::timeout(TIMEOUT, client.fetch("/v2/"))
        .await
        .unwrap_or_else(|_| panic!("{what}: no answer"));
    assert_eq!(answer.status, StatusCode::OK, "{what}");
}

/// Sockets and files that the server has open.
fn open_files(registry: &Registry) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", registry.pid())).unwrap().count()
}

/// Waits until the server has no connection open any more, beside those of `before`.
async fn assert_all_gone(registry: &Registry, before: usize, what: &str) {
    let started = Instant::now();
    while open_files(registry) > before {
        assert!(started.elapsed() < TIMEOUT, "{what}: {} files and not {before}", open_files(registry));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A record of any kind, version and length.
fn record(kind: u8, version: [u8; 2], body: &[u8]) -> Vec<u8> {
    [&[kind], &version[..], &u16::try_from(body.len()).unwrap().to_be_bytes(), body].concat()
}

/// A client hello as old clients say it: this version, two cipher suites, no extensions.
fn old_hello(version: [u8; 2]) -> Vec<u8> {
    let hello = [&version[..], &[7; 32], &[0], &[0, 4, 0, 0x2f, 0xc0, 0x13], &[1, 0]].concat();
    let length = u32::try_from(hello.len()).unwrap().to_be_bytes();
    record(22, [3, 0], &[&[1], &length[1..], &hello].concat())
}

#[tokio::test]
async fn what_is_no_handshake_is_refused_at_once() {
    let (registry, certificate) = start("5s");
    let hello = client_hello(&registry);
    let noise: Vec<u8> =
        (0_u32..64 << 10).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let many_extensions = {
        let mut long = hello[5..].to_vec();
        long.resize(16 << 10, 0);
        record(22, [3, 1], &long)
    };
    let rows: Vec<(&str, Vec<u8>)> = vec![
        ("plain HTTP", b"GET /v2/ HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec()),
        ("plain HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("SSH", b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
        ("SSL 2", [&[0x80, 28, 1, 0, 2, 0, 3, 0, 0, 0, 16, 1, 0, 0x80][..], &[9; 16]].concat()),
        ("SSL 3", old_hello([3, 0])),
        ("TLS 1.0", old_hello([3, 1])),
        ("TLS 1.1", old_hello([3, 2])),
        ("zeros", vec![0; 4096]),
        ("noise", noise),
        ("a record of an unknown kind", record(99, [3, 3], b"hello")),
        ("a heartbeat", record(24, [3, 3], &[1, 0x40, 0])),
        ("application data first", record(23, [3, 3], &[0; 64])),
        ("a change of cipher first, and again", record(20, [3, 3], &[1]).repeat(100)),
        ("a record longer than records are", [&[22, 3, 1, 0xff, 0xff][..], &[1; 70_000]].concat()),
        ("a record one byte too long", [&[22, 3, 1, 0x48, 0x01][..], &[1; 0x4801]].concat()),
        (
            "a hello that claims 16 MiB",
            record(22, [3, 1], &[&[1, 0xff, 0xff, 0xff][..], &[0; 12_000]].concat()).repeat(8),
        ),
        ("a hello with a tail", many_extensions),
        ("a server's hello", record(22, [3, 3], &[2, 0, 0, 4, 3, 3, 0, 0])),
        ("a hello twice", [hello.clone(), hello.clone()].concat()),
    ];
    for (what, bytes) in rows {
        let before = registry.handshakes().await;
        let spent = processor_time(&registry);
        let (answer, elapsed) = say(&registry, [bytes]).await;
        let class = if what.starts_with("plain HTTP") { "plain_http" } else { "protocol" };
        assert_eq!(registry.handshake_since(&before).await, class, "{what}");
        assert!(elapsed < Duration::from_secs(5), "{what}: held open for {elapsed:?}");
        let spent = processor_time(&registry) - spent;
        assert!(spent < 100, "{what}: {spent} hundredths of a second");
        let is_http = answer.starts_with(b"HTTP/1.1 400 ");
        assert_eq!(is_http, class == "plain_http", "{what}: only plain HTTP is answered in plain text");
    }
    assert_serves(&registry, &certificate, "after all of them").await;
    assert!(!registry.log().contains("panicked"), "{}", registry.log());
}

/// Begins a handshake and cuts it after so many bytes of the client's own; whether it had not ended by then.
fn is_cut(registry: &Registry, config: &Arc<rustls::ClientConfig>, mut bytes: usize, reset: bool) -> bool {
    let mut socket = TcpStream::connect(registry.address).unwrap();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = rustls::ClientConnection::new(Arc::clone(config), name).unwrap();
    while client.is_handshaking() || client.wants_write() {
        let mut flight = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut flight).unwrap();
        }
        let part = flight.len().min(bytes);
        socket.write_all(&flight[..part]).unwrap();
        bytes -= part;
        if part < flight.len() {
            socket.set_nonblocking(true).unwrap();
            let socket = tokio::net::TcpStream::from_std(socket).unwrap();
            if reset {
                socket.set_zero_linger().unwrap();
            }
            return true;
        }
        if client.is_handshaking() {
            client.read_tls(&mut socket).unwrap();
            client.process_new_packets().unwrap();
        }
    }
    false
}

#[tokio::test]
async fn a_handshake_may_be_cut_anywhere() {
    let (registry, certificate) = start("5s");
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let client = Client::with_versions(
            registry.address,
            &registry.pki,
            Some(&certificate),
            Wire::Http1,
            &[version],
        );
        let config = client.tls().unwrap();
        let (mut cuts, before) = (0, open_files(&registry));
        for bytes in (0..).step_by(97) {
            if !is_cut(&registry, &config, bytes, cuts % 2 == 0) {
                break;
            }
            cuts += 1;
        }
        assert!(cuts > 8, "only {cuts} cuts");
        assert_all_gone(&registry, before, "cut handshakes").await;
        assert_serves(&registry, &certificate, "after cut handshakes").await;
    }
    assert!(!registry.log().contains("panicked"), "{}", registry.log());
}

/// As many files as this process and the server may open, which inherits the limit.
fn files_allowed() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Nofile).current.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap())
}

const CROWD: usize = 10_000;

/// A crowd that is within the share of one caller, and `max_connections` for it; where the system does not let the
/// server open so many files, a smaller one. One address may have 38 % of them, one certificate 28 %.
fn crowd() -> (usize, usize) {
    // Half of the files are for requests.
    let connections = (files_allowed().saturating_sub(400) / 2).min(4 * CROWD);
    (connections / 4, connections)
}
/// What a connection that has said nothing, or half a hello, may take in an unoptimised build.
const STANDING_MAX_KIB: usize = 48;

#[tokio::test]
async fn ten_thousand_that_stand_still_keep_nobody_waiting() {
    let (crowd, connections) = crowd();
    let (registry, certificate) = start_with("240s", &format!("max_connections = {connections}\n"));
    assert_serves(&registry, &certificate, "before the crowd").await;
    let (hello, before) = (client_hello(&registry), registry.resident_memory());
    let files = open_files(&registry);
    let mut sockets = Vec::with_capacity(crowd);
    for number in 0..crowd {
        let mut socket = TcpStream::connect(registry.address).unwrap();
        if number % 2 == 0 {
            socket.write_all(&hello[..hello.len() / 2]).unwrap();
        }
        sockets.push(socket);
    }
    let started = Instant::now();
    while open_files(&registry) < crowd {
        assert!(started.elapsed() < TIMEOUT, "the crowd is not let in");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let grown = usize::try_from(registry.resident_memory().saturating_sub(before)).unwrap();
    assert!(grown < crowd * STANDING_MAX_KIB, "{crowd} connections take {grown} KiB");
    let spent = processor_time(&registry);
    for _ in 0..5 {
        assert_serves(&registry, &certificate, "beside the crowd").await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let spent = processor_time(&registry) - spent;
    assert!(spent < 150, "the crowd takes {spent} hundredths of a second while it stands still");
    drop(sockets);
    assert_all_gone(&registry, files, "the crowd").await;
    assert_serves(&registry, &certificate, "after the crowd").await;
}

/// What an established connection that stands still may take in an unoptimised build.
const ESTABLISHED_MAX_KIB: usize = 48;
/// How long connections are established for, so that an unoptimised build on a busy machine comes to an end too; and how
/// many there are at least.
const ESTABLISHING: Duration = Duration::from_secs(8);
const ESTABLISHED_MIN: usize = 200;

/// A connection that was used once and is kept.
fn establish(address: SocketAddr, config: &Arc<rustls::ClientConfig>) -> TcpStream {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    socket.set_nodelay(true).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = rustls::ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut stream = rustls::Stream::new(&mut client, &mut socket);
    stream.write_all(b"GET /v2/ HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    socket
}

#[tokio::test]
async fn thousands_of_established_connections_keep_nobody_waiting() {
    let (crowd, connections) = crowd();
    let lines = format!("max_connections = {connections}\nidle_timeout = \"240s\"\n");
    let registry = Setup::mutual("required", ANYONE).server(&lines).start();
    let certificate = registry.pki.client("good", "Team");
    // The shortest handshake there is: one session of TLS 1.2, continued by all.
    let versions = [&rustls::version::TLS12];
    let client =
        Client::with_versions(registry.address, &registry.pki, Some(&certificate), Wire::Http1, &versions);
    let config = client.tls().unwrap();
    drop(establish(registry.address, &config));
    assert_serves(&registry, &certificate, "before the crowd").await;
    let (files, before) = (open_files(&registry), registry.resident_memory());
    let (started, mut sockets) = (Instant::now(), Vec::with_capacity(crowd));
    while sockets.len() < crowd && (sockets.len() < ESTABLISHED_MIN || started.elapsed() < ESTABLISHING) {
        sockets.push(establish(registry.address, &config));
    }
    let crowd = sockets.len();
    let grown = usize::try_from(registry.resident_memory().saturating_sub(before)).unwrap();
    assert!(grown < crowd * ESTABLISHED_MAX_KIB, "{crowd} connections take {grown} KiB");
    let spent = processor_time(&registry);
    for _ in 0..5 {
        assert_serves(&registry, &certificate, "beside the crowd").await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let spent = processor_time(&registry) - spent;
    assert!(spent < 150, "the crowd takes {spent} hundredths of a second while it stands still");
    assert!(open_files(&registry) >= crowd, "the crowd is still there");
    drop(sockets);
    assert_all_gone(&registry, files, "the crowd").await;
    assert_serves(&registry, &certificate, "after the crowd").await;
}

/// A client of TLS 1.2 with the one cipher whose records are simple to write by hand.
fn simple_client(pki: &Pki, issued: &Issued) -> Arc<rustls::ClientConfig> {
    let suite = provider::cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256;
    let simple = CryptoProvider { cipher_suites: vec![suite], ..provider::default_provider() };
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from(pki.authority.certificate_der())).unwrap();
    let chain = issued.chain_der.iter().cloned().map(CertificateDer::from).collect();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(issued.key_der.clone()));
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(simple))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .unwrap();
    config.enable_secret_extraction = true;
    Arc::new(config)
}

/// Seals one record of TLS 1.2 (RFC 7905).
fn sealed(key: &[u8], iv: &[u8; 12], sequence: u64, kind: u8, body: &[u8]) -> Vec<u8> {
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).unwrap());
    let mut nonce = *iv;
    for (byte, number) in nonce[4..].iter_mut().zip(sequence.to_be_bytes()) {
        *byte ^= number;
    }
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    let about = [&sequence.to_be_bytes()[..], &[kind, 3, 3], &length].concat();
    let mut sealed = body.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(about), &mut sealed).unwrap();
    record(kind, [3, 3], &sealed)
}

/// CVE-2011-1473: each second handshake costs a server far more than the client that asks for it.
#[tokio::test]
async fn second_handshakes_are_refused() {
    let (registry, certificate) = start("5s");
    assert_serves(&registry, &certificate, "before second handshakes").await;
    let before = open_files(&registry);
    let mut socket = TcpStream::connect(registry.address).unwrap();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let config = simple_client(&registry.pki, &certificate);
    let mut client = rustls::ClientConnection::new(config, name).unwrap();
    while client.is_handshaking() {
        client.complete_io(&mut socket).unwrap();
    }
    let secrets = client.dangerous_extract_secrets().unwrap();
    let (mut sequence, secrets) = secrets.tx;
    let ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } = secrets else { panic!("another cipher") };
    let iv = <[u8; 12]>::try_from(iv.as_ref()).unwrap();
    let mut say = |socket: &mut TcpStream, kind: u8, body: &[u8]| {
        let record = sealed(key.as_ref(), &iv, sequence, kind, body);
        sequence += 1;
        socket.write_all(&record)
    };
    // The records are good ones: a request in them is answered.
    say(&mut socket, 23, b"GET /v2/ HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut answer = [0; 5];
    socket.read_exact(&mut answer).unwrap();
    assert_eq!(answer[0], 23, "the first answer is data");
    let spent = processor_time(&registry);
    let hello = old_hello([3, 3]);
    let mut asked = 0;
    while asked < 10_000 && say(&mut socket, 22, &hello[5..]).is_ok() {
        asked += 1;
    }
    let mut rest = Vec::new();
    let _reset = socket.read_to_end(&mut rest);
    let spent = processor_time(&registry) - spent;
    assert!(asked < 10_000, "the server took every one of {asked} second handshakes");
    assert!(spent < 50, "{asked} second handshakes took {spent} hundredths of a second");
    assert_all_gone(&registry, before, "second handshakes").await;
    assert_serves(&registry, &certificate, "after second handshakes").await;
}
