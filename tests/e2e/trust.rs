//! Open connections when their certificate ends, or nobody vouches for it any more: no new request is served, what is in
//! flight has its time, and nobody else notices.

use crate::harness::frames::{DATA, END_STREAM, Frames, GOAWAY, frame};
use crate::harness::{Answer, Client, Failure, Image, Pki, Registry, Setup, TIMEOUT};
use angos_test_ca::{Issued, Leaf, RevocationList};
use hyper::StatusCode;
use rustls::HandshakeKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

const ANYONE: &str = "[server.management]\nport = 0\n[global.access_policy]\ndefault = \"allow\"\n";

const POLICY: &str = "angos_policy_generation";
const TLS: &str = "angos_tls_generation";
const ALLOWED: &str = "angos_decisions_total{outcome=\"allow\"}";

/// Writes the authorities, asks for a reload, and waits until it is in force.
async fn trust(registry: &Registry, authorities: &str) {
    reload(registry, TLS, || registry.write("ca.pem", authorities)).await;
}

/// Makes a change, asks for a reload, and waits until what counts its generations says that another set is in force:
/// requests sent after this are decided by it. Not by the log: a line may tell of the set before.
async fn reload(registry: &Registry, generation: &str, change: impl FnOnce()) {
    let management = registry.management_client();
    let before = metric(&management, generation).await;
    change();
    registry.reload();
    let started = Instant::now();
    while metric(&management, generation).await == before {
        assert!(started.elapsed() < TIMEOUT, "{}", registry.log());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Begins an upload over HTTP/2, as stream 1, and waits until the server has decided to take it. No other request may
/// run meanwhile.
async fn begin_upload(registry: &Registry, client: &Client, upload: &str) -> Frames {
    let management = registry.management_client();
    let before = metric(&management, ALLOWED).await;
    let mut frames = Frames::open(client, &[]).await;
    frames.ask(1, "PATCH", upload, 0).await;
    frames.send(&frame(DATA, 0, 1, b"ab")).await;
    let started = Instant::now();
    while metric(&management, ALLOWED).await == before {
        assert!(started.elapsed() < TIMEOUT, "{}", registry.log());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    frames
}

fn both(pki: &Pki) -> String {
    pki.authority.certificate_pem() + &pki.stranger.certificate_pem()
}

fn eve(registry: &Registry) -> Issued {
    registry.pki.stranger.issue(&Leaf::client("eve").organization("Team"))
}

/// One request on a raw HTTP/1.1 connection; its head and what came of the body with it.
async fn ask(stream: &mut TlsStream<TcpStream>, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut buffer = vec![0; 4096];
    let length = tokio::time::timeout(TIMEOUT, stream.read(&mut buffer)).await.unwrap().unwrap();
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

/// What is promised to a request on a connection that was open when the trust in its client ended: it is not served. The
/// request is refused, or the connection was closed before it arrived.
fn unserved(answer: Result<Answer, Failure>) {
    if let Ok(answer) = answer {
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::FORBIDDEN, "DENIED"));
        assert!(answer.text().contains("no longer accepted"), "{}", answer.text());
    }
}

const VERSION: &str = "GET /v2/ HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Waits until the server closes the connection, which it would not have done yet for being idle.
async fn closed(stream: &mut TlsStream<TcpStream>) {
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(TIMEOUT, stream.read_to_end(&mut rest)).await.expect("closed in time");
}

/// Pulls over and over on connections that are kept, until told to stop. Every one must succeed.
struct Load {
    stop: Arc<AtomicBool>,
    pulls: Arc<AtomicUsize>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn start(clients: &[Client]) -> Self {
        let (stop, pulls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let task = |client: &Client| {
            let (client, stop, pulls) = (client.clone(), Arc::clone(&stop), Arc::clone(&pulls));
            tokio::spawn(async move {
                let mut kept = client.connect().await.unwrap();
                while !stop.load(Ordering::Relaxed) {
                    let answer =
                        kept(client.request("GET", "/v2/team/app/manifests/1", &[], "")).await.unwrap();
                    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
                    pulls.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        let tasks = clients.iter().map(task).collect();
        Load { stop, pulls, tasks }
    }

    async fn stop(self) {
        let (before, started) = (self.pulls.load(Ordering::Relaxed), Instant::now());
        while self.pulls.load(Ordering::Relaxed) == before {
            assert!(started.elapsed() < TIMEOUT, "the load was no load");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

async fn metric(client: &Client, line: &str) -> i64 {
    let text = client.fetch("/metrics").await.text();
    let value = text.lines().find_map(|it| it.strip_prefix(line)).unwrap_or_else(|| panic!("{line}: {text}"));
    value.trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_lost_trust_is_served_no_more_and_others_lose_nothing() {
    let registry = Setup::mutual("required", ANYONE).server("untrusted_drain_timeout = \"30s\"\n").start();
    trust(&registry, &both(&registry.pki)).await;
    let alice = registry.pki.client("alice", "Team");
    let (good, good_h2) = (registry.client(Some(&alice)), registry.client_h2(Some(&alice)));
    let image = Image::new("trust", 10_000);
    assert_eq!(good.push("team/app", "1", &image).await.unwrap(), StatusCode::CREATED);

    let eve = eve(&registry);
    let (h1, h2) = (registry.client(Some(&eve)), registry.client_h2(Some(&eve)));
    let mut kept = h1.connect().await.unwrap();
    assert_eq!(kept(h1.request("GET", "/v2/", &[], "")).await.unwrap().status, StatusCode::OK);
    let mut idle = h1.dial().await.unwrap();
    assert!(ask(&mut idle, VERSION).await.starts_with("HTTP/1.1 200 "));
    let upload = h1.send("POST", "/v2/team/app/blobs/uploads/", &[], "").await.unwrap();
    let upload = upload.header("location");
    let mut frames = begin_upload(&registry, &h2, upload).await;
    let load = Load::start(&[good.clone(), good_h2]);

    trust(&registry, &registry.pki.authority.certificate_pem()).await;

    // From here on nothing is timed: the very first request is refused.
    unserved(kept(h1.request("GET", "/v2/", &[], "")).await);
    closed(&mut idle).await;
    frames.ask(3, "GET", "/v2/", END_STREAM).await;
    let mut going_away = false;
    let refusal = frames.wait(|it| {
        going_away |= it.kind == GOAWAY;
        it.kind == DATA && it.stream == 3
    });
    let refusal = String::from_utf8(refusal.await.expect("a refusal").payload).unwrap();
    assert!(refusal.contains("\"DENIED\"") && refusal.contains("no longer accepted"), "{refusal}");
    assert!(going_away || frames.wait(|it| it.kind == GOAWAY).await.is_some());
    assert!(
        h1.send("GET", "/v2/", &[], "").await.is_err(),
        "a new connection, with what it knows of the old one"
    );
    assert!(h2.send("GET", "/v2/", &[], "").await.is_err());

    // What was in flight changes nothing any more.
    frames.send(&frame(DATA, END_STREAM, 1, b"cd")).await;
    let refusal = frames.wait(|it| it.kind == DATA && it.stream == 1).await.expect("a refusal").payload;
    assert!(String::from_utf8_lossy(&refusal).contains("no longer accepted"));
    let progress = good.fetch(upload).await;
    assert_eq!((progress.status, progress.header("range")), (StatusCode::NO_CONTENT, "0-0"));
    load.stop().await;
    let reason = "angos_tls_distrusted_connections_total{reason=\"ca_removed\"}";
    assert!(metric(&good, reason).await >= 3);
    registry.wait_for_log(
        "connection takes no more requests: no client authority in force vouches for the certificate",
    );
}

/// Puts the authority under a revocation list, which names nobody yet.
async fn watch_revocation(registry: &Registry) {
    registry.write("list.crl", registry.pki.authority.revocation_list(&RevocationList::new(1)));
    let named = "[[server.tls.client_ca]]\nname = \"team\"\nbundle = \"ca.pem\"\ncrls = [\"list.crl\"]\n";
    let change = |text: String| {
        let kept = text.lines().filter(|line| !line.starts_with("client_ca_bundle"));
        let text: String = kept.flat_map(|line| [line, "\n"]).collect();
        text.replace("[blob_store.fs]", &format!("{named}[blob_store.fs]"))
    };
    reload(registry, TLS, || registry.rewrite_configuration(change)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_certificate_is_revoked_is_served_no_more() {
    let registry = Setup::mutual("required", ANYONE).start();
    watch_revocation(&registry).await;
    let alice = registry.pki.client("alice", "Team");
    let good = registry.client(Some(&alice));
    assert_eq!(good.push("team/app", "1", &Image::new("list", 100)).await.unwrap(), StatusCode::CREATED);
    let good_h2 = registry.client_h2(Some(&alice));

    let thief = registry.pki.client("thief", "Team");
    let (h1, h2) = (registry.client(Some(&thief)), registry.client_h2(Some(&thief)));
    let mut kept = h1.connect().await.unwrap();
    assert_eq!(kept(h1.request("GET", "/v2/", &[], "")).await.unwrap().status, StatusCode::OK);
    let mut idle = h1.dial().await.unwrap();
    assert_eq!(idle.get_ref().1.handshake_kind(), Some(HandshakeKind::Resumed), "a ticket works");
    assert!(ask(&mut idle, VERSION).await.starts_with("HTTP/1.1 200 "));
    let upload = h1.send("POST", "/v2/team/app/blobs/uploads/", &[], "").await.unwrap();
    let mut frames = begin_upload(&registry, &h2, upload.header("location")).await;
    let load = Load::start(&[good.clone(), good_h2]);

    let list = registry.pki.authority.revocation_list(&RevocationList::new(2).revoke(&thief.serial));
    reload(&registry, TLS, || registry.write("list.crl", list)).await;

    // From here on nothing is timed: the very first request is refused.
    assert!(h1.send("GET", "/v2/", &[], "").await.is_err(), "a new connection, with a ticket of before");
    unserved(kept(h1.request("GET", "/v2/", &[], "")).await);
    closed(&mut idle).await;
    frames.ask(3, "GET", "/v2/", END_STREAM).await;
    let refusal = frames.wait(|it| it.kind == DATA && it.stream == 3).await.expect("a refusal").payload;
    assert!(String::from_utf8_lossy(&refusal).contains("\"DENIED\""), "HTTP/2");
    load.stop().await;
    assert!(metric(&good, "angos_tls_distrusted_connections_total{reason=\"revoked\"}").await >= 3);
    assert!(metric(&good, "angos_tls_handshakes_total{outcome=\"revoked\"}").await >= 1);
}

#[tokio::test]
async fn what_is_in_flight_is_cut_in_the_end() {
    let registry = Setup::mutual("required", ANYONE).server("untrusted_drain_timeout = \"1s\"\n").start();
    trust(&registry, &both(&registry.pki)).await;
    let eve = eve(&registry);
    let client = registry.client(Some(&eve));
    let upload = client.send("POST", "/v2/a/blobs/uploads/", &[], "").await.unwrap();
    let mut stream = client.dial().await.unwrap();
    let head = format!(
        "PATCH {} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n0123",
        upload.header("location")
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    trust(&registry, &registry.pki.authority.certificate_pem()).await;
    let reloaded = Instant::now();
    // A client that keeps sending has no more time than one that stands still.
    let mut sent = 0;
    while stream.write_all(b"4").await.is_ok() && stream.flush().await.is_ok() && sent < 900 {
        sent += 1;
        assert!(reloaded.elapsed() < TIMEOUT, "still open");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(sent < 900, "cut before the upload was done");
}

#[tokio::test]
async fn a_certificate_ends_in_the_middle_of_a_connection() {
    let registry = Setup::mutual("required", ANYONE).start();
    let issued = Instant::now();
    let brief = registry.pki.authority.issue(&Leaf::client("brief").valid(-60, 4));
    let client = registry.client(Some(&brief));
    let mut kept = client.connect().await.unwrap();
    let mut idle = client.dial().await.unwrap();
    assert!(ask(&mut idle, VERSION).await.starts_with("HTTP/1.1 200 "));
    let mut served = 0;
    loop {
        let asked = issued.elapsed();
        match kept(client.request("GET", "/v2/", &[], "")).await {
            Ok(answer) if answer.status == StatusCode::OK => served += 1,
            Ok(answer) => {
                assert_eq!((answer.status, answer.code().as_str()), (StatusCode::FORBIDDEN, "DENIED"));
                assert_eq!(answer.header("connection"), "close");
                break;
            }
            Err(_) => break,
        }
        // The second of `notAfter` is a valid one.
        assert!(asked < Duration::from_secs(6), "still served");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(served > 0);
    closed(&mut idle).await;
    registry.wait_for_log("class=\"expired\"");
}

#[tokio::test]
async fn certificates_become_required() {
    let registry = Setup::mutual("optional", ANYONE).start();
    let mut nobody = registry.client(None).dial().await.unwrap();
    assert!(ask(&mut nobody, VERSION).await.starts_with("HTTP/1.1 200 "));
    let alice = registry.pki.client("alice", "Team");
    let mut somebody = registry.client(Some(&alice)).dial().await.unwrap();
    assert!(ask(&mut somebody, VERSION).await.starts_with("HTTP/1.1 200 "));
    let change = |text: String| text.replace("\"optional\"", "\"required\"");
    reload(&registry, TLS, || registry.rewrite_configuration(change)).await;
    closed(&mut nobody).await;
    assert!(ask(&mut somebody, VERSION).await.starts_with("HTTP/1.1 200 "));
    registry.wait_for_log("class=\"certificate_required\"");
}

#[tokio::test]
async fn a_reload_of_rules_leaves_trust_alone() {
    let registry = Setup::mutual("required", ANYONE).start();
    let alice = registry.pki.client("alice", "Team");
    let client = registry.client(Some(&alice));
    let mut kept = registry.client(Some(&alice)).dial().await.unwrap();
    assert!(ask(&mut kept, VERSION).await.starts_with("HTTP/1.1 200 "));
    let rules = "rules = [\"request.action == 'delete-blob'\"]\n";
    reload(&registry, POLICY, || registry.rewrite_configuration(|text| format!("{text}{rules}"))).await;
    assert_eq!(metric(&client, TLS).await, 1);
    assert!(ask(&mut kept, VERSION).await.starts_with("HTTP/1.1 200 "), "the same connection");
}

#[tokio::test]
async fn each_listener_has_its_own_mode() {
    let listeners = "[[server.listener]]\nname = \"open\"\nport = 0\nclient_auth = \"none\"\n\
        [[server.listener]]\nname = \"strict\"\nport = 0\nclient_auth = \"required\"\n";
    let registry = Setup::mutual("optional", &format!("{listeners}{ANYONE}")).start();
    let alice = registry.pki.client("alice", "Team");
    let wrong = registry.pki.stranger.issue(&Leaf::client("x"));
    for (listener, certificate, expected) in [
        ("open", None, true),
        // Nobody asks for it, so nobody minds.
        ("open", Some(&wrong), true),
        ("strict", None, false),
        ("strict", Some(&wrong), false),
        ("strict", Some(&alice), true),
    ] {
        let address = registry.address_of(listener);
        let client = Client::new(address, &registry.pki, certificate, crate::harness::Wire::Http2);
        assert_eq!(client.send("GET", "/v2/", &[], "").await.is_ok(), expected, "{listener}");
    }
}
