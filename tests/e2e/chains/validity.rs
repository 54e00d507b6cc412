//! Dates: of the leaf, of what is between, of the authority itself.

use super::{Group, Row, alice, alice_is_accepted, refused};
use angos_test_ca::{Authority, Leaf};

const HOUR: i64 = 3600;
const YEAR: i64 = 365 * 24 * HOUR;

pub(super) fn group() -> Group {
    let root = Authority::new("Root");
    let expired_root = Authority::root(&Leaf::authority("Expired root").valid(-2 * HOUR, -HOUR));
    let future_root = Authority::root(&Leaf::authority("Future root").valid(HOUR, 2 * HOUR));
    let mut rows = of_leaves(&root);
    rows.extend(of_intermediates(&root));
    // Beyond RFC 5280 §6.1.1 (d), to which an authority is a name and a key.
    rows.push(refused("of an expired authority", expired_root.issue(&alice()), "expired"));
    rows.push(refused("of an authority of tomorrow", future_root.issue(&alice()), "not_yet_valid"));
    rows.push(refused(
        "an expired leaf of an expired authority",
        expired_root.issue(&alice().expired()),
        "expired",
    ));
    Group::of(&[root, expired_root, future_root], rows)
}

fn of_leaves(root: &Authority) -> Vec<Row> {
    let issue = |from, to| root.issue(&alice().valid(from, to));
    vec![
        alice_is_accepted("valid today", root.issue(&alice())),
        alice_is_accepted("valid for five more minutes", issue(-HOUR, 300)),
        alice_is_accepted("valid since a moment ago", issue(-5, HOUR)),
        alice_is_accepted("valid until the year 9999", issue(-HOUR, i64::MAX / 2)),
        alice_is_accepted("valid since 1970", issue(-56 * YEAR, HOUR)),
        alice_is_accepted("valid until 2050 and beyond", issue(-HOUR, 40 * YEAR)),
        refused("expired an hour ago", root.issue(&alice().expired()), "expired"),
        refused("expired fifty years ago", issue(-52 * YEAR, -50 * YEAR), "expired"),
        refused("not valid before an hour from now", root.issue(&alice().not_yet_valid()), "not_yet_valid"),
        refused("not valid before the year 9999", issue(i64::MAX / 2, i64::MAX / 2), "not_yet_valid"),
        refused("ends before it begins", issue(HOUR, -HOUR), "expired"),
        refused("expired and of a stranger", Authority::new("Stranger").issue(&alice().expired()), "expired"),
    ]
}

fn of_intermediates(root: &Authority) -> Vec<Row> {
    let below = |from, to| root.subordinate(&Leaf::authority("Team CA").valid(from, to));
    let past = below(-2 * HOUR, -HOUR);
    let renewed = root.cross_sign(&past, &Leaf::authority("Team CA"));
    let deep = past.intermediate("Deep CA");
    vec![
        alice_is_accepted("outlives its intermediate", below(-HOUR, 300).issue(&alice())),
        refused("an expired intermediate", past.issue(&alice()), "expired"),
        refused("an intermediate of tomorrow", below(HOUR, 2 * HOUR).issue(&alice()), "not_yet_valid"),
        refused("an expired intermediate in the middle", deep.issue(&alice()), "expired"),
        alice_is_accepted(
            "an intermediate, expired and renewed",
            past.issue(&alice()).with_intermediates([past.certificate_der(), renewed.certificate_der()]),
        ),
    ]
}
