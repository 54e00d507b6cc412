//! Reloads that meet what is no regular file, a file that is still being written, or one that lost its end.

use crate::harness::{Pki, Registry, Setup, TIMEOUT, hash_password, settle};
use angos_test_ca::RevocationList;
use hyper::StatusCode;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often the log has these words.
fn count(registry: &Registry, words: &str) -> usize {
    registry.log().matches(words).count()
}

/// Waits until the log has these words once more than `before`.
async fn wait_for(registry: &Registry, words: &str, before: usize) {
    let started = Instant::now();
    while count(registry, words) == before {
        assert!(started.elapsed() < TIMEOUT, "no {words:?}:\n{}", registry.log());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Makes something at a path.
type Make = fn(&Path);

/// What a file is replaced by.
const KINDS: [(&str, Make); 4] = [
    ("a pipe", |path| {
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    }),
    ("a device", |path| symlink("/dev/zero", path).unwrap()),
    ("a socket", |path| drop(UnixListener::bind(path).unwrap())),
    ("a folder", |path| fs::create_dir(path).unwrap()),
];

fn remove(path: &Path) {
    if path.is_dir() && !path.is_symlink() {
        fs::remove_dir(path).unwrap();
    } else {
        fs::remove_file(path).unwrap();
    }
}

#[tokio::test]
async fn what_is_no_file_is_reported_and_later_reloads_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let pki = Pki::new(folder.path());
    let list = pki.stranger.revocation_list(&RevocationList::new(1));
    let hash = hash_password("secret");
    let rest = "[[server.tls.client_ca]]\nname = \"partners\"\nbundle = \"stranger.pem\"\ncrls = [\"crls\"]\n\
        [auth.identity.ci]\nusername = \"ci\"\npassword_file = \"ci.hash\"\n\
        [global.access_policy]\nrules = [\"'round 0' in identity.certificate.organizations\"]\n[server.management]\nport = 0\n";
    let files: [(&str, &[u8]); 2] = [("crls/a.crl", &list), ("ci.hash", hash.as_bytes())];
    let registry = Setup::mutual("optional", rest).start_in(folder, pki, &files);
    let text = fs::read_to_string(registry.folder.path().join("config.toml")).unwrap();
    let mut round = 0;
    for (kind, make) in KINDS {
        for name in ["config.toml", "ca.pem", "server.key", "ci.hash", "crls/a.crl"] {
            let path = registry.folder.path().join(name);
            let kept = registry.folder.path().join("kept");
            fs::rename(&path, &kept).unwrap();
            make(&path);
            settle(&registry.folder.path().join("crls"));
            let (refused, said) = ("reload refused", "this is not a regular file");
            let before = (count(&registry, refused), count(&registry, said));
            registry.signal("HUP");
            wait_for(&registry, said, before.1).await;
            wait_for(&registry, refused, before.0).await;
            remove(&path);
            fs::rename(&kept, &path).unwrap();
            assert!(registry.log().contains(name), "{kind} as {name} is not named:\n{}", registry.log());
        }
        // Later reloads go on, and come into force.
        round += 1;
        let organization = format!("round {round}");
        registry.rewrite_configuration(|_| text.replace("round 0", &organization));
        registry.reload();
        let started = Instant::now();
        let client = registry.client(Some(&registry.pki.client("someone", &organization)));
        while client.fetch("/v2/").await.status != StatusCode::OK {
            assert!(started.elapsed() < TIMEOUT, "after {kind}:\n{}", registry.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    let metrics = registry.metrics().await;
    let loaded =
        metrics.lines().find_map(|it| it.strip_prefix("angos_reload_last_success_timestamp_seconds "));
    let age = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH + Duration::from_secs(loaded.unwrap().parse().unwrap()));
    assert!(age.unwrap() < 2 * TIMEOUT);
}

const HALVES: [&str; 2] = [
    "[global.access_policy]\ndefault = \"allow\"\n",
    "[repository.secret.access_policy]\ndefault = \"deny\"\nrules = [\"identity.username == 'x'\"]\n",
];

/// Writes the configuration in two pieces, the second one byte by byte, while requests are made; none may be answered as if
/// there were but the first piece.
async fn written_in_pieces(hang_up: bool) {
    let registry = Setup::plain(&HALVES.concat()).start();
    let path = registry.folder.path().join("config.toml");
    let whole = fs::read_to_string(&path).unwrap();
    let head = &whole[..whole.find(HALVES[1]).unwrap()];
    // The end is another one than before, so that the reload of it can be told.
    let end = format!("{}[repository.new.access_policy]\n", HALVES[1]);
    let client = registry.plain_client();
    let answers_as_before = async || {
        let status = client.fetch("/v2/secret/tags/list").await.status;
        assert_eq!(status, StatusCode::FORBIDDEN, "half was taken:\n{}", registry.log());
    };
    let mut file = File::create(&path).unwrap();
    file.write_all(head.as_bytes()).unwrap();
    for piece in end.as_bytes().chunks(8) {
        if hang_up {
            registry.signal("HUP");
        }
        for _ in 0..10 {
            answers_as_before().await;
            tokio::time::sleep(Duration::from_millis(4)).await;
        }
        file.write_all(piece).unwrap();
    }
    let started = Instant::now();
    while !registry.log().contains("1 added (repository new)") {
        assert!(started.elapsed() < TIMEOUT, "the whole was never taken:\n{}", registry.log());
        answers_as_before().await;
    }
    answers_as_before().await;
    assert_eq!(count(&registry, "reload refused"), 0, "{}", registry.log());
}

#[tokio::test]
async fn half_a_configuration_is_not_taken_by_the_watch() {
    written_in_pieces(false).await;
}

#[tokio::test]
async fn half_a_configuration_is_not_taken_by_a_signal() {
    written_in_pieces(true).await;
}

#[tokio::test]
async fn a_configuration_that_lost_its_end_is_not_taken() {
    let rest = "[global.access_policy]\ndefault = \"allow\"\n[repository.a.access_policy]\n";
    let registry = Setup::mutual("required", rest).start();
    let whole = fs::read_to_string(registry.folder.path().join("config.toml")).unwrap();
    let client = registry.client(Some(&registry.pki.client("someone", "Team")));
    let before = |end: &str| whole[..whole.find(end).unwrap()].to_owned();
    let policy = &whole[whole.find("[global").unwrap()..];
    let head = before("[server.tls]");
    for (lost, said) in [
        (format!("{head}{policy}"), "[server.tls] is missing"),
        (before("[global"), "every access policy is missing"),
        (
            whole.replace("[global.access_policy]\ndefault = \"allow\"\n", ""),
            "[global.access_policy] is missing",
        ),
        (String::new(), "the configuration is empty"),
        ("# nothing but a comment\n".to_owned(), "the configuration is empty"),
        ("[server]\nbind_address = \"0.0.0.0\"\n".to_owned(), "insecure = true"),
    ] {
        let refused = count(&registry, "reload refused");
        registry.rewrite_configuration(|_| lost);
        registry.reload();
        registry.wait_for_log(said);
        wait_for(&registry, "reload refused", refused).await;
        assert_eq!(client.fetch("/v2/").await.status, StatusCode::OK, "{said}: the old set is not in force");
    }
    registry.rewrite_configuration(|_| whole.replace("[repository.a.access_policy]\n", ""));
    registry.reload();
    registry.wait_for_log("policies: 1 removed (repository a)");
    assert_eq!(count(&registry, " reloaded "), 1);
    registry.signal("HUP");
    registry.wait_for_log("nothing changed");
}

#[test]
fn no_start_serves_other_machines_in_the_clear_unasked() {
    let exposed = "[server]\nbind_address = \"0.0.0.0\"\nport = 0\n";
    let door = "[server]\nport = 0\n[[server.listener]]\nname = \"a\"\nport = 0\ntls = false\nbind_address = \"::\"\n";
    let insecure = exposed.replace("[server]", "[server]\ninsecure = true");
    for (verb, text, code, said) in [
        (
            "server",
            exposed,
            1,
            "config.toml:2:1: error: the server serves the registry at 0.0.0.0:0 without TLS",
        ),
        ("check", exposed, 1, "insecure = true below [server]"),
        ("server", door, 1, "listener \"a\" serves the registry at [::]:0 without TLS"),
        ("check", &insecure, 0, "warning: the server serves the registry at 0.0.0.0:0 without TLS"),
        ("server", "", 1, "the configuration is empty"),
    ] {
        let (ended, heard) = crate::startup::run(verb, text, |_, _| {});
        assert_eq!(ended, Some(code), "{verb} of {text}\n{heard}");
        assert!(heard.contains(said), "{verb} of {text}\n{heard}");
    }
}
