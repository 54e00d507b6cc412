//! Revocation lists: who is on one, whose word a list is, and what holds where no list speaks.

use super::{Group, Row, alice, alice_is_accepted, refused};
use angos_test_ca::{
    Authority, CRL_SIGN, Issued, KEY_CERT_SIGN, Leaf, RevocationList, Scope, Signature, pem,
};

const HOUR: i64 = 3600;
const REVOKED: &str = "revoked";
const UNKNOWN: &str = "revocation_unknown";

/// Authorities, their lists, and rows about both.
#[derive(Default)]
struct Case {
    anchors: Vec<Authority>,
    lists: Vec<Vec<u8>>,
    rows: Vec<Row>,
}

impl Case {
    fn list(&mut self, issuer: &Authority, list: &RevocationList) {
        self.lists.push(issuer.revocation_list(list));
    }

    /// One file of authorities and a folder of lists, in PEM and DER by turns.
    fn into_group(self, revocation: &str) -> Group {
        let bundle: String = self.anchors.iter().map(Authority::certificate_pem).collect();
        let mut files = vec![("team.pem".to_owned(), bundle.into_bytes())];
        for (number, list) in self.lists.into_iter().enumerate() {
            let bytes = if number % 2 == 0 { list } else { pem("X509 CRL", &list).into_bytes() };
            files.push((format!("lists/{number}.crl"), bytes));
        }
        let authority = "[[server.tls.client_ca]]\nname = \"team\"\nbundle = \"FOLDER/team.pem\"\ncrls = [\"FOLDER/lists\"]\n";
        let tls = format!("client_auth = \"required\"\n{revocation}{authority}");
        Group { files, tls, rows: self.rows }
    }
}

pub(super) fn strict() -> Group {
    let mut case = Case::default();
    for add in [plain, serial_numbers, intermediates, points, scopes, versions, unusable] {
        add(&mut case);
    }
    case.into_group("")
}

fn list() -> RevocationList {
    RevocationList::new(1)
}

fn plain(case: &mut Case) {
    let root = Authority::new("Root");
    let [good, bad, held, expired] =
        [alice(), alice(), alice(), alice().expired()].map(|leaf| root.issue(&leaf));
    let unlisted = Authority::new("Unlisted");
    case.list(&root, &list().revoke(&bad.serial).revoke_because(&held.serial, 6).revoke(&expired.serial));
    let namesake = unlisted.issue(&alice().serial(&good.serial));
    case.rows.extend([
        alice_is_accepted("not on the list", good),
        refused("on the list", bad, REVOKED),
        refused("on the list, on hold", held, REVOKED),
        refused("on the list, and expired", expired, "expired"),
        refused("of an authority without a list", namesake, UNKNOWN),
    ]);
    case.anchors.extend([root, unlisted]);
}

fn serial_numbers(case: &mut Case) {
    let root = Authority::new("Serial numbers");
    let [high, long, one, other] = [&[0xff, 1][..], &[0x7f; 20], &[0, 0, 5], &[5, 0]];
    let negative = root.issue(&alice().raw_serial(&[0xfe]));
    case.list(&root, &list().revoke(high).revoke(long).revoke(&[5]).revoke_raw(&[0xff]).revoke_raw(&[0xfe]));
    let with = |serial| root.issue(&alice().serial(serial));
    case.rows.extend([
        refused("a serial number with its highest bit set, revoked", with(high), REVOKED),
        refused("a serial number of 20 bytes, revoked", with(long), REVOKED),
        refused("a small serial number, revoked", with(one), REVOKED),
        alice_is_accepted("a serial number that begins like a revoked one", with(other)),
        refused("a negative serial number, revoked", negative, REVOKED),
        alice_is_accepted("255, where -1 is revoked", with(&[0xff])),
    ]);
    case.anchors.push(root);
}

