//! The decision log: what stands in it, who may read it, and what happens when it is rotated, full or slow.

use crate::harness::{Registry, Setup, TIMEOUT, angos, hash_password, output_of, settle};
use angos_test_ca::Leaf;
use hyper::StatusCode;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

const LOG: &str = "decision_log = \"decisions.jsonl\"\n";
const MANAGED: &str = "\n[server.management]\nport = 0\n";

/// The decisions in a file, once there are `count`. Every line must be whole.
async fn decisions(path: &Path, count: usize) -> Vec<Value> {
    let started = Instant::now();
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if text.lines().count() >= count {
            assert!(text.ends_with('\n'), "{text}");
            return text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        }
        assert!(started.elapsed() < TIMEOUT, "not {count} lines in\n{text}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn file(registry: &Registry, name: &str) -> std::path::PathBuf {
    registry.folder.path().join(name)
}

#[tokio::test]
async fn every_decision_is_written_with_all_that_led_to_it() {
    let hash = hash_password("the-very-secret-password");
    let rest = format!(
        "[auth.identity.ci]\nusername = \"bob\"\npassword = '{hash}'\n\
         [global.access_policy]\ndefault = \"deny\"\nrules = [{{ name = \"bob\", when = \"identity.username == 'bob'\" }}]\n\
         shadow_rules = [{{ name = \"team\", when = \"identity.certificate.organizations.contains('Team')\" }}]\n"
    );
    let registry = Setup::mutual("required", &rest).server(LOG).start();
    let certificate = registry
        .pki
        .authority
        .issue(&Leaf::client("someone").organization("Team").uri("spiffe://prod.example/ci"));
    let client = registry.client(Some(&certificate));
    let denied = client.fetch("/v2/a/b/manifests/v1").await;
    assert_eq!(denied.status, StatusCode::UNAUTHORIZED);
    let bob = client.clone().basic("bob", "the-very-secret-password");
    let upload = bob.send("POST", "/v2/a/blobs/uploads/", &[], "").await.unwrap();
    let session = upload.header("location").rsplit('/').next().unwrap().to_owned();
    assert_eq!(
        bob.ask("DELETE", &format!("/v2/a/blobs/uploads/{session}")).await.status,
        StatusCode::NO_CONTENT
    );
    // A page of a listing asks the policies about each name; only the listing itself is a decision on a request.
    assert_eq!(bob.fetch("/v2/_catalog").await.status, StatusCode::OK);

    let path = file(&registry, "decisions.jsonl");
    let lines = decisions(&path, 4).await;
    assert_eq!(lines.len(), 4, "{lines:#?}");
    let first = &lines[0];
    assert_eq!(
        (&first["generation"], &first["outcome"], &first["reason"]),
        (&1.into(), &"deny".into(), &"default".into())
    );
    assert_eq!(first["shadow"]["outcome"], "allow");
    assert_eq!(first["shadow"]["rule"], "team");
    assert_eq!(first["request_id"].as_str().unwrap(), denied.header("x-request-id"));
    let about = &first["request"];
    assert_eq!(
        (&about["action"], &about["namespace"], &about["reference"]),
        (&"get-manifest".into(), &"a/b".into(), &"v1".into())
    );
    let identity = &first["identity"];
    assert_eq!((&identity["method"], &identity["client_ip"]), (&"certificate".into(), &"127.0.0.1".into()));
    let facts = &identity["certificate"];
    assert_eq!(facts["common_names"], serde_json::json!(["someone"]));
    assert_eq!(facts["uris"], serde_json::json!(["spiffe://prod.example/ci"]));
    assert_eq!(facts["fingerprint"].as_str().unwrap().len(), 64);
    assert!(facts["not_after"].as_i64().unwrap() > facts["not_before"].as_i64().unwrap());
    let second = &lines[1];
    assert_eq!((&second["outcome"], &second["rule"]), (&"allow".into(), &"bob".into()));
    assert_eq!((&second["identity"]["username"], &second["identity"]["id"]), (&"bob".into(), &"ci".into()));
    assert_eq!(lines[2]["request"]["session_id"].as_str().unwrap()[..50], session[..50]);

    let text = std::fs::read_to_string(&path).unwrap();
    for secret in ["the-very-secret-password", hash.rsplit('$').next().unwrap(), &session[50..]] {
        assert!(!text.contains(secret), "{secret} in\n{text}");
    }
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "others could read who does what");
}

