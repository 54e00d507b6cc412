//! Whatever one caller takes, others are served: requests in flight, connections, and open files.

use crate::harness::frames::{END_STREAM, Frames, HEADERS};
use crate::harness::{Client, Registry, Sender, Setup, TIMEOUT, Wire, digest_of};
use angos_test_ca::Issued;
use std::net::{SocketAddr, TcpStream};

const CERTIFIED: &str = "[server.management]\nport = 0\n[global.access_policy]\ndefault = \"deny\"\n\
    rules = [\"identity.certificate.present\"]\n";
/// Nothing ends by itself while a test runs.
const PATIENT: &str =
    "request_head_timeout = \"1h\"\nidle_timeout = \"1h\"\nbody_progress_timeout = \"1h\"\n";

fn start(server: &str) -> Setup {
    Setup::mutual("optional", CERTIFIED)
        .server(&format!("{PATIENT}{server}"))
        .tls_lines("handshake_timeout = \"5m\"\n")
}

/// Each request over a connection of its own.
async fn assert_serves(registry: &Registry, certificate: &Issued, times: usize) {
    let client = registry.client(Some(certificate));
    for number in 0..times {
        let answer = tokio::time::timeout(TIMEOUT, client.fetch("/v2/")).await;
        let answer = answer.unwrap_or_else(|_| panic!("request {number}: no answer"));
        assert_eq!(answer.status, 200, "request {number}: {}", answer.text());
    }
}

async fn assert_ready(registry: &Registry) {
    let probes = registry.management_client();
    let answer = tokio::time::timeout(TIMEOUT, probes.fetch("/readyz")).await.expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
}

