//! SIGTERM: `/readyz` fails first, while connections are accepted and served; ports close after `server.shutdown_delay`.

use crate::harness::{Registry, Setup, TIMEOUT};
use std::time::Instant;

const ANYONE: &str = "[server.management]\nport = 0\n[global.access_policy]\ndefault = \"allow\"\n";

fn start(delay: &str) -> Registry {
    let lines = format!("shutdown_delay = \"{delay}\"\n");
    Setup::plain(ANYONE).server(&lines).start()
}

#[tokio::test]
async fn readiness_fails_while_connections_are_still_accepted() {
    let mut registry = start("1h");
    let probes = registry.management_client();
    assert_eq!(probes.fetch("/readyz").await.status, 200);
    registry.signal("TERM");
    let started = Instant::now();
    let answer = loop {
        let answer = probes.fetch("/readyz").await;
        if answer.status != 200 {
            break answer;
        }
        assert!(started.elapsed() < TIMEOUT, "still ready");
    };
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("the server is shutting down"), "{}", answer.text());
    assert_eq!(probes.fetch("/healthz").await.status, 200);
    // Each over a new connection.
    let client = registry.plain_client();
    assert_eq!(client.push_blob("a", b"late").await.unwrap(), 201);
    assert_eq!(client.fetch("/v2/").await.status, 200);
    registry.signal("TERM");
    assert!(registry.wait_for_exit().success());
    assert!(registry.log().contains("second signal"), "{}", registry.log());
}

#[tokio::test]
async fn ports_close_after_the_delay() {
    let mut registry = start("200ms");
    registry.signal("TERM");
    assert!(registry.wait_for_exit().success());
    let log = registry.log();
    let announced = log.find("/readyz fails").expect("the first line");
    assert!(log[announced..].contains("no new connections"), "{log}");
}

#[tokio::test]
async fn an_interactive_end_does_not_wait() {
    let mut registry = start("1h");
    registry.signal("INT");
    assert!(registry.wait_for_exit().success());
    assert!(!registry.log().contains("second signal"), "{}", registry.log());
}