#[tokio::test]
async fn hostile_text_stays_inside_its_line() {
    let rest = "[global.access_policy]\nrules = [\"request.tag == 'x'\"]\n";
    let registry = Setup::mutual("required", rest).server(LOG).start();
    let hostile = "x\"},{\"outcome\":\"allow\"} \u{2028}\u{202e}{\u{feff}";
    let mut leaf = Leaf::client(hostile).organization("a\\\"b");
    for number in 0..200 {
        leaf = leaf.uri(&format!("https://host-{number}.example/{}", "p".repeat(100)));
    }
    let client = registry.client(Some(&registry.pki.authority.issue(&leaf)));
    for path in
        ["/v2/a/tags/list?last=%E2%80%A8%E2%80%AEx%22", "/v2/a/manifests/sha256:zz", "/v2/%0a/tags/list"]
    {
        assert!(client.fetch(path).await.status.is_client_error());
    }
    let lines = decisions(&file(&registry, "decisions.jsonl"), 1).await;
    assert_eq!(lines.len(), 1, "what names no operation is no decision: {lines:#?}");
    let facts = &lines[0]["identity"]["certificate"];
    assert_eq!(facts["common_names"][0], hostile);
    assert_eq!(facts["uris"].as_array().unwrap().len(), 200);
    assert_eq!(lines[0]["request"]["last"], "\u{2028}\u{202e}x\"");
    let text = std::fs::read_to_string(file(&registry, "decisions.jsonl")).unwrap();
    assert!(
        text.trim_end()
            .chars()
            .all(|c| !c.is_control() && !matches!(c, '\u{2028}' | '\u{202e}' | '\u{feff}'))
    );
}

#[tokio::test]
async fn a_rotated_log_goes_on_in_a_new_file() {
    let rest = "[global.access_policy]\nrules = [\"true\"]\n";
    let registry = Setup::plain(rest).server(LOG).start();
    let client = registry.plain_client();
    let path = file(&registry, "decisions.jsonl");
    for round in 1..4 {
        assert_eq!(client.fetch("/v2/").await.status, StatusCode::OK);
        decisions(&path, 1).await;
        let kept = file(&registry, &format!("decisions.jsonl.{round}"));
        std::fs::rename(&path, &kept).unwrap();
        // A configuration that is refused does not keep the log from being rotated.
        registry.rewrite_configuration(|text| {
            if round == 2 { text + "broken =\n" } else { text.replace("broken =\n", "") }
        });
        registry.reload();
        let started = Instant::now();
        while !path.exists() {
            assert!(started.elapsed() < TIMEOUT, "not opened anew:\n{}", registry.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(decisions(&kept, 1).await.len(), 1);
    }
    registry.wait_for_log(" reloaded ");
    assert_eq!(client.fetch("/v2/").await.status, StatusCode::OK);
    let last = decisions(&path, 1).await;
    assert!(last[0]["generation"].as_u64().unwrap() >= 2, "the generation that answered: {last:#?}");
}

#[tokio::test]
async fn what_was_decided_is_written_before_the_process_ends() {
    let rest = "[global.access_policy]\nrules = [\"true\"]\n";
    let mut registry = Setup::plain(rest).server(LOG).start();
    let client = registry.plain_client();
    for _ in 0..50 {
        assert_eq!(client.fetch("/v2/").await.status, StatusCode::OK);
    }
    registry.signal("TERM");
    assert!(registry.wait_for_exit().success());
    assert_eq!(decisions(&file(&registry, "decisions.jsonl"), 50).await.len(), 50);
}

#[tokio::test]
async fn a_full_disk_fails_no_request_and_is_counted() {
    let rest = format!("[global.access_policy]\nrules = [\"true\"]\n{MANAGED}");
    let registry = Setup::plain(&rest).server("decision_log = \"/dev/full\"\n").start();
    let client = registry.plain_client();
    for _ in 0..20 {
        assert_eq!(client.fetch("/v2/").await.status, StatusCode::OK);
    }
    let started = Instant::now();
    loop {
        let scrape = registry.management_client().fetch("/metrics").await.text();
        if scrape.contains("angos_decision_log_lines_total{outcome=\"failed\"} 20") {
            assert!(scrape.contains("angos_decision_log_lines_total{outcome=\"written\"} 0"), "{scrape}");
            break;
        }
        assert!(started.elapsed() < TIMEOUT, "{scrape}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    registry.wait_for_log("cannot write the decision log");
    let complaints = registry.log().matches("cannot write the decision log").count();
    assert_eq!(complaints, 1, "said once, not twenty times:\n{}", registry.log());
}

#[test]
fn a_log_that_cannot_be_opened_keeps_the_server_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    make_pipe(&folder.path().join("pipe"));
    for log in ["missing/decisions.jsonl", ".", "pipe"] {
        let text = format!(
            "[server]\nport = 0\nbind_address = \"127.0.0.1\"\ndecision_log = \"{log}\"\n[global.access_policy]\n"
        );
        std::fs::write(folder.path().join("config.toml"), text).unwrap();
        settle(folder.path());
        let output = output_of(angos().args(["-c", "config.toml", "server"]).current_dir(folder.path()));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("cannot write the decision log"), "{log}: {said}");
    }
}

/// A pipe nobody reads.
fn make_pipe(path: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}
