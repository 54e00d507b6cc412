//! Paths: who may issue, how long a path may be, and what a client may send beside it.

use super::{Expected, Group, Row, alice, alice_is_accepted, refused};
use angos_test_ca::{Authority, Issued, KEY_CERT_SIGN, Leaf, Signature, Text, Usage};

pub(super) fn group() -> Group {
    let root = Authority::new("Root");
    let stranger = Authority::new("Stranger");
    let short = Authority::root(&Leaf::authority("Short root").path_length(0));
    // One authority, two keys: the old and the new one are both trusted.
    let [old, new] = [Authority::new("Rolled over"), Authority::new("Rolled over")];
    let mut rows = lengths(&root, &short);
    rows.extend(issuers(&root));
    rows.extend(company(&root));
    rows.extend(signatures(&root, &stranger));
    rows.extend(crossings(&root, &stranger));
    rows.extend(labyrinths(&root));
    rows.push(alice_is_accepted("of the old key of an authority", old.issue(&alice())));
    rows.push(alice_is_accepted("of the new key of an authority", new.issue(&alice())));
    rows.push(Row {
        name: "no certificate",
        credential: None,
        expected: Expected::Refused("no_certificate"),
    });
    Group::of(&[root, short, old, new], rows)
}

/// A path below `root` with so many intermediates.
fn below(root: &Authority, count: usize) -> Authority {
    (1..=count).fold(root.clone(), |issuer, number| issuer.intermediate(&format!("CA {number}")))
}

fn lengths(root: &Authority, short: &Authority) -> Vec<Row> {
    let limited = |most| root.subordinate(&Leaf::authority("Limited").path_length(most));
    let (none, one) = (limited(0), limited(1));
    let itself = none.intermediate("Limited");
    vec![
        alice_is_accepted("directly below the root", root.issue(&alice())),
        alice_is_accepted("one intermediate", below(root, 1).issue(&alice())),
        alice_is_accepted("six intermediates", below(root, 6).issue(&alice())),
        refused("seven intermediates", below(root, 7).issue(&alice()), "path_length"),
        alice_is_accepted("path length 0 and a leaf", none.issue(&alice())),
        refused(
            "path length 0 and an intermediate",
            none.intermediate("Below").issue(&alice()),
            "path_length",
        ),
        alice_is_accepted("path length 1 and an intermediate", one.intermediate("Below").issue(&alice())),
        refused("path length 1 and two intermediates", below(&one, 2).issue(&alice()), "path_length"),
        // RFC 5280 §6.1.4 (l) does not count what an authority issues to itself; here it counts, and what is left is to
        // try the old key.
        refused("path length 0 and a new key of the same authority", itself.issue(&alice()), "bad_signature"),
        alice_is_accepted("path length 0 of the root and a leaf", short.issue(&alice())),
        refused(
            "path length 0 of the root and an intermediate",
            short.intermediate("Below").issue(&alice()),
            "path_length",
        ),
        alice_is_accepted("path length 0 of a leaf", root.issue(&alice().path_length(0))),
    ]
}

fn issuers(root: &Authority) -> Vec<Row> {
    let by = |leaf: Leaf| root.subordinate(&leaf).issue(&alice());
    let authority = || Leaf::authority("Team CA");
    vec![
        refused(
            "an intermediate that is no authority",
            by(authority().basic_constraints(Some(false))),
            "bad_certificate",
        ),
        refused(
            "an intermediate without basic constraints",
            by(authority().basic_constraints(None)),
            "bad_certificate",
        ),
        refused("an intermediate of version 1", by(authority().version(1)), "certificate_version"),
        refused("a client as issuer", by(Leaf::client("mallory")), "bad_certificate"),
        refused("the root as client", root.as_client(), "ca_as_client"),
        refused("an intermediate as client", root.intermediate("Team CA").as_client(), "ca_as_client"),
        refused(
            "a leaf that says it is an authority",
            root.issue(&alice().basic_constraints(Some(true))),
            "ca_as_client",
        ),
        alice_is_accepted("a leaf without basic constraints", root.issue(&alice().basic_constraints(None))),
        refused("a leaf of version 1", root.issue(&alice().version(1)), "certificate_version"),
        refused("a leaf of version 2", root.issue(&alice().version(2)), "certificate_version"),
    ]
}

