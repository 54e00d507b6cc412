//! Name constraints: of each kind, permitted and excluded, of intermediates and of the authority itself.
//!
//! DNS names and addresses are compared. For the other kinds RFC 5280 §4.2.1.10 leaves the choice to compare or to
//! refuse; here a certificate that has a name of a constrained kind is refused.

use super::{Group, Row, accepted, alice, alice_is_accepted, refused};
use angos_test_ca::{Authority, Leaf, Subtree};
use std::net::{IpAddr, Ipv4Addr};

const CLASS: &str = "name_constraint";
const EXAMPLE: &[Subtree] = &[Subtree::Dns("example.com")];
const NET: &[Subtree] = &[Subtree::Ip([10, 1, 0, 0], [255, 255, 0, 0])];

pub(super) fn group() -> Group {
    let root = Authority::new("Root");
    let example = Authority::root(&Leaf::authority("Root of example.com").name_constraints(EXAMPLE, &[]));
    let mut rows = dns(&root);
    rows.extend(addresses(&root));
    rows.extend(refused_kinds(&root));
    rows.extend(layers(&root));
    let (inside, outside) = (alice().dns("ci.example.com"), alice().dns("ci.example.org"));
    rows.push(accepted(
        "inside of the root's names",
        example.issue(&inside),
        "c.dns_names == ['ci.example.com']",
    ));
    rows.push(refused("outside of the root's names", example.issue(&outside), CLASS));
    rows.push(refused(
        "outside of the root's names, further down",
        example.intermediate("CA").issue(&outside),
        CLASS,
    ));
    Group::of(&[root, example], rows)
}

fn constrained(root: &Authority, permitted: &[Subtree], excluded: &[Subtree]) -> Authority {
    root.subordinate(&Leaf::authority("Team CA").name_constraints(permitted, excluded))
}

fn dns(root: &Authority) -> Vec<Row> {
    let (only, without) = (constrained(root, EXAMPLE, &[]), constrained(root, &[], EXAMPLE));
    let named = |name| alice().dns(name);
    let is = |name| format!("c.dns_names == ['{name}']");
    vec![
        accepted("a permitted name", only.issue(&named("example.com")), &is("example.com")),
        accepted("below a permitted name", only.issue(&named("a.b.example.com")), &is("a.b.example.com")),
        accepted("a permitted name in capitals", only.issue(&named("CI.Example.COM")), &is("CI.Example.COM")),
        refused("beside a permitted name", only.issue(&named("example.org")), CLASS),
        refused("a permitted name as a mere ending", only.issue(&named("badexample.com")), CLASS),
        refused(
            "one permitted name and another",
            only.issue(&named("example.com").dns("example.org")),
            CLASS,
        ),
        alice_is_accepted("no name where names are permitted", only.issue(&alice())),
        refused("an excluded name", without.issue(&named("example.com")), CLASS),
        refused("below an excluded name", without.issue(&named("ci.example.com")), CLASS),
        accepted("beside an excluded name", without.issue(&named("example.org")), &is("example.org")),
        refused("a wildcard above an excluded name", without.issue(&named("*.com")), "bad_certificate"),
        alice_is_accepted("no name where names are excluded", without.issue(&alice())),
    ]
}

fn addresses(root: &Authority) -> Vec<Row> {
    let (only, without) = (constrained(root, NET, &[]), constrained(root, &[], NET));
    let at = |octets: [u8; 4]| alice().ip(IpAddr::V4(Ipv4Addr::from(octets)));
    vec![
        accepted("a permitted address", only.issue(&at([10, 1, 2, 3])), "c.ip_addresses == ['10.1.2.3']"),
        refused("beside the permitted addresses", only.issue(&at([10, 2, 0, 1])), CLASS),
        refused("another family than permitted", only.issue(&alice().ip("::1".parse().unwrap())), CLASS),
        refused("an excluded address", without.issue(&at([10, 1, 255, 255])), CLASS),
        accepted(
            "beside the excluded addresses",
            without.issue(&at([10, 0, 0, 1])),
            "c.ip_addresses == ['10.0.0.1']",
        ),
        alice_is_accepted("no address where addresses are permitted", only.issue(&alice())),
    ]
}