fn intermediates(case: &mut Case) {
    let root = Authority::new("Upper root");
    let team = root.intermediate("Listed CA");
    let stolen = root.intermediate("Stolen CA");
    let silent = root.intermediate("Silent CA");
    let mute = root.subordinate(&Leaf::authority("Mute CA").key_usage(Some(KEY_CERT_SIGN)));
    let imitated = root.intermediate("Imitated CA");
    let [good, bad] = [team.issue(&alice()), team.issue(&alice())];
    case.list(&root, &list().revoke(stolen.serial()));
    case.list(&team, &list().revoke(&bad.serial));
    case.list(&stolen, &list());
    case.list(&mute, &list());
    case.list(&Authority::new("Imitated CA"), &list());
    let deep = stolen.intermediate("Deep CA");
    case.list(&deep, &list());
    case.rows.extend([
        alice_is_accepted("not on the list of its intermediate", good),
        refused("on the list of its intermediate", bad, REVOKED),
        refused("its intermediate is on the list", stolen.issue(&alice()), REVOKED),
        refused("an intermediate further up is on the list", deep.issue(&alice()), REVOKED),
        refused("its intermediate has no list", silent.issue(&alice()), UNKNOWN),
        refused("its intermediate may not sign lists", mute.issue(&alice()), UNKNOWN),
        refused("somebody else signed its intermediate's list", imitated.issue(&alice()), UNKNOWN),
    ]);
    case.anchors.push(root);
}

fn points(case: &mut Case) {
    const ONE: &str = "http://crl.example/1";
    const TWO: &str = "http://crl.example/2";
    const THREE: &str = "http://crl.example/3";
    let root = Authority::new("Partitioned");
    let at = |points: &[&str]| root.issue(&alice().crl_distribution_points(points));
    let [in_one, in_two, by_second] = [at(&[ONE]), at(&[TWO]), at(&[ONE, TWO])];
    case.list(&root, &list().distribution_point(ONE, Scope::All).revoke(&in_one.serial));
    case.list(
        &root,
        &list().distribution_point(TWO, Scope::All).revoke(&in_two.serial).revoke(&by_second.serial),
    );
    case.rows.extend([
        alice_is_accepted("on no list of its point", at(&[ONE])),
        alice_is_accepted("on no list of its second point", at(&[THREE, TWO])),
        refused("on the list of its point", in_one, REVOKED),
        refused("on the list of the other point", in_two, REVOKED),
        refused("on the list of the second of two points", by_second, REVOKED),
        refused("of a point whose list is not there", at(&[THREE]), UNKNOWN),
        // RFC 5280 §6.3.3: its point is its issuer, of which none of these lists is.
        refused("of no point, where all lists are of one", root.issue(&alice()), UNKNOWN),
    ]);
    case.anchors.push(root);
}

fn scopes(case: &mut Case) {
    const POINT: &str = "http://crl.example/scoped";
    let users = Authority::new("Users only");
    let authorities = Authority::new("Authorities only");
    case.list(&users, &list().distribution_point(POINT, Scope::Users));
    case.list(&authorities, &list().distribution_point(POINT, Scope::Authorities));
    let leaf = || alice().crl_distribution_points(&[POINT]);
    let below = users.subordinate(&Leaf::authority("Below").crl_distribution_points(&[POINT]));
    case.list(&below, &list());
    case.rows.extend([
        alice_is_accepted("a leaf by a list for leaves", users.issue(&leaf())),
        refused("an intermediate by a list for leaves", below.issue(&alice()), UNKNOWN),
        refused("a leaf by a list for authorities", authorities.issue(&leaf()), UNKNOWN),
    ]);
    case.anchors.extend([users, authorities]);
}

/// Several lists of one issuer: the highest number counts, whatever the order of the files.
fn versions(case: &mut Case) {
    let root = Authority::new("Twice listed");
    let [released, revoked] = [root.issue(&alice()), root.issue(&alice())];
    case.list(&root, &RevocationList::new(256).revoke(&revoked.serial));
    case.list(&root, &RevocationList::new(255).revoke(&released.serial));
    case.rows.extend([
        refused("on the newer list only", revoked, REVOKED),
        alice_is_accepted("on the older list only", released),
    ]);
    case.anchors.push(root);
}

