//! Files that no client could use, and what is said of each without a server.

use super::{check, doctor, make_private, write};
use angos_test_ca::{Authority, Key, Leaf};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use tempfile::TempDir;

const PAIR: [&str; 4] = ["--cert", "client.pem", "--key", "client.key"];

/// A folder with a good pair of alice's and everything that somebody might take for one.
fn fixture() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let authority = Authority::new("CA");
    let issued = authority.issue(&Leaf::client("alice"));
    write(&issued, folder.path(), "client");
    write(&authority.issue(&Leaf::client("bob")), folder.path(), "bob");
    write(&authority.issue(&Leaf::client("early").version(1)), folder.path(), "first");
    authority.write(folder.path(), "ca");
    let section = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
    let rows: [(&str, Vec<u8>); 10] = [
        ("der.pem", issued.certificate_der.clone()),
        ("cut.pem", issued.certificate_pem.as_bytes()[..200].to_vec()),
        ("empty.pem", Vec::new()),
        ("words.pem", b"not a certificate\n".to_vec()),
        ("junk.pem", section("CERTIFICATE").into()),
        ("request.pem", section("CERTIFICATE REQUEST").into()),
        ("two.key", issued.key_pem.repeat(2).into()),
        ("bad.key", section("PRIVATE KEY").into()),
        ("secret.key", section("ENCRYPTED PRIVATE KEY").into()),
        ("together.pem", (issued.certificate_pem.clone() + &issued.key_pem).into()),
    ];
    for (name, content) in rows {
        fs::write(at(name), content).unwrap();
        make_private(&at(name));
    }
    folder
}

#[test]
fn each_file_that_is_not_what_it_should_be() {
    let folder = fixture();
    check(folder.path(), &PAIR, &[], "");
    let rows: [(&[&str], &[&str], &str); 19] = [
        (&["--cert", "first.pem", "--key", "first.key"], &["client_unusable"], "of version 1"),
        (&["--cert", "together.pem"], &[], ""),
        (&["--cert", "nowhere.pem", "--key", "client.key"], &["file_missing"], "does not exist"),
        (&["--cert", "client.pem", "--key", "nowhere.key"], &["file_missing"], "does not exist"),
        (&["--cert", ".", "--key", "client.key"], &["file_unreadable"], "not a regular file"),
        (&["--cert", "/dev/zero", "--key", "client.key"], &["file_unreadable"], "not a regular file"),
        (&["--cert", "der.pem", "--key", "client.key"], &["not_pem"], "DER"),
        (&["--cert", "cut.pem", "--key", "client.key"], &["not_pem"], "cut off"),
        (&["--cert", "empty.pem", "--key", "client.key"], &["wrong_file"], "no PEM section"),
        (&["--cert", "words.pem", "--key", "client.key"], &["wrong_file"], "no PEM section"),
        (
            &["--cert", "junk.pem", "--key", "client.key"],
            &["client_unusable", "client_identity_unreadable"],
            "",
        ),
        (
            &["--cert", "client.key", "--key", "client.pem"],
            &["wrong_file", "wrong_file"],
            "holds a private key",
        ),
        (&["--cert", "request.pem", "--key", "client.key"], &["wrong_file"], "a certificate request"),
        (&["--cert", "client.pem"], &["wrong_file"], "holds a certificate"),
        (&["--cert", "client.pem", "--key", "bob.key"], &["key_mismatch"], "not the one"),
        (&["--cert", "client.pem", "--key", "two.key"], &["key_unusable"], "more than one"),
        (&["--cert", "client.pem", "--key", "bad.key"], &["key_unusable"], "cannot be used"),
        (&["--cert", "client.pem", "--key", "secret.key"], &["key_encrypted"], "encrypted"),
        (
            &["--cert", "ca.pem", "--key", "client.key"],
            &["key_mismatch", "client_is_ca"],
            "CN=CA is a CA certificate",
        ),
    ];
    for (arguments, names, words) in rows {
        check(folder.path(), arguments, names, words);
    }
    let old = Authority::root(&Leaf::authority("Old CA").expired());
    old.write(folder.path(), "old");
    let rows: [(&str, &[&str], &str); 4] = [
        ("ca.pem", &[], ""),
        ("old.pem", &["ca_expired"], "CN=Old CA is valid from "),
        ("client.pem", &["not_a_ca"], "CN=alice is not a CA"),
        ("client.key", &["wrong_file"], "should hold the CAs of the server, and holds a private key"),
    ];
    for (bundle, names, words) in rows {
        check(folder.path(), &["--ca", bundle], names, words);
    }
}

#[test]
fn a_key_that_everybody_can_read() {
    let folder = tempfile::tempdir().unwrap();
    let (_, key) = write(&Authority::new("CA").issue(&Leaf::client("alice")), folder.path(), "client");
    for (mode, names) in [(0o644, &["key_exposed"][..]), (0o640, &[]), (0o604, &["key_exposed"])] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        check(folder.path(), &PAIR, names, "");
    }
}

#[test]
fn keys_of_every_kind() {
    let folder = tempfile::tempdir().unwrap();
    for kind in [Key::P256, Key::P384, Key::Ed25519, Key::Rsa] {
        write(&Authority::new("CA").issue(&Leaf::client("alice").key(kind)), folder.path(), "client");
        check(folder.path(), &PAIR, &[], "");
    }
}

#[test]
fn an_intermediate_that_has_ended_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("CA");
    let mut issued = authority.issue(&Leaf::client("alice"));
    issued.certificate_pem += &authority.issue(&Leaf::client("old").expired()).certificate_pem;
    issued.certificate_pem += &authority.issue(&Leaf::client("young").not_yet_valid()).certificate_pem;
    write(&issued, folder.path(), "client");
    check(folder.path(), &PAIR, &["intermediate_expired", "intermediate_not_yet_valid"], "CN=old ended");
}

/// Whatever is in a file, the doctor ends by itself and says something.
#[test]
fn hostile_files() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("huge"), vec![b'-'; 3 * 1024 * 1024]).unwrap();
    fs::write(at("begins"), "-----BEGIN CERTIFICATE-----\n".repeat(30_000)).unwrap();
    fs::write(at("binary"), (0..=255).cycle().take(100_000).collect::<Vec<u8>>()).unwrap();
    fs::write(at("labels"), "-----BEGIN \u{1b}[31mX-----\n-----END \u{1b}[31mX-----\n".repeat(1000)).unwrap();
    let nested = [0x30, 0x84, 0xff, 0xff, 0xff, 0xff].repeat(1000);
    fs::write(at("nested"), nested).unwrap();
    assert!(Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
    for name in ["huge", "begins", "binary", "labels", "nested", "pipe", "/dev/urandom"] {
        for arguments in [&["--cert", name][..], &["--ca", name]] {
            let found = doctor(folder.path(), arguments);
            assert_eq!(found.code, 1, "{name}: {}", found.text);
            assert!(!found.text.contains('\u{1b}'), "{name}: {}", found.text);
        }
    }
}