/// What a client sends beside what is needed.
fn company(root: &Authority) -> Vec<Row> {
    let deep = below(root, 3);
    let leaf = deep.issue(&alice());
    let chain = leaf.chain_der[1..].to_vec();
    let reversed: Vec<_> = chain.iter().rev().cloned().collect();
    let doubled = [chain.clone(), chain.clone()].concat();
    let gap = [chain[0].clone(), chain[2].clone()];
    let crowd: Vec<_> =
        (0..60).map(|number| Authority::new(&format!("Bystander {number}")).certificate_der()).collect();
    let with = |intermediates: Vec<Vec<u8>>| leaf.clone().with_intermediates(intermediates);
    let unseen = root.intermediate("Unseen CA").issue(&alice()).with_intermediates([]);
    let leaf_again = [vec![leaf.certificate_der.clone()], chain.clone()].concat();
    let rooted = [chain.clone(), vec![root.certificate_der()]].concat();
    let garbage_first = [vec![b"\x30\x03\x02\x01\x05".to_vec()], chain.clone()].concat();
    let garbage_last = [chain.clone(), vec![b"garbage".to_vec()]].concat();
    vec![
        alice_is_accepted("intermediates in reverse", with(reversed)),
        alice_is_accepted("each intermediate twice", with(doubled)),
        alice_is_accepted("the leaf twice", with(leaf_again)),
        alice_is_accepted("the root as well", with(rooted)),
        alice_is_accepted("sixty bystanders first", with([crowd.clone(), chain.clone()].concat())),
        alice_is_accepted("sixty bystanders last", with([chain.clone(), crowd.clone()].concat())),
        // Rows above have shown these intermediates to the server, so it knows what is missing.
        refused("an intermediate is missing", with(gap.to_vec()), "incomplete_chain"),
        refused("an intermediate that nobody has sent is missing", unseen, "unknown_ca"),
        refused("all intermediates are missing", with(Vec::new()), "incomplete_chain"),
        refused("bystanders instead of intermediates", with(crowd), "incomplete_chain"),
        alice_is_accepted("something unreadable behind the intermediates", with(garbage_last)),
        alice_is_accepted("something unreadable before the intermediates", with(garbage_first)),
        refused(
            "more than a handshake message holds",
            with(vec![vec![0x30; 60_000], vec![0x30; 60_000]]),
            "protocol",
        ),
    ]
}

fn signatures(root: &Authority, stranger: &Authority) -> Vec<Row> {
    let team = root.intermediate("Team CA");
    let forged = root.subordinate(&Leaf::authority("Forged").signature(Signature::Forged));
    let impostor = Authority::new("Root");
    let [mine, yours] = [root.issue(&alice()), root.issue(&alice())];
    let stolen = Issued { key_der: yours.key_der, key_pem: yours.key_pem, ..mine };
    let namesake = root.intermediate("Team CA");
    let both = [namesake.certificate_der(), team.certificate_der()];
    vec![
        refused("of a stranger", stranger.issue(&alice()), "unknown_ca"),
        refused("of a stranger's intermediate", stranger.intermediate("CA").issue(&alice()), "unknown_ca"),
        refused(
            "of a stranger, root and all",
            stranger.issue(&alice()).with_intermediates([stranger.certificate_der()]),
            "unknown_ca",
        ),
        refused("self-signed", Authority::root(&alice()).as_client(), "self_signed"),
        refused(
            "self-signed, as `openssl req -x509` makes it",
            Authority::new("alice").as_client(),
            "self_signed",
        ),
        refused("of a CA with other letter case", Authority::new("ROOT").issue(&alice()), "issuer_name"),
        refused("of a CA with more spaces", Authority::new("Rolled  over").issue(&alice()), "issuer_name"),
        refused(
            "of a CA with another string type",
            Authority::root(
                &Leaf::new(Usage::None)
                    .common_name(Text::Printable("Root".into()))
                    .basic_constraints(Some(true))
                    .key_usage(Some(KEY_CERT_SIGN)),
            )
            .issue(&alice()),
            "issuer_name",
        ),
        refused(
            "self-signed under the root's name",
            Authority::root(&Leaf::client("Root")).as_client(),
            "bad_signature",
        ),
        refused("of another authority of the same name", impostor.issue(&alice()), "bad_signature"),
        refused("a forged signature", root.issue(&alice().signature(Signature::Forged)), "bad_signature"),
        refused("a forged signature of an intermediate", forged.issue(&alice()), "bad_signature"),
        refused("someone else's key", stolen, "bad_signature"),
        alice_is_accepted("beside a namesake of its issuer", team.issue(&alice()).with_intermediates(both)),
        refused(
            "a namesake instead of its issuer",
            team.issue(&alice()).with_intermediates([namesake.certificate_der()]),
            "bad_signature",
        ),
        alice_is_accepted("without key identifiers", root.issue(&alice().without_key_identifiers())),
    ]
}

