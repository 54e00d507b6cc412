//! What certificates say: names in every encoding, serial numbers, alternative names, extensions. Each is read
//! exactly, or its holder is refused.

use super::{ALICE, Group, Row, accepted, alice, alice_is_accepted, refused};
use angos_test_ca::{Authority, Leaf, Text, Usage};

const IDENTITY: &str = "identity";
const COMMON_NAME: &[u64] = &[2, 5, 4, 3];
const ORGANIZATION: &[u64] = &[2, 5, 4, 10];
const EMAIL_ATTRIBUTE: &[u64] = &[1, 2, 840, 113_549, 1, 9, 1];

pub(super) fn group() -> Group {
    let root = Authority::new("Root");
    let rows = [strings, subjects, serial_numbers, alternative_names, spiffe_ids, extensions];
    let rows = rows.into_iter().flat_map(|rows| rows(&root)).collect();
    Group::of(&[root], rows)
}

fn strings(root: &Authority) -> Vec<Row> {
    let named = |text: Text| root.issue(&Leaf::new(Usage::Client).common_name(text).organization("Team"));
    let text = str::to_owned;
    vec![
        accepted("a PrintableString", named(Text::Printable(text("alice"))), ALICE),
        accepted("an IA5String", named(Text::Ia5(text("alice"))), ALICE),
        accepted("a BMPString", named(Text::Bmp(text("alice"))), ALICE),
        accepted("a UniversalString", named(Text::Universal(text("alice"))), ALICE),
        accepted("a T61String of plain letters", named(Text::Teletex(b"alice".to_vec())), ALICE),
        accepted(
            "letters beyond ASCII",
            named(Text::from("Jürgen 株式会社")),
            "c.common_names == ['Jürgen 株式会社']",
        ),
        accepted(
            "a BMPString beyond ASCII",
            named(Text::Bmp(text("Jürgen"))),
            "c.common_names == ['Jürgen']",
        ),
        accepted(
            "a name of 2048 bytes",
            named(Text::from("a".repeat(2048))),
            "c.common_names[0].size() == 2048",
        ),
        refused("a name of 2049 bytes", named(Text::from("a".repeat(2049))), IDENTITY),
        accepted(
            "a T61String in Latin-1",
            named(Text::Teletex(b"J\xfcrgen".to_vec())),
            "c.common_names == ['Jürgen']",
        ),
        accepted(
            "a PrintableString with other letters",
            named(Text::Printable(text("R&D *_alice@home"))),
            "c.common_names == ['R&D *_alice@home']",
        ),
        refused("a UTF8String that is none", named(Text::Raw(0x0c, vec![0xff])), IDENTITY),
        refused("a BMPString cut in half", named(Text::Raw(0x1e, vec![0, b'a', 0])), IDENTITY),
        refused("a string of no string type", named(Text::Raw(0x02, vec![1])), IDENTITY),
        refused("NUL in a name", named(Text::from("alice\0.evil")), IDENTITY),
        refused("a line break in a name", named(Text::from("alice\nadmin")), IDENTITY),
        refused("an escape sequence in a name", named(Text::from("\u{1b}[31malice")), IDENTITY),
        refused("an empty name", named(Text::from("")), IDENTITY),
    ]
}

