//! `angos doctor` against servers and files with one thing wrong each: it names that thing, and nothing else.

mod client_files;
mod doors;
mod layouts;
mod peers;
mod simulated;
mod tls_peers;

use crate::harness::{Registry, Setup, angos, output_of};
use angos_test_ca::{Authority, Issued, Leaf};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Everybody may do everything, so that only the handshake is judged.
const ANYONE: &str = "[global.access_policy]\ndefault = \"allow\"\n";

/// What a run of the doctor printed.
struct Diagnosis {
    code: i32,
    report: serde_json::Value,
    text: String,
}

impl Diagnosis {
    fn names(&self) -> Vec<String> {
        let findings = self.report["findings"].as_array().unwrap();
        findings.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
    }

    /// All explanations, for a look at their words.
    fn words(&self) -> String {
        let findings = self.report["findings"].as_array().unwrap();
        findings.iter().map(|it| it["explanation"].as_str().unwrap()).collect::<Vec<_>>().join("\n")
    }
}

/// Runs the doctor in `folder`, for programs and for people.
fn doctor(folder: &Path, arguments: &[&str]) -> Diagnosis {
    let run = |format: &str| {
        let mut command = angos();
        command.arg("doctor").args(arguments).args(["--format", format]);
        if !arguments.contains(&"--timeout") {
            command.args(["--timeout", "20"]);
        }
        let output = command.current_dir(folder).output().unwrap();
        let code = output.status.code().unwrap_or_else(|| panic!("{output:?}"));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(code < 2, "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        (code, text)
    };
    let (code, json) = run("json");
    let (same_code, text) = run("text");
    assert_eq!(code, same_code, "{text}");
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(report["healthy"].as_bool().unwrap(), code == 0, "{text}");
    for finding in report["findings"].as_array().unwrap() {
        assert!(text.contains(finding["name"].as_str().unwrap()), "{text}");
        assert!(!finding["remedy"].as_str().unwrap().is_empty());
    }
    Diagnosis { code, report, text }
}

/// The doctor finds exactly this, and its explanation holds these words.
#[track_caller]
fn check(folder: &Path, arguments: &[&str], names: &[&str], words: &str) {
    let found = doctor(folder, arguments);
    assert_eq!(found.names(), names, "{}", found.text);
    assert!(found.words().contains(words), "no {words:?} in:\n{}", found.text);
    let is_healthy = names.iter().all(|name| *name == "credential_wanted");
    assert_eq!(found.code, i32::from(!is_healthy), "{}", found.text);
}

/// Writes a certificate and its key, which nobody else may read.
fn write(issued: &Issued, folder: &Path, stem: &str) -> (PathBuf, PathBuf) {
    let (certificate, key) = issued.write(folder, stem);
    make_private(&key);
    (certificate, key)
}

fn make_private(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// A registry, and where it is.
fn registry(mode: &'static str) -> (Registry, String) {
    let registry = Setup::mutual(mode, ANYONE).start();
    let address = format!("https://localhost:{}", registry.address.port());
    (registry, address)
}

#[test]
fn the_alert_of_each_refused_certificate_is_explained() {
    let (registry, address) = registry("required");
    let folder = registry.folder.path();
    let (ours, theirs) = (&registry.pki.authority, &registry.pki.stranger);
    let leaf = || Leaf::client("alice");
    let rows: [(Issued, &[&str], &str); 9] = [
        (ours.issue(&leaf()), &[], ""),
        (ours.intermediate("Team CA").issue(&leaf()), &[], ""),
        (theirs.issue(&leaf()), &["unknown_ca"], "CN=Angos end-to-end authority"),
        (ours.issue(&leaf().expired()), &["client_expired"], "certificate_expired (45)"),
        (ours.issue(&leaf().not_yet_valid()), &["client_not_yet_valid"], "certificate_expired (45)"),
        (ours.issue(&Leaf::server(["x"])), &["client_wrong_usage"], "unsupported_certificate (43)"),
        (
            ours.issue(&leaf().uri("spiffe://a/x").uri("spiffe://b/x")),
            &["client_identity_unreadable"],
            "several SPIFFE ids",
        ),
        (Authority::new("Angos end-to-end authority").issue(&leaf()), &["signature_refused"], "another key"),
        (ours.issue(&leaf().valid(-86_400, 3600)), &["client_expires_soon"], "in 59 minutes"),
    ];
    for (issued, names, words) in rows {
        write(&issued, folder, "client");
        check(
            folder,
            &[&address, "--cert", "client.pem", "--key", "client.key", "--ca", "ca.pem"],
            names,
            words,
        );
    }
    check(folder, &[&address, "--ca", "ca.pem"], &["certificate_required"], "certificate_required (116)");
}

#[test]
fn an_intermediate_that_was_not_sent_is_missed() {
    let (registry, address) = registry("required");
    let folder = registry.folder.path();
    let team = registry.pki.authority.intermediate("Team CA");
    let mut issued = team.issue(&Leaf::client("alice"));
    let end = issued.certificate_pem.find("-----END CERTIFICATE-----\n").unwrap() + 26;
    issued.certificate_pem.truncate(end);
    write(&issued, folder, "client");
    let arguments = [&*address, "--cert", "client.pem", "--key", "client.key", "--ca"];
    // Without the intermediate at hand nobody can know that it is one.
    check(folder, &[&arguments[..], &["ca.pem"]].concat(), &["unknown_ca"], "signed by CN=Team CA");
    let bundle = registry.pki.authority.certificate_pem() + &team.certificate_pem();
    std::fs::write(folder.join("both.pem"), bundle).unwrap();
    check(
        folder,
        &[&arguments[..], &["both.pem"]].concat(),
        &["missing_intermediate"],
        "an intermediate of CN=Angos end-to-end authority",
    );
}

#[test]
fn a_certificate_nobody_asks_for() {
    let (registry, address) = registry("none");
    let folder = registry.folder.path();
    write(&registry.pki.client("alice", "Team"), folder, "client");
    let arguments = [&*address, "--cert", "client.pem", "--key", "client.key", "--ca", "ca.pem"];
    check(folder, &arguments, &["certificate_not_asked"], "did not request the certificate");
}

#[test]
fn what_the_registry_says_behind_the_handshake() {
    let registry = Setup::mutual("optional", "[global.access_policy]\ndefault = \"deny\"\n").start();
    let address = format!("https://localhost:{}", registry.address.port());
    check(registry.folder.path(), &[&address, "--ca", "ca.pem"], &["not_permitted"], "403");
    let hash = crate::harness::hash_password("secret");
    let rest = format!("[global.access_policy]\n[auth.identity.a]\nusername = \"a\"\npassword = '{hash}'\n");
    let registry = Setup::mutual("optional", &rest).start();
    let address = format!("https://localhost:{}", registry.address.port());
    check(registry.folder.path(), &[&address, "--ca", "ca.pem"], &["credential_wanted"], "401");
}

#[test]
fn a_server_the_client_does_not_trust() {
    let (registry, address) = registry("required");
    let folder = registry.folder.path();
    write(&registry.pki.client("alice", "Team"), folder, "client");
    registry.pki.stranger.write(folder, "stranger");
    let by_address = format!("https://127.0.0.2:{}", registry.address.port());
    let rows: [(&str, &str, &[&str], &str); 3] = [
        (&address, "stranger.pem", &["server_not_trusted"], "signed by CN=Angos end-to-end authority"),
        (&address, "server.pem", &["not_a_ca", "server_not_trusted"], "is not a CA"),
        // Nothing listens there, which is what is said.
        (&by_address, "ca.pem", &["connection_refused"], "127.0.0.2"),
    ];
    for (address, ca, names, words) in rows {
        check(folder, &[address, "--cert", "client.pem", "--key", "client.key", "--ca", ca], names, words);
    }
    // The authorities of this machine do not know it either.
    let found = doctor(folder, &[&address, "--cert", "client.pem", "--key", "client.key"]);
    assert_eq!(found.names(), ["server_not_trusted"], "{}", found.text);
}

#[test]
fn the_server_is_the_configured_one() {
    let (registry, address) = registry("required");
    let folder = registry.folder.path();
    write(&registry.pki.client("alice", "Team"), folder, "client");
    let arguments =
        ["-c", "config.toml", &address, "--cert", "client.pem", "--key", "client.key", "--ca", "ca.pem"];
    check(folder, &arguments, &[], "");
    let other = registry.pki.authority.issue(&Leaf::server(["localhost"]));
    let (certificate, key) = other.write(folder, "other");
    let config = std::fs::read_to_string(folder.join("config.toml")).unwrap();
    let config = config
        .replace(&*folder.join("server.pem").to_string_lossy(), &certificate.to_string_lossy())
        .replace(&*folder.join("server.key").to_string_lossy(), &key.to_string_lossy());
    std::fs::write(folder.join("other.toml"), config).unwrap();
    let arguments =
        ["-c", "other.toml", &address, "--cert", "client.pem", "--key", "client.key", "--ca", "ca.pem"];
    check(folder, &arguments, &["server_differs"], "configured is CN=localhost");
}

/// Every finding that is documented is found by a test here.
#[test]
fn every_finding_is_found() {
    let page = include_str!("../../docs/reference/doctor.md");
    let sources = [
        include_str!("doctor.rs"),
        include_str!("doctor/client_files.rs"),
        include_str!("doctor/doors.rs"),
        include_str!("doctor/layouts.rs"),
        include_str!("doctor/peers.rs"),
        include_str!("doctor/simulated.rs"),
        include_str!("doctor/tls_peers.rs"),
    ]
    .concat();
    let table = page.split("| finding |").nth(1).unwrap();
    let names: Vec<_> =
        table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert!(names.len() > 60, "{names:?}");
    let missing: Vec<_> = names.iter().filter(|name| !sources.contains(&format!("\"{name}\""))).collect();
    assert!(missing.is_empty(), "no test finds {missing:?}");
}

#[test]
fn what_cannot_be_run_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &["doctor"][..],
        &["doctor", "-c", "nowhere.toml"],
        &["doctor", "ftp://x"],
        &["doctor", "--key", "x"],
    ] {
        let output = angos().args(arguments).current_dir(folder.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{arguments:?}");
    }
}

/// A pipe would keep a tool that opens it waiting for ever.
#[test]
fn a_configuration_that_is_a_pipe_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Command::new("mkfifo").arg(folder.path().join("pipe.toml")).status().unwrap().success());
    for (arguments, code) in [(&["doctor", "-c", "pipe.toml"][..], 2), (&["check", "-c", "pipe.toml"], 1)] {
        let output = output_of(angos().args(arguments).current_dir(folder.path()));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
        assert!(errors.contains("this is not a regular file"), "{arguments:?}: {errors}");
    }
}