fn unusable(case: &mut Case) {
    let [expired, forged, impostor] = ["Expired list", "Forged list", "Impostor's list"].map(Authority::new);
    let mute = Authority::root(&Leaf::authority("Mute root").key_usage(Some(KEY_CERT_SIGN)));
    let able = Authority::root(&Leaf::authority("Able root").key_usage(Some(KEY_CERT_SIGN | CRL_SIGN)));
    let bad = expired.issue(&alice());
    case.list(&expired, &list().valid(-48 * HOUR, -HOUR).revoke(&bad.serial));
    case.list(&forged, &list().signature(Signature::Forged));
    case.list(&Authority::new("Impostor's list"), &list());
    case.list(&mute, &list());
    case.list(&able, &list());
    case.rows.extend([
        refused("the list has expired", expired.issue(&alice()), UNKNOWN),
        refused("on a list that has expired", bad, REVOKED),
        refused("the list's signature is forged", forged.issue(&alice()), UNKNOWN),
        refused("the list is another authority's of the same name", impostor.issue(&alice()), UNKNOWN),
        refused("the authority may not sign lists", mute.issue(&alice()), UNKNOWN),
        alice_is_accepted("the authority may sign lists", able.issue(&alice())),
    ]);
    case.anchors.extend([expired, forged, impostor, mute, able]);
}

/// The same authorities under other settings: all that is in doubt, and who is revoked beyond doubt.
fn doubtful() -> (Case, [Issued; 6]) {
    let mut case = Case::default();
    let [root, expired, unlisted] = ["Root", "Expired list", "Unlisted"].map(Authority::new);
    let team = root.intermediate("Unlisted CA");
    let stolen = root.intermediate("Stolen CA");
    let [bad, old_bad] = [root.issue(&alice()), expired.issue(&alice())];
    case.list(&root, &list().revoke(&bad.serial).revoke(stolen.serial()));
    case.list(&expired, &list().valid(-48 * HOUR, -HOUR).revoke(&old_bad.serial));
    case.list(&stolen, &list());
    let issued = [&unlisted, &expired, &team, &stolen].map(|issuer| issuer.issue(&alice()));
    let [unlisted_leaf, expired_leaf, team_leaf, stolen_leaf] = issued;
    case.rows.push(alice_is_accepted("not on the list", root.issue(&alice())));
    case.anchors.extend([root, expired, unlisted]);
    (case, [bad, old_bad, unlisted_leaf, expired_leaf, team_leaf, stolen_leaf])
}

pub(super) fn lenient() -> Group {
    let (mut case, [bad, old_bad, unlisted, expired, below_unlisted, below_stolen]) = doubtful();
    case.rows.extend([
        refused("on the list", bad, REVOKED),
        refused("on a list that has expired", old_bad, REVOKED),
        refused("its intermediate is on the list", below_stolen, REVOKED),
        alice_is_accepted("of an authority without a list", unlisted),
        alice_is_accepted("the list has expired", expired),
        alice_is_accepted("its intermediate has no list", below_unlisted),
    ]);
    case.into_group("[server.tls.revocation]\nunknown_status = \"allow\"\nexpired_list = \"allow\"\n")
}

pub(super) fn leaves() -> Group {
    let (mut case, [bad, old_bad, unlisted, expired, below_unlisted, below_stolen]) = doubtful();
    case.rows.extend([
        refused("on the list", bad, REVOKED),
        refused("on a list that has expired", old_bad, REVOKED),
        refused("of an authority without a list", unlisted, UNKNOWN),
        refused("the list has expired", expired, UNKNOWN),
        refused("its intermediate has no list", below_unlisted, UNKNOWN),
        alice_is_accepted("its intermediate is on the list", below_stolen),
    ]);
    case.into_group("[server.tls.revocation]\ndepth = \"leaf\"\n")
}
