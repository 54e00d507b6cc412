//! New folders, earlier ones, and what is refused.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rcgen::{CertificateParams, DnType, KeyPair};
use time::{Duration, OffsetDateTime};

use super::*;

/// Every file below, with its mode and content.
fn files(folder: &Path) -> Vec<(PathBuf, u32, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            found.extend(files(&entry));
        } else {
            let mode = fs::metadata(&entry).expect("a file").permissions().mode() & 0o777;
            found.push((entry.clone(), mode, fs::read(&entry).expect("a file")));
        }
    }
    found.sort();
    found
}

fn read(folder: &Path, file: &str) -> String {
    fs::read_to_string(folder.join(file)).expect(file)
}

fn prepared(folder: &Path) -> Quickstart {
    prepare(&Options::new(folder)).expect("a quickstart")
}

#[test]
fn a_new_folder_is_complete_private_and_loads() {
    let parent = tempfile::tempdir().expect("a temporary folder");
    let folder = parent.path().join("deep").join("quickstart");
    assert!(prepared(&folder).notes.is_empty());
    let written = files(&folder);
    for (path, mode, content) in &written {
        let is_key = content.windows(11).any(|window| window == b"PRIVATE KEY");
        assert_eq!(*mode, if is_key { 0o600 } else { 0o644 }, "{} {mode:o}", path.display());
        let has_blank = content.windows(2).any(|window| window == b"{{");
        assert!(!has_blank, "{} has a placeholder left", path.display());
    }
    let loaded = angos_config::load(&[folder.join("config.toml")], std::iter::empty());
    let configuration = loaded.unwrap_or_else(|problems| panic!("{problems}"));
    assert!(configuration.warnings.is_empty(), "{:?}", configuration.warnings);
    assert!(configuration.tls.is_some() && configuration.access.policies.global.is_some());
    assert_eq!(configuration.server.listen.to_string(), "127.0.0.1:8443");

    let again = prepared(&folder);
    assert!(files(&folder) == written, "a second run changes nothing");
    assert_eq!(again.notes.len(), 1, "{:?}", again.notes);
    assert_eq!(again.commands, read(&folder, "commands.txt"));
}

#[test]
fn other_folders_are_left_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("config.toml"), "mine").expect("a file");
    let refused = prepare(&Options::new(folder.path())).expect_err("not ours").to_string();
    assert!(refused.contains("nothing in it was changed"), "{refused}");
    assert_eq!(files(folder.path()).len(), 1);
    let odd = prepare(&Options::new(folder.path().join("with space"))).expect_err("a space").to_string();
    assert!(odd.contains("choose a folder"), "{odd}");
}

#[test]
fn an_empty_folder_is_used() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    prepared(folder.path());
    assert!(folder.path().join("commands.txt").is_file());
}

#[test]
fn a_port_in_use_is_an_error_before_anything_is_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut options = Options::new(folder.path());
    options.port = Some(other.local_addr().expect("an address").port());
    options.needs_port = true;
    let error = prepare(&options).expect_err("in use").to_string();
    assert!(error.contains("is in use") && error.contains("--port"), "{error}");
    assert!(files(folder.path()).is_empty());
}

#[test]
fn an_earlier_folder_takes_another_port() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    prepared(folder.path());
    let mut options = Options::new(folder.path());
    options.port = Some(9443);
    let changed = prepare(&options).expect("another port");
    assert!(changed.commands.contains("https://localhost:9443/v2/") && !changed.commands.contains("8443"));
    assert!(read(folder.path(), "config.toml").contains("\nport = 9443\n"));
    assert!(read(folder.path(), "containerd/localhost:9443/hosts.toml").contains("localhost:9443"));
    assert_eq!(changed.notes.len(), 3, "{:?}", changed.notes);
    assert_eq!(prepared(folder.path()).commands, changed.commands, "and keeps it");

    let config = read(folder.path(), "config.toml").replace("\nport = 9443\n", "\nport = 9443 # mine\n");
    fs::write(folder.path().join("config.toml"), config).expect("a file");
    options.port = Some(7443);
    let refused = prepare(&options).expect_err("an edited line").to_string();
    assert!(refused.contains("change the port there"), "{refused}");
}

#[test]
fn an_earlier_folder_keeps_its_address() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    prepared(folder.path());
    let mut options = Options::new(folder.path());
    options.address = Some([127, 0, 0, 1].into());
    prepare(&options).expect("the same address");
    options.address = Some([192, 0, 2, 7].into());
    let refused = prepare(&options).expect_err("another address").to_string();
    assert!(refused.contains("was made for 127.0.0.1"), "{refused}");
}

#[test]
fn a_moved_folder_has_its_paths_renewed() {
    let parent = tempfile::tempdir().expect("a temporary folder");
    let (before, after) = (parent.path().join("before"), parent.path().join("after"));
    prepared(&before);
    fs::rename(&before, &after).expect("a new name");
    let moved = prepared(&after);
    assert!(!moved.commands.contains("/before/"), "{}", moved.commands);
    assert_eq!(moved.commands, read(&after, "commands.txt"));
    let hosts = read(&after, "containerd/localhost:8443/hosts.toml");
    assert!(hosts.contains("/after/") && !hosts.contains("/before/"), "{hosts}");
    assert!(moved.notes.iter().any(|note| note.contains("were renewed")), "{:?}", moved.notes);
}

/// Replaces the server's certificate by one that ends in so many days.
fn ends_in(folder: &Path, days: i64, name: &str) {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.not_before = OffsetDateTime::now_utc() - Duration::days(100);
    parameters.not_after = OffsetDateTime::now_utc() + Duration::days(days);
    let certificate = parameters.self_signed(&KeyPair::generate().expect("a key")).expect("a certificate");
    fs::write(folder.join("tls/server-certificate.pem"), certificate.pem()).expect("a file");
}

#[test]
fn certificates_near_their_end_are_announced_and_expired_ones_renewed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    prepared(folder.path());
    let load = || angos_config::load(&[folder.path().join("config.toml")], std::iter::empty());
    for (days, name, expected) in [
        (20, "Angos quickstart", None),
        (10, "Angos quickstart", Some("expire on")),
        (-1, "not ours", None),
        (-1, "Angos quickstart", Some("copy the files of clients/ again")),
    ] {
        // The key does not fit, which the configuration would report; only the address is read of it.
        let key = read(folder.path(), "tls/server-private-key.pem");
        ends_in(folder.path(), days, name);
        let files = Files::new(folder.path(), SocketAddr::from(([127, 0, 0, 1], 8443)));
        let note = files.renew_certificates().expect("readable");
        assert_eq!(note.is_some(), expected.is_some(), "{days} {name} {note:?}");
        assert!(expected.is_none_or(|text| note.as_deref().unwrap_or_default().contains(text)), "{note:?}");
        let is_renewed = read(folder.path(), "tls/server-private-key.pem") != key;
        assert_eq!(is_renewed, days < 0 && expected.is_some(), "{days} {name}");
    }
    assert!(load().is_ok(), "the new set belongs together");
}

#[test]
fn hosts_as_clients_write_them() {
    for (address, client, docker) in [
        ("127.0.0.1", "localhost", "0.0.0.0"),
        ("0.0.0.0", "localhost", "0.0.0.0"),
        ("192.0.2.7", "192.0.2.7", "192.0.2.7"),
    ] {
        let address: IpAddr = address.parse().expect("an address");
        let hosts = (files::client_host(address), files::docker_host(address));
        assert_eq!((hosts.0.as_str(), hosts.1.as_str()), (client, docker));
    }
}
