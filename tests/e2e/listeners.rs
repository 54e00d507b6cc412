//! Further listeners: each port speaks what its section says, serves its surfaces and nothing else, and has its own places.

use crate::harness::{Client, Registry, Setup, TIMEOUT, Wire};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Whoever has a certificate may do everything.
const CERTIFIED: &str =
    "[global.access_policy]\ndefault = \"deny\"\nrules = [\"identity.certificate.present\"]\n";

const LISTENERS: &str = r#"
[[server.listener]]
name = "probes"
port = 0
tls = false
serve = ["management"]

[[server.listener]]
name = "inside"
port = 0
tls = false

[[server.listener]]
name = "both"
port = 0
serve = ["registry", "management"]
max_connections = 2
"#;

fn start() -> Registry {
    Setup::mutual("required", &format!("{LISTENERS}{CERTIFIED}")).start()
}

async fn status(client: &Client, path: &str) -> u16 {
    client.send("GET", path, &[], "").await.map_or(0, |answer| answer.status.as_u16())
}

#[tokio::test]
async fn each_serves_its_surfaces_and_nothing_else() {
    let registry = start();
    let alice = registry.pki.client("alice", "Team");
    let main = registry.client(Some(&alice));
    let probes = Client::plain(registry.address_of("probes"));
    let inside = Client::plain(registry.address_of("inside"));
    let at_both = registry.address_of("both");
    let both = Client::new(at_both, &registry.pki, Some(&alice), Wire::Http2);
    let nobody = Client::new(at_both, &registry.pki, None, Wire::Http1);
    for (who, client, path, expected) in [
        ("main", &main, "/v2/", 200),
        ("main", &main, "/metrics", 200),
        ("probes", &probes, "/v2/", 404),
        ("probes", &probes, "/healthz", 200),
        ("probes", &probes, "/readyz", 200),
        ("probes", &probes, "/metrics", 200),
        ("inside, anonymous", &inside, "/v2/", 403),
        ("inside, anonymous", &inside, "/metrics", 403),
        ("both", &both, "/v2/", 200),
        ("both", &both, "/healthz", 200),
        ("both, without a certificate", &nobody, "/healthz", 0),
    ] {
        assert_eq!(status(client, path).await, expected, "{who}: {path}");
    }
    let metrics = probes.fetch("/metrics").await.text();
    for listener in ["registry", "probes", "inside", "both"] {
        let line = format!("angos_connections{{listener=\"{listener}\"}}");
        assert!(metrics.contains(&line), "{line} is missing from\n{metrics}");
    }
}

#[tokio::test]
async fn a_plain_port_does_not_speak_tls_and_a_tls_port_answers_plain_http_with_400() {
    let registry = start();
    let certified = registry.pki.client("alice", "Team");
    let wrong = Client::new(registry.address_of("probes"), &registry.pki, Some(&certified), Wire::Http1);
    assert!(wrong.send("GET", "/healthz", &[], "").await.is_err());
    let wrong = Client::plain(registry.address_of("both"));
    let answer = wrong.send("GET", "/healthz", &[], "").await.expect("an answer in plain text");
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("HTTPS"), "{}", answer.text());
}

#[tokio::test]
async fn a_full_listener_closes_what_says_nothing() {
    let registry = start();
    let address = registry.address_of("both");
    let (mut first, _second) =
        (TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap());
    let alice = registry.pki.client("alice", "Team");
    let client = Client::new(address, &registry.pki, Some(&alice), Wire::Http1);
    assert_eq!(tokio::time::timeout(TIMEOUT, status(&client, "/v2/")).await.unwrap(), 200);
    let closed = tokio::time::timeout(TIMEOUT, first.read(&mut [0])).await.expect("the oldest is closed");
    assert!(matches!(closed, Ok(0) | Err(_)));
}

#[tokio::test]
async fn probes_are_answered_until_the_end() {
    let mut registry = start();
    let alice = registry.pki.client("alice", "Team");
    // A request in flight keeps the server from ending: it waits for the body of an upload.
    let path = registry.client(Some(&alice)).send("POST", "/v2/a/blobs/uploads/", &[], "").await.unwrap();
    let mut upload = registry.client(Some(&alice)).dial().await.unwrap();
    let head = format!(
        "PATCH {} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n1",
        path.header("location")
    );
    upload.write_all(head.as_bytes()).await.unwrap();
    let probes = Client::plain(registry.address_of("probes"));
    // Kept over the signal.
    let mut kept = probes.connect().await.unwrap();
    assert_eq!(kept(probes.request("GET", "/readyz", &[], "")).await.unwrap().status, 200);
    registry.signal("TERM");
    registry.wait_for_log("stopping");
    let started = Instant::now();
    while status(&probes, "/readyz").await != 503 {
        assert!(started.elapsed() < TIMEOUT);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(kept(probes.request("GET", "/healthz", &[], "")).await.unwrap().status, 200);
    upload.write_all(b"2").await.unwrap();
    let mut answer = Vec::new();
    upload.read_to_end(&mut answer).await.unwrap();
    assert!(String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 202 "));
    assert!(registry.wait_for_exit().success());
}

#[tokio::test]
async fn listeners_wait_for_a_restart_and_say_so() {
    let registry = start();
    registry.rewrite_configuration(|text| text.replace("max_connections = 2", "max_connections = 3"));
    registry.wait_for_log("takes effect at the next start key=\"server.listener\"");
}
