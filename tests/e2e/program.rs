//! The program itself: version, reports for programs, and the quickstart on a port in use.

use std::process::Output;

use crate::harness::{Setup, angos};

fn run(arguments: &[&str], folder: &std::path::Path) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = angos().args(arguments).current_dir(folder).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn the_version_names_commit_target_and_compiler() {
    let folder = tempfile::tempdir().unwrap();
    let (code, long, _) = run(&["--version"], folder.path());
    assert_eq!(code, Some(0));
    assert!(long.starts_with("angos "), "{long}");
    for line in ["\ncommit: ", "\ntarget: ", "\nrustc: rustc "] {
        let value = long.split(line).nth(1).and_then(|rest| rest.lines().next());
        assert!(value.is_some_and(|value| !value.is_empty()), "{line:?} in {long}");
    }
    let (_, short, _) = run(&["-V"], folder.path());
    assert_eq!(short.lines().count(), 1, "{short}");
}

#[tokio::test]
async fn the_log_and_the_metrics_say_what_runs() {
    let registry = Setup::plain("[server.management]\nport = 0\n").start();
    let log = registry.log();
    let first = log.lines().find(|line| line.contains("INFO")).unwrap();
    assert!(first.contains("starting Angos ") && first.contains("commit"), "{first}");
    assert!(!log.contains("Settings {"), "no debug output: {log}");
    let metrics = registry.management_client().fetch("/metrics").await.text();
    let build = metrics.lines().find(|line| line.starts_with("angos_build_info{")).unwrap();
    assert!(build.contains("version=") && build.contains("rustc=") && build.ends_with(" 1"), "{build}");
}

#[test]
fn check_reports_as_json() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    for (text, arguments, code, errors, warnings) in [
        ("[server]\nprot = 1\n[auth.identity.a]\npassword = 'plain'\n", &[][..], 1, 3, 1),
        ("[global.access_policy]\nrules = [\"1 == 2\"]\n", &[], 0, 0, 2),
        ("[global.access_policy]\nrules = [\"1 == 2\"]\n", &["--deny-warnings"], 1, 0, 2),
    ] {
        std::fs::write(&config, text).unwrap();
        let arguments = [&["check", "--format", "json"], arguments].concat();
        let (found, out, err) = run(&arguments, folder.path());
        let report: serde_json::Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
        assert_eq!(
            (found, &report["errors"], &report["warnings"]),
            (Some(code), &errors.into(), &warnings.into()),
            "{report:#}"
        );
        assert_eq!(err, "");
        assert!(!out.contains("plain"), "a secret: {out}");
        let problems = report["problems"].as_array().unwrap();
        assert_eq!(problems.len(), usize::try_from(errors + warnings).unwrap());
        let fields =
            ["severity", "lint", "file", "line", "column", "variable", "key", "text", "message", "help"];
        for problem in problems {
            assert!(fields.iter().all(|field| problem.get(field).is_some()), "{problem:#}");
        }
    }
    std::fs::write(&config, "[server]\nprot = 1\n").unwrap();
    let (_, out, _) = run(&["check", "--format", "json"], folder.path());
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    let problem =
        report["problems"].as_array().unwrap().iter().find(|it| it["key"] == "server.prot").unwrap();
    assert_eq!(
        (&problem["file"], &problem["line"], &problem["column"]),
        (&"config.toml".into(), &2.into(), &1.into())
    );
    assert_eq!(problem["help"], "did you mean `server.port`?");
}

/// Nothing is printed, and nothing written, before the port is known to be free.
#[test]
fn quickstart_refuses_a_port_in_use_first() {
    let folder = tempfile::tempdir().unwrap();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    let (code, out, err) = run(&["quickstart", "--dir", "new", "--port", &port], folder.path());
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    assert!(err.contains("is in use") && err.contains("--port"), "{err}");
    assert!(!folder.path().join("new").exists());
    let (code, out, err) = run(&["quickstart", "--dir", "new", "--port", &port, "--no-start"], folder.path());
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains(&format!("localhost:{port}")), "{out}");
}