/// Kinds whose constraints are not compared: whoever has such a name is refused, nobody else.
fn refused_kinds(root: &Authority) -> Vec<Row> {
    let emails = &[Subtree::Email("example.com")];
    let uris = &[Subtree::Uri(".example.com")];
    let organizations = &[Subtree::Organization("Team")];
    let others = &[Subtree::Organization("Others")];
    let with_email = || alice().email("alice@example.com");
    let with_uri = || alice().uri("https://ci.example.com/x");
    let with_id = || alice().uri("spiffe://prod.example.com/ci");
    vec![
        refused(
            "an e-mail address where some are permitted",
            constrained(root, emails, &[]).issue(&with_email()),
            CLASS,
        ),
        refused(
            "an e-mail address where some are excluded",
            constrained(root, &[], emails).issue(&with_email()),
            CLASS,
        ),
        alice_is_accepted(
            "no e-mail address where some are permitted",
            constrained(root, emails, &[]).issue(&alice()),
        ),
        alice_is_accepted(
            "no e-mail address where some are excluded",
            constrained(root, &[], emails).issue(&alice()),
        ),
        refused("a URI where some are permitted", constrained(root, uris, &[]).issue(&with_uri()), CLASS),
        refused("a URI where some are excluded", constrained(root, &[], uris).issue(&with_uri()), CLASS),
        refused(
            "a SPIFFE id where URIs are permitted",
            constrained(root, uris, &[]).issue(&with_id()),
            CLASS,
        ),
        alice_is_accepted("no URI where some are permitted", constrained(root, uris, &[]).issue(&alice())),
        refused("a directory name, permitted", constrained(root, organizations, &[]).issue(&alice()), CLASS),
        refused("a directory name, not permitted", constrained(root, others, &[]).issue(&alice()), CLASS),
        refused("a directory name, excluded", constrained(root, &[], organizations).issue(&alice()), CLASS),
        refused("a directory name, not excluded", constrained(root, &[], others).issue(&alice()), CLASS),
    ]
}

fn layers(root: &Authority) -> Vec<Row> {
    let narrow = |permitted: &'static str, excluded: &'static str| {
        constrained(root, EXAMPLE, &[]).subordinate(
            &Leaf::authority("Narrow CA")
                .name_constraints(&[Subtree::Dns(permitted)], &[Subtree::Dns(excluded)]),
        )
    };
    let ci = narrow("ci.example.com", "secret.ci.example.com");
    let wide = narrow("example.org", "nothing.invalid");
    let named = |name| alice().dns(name);
    let of_leaf = alice().name_constraints(EXAMPLE, &[]).dns("example.org");
    let empty = root.subordinate(&Leaf::authority("Team CA").extension(&[2, 5, 29, 30], true, &[0x30, 0]));
    let broken = root.subordinate(&Leaf::authority("Team CA").extension(&[2, 5, 29, 30], true, b"\x04\x01x"));
    vec![
        accepted(
            "inside of both",
            ci.issue(&named("a.ci.example.com")),
            "c.dns_names == ['a.ci.example.com']",
        ),
        refused("inside of the upper one only", ci.issue(&named("cd.example.com")), CLASS),
        refused("inside of both, and excluded", ci.issue(&named("secret.ci.example.com")), CLASS),
        refused("inside of the lower one only", wide.issue(&named("example.org")), CLASS),
        accepted("constraints of a leaf bind nobody", root.issue(&of_leaf), "c.dns_names == ['example.org']"),
        alice_is_accepted("constraints that are empty", empty.issue(&alice())),
        refused("constraints that cannot be read", broken.issue(&alice()), "bad_certificate"),
    ]
}
