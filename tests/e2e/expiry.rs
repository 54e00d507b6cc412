//! What ends soon is told to clients, in the log and in the metrics.

use crate::harness::{Client, Setup, Wire};
use angos_test_ca::Leaf;
use std::time::{SystemTime, UNIX_EPOCH};

const ANYONE: &str = "[global.access_policy]\ndefault = \"allow\"\n";
const DAY: i64 = 24 * 3600;

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// The value of a gauge.
fn gauge(metrics: &str, series: &str) -> Option<i64> {
    metrics.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}

#[tokio::test]
async fn clients_are_warned_before_their_certificate_ends() {
    // The authority of the tests holds some days as well; its end would be told of otherwise.
    let registry = Setup::mutual("optional", ANYONE).tls_lines("expiry_warning = \"30h\"\n").start();
    let issue = |seconds| registry.pki.authority.issue(&Leaf::client("x").valid(-60, seconds));
    for (what, certificate, expected) in [
        ("none", None, ""),
        ("long", Some(issue(2 * DAY)), ""),
        (
            "a day",
            Some(issue(DAY - 1800)),
            "299 - \"the client certificate of this connection is valid for another 23 hours\"",
        ),
        (
            "an hour",
            Some(issue(3570)),
            "299 - \"the client certificate of this connection is valid for another 59 minutes\"",
        ),
    ] {
        for wire in [Wire::Http1, Wire::Http2] {
            let client = Client::new(registry.address, &registry.pki, certificate.as_ref(), wire);
            for path in ["/v2/", "/v2/a/manifests/1"] {
                assert_eq!(client.fetch(path).await.header("warning"), expected, "{what}: {path}");
            }
        }
    }
}

#[tokio::test]
async fn operators_see_what_ends() {
    let registry = Setup::mutual("required", ANYONE).start();
    let client = |seconds| {
        let issued = registry.pki.authority.issue(&Leaf::client("x").valid(-60, seconds));
        registry.client(Some(&issued))
    };
    let (day, hour) = (client(DAY), client(3600));
    let metrics = day.fetch("/metrics").await.text();
    let soonest = "angos_tls_client_expiry_timestamp_seconds";
    let near =
        |value: Option<i64>, seconds: i64| value.is_some_and(|value| (value - now() - seconds).abs() < 120);
    assert!(near(gauge(&metrics, soonest), DAY), "{metrics}");
    let metrics = hour.fetch("/metrics").await.text();
    assert!(near(gauge(&metrics, soonest), 3600), "{metrics}");
    let metrics = day.fetch("/metrics").await.text();
    assert!(near(gauge(&metrics, soonest), 3600), "the one that ends first stays");

    let series = |kind: &str| {
        let start = format!("angos_tls_expiry_timestamp_seconds{{kind=\"{kind}\",");
        let line =
            metrics.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("{metrics}"));
        line.rsplit_once(' ').unwrap().1.parse::<i64>().unwrap()
    };
    assert!(series("server_certificate") > now());
    assert!(series("client_ca") > now());
    // The server certificate of the tests ends within the window, as each operator is told at the start.
    registry.wait_for_log("expires in");
    registry.wait_for_log("kind=\"server_certificate\"");
}
