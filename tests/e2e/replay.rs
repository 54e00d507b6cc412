//! `angos policy replay`: what other policies would have answered to requests that a running registry recorded.

use crate::harness::{Registry, Setup, TIMEOUT, angos};
use angos_test_ca::Leaf;
use hyper::StatusCode;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const LOG: &str = "decision_log = \"decisions.jsonl\"\n";

fn replay(folder: &Path, arguments: &[&str]) -> Output {
    angos().args(["policy", "replay"]).args(arguments).current_dir(folder).output().unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn said(output: &Output) -> (String, String) {
    (String::from_utf8(output.stdout.clone()).unwrap(), String::from_utf8(output.stderr.clone()).unwrap())
}

/// Writes a configuration of policies alone.
fn policies(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

/// A registry that has denied what it does not know and recorded all of it.
async fn recorded() -> Registry {
    let rest = "[global.access_policy]\ndefault = \"deny\"\n\
        rules = [{ name = \"team\", when = \"identity.certificate.organizations.contains('Team')\" }]\n\
        [repository.frozen.access_policy]\ndefault = \"allow\"\nrules = [\"request.tag.startsWith('v')\"]\n";
    let registry = Setup::mutual("required", rest).server(LOG).start();
    let team = registry
        .pki
        .authority
        .issue(&Leaf::client("ci").organization("Team").uri("spiffe://prod.example/ci"));
    let other = registry.pki.client("bob", "Other");
    for (certificate, path, expected) in [
        (&team, "/v2/", StatusCode::OK),
        (&team, "/v2/app/manifests/v1", StatusCode::NOT_FOUND),
        (&team, "/v2/app/manifests/v1", StatusCode::NOT_FOUND),
        (&team, "/v2/frozen/manifests/v1", StatusCode::FORBIDDEN),
        (&other, "/v2/", StatusCode::FORBIDDEN),
        (&other, "/v2/app/tags/list", StatusCode::FORBIDDEN),
    ] {
        assert_eq!(registry.client(Some(certificate)).fetch(path).await.status, expected, "{path}");
    }
    let started = Instant::now();
    let path = registry.folder.path().join("decisions.jsonl");
    while std::fs::read_to_string(&path).unwrap().lines().count() < 6 {
        assert!(started.elapsed() < TIMEOUT, "{}", registry.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    registry
}

#[tokio::test]
async fn the_policies_that_recorded_would_change_nothing() {
    let registry = recorded().await;
    let output = replay(registry.folder.path(), &["decisions.jsonl"]);
    let (text, errors) = said(&output);
    assert_eq!((output.status.code(), errors.as_str()), (Some(0), ""), "{text}");
    assert!(text.contains("decisions read        6\n"), "{text}");
    assert!(text.contains("would change          0\n"), "{text}");
}

#[tokio::test]
async fn what_would_change_is_grouped_and_counted() {
    let registry = recorded().await;
    let folder = registry.folder.path();
    policies(
        folder,
        "new.toml",
        "[global.access_policy]\ndefault = \"deny\"\n\
         rules = [{ name = \"version\", when = \"request.action == 'get-api-version'\" }, { name = \"others\", when = \"identity.certificate.common_names == ['bob']\" }]\n",
    );
    let output = replay(folder, &["decisions.jsonl", "-c", "new.toml", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report = json(&output);
    for (key, expected) in [
        ("decisions", 6),
        ("changed", 4),
        ("allow_to_deny", 2),
        ("deny_to_allow", 2),
        ("unreadable", 0),
        ("ungrouped", 0),
    ] {
        assert_eq!(report[key], expected, "{key} of {report:#}");
    }
    let changes = report["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 3, "{report:#}");
    let first = &changes[0];
    assert_eq!((&first["from"], &first["to"], &first["count"]), (&"allow".into(), &"deny".into(), &2.into()));
    assert_eq!(first["caller"], "spiffe://prod.example/ci");
    assert_eq!((&first["action"], &first["namespace"]), (&"get-manifest".into(), &"app".into()));
    assert_eq!(first["old"], json!({ "policy": "global", "rule": "team" }));
    assert_eq!(first["new"], json!({ "policy": "global", "rule": "default", "undecidable": null }));
    assert!(first["first"].as_str().unwrap() < first["last"].as_str().unwrap(), "{first}");
    let rules: Vec<&Value> = changes[1..].iter().map(|change| &change["new"]["rule"]).collect();
    assert_eq!(rules, ["version", "others"], "{report:#}");
    assert!(
        changes[1..].iter().all(|change| change["caller"].as_str().unwrap().contains("CN=bob")),
        "{report:#}"
    );

    let (text, _) = said(&replay(folder, &["decisions.jsonl", "-c", "new.toml"]));
    assert!(text.contains("allow → deny  2×  spiffe://prod.example/ci: get-manifest app\n    was:      global: team\n    would be: global: default\n"), "{text}");
    assert!(text.contains("  from deny to allow  2\n"), "{text}");
}

#[tokio::test]
async fn undecidable_rules_say_so_and_several_logs_add_up() {
    let registry = recorded().await;
    let folder = registry.folder.path();
    policies(folder, "new.toml", "[global.access_policy]\nrules = [\"request.tag.startsWith('v')\"]\n");
    let log = std::fs::read(folder.join("decisions.jsonl")).unwrap();
    let mut process = angos()
        .args(["policy", "replay", "-", "decisions.jsonl", "-c", "new.toml", "--format", "json"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut process.stdin.take().unwrap(), &log).unwrap();
    let output = process.wait_with_output().unwrap();
    let report = json(&output);
    assert_eq!((output.status.code(), &report["decisions"]), (Some(1), &12.into()), "{report:#}");
    let version =
        report["changes"].as_array().unwrap().iter().find(|change| change["action"] == "get-api-version");
    assert_eq!(version.unwrap()["new"]["undecidable"], "absent", "{report:#}");
    assert_eq!(version.unwrap()["count"], 2);
}

#[tokio::test]
async fn broken_lines_are_reported_and_passed_over() {
    let registry = recorded().await;
    let folder = registry.folder.path();
    let log = std::fs::read_to_string(folder.join("decisions.jsonl")).unwrap();
    let mut lines: Vec<String> = log.lines().map(str::to_owned).collect();
    lines[1].truncate(100);
    lines.insert(3, "\u{1b}[31m{\"outcome\":\"\u{202e}\"".to_owned());
    lines.insert(4, format!("{{\"time\":\"{}\"}}", "9".repeat(2_000_000)));
    lines.insert(5, "[".repeat(100_000));
    for _ in 0..100 {
        lines.push("null".to_owned());
    }
    std::fs::write(folder.join("broken.jsonl"), lines.join("\n")).unwrap();
    let output = replay(folder, &["broken.jsonl"]);
    let (text, errors) = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{errors}");
    assert!(
        text.contains("decisions read        5\n") && text.contains("lines not readable    104\n"),
        "{text}"
    );
    for place in [
        "broken.jsonl:2: not a decision",
        "broken.jsonl:4: ",
        "broken.jsonl:5: longer than",
        "broken.jsonl:6: ",
    ] {
        assert!(errors.contains(place), "{place}\n{errors}");
    }
    assert_eq!(errors.lines().count(), 20, "the others are counted: {errors}");
    assert!(errors.chars().all(|c| c == '\n' || (!c.is_control() && c != '\u{202e}')), "{errors:?}");
}

#[tokio::test]
async fn what_cannot_be_replayed_is_told_by_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    policies(folder, "good.toml", "[global.access_policy]\nrules = [\"true\"]\n");
    policies(folder, "bad.toml", "[global.access_policy]\nrules = [\"identity.nope\"]\n");
    std::fs::write(folder.join("empty.jsonl"), "").unwrap();
    std::fs::write(folder.join("other.jsonl"), "not\na log\n").unwrap();
    for (arguments, code, words) in [
        (&["empty.jsonl", "-c", "good.toml"][..], 0, ""),
        (&["empty.jsonl", "-c", "bad.toml"], 2, "has no field `nope`"),
        (&["missing.jsonl", "-c", "good.toml"], 2, "cannot read missing.jsonl"),
        (&["other.jsonl", "-c", "good.toml"], 2, "is this a decision log?"),
        (&["-c", "good.toml"], 2, "LOG"),
    ] {
        let output = replay(folder, arguments);
        let (text, errors) = said(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{text}{errors}");
        assert!(errors.contains(words), "{arguments:?}\n{errors}");
    }
}

/// Names that were made to break a terminal or a table stay text in the report.
#[tokio::test]
async fn hostile_names_stay_text() {
    let registry =
        Setup::mutual("required", "[global.access_policy]\nrules = [\"false\"]\n").server(LOG).start();
    let hostile = format!("x\u{202e}\u{2028}{}", "long ".repeat(100));
    let leaf = Leaf::client("someone").organization(hostile.as_str());
    let client = registry.client(Some(&registry.pki.authority.issue(&leaf)));
    assert_eq!(client.fetch("/v2/a/tags/list").await.status, StatusCode::FORBIDDEN);
    let folder = registry.folder.path();
    let started = Instant::now();
    while std::fs::read_to_string(folder.join("decisions.jsonl")).unwrap().is_empty() {
        assert!(started.elapsed() < TIMEOUT);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    policies(
        folder,
        "new.toml",
        "[global.access_policy]\nrules = [\"identity.certificate.organizations[0].startsWith('x\\u202e')\"]\n",
    );
    let (text, errors) = said(&replay(folder, &["decisions.jsonl", "-c", "new.toml"]));
    assert!(text.contains("deny → allow  1×  ") && text.contains("\\u{202e}\\u{2028}long"), "{text}{errors}");
    assert!(
        text.chars().all(|c| c == '\n' || (!c.is_control() && !matches!(c, '\u{2028}' | '\u{202e}'))),
        "{text:?}"
    );
    assert!(text.lines().next().unwrap().chars().count() < 300, "{text}");
}

/// A configuration whose certificates and secrets are elsewhere is as good as any.
#[tokio::test]
async fn neither_certificates_nor_secrets_are_needed() {
    let registry = recorded().await;
    let folder = registry.folder.path();
    let text = "[server.tls]\nserver_certificate_bundle = \"/nowhere/server.pem\"\nserver_private_key = \"/nowhere/key\"\n\
        client_ca_bundle = \"/nowhere/ca.pem\"\n[auth.identity.robot]\nusername = \"ci\"\npassword_file = \"/nowhere/hash\"\n\
        [global.access_policy]\nrules = [\"true\"]\n";
    policies(folder, "new.toml", text);
    let output = replay(folder, &["decisions.jsonl", "-c", "new.toml"]);
    let (text, errors) = said(&output);
    assert_eq!((output.status.code(), errors.as_str()), (Some(1), ""), "{text}");
    assert!(text.contains("  from deny to allow  3\n"), "{text}");
}

/// Runs a replay of standard input, and hands it over to be filled.
fn replay_pipe(folder: &Path) -> (std::process::Child, std::process::ChildStdin) {
    policies(folder, "new.toml", "[global.access_policy]\nrules = [\"true\"]\n");
    let mut process = angos()
        .args(["policy", "replay", "-", "-c", "new.toml"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pipe = process.stdin.take().unwrap();
    (process, pipe)
}

#[test]
fn a_stream_without_end_and_without_decisions_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [(&b"\0"[..], "16 MiB"), (b"y\n", "100000 lines"), (b"{\"a\": 1}\n", "100000 lines")];
    for (unit, bound) in rows {
        let (process, mut pipe) = replay_pipe(folder.path());
        let piece = unit.repeat(1 << 16);
        let filling =
            std::thread::spawn(move || while std::io::Write::write_all(&mut pipe, &piece).is_ok() {});
        let output = process.wait_with_output().unwrap();
        let (text, errors) = said(&output);
        assert_eq!((output.status.code(), text.as_str()), (Some(2), ""), "{errors}");
        assert!(errors.contains(&format!("cannot read standard input: {bound} up to line ")), "{errors}");
        assert!(errors.ends_with("hold no decision: is this a decision log?\n"), "{errors}");
        filling.join().unwrap();
    }
}

/// A pipe that stays open, as that of `tail -f`: an interruption ends the reading, and what was read is reported.
#[tokio::test]
async fn an_interruption_ends_a_pipe_with_a_report() {
    let registry = recorded().await;
    let folder = registry.folder.path();
    let log = std::fs::read(folder.join("decisions.jsonl")).unwrap();
    for signal in ["INT", "TERM"] {
        let (mut process, mut pipe) = replay_pipe(folder);
        // The last line tells on standard error that all before it were read.
        std::io::Write::write_all(&mut pipe, &[&log[..], b"end\n"].concat()).unwrap();
        let mut errors = std::io::BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        std::io::BufRead::read_line(&mut errors, &mut line).unwrap();
        assert!(line.starts_with("standard input:7: not a decision"), "{line}");
        let pid = process.id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap().success());
        let output = process.wait_with_output().unwrap();
        let (text, _) = said(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains("decisions read        6\n"), "{text}");
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut errors, &mut rest).unwrap();
        assert_eq!(rest, "interrupted: the report covers what was read until then\n");
        drop(pipe);
    }
}