fn crossings(root: &Authority, stranger: &Authority) -> Vec<Row> {
    let team = stranger.intermediate("Team CA");
    let crossed = root.cross_sign(&team, &Leaf::authority("Team CA"));
    let bridge = root.cross_sign(stranger, &Leaf::authority("Stranger"));
    let leaf = || team.issue(&alice());
    let [theirs, ours, bridge] = [&team, &crossed, &bridge].map(Authority::certificate_der);
    vec![
        alice_is_accepted("cross-signed", leaf().with_intermediates([ours.clone()])),
        alice_is_accepted(
            "both ways, the unknown one first",
            leaf().with_intermediates([theirs.clone(), ours.clone()]),
        ),
        alice_is_accepted(
            "both ways, the known one first",
            leaf().with_intermediates([ours, theirs.clone()]),
        ),
        alice_is_accepted("over a bridge", leaf().with_intermediates([theirs.clone(), bridge])),
        refused("only the unknown way", leaf().with_intermediates([theirs]), "incomplete_chain"),
    ]
}

/// Certificates that lead a verifier in circles.
fn labyrinths(root: &Authority) -> Vec<Row> {
    let [left, right] = [Authority::new("Left"), Authority::new("Right")];
    let [to_left, to_right] = [
        right.cross_sign(&left, &Leaf::authority("Left")),
        left.cross_sign(&right, &Leaf::authority("Right")),
    ];
    let circle = [to_left.certificate_der(), to_right.certificate_der()];
    let exit = root.cross_sign(&left, &Leaf::authority("Left")).certificate_der();
    let leaf = left.issue(&alice());
    // Every certificate of one name is a possible issuer of every other.
    let maze: Vec<_> = (0..24).map(|_| Authority::new("Maze")).collect();
    let walls = maze.iter().zip(maze.iter().skip(1)).flat_map(|(one, other)| {
        [(one, other), (other, one)]
            .map(|(by, of)| by.cross_sign(of, &Leaf::authority("Maze")).certificate_der())
    });
    let lost = maze[0].issue(&alice()).with_intermediates(walls);
    // Ten of one name make more paths than can be tried, and a hundred others make each step long.
    let hall = Authority::new("Hall");
    let doors = (0..10).map(|_| hall.intermediate("Hall").certificate_der());
    let others = (0..130).map(|number| hall.intermediate(&format!("Other {number}")).certificate_der());
    let mirrors = Authority::new("Hall").issue(&alice()).with_intermediates(others.chain(doors));
    vec![
        refused("a hall of mirrors", mirrors, "bad_certificate"),
        refused("a circle", leaf.clone().with_intermediates(circle.clone()), "unknown_ca"),
        alice_is_accepted("a circle with an exit", leaf.with_intermediates(circle.into_iter().chain([exit]))),
        refused("a maze of one name", lost, "bad_certificate"),
    ]
}
