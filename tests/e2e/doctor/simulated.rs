//! A server that does not run: its configuration read, and the handshake performed in memory.

use super::{check, doctor, write};
use crate::harness::{Pki, Setup};
use angos_test_ca::{Authority, Issued, KEY_ENCIPHERMENT, Leaf, RevocationList, Subtree, Usage};
use std::fs;
use tempfile::TempDir;

const ARGUMENTS: [&str; 6] = ["-c", "config.toml", "--cert", "client.pem", "--key", "client.key"];

/// A configuration in a folder, and a client in the same folder.
pub(super) struct Fixture {
    pub(super) folder: TempDir,
    pub(super) pki: Pki,
}

impl Fixture {
    pub(super) fn new(mode: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pki = Pki::new(folder.path());
        let text = format!(
            "{}[blob_store.fs]\nroot_dir = \"{}\"\n{}",
            pki.section(mode),
            folder.path().join("data").display(),
            super::ANYONE
        );
        fs::write(folder.path().join("config.toml"), text).unwrap();
        let fixture = Self { folder, pki };
        fixture.client(&Leaf::client("alice"));
        fixture
    }

    fn client(&self, leaf: &Leaf) {
        write(&self.pki.authority.issue(leaf), self.folder.path(), "client");
    }

    #[track_caller]
    fn check(&self, more: &[&str], names: &[&str], words: &str) {
        check(self.folder.path(), &[&ARGUMENTS[..], more].concat(), names, words);
    }
}

#[test]
fn clients_of_a_configured_server() {
    let fixture = Fixture::new("required");
    fixture.check(&[], &[], "");
    fixture.check(&["localhost:1", "--ca", "ca.pem", "--timeout", "1"], &["connection_refused"], "");
    let rows: [(Leaf, &[&str], &str); 6] = [
        (
            Leaf::client("encrypts").key_usage(Some(KEY_ENCIPHERMENT)),
            &["client_key_usage"],
            "does not include digitalSignature",
        ),
        (
            Leaf::client("old").expired(),
            &["client_expired"],
            "In its own words: the certificate or one of its intermediates",
        ),
        (Leaf::client("young").not_yet_valid(), &["client_not_yet_valid"], "begins"),
        (Leaf::client("server").usage(Usage::Server), &["client_wrong_usage"], "other purposes"),
        (Leaf::client("nul\0byte"), &["client_identity_unreadable"], "control character"),
        (Leaf::client("both").usage(Usage::Both), &[], ""),
    ];
    for (leaf, names, words) in rows {
        fixture.client(&leaf);
        fixture.check(&[], names, words);
    }
    write(&fixture.pki.stranger.issue(&Leaf::client("alice")), fixture.folder.path(), "client");
    fixture.check(&[], &["unknown_ca"], "signed by CN=An authority nobody trusts");
    let namesake = Authority::new("ANGOS END-TO-END AUTHORITY").issue(&Leaf::client("alice"));
    write(&namesake, fixture.folder.path(), "client");
    fixture.check(&[], &["issuer_name"], "other letter case");
    write(&Authority::root(&Leaf::client("alice")).as_client(), fixture.folder.path(), "client");
    fixture.check(&[], &["client_self_signed"], "its subject is its issuer");
    check(
        fixture.folder.path(),
        &["-c", "config.toml"],
        &["certificate_required"],
        "CN=Angos end-to-end authority",
    );
    // A client whose key is another's gets as far as any client would: nowhere. Only that is said.
    fixture.client(&Leaf::client("alice"));
    fs::copy(fixture.folder.path().join("server.key"), fixture.folder.path().join("client.key")).unwrap();
    let found = doctor(fixture.folder.path(), &ARGUMENTS);
    assert!(found.names().contains(&"key_mismatch".to_owned()), "{}", found.text);
    assert!(!found.names().contains(&"certificate_required".to_owned()), "{}", found.text);
}

#[test]
fn the_server_side_of_a_configuration() {
    let fixture = Fixture::new("optional");
    check(fixture.folder.path(), &["-c", "config.toml"], &[], "");
    let server = |leaf: &Leaf| {
        fixture.pki.authority.issue(leaf).write(fixture.folder.path(), "server");
    };
    let names = ["localhost", "127.0.0.1"];
    let trusting = ["--ca", "ca.pem", "localhost:1", "--timeout", "1"];
    let rows: [(Leaf, &[&str]); 4] = [
        (Leaf::server(["elsewhere.example"]), &["server_name_mismatch"]),
        (Leaf::server(names).expired(), &["server_expired", "configuration_warning"]),
        (Leaf::server(names).not_yet_valid(), &["server_not_yet_valid", "configuration_warning"]),
        (Leaf::server(names).usage(Usage::Client), &["server_wrong_usage"]),
    ];
    for (leaf, expected) in rows {
        server(&leaf);
        let found = doctor(fixture.folder.path(), &[&ARGUMENTS[..], &trusting].concat());
        let names: Vec<_> = found.names().into_iter().filter(|it| it != "connection_refused").collect();
        assert_eq!(names, expected, "{}", found.text);
    }
    server(&Leaf::server(names));
    fixture.check(&["--ca", "client.pem"], &["not_a_ca", "server_not_trusted"], "is not a CA");
    fs::write(fixture.folder.path().join("server.pem"), "").unwrap();
    fixture.check(&[], &["configuration_error"], "the file holds no certificate");
}

