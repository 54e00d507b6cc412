//! Keys and signatures: of the leaf, of who signs it, and of the handshake.

use super::{Group, Row, alice, alice_is_accepted, refused};
use angos_test_ca::{Authority, Key, Leaf, Signature};

pub(super) fn group() -> Group {
    let root = Authority::new("Root");
    let of = |name: &str, key| Authority::root(&Leaf::authority(name).key(key));
    let rsa = of("RSA root", Key::Rsa);
    let large = of("Large RSA root", Key::Rsa4096);
    let small = of("Small RSA root", Key::Rsa1024);
    let anchors = [Key::P384, Key::P521, Key::Ed25519].map(|key| of(&format!("{key:?} root"), key));
    let old = Authority::root(&Leaf::authority("SHA-1 root").key(Key::Rsa).signature(Signature::RsaSha1));

    let mut rows = keys(&root);
    rows.extend(signatures(&rsa));
    let names = ["of an authority with P-384", "of an authority with P-521", "of an authority with Ed25519"];
    rows.extend(
        names.into_iter().zip(&anchors).map(|(name, anchor)| alice_is_accepted(name, anchor.issue(&alice()))),
    );
    let crossed = anchors[1].issue(&alice().signature(Signature::EcdsaP521Sha384));
    rows.push(alice_is_accepted("P-521 with SHA-384", crossed));
    rows.push(alice_is_accepted("of an authority with RSA 4096", large.issue(&alice())));
    rows.push(refused("of an authority with RSA 1024", small.issue(&alice()), "unsupported_algorithm"));
    // Nobody checks how an authority signed itself.
    rows.push(alice_is_accepted("of an authority whose own signature is SHA-1", old.issue(&alice())));
    let mixed = rsa.subordinate(&Leaf::authority("P-384 CA").key(Key::P384));
    let mixed = mixed.subordinate(&Leaf::authority("Ed25519 CA").key(Key::Ed25519));
    rows.push(alice_is_accepted("RSA over P-384 over Ed25519 over P-256", mixed.issue(&alice())));
    let anchors: Vec<_> = [root, rsa, large, small, old].into_iter().chain(anchors).collect();
    Group::of(&anchors, rows)
}

fn keys(root: &Authority) -> Vec<Row> {
    let with = |key| root.issue(&alice().key(key));
    let small = root.subordinate(&Leaf::authority("Small CA").key(Key::Rsa1024));
    let large = root.subordinate(&Leaf::authority("Large CA").key(Key::Rsa4096));
    vec![
        alice_is_accepted("a key on P-256", with(Key::P256)),
        alice_is_accepted("a key on P-384", with(Key::P384)),
        alice_is_accepted("a key on P-521", with(Key::P521)),
        alice_is_accepted("an Ed25519 key", with(Key::Ed25519)),
        alice_is_accepted("an RSA key of 2048 bits", with(Key::Rsa)),
        alice_is_accepted("an RSA key of 4096 bits", with(Key::Rsa4096)),
        refused("an RSA key of 1024 bits", with(Key::Rsa1024), "unsupported_algorithm"),
        alice_is_accepted("an intermediate with RSA 4096", large.issue(&alice())),
        refused("an intermediate with RSA 1024", small.issue(&alice()), "unsupported_algorithm"),
    ]
}

fn signatures(rsa: &Authority) -> Vec<Row> {
    let signed = |signature| rsa.issue(&alice().signature(signature));
    let by_sha1 = rsa.subordinate(&Leaf::authority("Team CA").signature(Signature::RsaSha1));
    vec![
        alice_is_accepted("RSA with SHA-256", signed(Signature::Customary)),
        alice_is_accepted("RSA with SHA-384", signed(Signature::RsaSha384)),
        alice_is_accepted("RSA with SHA-512", signed(Signature::RsaSha512)),
        alice_is_accepted("RSASSA-PSS with SHA-256", signed(Signature::RsaPss)),
        refused("RSA with SHA-1", signed(Signature::RsaSha1), "unsupported_algorithm"),
        refused("an intermediate signed with SHA-1", by_sha1.issue(&alice()), "unsupported_algorithm"),
        refused("a forged RSA signature", signed(Signature::Forged), "bad_signature"),
    ]
}
