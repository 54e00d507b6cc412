//! Starting and stopping: what is wrong is said before a port opens, and nothing in flight is lost at the end.

use crate::harness::{Image, Pki, Setup, TIMEOUT, angos, digest_of, settle};
use hyper::StatusCode;
use std::process::Stdio;
use std::time::Instant;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Runs `angos -c config.toml VERB` over this configuration; the exit code and everything it said.
pub(crate) fn run(
    verb: &str,
    configuration: &str,
    prepare: impl FnOnce(&std::path::Path, &Pki),
) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let pki = Pki::new(folder.path());
    prepare(folder.path(), &pki);
    let text = configuration.replace("FOLDER", &folder.path().display().to_string());
    std::fs::write(folder.path().join("config.toml"), text).unwrap();
    settle(folder.path());
    let mut process = angos()
        .args(["-c", "config.toml", verb])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while process.try_wait().unwrap().is_none() {
        if started.elapsed() > TIMEOUT {
            process.kill().unwrap();
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let output = process.wait_with_output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), said)
}

const TLS: &str = "[server]\nbind_address = \"127.0.0.1\"\nport = 0\n[server.tls]\n\
    server_certificate_bundle = \"FOLDER/server.pem\"\nserver_private_key = \"FOLDER/server.key\"\n\
    client_ca_bundle = \"FOLDER/ca.pem\"\nclient_auth = \"required\"\n[blob_store.fs]\nroot_dir = \"FOLDER/data\"\n";

#[test]
fn a_tls_section_that_does_not_load_never_opens_a_port() {
    type Prepare = fn(&std::path::Path, &Pki);
    let rows: [(&str, Prepare); 7] = [
        ("server.pem", |folder, _| std::fs::remove_file(folder.join("server.pem")).unwrap()),
        ("server.key", |folder, _| std::fs::write(folder.join("server.key"), "not a key").unwrap()),
        ("server.key", |folder, pki| {
            let other = pki.client("other", "x");
            std::fs::write(folder.join("server.key"), other.key_pem).unwrap();
        }),
        ("ca.pem", |folder, _| std::fs::write(folder.join("ca.pem"), "").unwrap()),
        ("ca.pem", |folder, pki| {
            let leaf = pki.client("leaf", "x");
            std::fs::write(folder.join("ca.pem"), leaf.certificate_pem).unwrap();
        }),
        ("ca.pem", |folder, _| {
            let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
            std::fs::write(folder.join("ca.pem"), broken).unwrap();
        }),
        ("server.pem", |folder, _| std::fs::write(folder.join("server.pem"), vec![0; 3000]).unwrap()),
    ];
    for (number, (named, prepare)) in rows.into_iter().enumerate() {
        for verb in ["check", "server"] {
            let (code, said) = run(verb, TLS, prepare);
            assert_eq!(code, Some(1), "row {number}, {verb}: {said}");
            assert!(said.contains(named), "row {number}, {verb} does not name {named}: {said}");
            assert!(!said.contains("listening"), "row {number}, {verb}: {said}");
        }
    }
}

#[test]
fn every_problem_is_reported_at_once_with_its_place() {
    let configuration = "[server]\nprot = 8000\nbind_address = \"nowhere\"\n[global.access_policy]\ndefault = \"deny\"\n\
        rules = [\"identity.usernam == 'x'\", \"request.action == 'pull'\", \"1 + 1\"]\n";
    let (code, said) = run("check", configuration, |_, _| {});
    assert_eq!(code, Some(1), "{said}");
    for (line, words) in
        [(2, "port"), (3, "nowhere"), (6, "username"), (6, "get-manifest"), (6, "true or false")]
    {
        let place = format!("config.toml:{line}:");
        assert!(said.contains(&place), "no problem at {place}\n{said}");
        assert!(said.contains(words), "no {words} in\n{said}");
    }
}

#[test]
fn required_without_authorities_is_refused_and_ignored_modes_are_warned_about() {
    let without = TLS.replace("client_ca_bundle = \"FOLDER/ca.pem\"\n", "");
    let (code, said) = run("check", &without, |_, _| {});
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("client_ca_bundle"), "{said}");
    let (_, said) =
        run("check", &without, |folder, _| std::fs::remove_file(folder.join("server.pem")).unwrap());
    assert!(
        said.contains("client_ca_bundle") && said.contains("server.pem"),
        "both problems at once: {said}"
    );
    let optional = without.replace("required", "optional");
    let (code, said) = run("check", &optional, |_, _| {});
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("client_auth"), "no warning: {said}");
}

#[test]
fn a_port_that_is_taken_says_so() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let text = format!(
        "[server]\nbind_address = \"127.0.0.1\"\nport = {port}\n[blob_store.fs]\nroot_dir = \"FOLDER/data\"\n"
    );
    let (code, said) = run("server", &text, |_, _| {});
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&port.to_string()) && said.contains("in use"), "{said}");
}

#[tokio::test]
async fn a_stopping_server_finishes_what_is_in_flight() {
    let mut registry = Setup::plain("[global.access_policy]\ndefault = \"allow\"\n").start();
    let client = registry.plain_client();
    let image = Image::new("drain", 30_000_000);
    assert_eq!(client.push("drain", "1", &image).await.unwrap(), StatusCode::CREATED);
    let mut stream = TcpStream::connect(registry.address).await.unwrap();
    let head = format!("GET /v2/drain/blobs/{} HTTP/1.1\r\nhost: x\r\n\r\n", digest_of(&image.layer));
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut received = vec![0; 1000];
    stream.read_exact(&mut received).await.unwrap();
    registry.signal("TERM");
    let started = Instant::now();
    while client.send("GET", "/v2/", &[], "").await.is_ok() {
        assert!(started.elapsed() < TIMEOUT, "newcomers are still served");
    }
    stream.read_to_end(&mut received).await.unwrap();
    let body = received.windows(4).position(|it| it == b"\r\n\r\n").unwrap() + 4;
    assert!(received[body..] == image.layer[..], "the transfer in flight was cut short");
    assert!(registry.wait_for_exit().success(), "{}", registry.log());
}
