//! What must not leak: secrets, internals, and surfaces the policy does not open.

use crate::harness::{Setup, hash_password};
use hyper::StatusCode;

#[tokio::test]
async fn without_a_policy_nothing_is_allowed() {
    let registry = Setup::plain("").start();
    let client = registry.plain_client();
    for path in ["/v2/", "/v2/_catalog", "/v2/a/tags/list", "/healthz", "/readyz", "/metrics"] {
        let answer = client.fetch(path).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn health_and_metrics_obey_the_policy() {
    let rest = "[global.access_policy]\ndefault = \"deny\"\nrules = [\n\
                \"request.action == 'healthz'\", \"identity.certificate.organizations.contains('Ops')\"]\n";
    let registry = Setup::mutual("optional", rest).start();
    let (ops, other) = (registry.pki.client("o", "Ops"), registry.pki.client("x", "Others"));
    for (client, metrics) in [
        (registry.client(None), StatusCode::FORBIDDEN),
        (registry.client(Some(&other)), StatusCode::FORBIDDEN),
        (registry.client(Some(&ops)), StatusCode::OK),
    ] {
        assert_eq!(client.fetch("/healthz").await.status, StatusCode::OK);
        assert_eq!(client.fetch("/metrics").await.status, metrics);
    }
    let text = registry.client(Some(&ops)).fetch("/metrics").await.text();
    assert!(text.contains("# TYPE angos_"), "{text}");
}

#[tokio::test]
async fn hostile_text_is_escaped_in_the_log() {
    let rest = "[global.access_policy]\ndefault = \"deny\"\nrules = [\"identity.username == 'admin'\"]\n";
    let registry = Setup::mutual("required", rest).log("debug").start();
    let hostile = "evil 2026-01-01T00:00:00Z ERROR forged";
    let certificate = registry.pki.client(hostile, "\u{202e}Team\u{1f600}");
    let client = registry.client(Some(&certificate));
    let agent = [("user-agent", "agent\tx\u{80}"), ("x-request-id", "a b\tc")];
    let answer = client.send("GET", "/v2/a/manifests/1", &agent, "").await.unwrap();
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    registry.wait_for_log("get-manifest");
    for line in registry.log().lines() {
        assert!(line.chars().all(|it| !it.is_control()), "a control character in {line:?}");
        assert!(!line.starts_with("evil"), "a forged line: {line}");
    }
}

#[tokio::test]
async fn secrets_never_reach_the_log() {
    let hash = hash_password("the-very-secret-password");
    let rest = format!(
        "[auth.identity.a]\nusername = \"admin\"\npassword = '{hash}'\n\
         [global.access_policy]\ndefault = \"deny\"\nrules = [\"identity.username == 'admin'\"]\n"
    );
    let registry = Setup::plain(&rest).log("trace").start();
    let client = registry.plain_client();
    let good = client.clone().basic("admin", "the-very-secret-password");
    assert_eq!(good.fetch("/v2/").await.status, StatusCode::OK);
    let wrong = client.clone().basic("admin", "another-secret-guess").fetch("/v2/").await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    let anonymous = client.fetch("/v2/").await;
    assert_eq!(anonymous.status, StatusCode::UNAUTHORIZED);
    assert!(
        anonymous.header("www-authenticate").starts_with("Basic "),
        "a challenge when a credential could help"
    );
    let upload = good.send("POST", "/v2/a/blobs/uploads/", &[], "").await.unwrap();
    let session = upload.header("location").rsplit('/').next().unwrap().to_owned();
    assert_eq!(session.len(), 82, "{session}");
    let path = format!("/v2/a/blobs/uploads/{session}");
    assert_eq!(good.send("DELETE", &path, &[], "").await.unwrap().status, StatusCode::NO_CONTENT);
    registry.reload();
    registry.wait_for_log("reload");
    let log = registry.log();
    assert!(log.contains(r#"username="admin" reason=the password is wrong"#), "{log}");
    assert!(log.contains(&session[..50]), "{log}");
    let (tail, code) = (hash.rsplit('$').next().unwrap(), &session[50..]);
    for secret in ["the-very-secret-password", "another-secret-guess", tail, "YWRtaW46", code] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

#[tokio::test]
async fn a_verified_certificate_is_never_sent_a_bearer_challenge() {
    let rest = "[global.access_policy]\ndefault = \"deny\"\nrules = [\"identity.username == 'admin'\"]\n";
    let registry = Setup::mutual("optional", rest).start();
    let certificate = registry.pki.client("someone", "Team");
    for client in [registry.client(Some(&certificate)), registry.client(None)] {
        let answer = client.fetch("/v2/").await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "no credential method is configured");
        assert_eq!(answer.code(), "DENIED");
        assert_eq!(answer.header("www-authenticate"), "");
    }
}

/// The names at the start of the table rows of the metrics reference, and only those, are what a scrape shows.
#[tokio::test]
async fn every_metric_is_documented_and_every_documented_metric_exists() {
    use std::collections::BTreeSet;
    let rest =
        "[global.access_policy]\ndefault = \"allow\"\nrules = [\"false\"]\nshadow_rules = [\"false\"]\n";
    let registry = Setup::mutual("required", rest).server("decision_log = \"decisions.jsonl\"\n").start();
    let certificate = registry.pki.client("scraper", "Ops");
    let client = registry.client(Some(&certificate));
    assert_eq!(client.fetch("/v2/").await.status, StatusCode::OK);
    let scrape = client.fetch("/metrics").await.text();
    let samples = scrape.lines().filter(|line| !line.starts_with('#'));
    let existing: BTreeSet<&str> = samples.filter_map(|line| line.split(['{', ' ']).next()).collect();
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/metrics.md");
    let page = std::fs::read_to_string(page).unwrap();
    // The first table; those behind it are of labels and of alerts.
    let table = page.split("\n## ").next().unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `angos_")?.split('`').next());
    let documented: BTreeSet<String> = rows.map(|name| format!("angos_{name}")).collect();
    assert_eq!(existing, documented.iter().map(String::as_str).collect());
}