#[test]
fn clients_on_a_revocation_list() {
    let fixture = Fixture::new("none");
    let at = |name: &str| fixture.folder.path().join(name);
    let config = fs::read_to_string(at("config.toml")).unwrap();
    let authority = "client_auth = \"required\"\n[[server.tls.client_ca]]\nname = \"staff\"\nbundle = \"ca.pem\"\ncrls = [\"list.crl\"]\n";
    fs::write(at("config.toml"), config.replace("[blob_store.fs]", &format!("{authority}[blob_store.fs]")))
        .unwrap();
    let publish = |list: &RevocationList| {
        fs::write(at("list.crl"), fixture.pki.authority.revocation_list(list)).unwrap();
    };
    fixture.client(&Leaf::client("alice").serial(&[7]));
    publish(&RevocationList::new(1).revoke(&[6]));
    fixture.check(&[], &[], "");
    publish(&RevocationList::new(2).revoke(&[7]));
    fixture.check(
        &[],
        &["revoked"],
        "CN=alice is revoked. The server ended the handshake with the alert certificate_revoked (44)",
    );
    publish(&RevocationList::new(3).valid(-7200, -3600));
    let found = doctor(fixture.folder.path(), &ARGUMENTS);
    assert!(found.names().contains(&"revocation_unknown".to_owned()), "{}", found.text);
}

/// The same from a configuration and from the server that runs it; only the former knows the server's own words.
#[test]
fn authorities_that_may_not_vouch_for_everybody() {
    let fixture = Fixture::new("none");
    let at = |name: &str| fixture.folder.path().join(name);
    let bound = Authority::root(
        &Leaf::authority("Names of example.com").name_constraints(&[Subtree::Dns("example.com")], &[]),
    );
    bound.write(fixture.folder.path(), "bound");
    let lines = format!(
        "client_auth = \"required\"\n\
         [[server.tls.client_ca]]\nname = \"mesh\"\nbundle = \"{}\"\nspiffe_trust_domain = \"prod.example\"\n\
         [[server.tls.client_ca]]\nname = \"bound\"\nbundle = \"{}\"\n",
        at("ca.pem").display(),
        at("bound.pem").display()
    );
    let config = fs::read_to_string(at("config.toml")).unwrap();
    fs::write(at("config.toml"), config.replace("[blob_store.fs]", &format!("{lines}[blob_store.fs]")))
        .unwrap();
    let registry = Setup::mutual("none", super::ANYONE).tls_lines(&lines).start();
    let address = format!("https://localhost:{}", registry.address.port());
    registry.pki.authority.write(fixture.folder.path(), "servers");
    let client = || Leaf::client("alice");
    let mesh = &fixture.pki.authority;
    let rows: [(Issued, &[&str], &str, &str); 5] = [
        (mesh.issue(&client().uri("spiffe://prod.example/a")), &[], "", ""),
        (
            mesh.issue(&client().uri("spiffe://test.example/a")),
            &["client_trust_domain"],
            "Its SPIFFE id is spiffe://test.example/a.",
            "(its SPIFFE id is not of the trust domain prod.example)",
        ),
        (
            mesh.issue(&client()),
            &["client_trust_domain"],
            "It has no SPIFFE id.",
            "(it has no SPIFFE id, and one of the trust domain prod.example is demanded)",
        ),
        (bound.issue(&client().dns("a.example.com")), &[], "", ""),
        (
            bound.issue(&client().dns("a.example.org")),
            &["client_refused"],
            "certificate_unknown (46)",
            "(a name in it is outside the name constraints of a CA)",
        ),
    ];
    for (issued, names, words, own_words) in rows {
        write(&issued, fixture.folder.path(), "client");
        fixture.check(&[], names, words);
        fixture.check(&[], names, own_words);
        let running = [&*address, "--cert", "client.pem", "--key", "client.key", "--ca", "servers.pem"];
        check(fixture.folder.path(), &running, names, words);
    }
}

#[test]
fn configurations_without_tls() {
    let fixture = Fixture::new("none");
    fixture.check(&[], &["certificate_not_asked"], "did not request the certificate");
    fs::write(fixture.folder.path().join("config.toml"), super::ANYONE).unwrap();
    fixture.check(&[], &["tls_not_configured"], "[server.tls]");
    fs::write(fixture.folder.path().join("config.toml"), "[server]\nprot = 1\n").unwrap();
    fixture.check(&[], &["configuration_error"], "server.prot");
}
