//! What the folder holds, and that a second run changes nothing.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::*;

fn options(dir: PathBuf) -> Quickstart {
    Quickstart { dir, address: IpAddr::from([127, 0, 0, 1]), port: 8443, no_start: true }
}

/// Every file below, with its mode.
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

#[test]
fn the_folder_is_complete_private_and_loads() {
    let parent = tempfile::tempdir().expect("a temporary folder");
    let folder = parent.path().join("deep").join("quickstart");
    run(&options(folder.clone()), LogFormat::Text).expect("a new folder");
    let written = files(&folder);
    for (path, mode, content) in &written {
        let is_key = content.windows(11).any(|window| window == b"PRIVATE KEY");
        assert_eq!(*mode, if is_key { 0o600 } else { 0o644 }, "{} {mode:o}", path.display());
        let has_blank = content.windows(2).any(|window| window == b"{{");
        assert!(!has_blank, "{} has a blank left", path.display());
    }
    let loaded = angos_config::load(&[folder.join("config.toml")], std::iter::empty());
    let configuration = loaded.unwrap_or_else(|problems| panic!("{problems}"));
    assert!(configuration.warnings.is_empty(), "{:?}", configuration.warnings);
    assert!(configuration.tls.is_some() && configuration.access.policies.global.is_some());
    assert_eq!(configuration.server.listen.to_string(), "127.0.0.1:8443");

    run(&options(folder.clone()), LogFormat::Text).expect("a finished folder is used");
    assert!(files(&folder) == written, "and not changed");
}

#[test]
fn what_is_no_quickstart_is_left_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("config.toml"), "mine").expect("a file");
    let refused = run(&options(folder.path().to_path_buf()), LogFormat::Text).expect_err("not ours");
    assert!(refused.contains("nothing in it was changed"), "{refused}");
    assert_eq!(files(folder.path()).len(), 1);
    let odd = run(&options(folder.path().join("with space")), LogFormat::Text).expect_err("not pasteable");
    assert!(odd.contains("name a folder"), "{odd}");
}

#[test]
fn an_empty_folder_is_taken() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    run(&options(folder.path().to_path_buf()), LogFormat::Text).expect("an empty folder");
    assert!(folder.path().join("commands.txt").is_file());
}

#[test]
fn hosts_as_clients_write_them() {
    for (address, client, docker) in [
        ("127.0.0.1", "localhost", "0.0.0.0"),
        ("0.0.0.0", "localhost", "0.0.0.0"),
        ("192.0.2.7", "192.0.2.7", "192.0.2.7"),
    ] {
        let address: IpAddr = address.parse().expect("an address");
        assert_eq!((client_host(address).as_str(), docker_host(address).as_str()), (client, docker));
    }
}
