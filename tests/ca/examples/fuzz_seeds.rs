//! Writes what the fuzz targets of `angos-tls` begin with: one authority, its server and client, and a corpus of chains,
//! bundles and lists around it. Valid until the year 9999, because the fixed keys make them reproducible inputs and not
//! credentials: `cargo run -p angos-test-ca --example fuzz_seeds -- tests/fuzz`.
#![allow(clippy::unwrap_used, reason = "a tool of tests: whatever goes wrong here must stop it")]

use std::fs;
use std::path::Path;

use angos_test_ca::{Authority, Key, Leaf, RevocationList, Scope, Signature, Subtree, pem};

const FOREVER: i64 = i64::MAX / 2;

fn main() {
    let folder = std::env::args().nth(1).unwrap();
    let folder = Path::new(&folder);
    let root = Authority::root(&authority("Root"));
    let client = root.issue(&forever(Leaf::client("alice")));
    let server = root.issue(&forever(Leaf::server(["localhost"])));
    let seeds = folder.join("seeds");
    write(&seeds, "authority.pem", root.certificate_pem().as_bytes());
    write(&seeds, "server.pem", server.certificate_pem.as_bytes());
    write(&seeds, "server.key", server.key_pem.as_bytes());
    write(&seeds, "client.der", &client.certificate_der);
    write(&seeds, "client.key.der", &client.key_der);
    chains(&folder.join("corpus/client_chain"), &root, &client.certificate_der);
    bundles(&folder.join("corpus/authorities"), &root);
    lists(&folder.join("corpus/revocation_list"), &root);
}

fn authority(name: &str) -> Leaf {
    forever(Leaf::authority(name))
}

fn forever(leaf: Leaf) -> Leaf {
    leaf.valid(-24 * 3600, FOREVER)
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join(name), bytes).unwrap();
}

/// Certificates in a row, each behind two bytes of length, big end first.
fn row(certificates: &[Vec<u8>]) -> Vec<u8> {
    let framed =
        certificates.iter().map(|der| [&u16::try_from(der.len()).unwrap().to_be_bytes(), &der[..]].concat());
    framed.collect::<Vec<_>>().concat()
}

fn chains(folder: &Path, root: &Authority, client: &[u8]) {
    let team = root.subordinate(&authority("Team CA").path_length(1));
    let deep = team.subordinate(&authority("Deep CA").name_constraints(&[Subtree::Dns("example.com")], &[]));
    let id = forever(Leaf::client("ci"))
        .uri("spiffe://prod.example/ci")
        .crl_distribution_points(&["http://crl.example/1"]);
    let twin = Authority::root(&authority("Root"));
    let crossed = root.cross_sign(&twin, &authority("Root"));
    let versioned = |version, certificates: &[Vec<u8>]| [vec![version], row(certificates)].concat();
    let row = |certificates: &[Vec<u8>]| versioned(0, certificates);
    write(folder, "alone", &row(&[client.to_vec()]));
    write(folder, "alone-older", &versioned(1, &[client.to_vec()]));
    write(folder, "with-root", &row(&[client.to_vec(), root.certificate_der()]));
    write(
        folder,
        "with-bystanders",
        &row(&[client.to_vec(), team.certificate_der(), deep.certificate_der()]),
    );
    write(folder, "deep", &row(&deep.issue(&forever(Leaf::client("bob")).dns("ci.example.com")).chain_der));
    write(folder, "spiffe", &row(&team.issue(&id).chain_der));
    write(folder, "crossed", &row(&crossed.issue(&forever(Leaf::client("eve"))).chain_der));
    write(folder, "rsa", &row(&root.issue(&forever(Leaf::client("rsa")).key(Key::Rsa)).chain_der));
    write(
        folder,
        "forged",
        &row(&[root.issue(&forever(Leaf::client("eve")).signature(Signature::Forged)).certificate_der]),
    );
}

fn bundles(folder: &Path, root: &Authority) {
    let team = root.subordinate(&authority("Team CA").path_length(0).key(Key::Ed25519));
    let mute = Authority::root(&authority("Mute").key_usage(None).without_key_identifiers());
    let bound = Authority::root(&authority("Bound").name_constraints(
        &[Subtree::Ip([10, 0, 0, 0], [255, 0, 0, 0])],
        &[Subtree::Email("example.com"), Subtree::Organization("Others")],
    ));
    write(folder, "one", &row(&[root.certificate_der()]));
    write(
        folder,
        "several",
        &row(&[team.certificate_der(), mute.certificate_der(), bound.certificate_der()]),
    );
    write(folder, "leaf", &row(&[root.issue(&forever(Leaf::client("alice"))).certificate_der]));
    write(folder, "first-version", &row(&[Authority::root(&authority("Old").version(1)).certificate_der()]));
}

fn lists(folder: &Path, root: &Authority) {
    const POINT: &str = "http://crl.example/1";
    let plain = RevocationList::new(1).valid(-3600, FOREVER);
    let revoking = plain.clone().revoke(&[5]).revoke_because(&[0x80; 20], 6);
    let sign = |list: &RevocationList| root.revocation_list(list);
    write(folder, "empty", &sign(&plain));
    write(folder, "revoking", &sign(&revoking));
    write(folder, "pem", pem("X509 CRL", &sign(&revoking)).as_bytes());
    write(
        folder,
        "two",
        [pem("X509 CRL", &sign(&plain)), pem("X509 CRL", &sign(&revoking))].concat().as_bytes(),
    );
    write(folder, "users", &sign(&plain.clone().distribution_point(POINT, Scope::Users)));
    write(folder, "indirect", &sign(&plain.clone().distribution_point(POINT, Scope::Indirect)));
    write(folder, "delta", &sign(&plain.clone().delta_of(1)));
    write(folder, "first-version", &sign(&plain.clone().version(1)));
    write(folder, "forged", &sign(&plain.signature(Signature::Forged)));
}