async fn metric(registry: &Registry, name: &str) -> u64 {
    let metrics = registry.metrics().await;
    let line = metrics.lines().find(|line| line.starts_with(&format!("{name} "))).expect("a metric");
    line.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Connections that say nothing.
fn silent(address: SocketAddr, count: usize) -> Vec<TcpStream> {
    (0..count).map(|_| TcpStream::connect(address).unwrap()).collect()
}

/// Fewer than a server with 1024 open files may have, so that the setting is what counts.
const SLOTS: u64 = 256;
const STREAMS: u32 = 128;

/// Connections that ask for more than there are slots, and take nothing of the answers; each got all heads.
async fn readers_of_nothing(client: &Client, path: &str) -> Vec<Frames> {
    let mut readers = Vec::new();
    for _ in 0..=SLOTS / u64::from(STREAMS) {
        let mut frames = Frames::open(client, &[(4, 0)]).await;
        for stream in (1..2 * STREAMS).step_by(2) {
            frames.ask(stream, "GET", path, END_STREAM).await;
        }
        let mut heads = 0;
        frames
            .wait(|frame| {
                heads += u32::from(frame.kind == HEADERS);
                heads == STREAMS
            })
            .await
            .expect("an answer to every request");
        readers.push(frames);
    }
    readers
}

#[tokio::test]
async fn a_reader_of_nothing_leaves_slots_to_others() {
    let registry = start(&format!("max_requests = {SLOTS}\n")).start();
    let [alice, eve] = ["alice", "eve"].map(|name| registry.pki.client(name, "Team"));
    let blob = vec![7; 100_000];
    assert_eq!(registry.client(Some(&alice)).push_blob("a", &blob).await.unwrap(), 201);
    let path = format!("/v2/a/blobs/{}", digest_of(&blob));
    let readers = readers_of_nothing(&registry.client_h2(Some(&eve)), &path).await;
    let in_flight = metric(&registry, "angos_requests_in_flight").await;
    // 38 % of the slots.
    assert_eq!(in_flight, 98);
    assert!(metric(&registry, "angos_requests_over_share_total").await > 0);
    assert_serves(&registry, &alice, 20).await;
    // Without a certificate, too: the answer is a refusal by the policy, and not of the slot.
    assert_eq!(registry.client(None).fetch("/v2/").await.status, 403);
    assert_ready(&registry).await;
    drop(readers);
}

#[tokio::test]
async fn a_reader_without_a_certificate_leaves_more() {
    let registry = start(&format!("max_requests = {SLOTS}\n")).start();
    let alice = registry.pki.client("alice", "Team");
    let readers = readers_of_nothing(&registry.client_h2(None), "/v2/").await;
    assert_eq!(metric(&registry, "angos_requests_in_flight").await, SLOTS / 4);
    assert_serves(&registry, &alice, 20).await;
    drop(readers);
}

#[tokio::test]
async fn silent_connections_keep_nobody_out() {
    let registry = start("max_connections = 64\n").start();
    let alice = registry.pki.client("alice", "Team");
    let probes = registry.management_client();
    let crowd = silent(registry.address, 200);
    assert_serves(&registry, &alice, 5).await;
    let at_probes = silent(probes.address(), 200);
    assert_ready(&registry).await;
    assert!(metric(&registry, "angos_displaced_connections_total").await >= 200);
    drop((crowd, at_probes));
}

#[tokio::test]
async fn idle_connections_of_one_holder_keep_no_other_out() {
    let registry = start("max_connections = 64\n").start();
    let [alice, eve] = ["alice", "eve"].map(|name| registry.pki.client(name, "Team"));
    let client = registry.client(Some(&eve));
    let mut kept = Vec::new();
    for _ in 0..80 {
        let mut connection = client.connect().await.unwrap();
        assert_eq!(connection(client.request("GET", "/v2/", &[], "")).await.unwrap().status, 200);
        kept.push(connection);
    }
    assert_serves(&registry, &alice, 5).await;
    // The oldest ones made room for the latest ones.
    let ask =
        async |connection: &mut Sender| connection(client.request("GET", "/v2/", &[], "")).await.is_ok();
    assert!(!ask(kept.first_mut().unwrap()).await);
    assert!(ask(kept.last_mut().unwrap()).await);
    assert!(metric(&registry, "angos_connections{listener=\"registry\"}").await < 48);
}

/// With a limit of 400 there may be 56 connections and 56 requests.
#[tokio::test]
async fn a_low_limit_on_open_files_fails_nobody() {
    let registry = start("").open_files(300, 400).start();
    let log = registry.log();
    assert!(log.contains("limit on open files is lower") && log.contains("limit=400"), "{log}");
    let alice = registry.pki.client("alice", "Team");
    let blob = vec![7; 100_000];
    let client = registry.client(Some(&alice));
    assert_eq!(client.push_blob("a", &blob).await.unwrap(), 201);
    let mut kept = client.connect().await.unwrap();
    let mut pull = || kept(client.request("GET", &format!("/v2/a/blobs/{}", digest_of(&blob)), &[], ""));
    assert_eq!(pull().await.unwrap().body.len(), blob.len());
    let crowd = silent(registry.address, 450);
    assert_eq!(pull().await.unwrap().body.len(), blob.len(), "over a connection that was open");
    assert_serves(&registry, &alice, 3).await;
    assert_ready(&registry).await;
    assert!(!registry.log().contains("cannot accept"), "{}", registry.log());
    drop(crowd);
}

#[tokio::test]
async fn the_soft_limit_on_open_files_is_raised() {
    let registry = start("").open_files(200, 1000).start();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", registry.pid())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(line.split_whitespace().skip(3).take(2).collect::<Vec<_>>(), ["1000", "1000"]);
}

/// A client with a certificate is known by that wherever it comes from: many behind one address are many callers.
#[tokio::test]
async fn holders_behind_one_address_do_not_share() {
    let registry = start("max_connections = 64\nmax_requests = 16\n").start();
    let slow = "PUT /v2/a/manifests/v1 HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n{";
    let mut uploads = Vec::new();
    for number in 0..10 {
        let holder = registry.pki.client(&format!("runner-{number}"), "Team");
        let client = Client::new(registry.address, &registry.pki, Some(&holder), Wire::Http1);
        let mut upload = client.dial().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut upload, slow.as_bytes()).await.unwrap();
        uploads.push(upload);
    }
    let started = std::time::Instant::now();
    while metric(&registry, "angos_requests_in_flight").await < 10 {
        assert!(started.elapsed() < TIMEOUT, "a holder was refused");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_serves(&registry, &registry.pki.client("alice", "Team"), 1).await;
}

/// Denied requests of one caller leave a bounded number of lines, and those of another one are seen beside them.
#[tokio::test]
async fn the_denials_of_one_caller_do_not_fill_the_log() {
    let rules = "[server.management]\nport = 0\n[global.access_policy]\nrules = [\"false\"]\n";
    let registry = Setup::mutual("optional", rules).start();
    let (flood, other) = (registry.client(None), registry.pki.client("other", "Team"));
    let mut connection = flood.connect().await.unwrap();
    for number in 0..300 {
        let path = format!("/v2/a/manifests/flood-{number}");
        let answer = connection(flood.request("GET", &path, &[], "")).await.unwrap();
        assert_eq!(answer.status, 403);
    }
    assert_eq!(registry.client(Some(&other)).fetch("/v2/").await.status, 403);
    registry.wait_for_log("CN=other");
    let lines = registry.log().lines().filter(|line| line.contains(" denied ")).count();
    // One minute may end while the test runs, on a machine that is busy.
    assert!((11..=31).contains(&lines), "{lines} lines");
    let counted = metric(&registry, "angos_decisions_total{outcome=\"deny\"}").await;
    assert_eq!(counted, 301, "all are counted");
}
