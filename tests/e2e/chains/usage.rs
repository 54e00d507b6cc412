//! Key usage and extended key usage, of leaves and of what is above them.

use super::{Group, Row, alice, alice_is_accepted, refused};
use angos_test_ca::{Authority, CRL_SIGN, DIGITAL_SIGNATURE, KEY_CERT_SIGN, KEY_ENCIPHERMENT, Leaf, Usage};

const EXTENDED_KEY_USAGE: &[u64] = &[2, 5, 29, 37];
const CLIENT_AUTH: &[u8] = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02";

pub(super) fn group() -> Group {
    let root = Authority::new("Root");
    let servers = Authority::root(&Leaf::authority("Root for servers").usage(Usage::Server));
    let mut rows = purposes_of_leaves(&root);
    rows.extend(purposes_of_intermediates(&root));
    rows.extend(key_usage(&root));
    // RFC 5280 §6.1.1 (d): an authority is a name and a key; its purposes are not applied.
    rows.push(alice_is_accepted("of an authority for servers", servers.issue(&alice())));
    Group::of(&[root, servers], rows)
}

fn purposes_of_leaves(root: &Authority) -> Vec<Row> {
    let issue = |usage| root.issue(&alice().usage(usage));
    let written = |critical, bytes: &[u8]| {
        root.issue(&alice().usage(Usage::None).extension(EXTENDED_KEY_USAGE, critical, bytes))
    };
    let client_only = [&[0x30, 10], CLIENT_AUTH].concat();
    let many: Vec<u8> =
        (0..100).flat_map(|number| [0x06, 3, 0x2a, 3, number]).chain(CLIENT_AUTH.to_vec()).collect();
    let many = sequence(&many);
    vec![
        alice_is_accepted("for clients", issue(Usage::Client)),
        alice_is_accepted("for clients, critical", written(true, &client_only)),
        alice_is_accepted("for both ends", issue(Usage::Both)),
        alice_is_accepted("without a purpose", issue(Usage::None)),
        alice_is_accepted("for a hundred other things too", written(false, &many)),
        refused("for servers", issue(Usage::Server), "wrong_usage"),
        refused("for signing code", issue(Usage::Other), "wrong_usage"),
        // RFC 5280 §4.2.1.12 lets a verifier demand its own purpose beside the one that means all.
        refused("for anything", issue(Usage::Any), "wrong_usage"),
        refused("for nothing at all", written(false, &[0x30, 0]), "wrong_usage"),
        refused("for something unreadable", written(false, &[0x30, 2, 0x05, 0]), "bad_certificate"),
    ]
}

fn sequence(value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[0x30, 0x82][..], &length, value].concat()
}

fn purposes_of_intermediates(root: &Authority) -> Vec<Row> {
    let below = |usage| root.subordinate(&Leaf::authority("Team CA").usage(usage));
    vec![
        alice_is_accepted("an intermediate for clients", below(Usage::Client).issue(&alice())),
        alice_is_accepted("an intermediate for both ends", below(Usage::Both).issue(&alice())),
        refused("an intermediate for servers", below(Usage::Server).issue(&alice()), "wrong_usage"),
        refused("an intermediate for anything", below(Usage::Any).issue(&alice()), "wrong_usage"),
        refused(
            "an intermediate for servers, further up",
            below(Usage::Server).intermediate("Deep CA").issue(&alice()),
            "wrong_usage",
        ),
    ]
}

fn key_usage(root: &Authority) -> Vec<Row> {
    let leaf = |bits| root.issue(&alice().key_usage(bits));
    let below = |bits| root.subordinate(&Leaf::authority("Team CA").key_usage(bits)).issue(&alice());
    vec![
        alice_is_accepted("a key that signs", leaf(Some(DIGITAL_SIGNATURE))),
        alice_is_accepted("a key that signs and encrypts", leaf(Some(DIGITAL_SIGNATURE | KEY_ENCIPHERMENT))),
        alice_is_accepted("a key without a usage", leaf(None)),
        alice_is_accepted("an intermediate without key usage", below(None)),
        alice_is_accepted("an intermediate that signs certificates only", below(Some(KEY_CERT_SIGN))),
        // RFC 8446 §4.4.2.2 and RFC 5280 §6.1.4 (n).
        refused("a key that only encrypts", leaf(Some(KEY_ENCIPHERMENT)), "key_usage"),
        refused("a key that may do nothing", leaf(Some(0)), "key_usage"),
        refused("an intermediate that signs lists only", below(Some(CRL_SIGN)), "key_usage"),
        refused("an intermediate that signs no certificates", below(Some(DIGITAL_SIGNATURE)), "key_usage"),
    ]
}