fn subjects(root: &Authority) -> Vec<Row> {
    let pair = |kind: &[u64], text: &str| (kind.to_vec(), Text::from(text));
    let group = vec![pair(ORGANIZATION, "Team"), pair(COMMON_NAME, "alice")];
    let nobody = || Leaf::new(Usage::Client);
    let crowd = |count| (0..count).fold(nobody(), |leaf, number| leaf.organization(format!("Team {number}")));
    vec![
        accepted("several attributes in one set", root.issue(&nobody().attributes(group)), ALICE),
        accepted(
            "two common names",
            root.issue(&Leaf::client("alice").common_name("bob")),
            "c.common_names == ['alice', 'bob'] && c.organizations == []",
        ),
        accepted(
            "a name twice",
            root.issue(&Leaf::client("alice").common_name("alice")),
            "c.common_names.size() == 2",
        ),
        accepted(
            "no subject, a DNS name",
            root.issue(&nobody().dns("ci.example")),
            "c.common_names == [] && c.dns_names == ['ci.example']",
        ),
        accepted("nobody", root.issue(&nobody()), "c.present && c.common_names == [] && c.dns_names == []"),
        accepted(
            "an e-mail address in the subject",
            root.issue(&alice().attribute(EMAIL_ATTRIBUTE, Text::Ia5("a@b.c".into()))),
            ALICE,
        ),
        alice_is_accepted(
            "an unreadable attribute that no rule can name",
            root.issue(&alice().attribute(&[2, 5, 4, 7], Text::Raw(0x0c, vec![0xff]))),
        ),
        accepted("64 attributes", root.issue(&crowd(64)), "c.organizations.size() == 64"),
        refused("65 attributes", root.issue(&crowd(65)), IDENTITY),
    ]
}

fn serial_numbers(root: &Authority) -> Vec<Row> {
    let number = |bytes: &[u8]| root.issue(&alice().serial(bytes));
    vec![
        accepted("a serial number of one byte", number(&[0x7f]), "c.serial_number == '7f'"),
        accepted("a serial number of 20 bytes", number(&[0x7f; 20]), "c.serial_number.size() == 40"),
        accepted(
            "a serial number of 20 bytes and a zero",
            number(&[0xff; 20]),
            "c.serial_number.startsWith('ff')",
        ),
        refused("a serial number of 21 bytes", number(&[0x7f; 21]), IDENTITY),
        refused("a serial number of 30 bytes", number(&[0x11; 30]), IDENTITY),
        accepted(
            "the serial number -1",
            root.issue(&alice().raw_serial(&[0xff])),
            "c.serial_number == '-01'",
        ),
        accepted("the serial number 255", number(&[0xff]), "c.serial_number == 'ff'"),
        accepted("the serial number zero", number(&[0]), "c.serial_number == '00'"),
    ]
}

fn alternative_names(root: &Authority) -> Vec<Row> {
    let crowd = |count| root.issue(&(0..count).fold(alice(), |leaf, number| leaf.dns(&format!("h{number}"))));
    let named = |tag, bytes: &[u8]| root.issue(&alice().general_name(tag, bytes));
    let every = alice()
        .dns("ci.example")
        .email("alice@example.com")
        .uri("https://ci.example/alice")
        .ip("10.0.0.1".parse().unwrap())
        .ip("2001:db8::1".parse().unwrap());
    vec![
        accepted(
            "a name of every kind",
            root.issue(&every),
            "c.dns_names == ['ci.example'] && c.email_addresses == ['alice@example.com'] && \
             c.uris == ['https://ci.example/alice'] && c.ip_addresses == ['10.0.0.1', '2001:db8::1']",
        ),
        accepted("a wildcard", root.issue(&alice().dns("*.ci.example")), "c.dns_names == ['*.ci.example']"),
        accepted("256 names", crowd(256), "c.dns_names.size() == 256"),
        refused("257 names", crowd(257), IDENTITY),
        refused("five thousand names", crowd(5000), IDENTITY),
        refused("ten thousand names, more than a handshake message holds", crowd(10_000), "protocol"),
        alice_is_accepted("kinds of names no rule can name", named(0x88, &[0x2a, 3])),
        refused("an address of three bytes", named(0x87, &[10, 0, 1]), IDENTITY),
        refused("NUL in a DNS name", named(0x82, b"ci.example\0.evil"), IDENTITY),
        refused("a DNS name with a slash", named(0x82, b"ci.example/admin"), IDENTITY),
        refused("an e-mail address without a host", named(0x81, b"alice@"), IDENTITY),
        refused("letters beyond ASCII in a DNS name", named(0x82, "ci.exämple".as_bytes()), IDENTITY),
        refused("a kind of name that there is not", named(0x8a, b"x"), IDENTITY),
    ]
}

fn spiffe_ids(root: &Authority) -> Vec<Row> {
    let with = |uri: &str| root.issue(&alice().uri(uri));
    let long = format!("spiffe://example.org/{}", "a".repeat(2048 - 21));
    let id = "spiffe://example.org/ci";
    vec![
        accepted(
            "a SPIFFE id",
            with(id),
            "c.spiffe_id == 'spiffe://example.org/ci' && c.spiffe_trust_domain == 'example.org' && c.spiffe_path == '/ci'",
        ),
        accepted(
            "a SPIFFE id that is a trust domain",
            with("spiffe://example.org"),
            "c.spiffe_trust_domain == 'example.org' && !has(c.spiffe_path)",
        ),
        accepted(
            "a SPIFFE id and another URI",
            root.issue(&alice().uri("https://example.org").uri(id)),
            "c.spiffe_id == 'spiffe://example.org/ci' && c.uris.size() == 2",
        ),
        accepted("a SPIFFE id of 2048 bytes", with(&long), "c.spiffe_id.size() == 2048"),
        refused("a SPIFFE id of 2049 bytes", with(&format!("{long}a")), IDENTITY),
        refused("two SPIFFE ids", root.issue(&alice().uri(id).uri("spiffe://example.org/cd")), IDENTITY),
        refused("a SPIFFE id twice", root.issue(&alice().uri(id).uri(id)), IDENTITY),
        refused("a SPIFFE id in capitals", with("SPIFFE://example.org/ci"), IDENTITY),
        refused("a trust domain in capitals", with("spiffe://Example.org/ci"), IDENTITY),
        refused("a SPIFFE id with a port", with("spiffe://example.org:8443/ci"), IDENTITY),
        refused("a SPIFFE id with a query", with("spiffe://example.org/ci?x"), IDENTITY),
        refused("a SPIFFE id that climbs", with("spiffe://example.org/ci/../admin"), IDENTITY),
        refused("a SPIFFE id that ends in a slash", with("spiffe://example.org/ci/"), IDENTITY),
        refused("a SPIFFE id with an escape", with("spiffe://example.org/%61dmin"), IDENTITY),
    ]
}

fn extensions(root: &Authority) -> Vec<Row> {
    const UNKNOWN: &[u64] = &[1, 3, 6, 1, 4, 1, 99999, 1];
    let with = |kind: &[u64], critical, bytes: &[u8]| root.issue(&alice().extension(kind, critical, bytes));
    let crowd =
        |count| {
            root.issue(&(0..count).fold(alice(), |leaf, number| {
                leaf.extension(&[1, 3, 6, 1, 4, 1, 99999, 2, number], false, b"")
            }))
        };
    vec![
        alice_is_accepted("an unknown extension", with(UNKNOWN, false, b"x")),
        refused("an unknown critical extension", with(UNKNOWN, true, b"x"), "bad_certificate"),
        alice_is_accepted("an extension of 32 KiB", with(UNKNOWN, false, &[0; 32 << 10])),
        refused(
            "an extension of 60 KiB, more than a certificate may hold",
            with(UNKNOWN, false, &[0; 66_000]),
            "protocol",
        ),
        // Five of the 64 are there anyway.
        alice_is_accepted("64 extensions", crowd(59)),
        refused("65 extensions", crowd(60), IDENTITY),
        refused(
            "an unknown extension twice",
            root.issue(&alice().extension(UNKNOWN, false, b"").extension(UNKNOWN, false, b"")),
            IDENTITY,
        ),
        refused("basic constraints twice", with(&[2, 5, 29, 19], true, &[0x30, 0]), "bad_certificate"),
        alice_is_accepted(
            "certificate policies",
            with(&[2, 5, 29, 32], false, b"\x30\x08\x30\x06\x06\x04\x55\x1d\x20\x00"),
        ),
        refused(
            "critical certificate policies",
            with(&[2, 5, 29, 32], true, b"\x30\x08\x30\x06\x06\x04\x55\x1d\x20\x00"),
            "bad_certificate",
        ),
        refused(
            "policy constraints",
            with(&[2, 5, 29, 36], true, b"\x30\x03\x80\x01\x00"),
            "bad_certificate",
        ),
    ]
}
