//! What a file of policy tests may say, and what is said of one that says something else.

use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use angos_test_ca::{Authority, Leaf};
use tempfile::TempDir;

use super::*;
use crate::load_policies;

const POLICY: &str = r#"
[global.access_policy]
rules = [
    { name = "platform", when = "identity.certificate.organizations.contains('Platform')" },
    "identity.username == 'ci' && request.action == 'get-manifest'",
]
[auth.identity.robot]
username = "ci"
password_file = "/nowhere"
"#;

/// A folder with a configuration, a certificate and `cases.toml`; the policies, and what reading the cases gives.
fn read(cases: &str) -> (TempDir, Result<Cases, Problems>) {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    let config = write("config.toml", POLICY);
    let issued = Authority::new("CA").issue(&Leaf::client("builder").organization("Platform"));
    write("builder.pem", &issued.certificate_pem);
    write("binary.pem", "\u{0}\u{1}");
    let policies =
        load_policies(&[config], std::iter::empty()).expect("sound policies without their secrets");
    let path = write("cases.toml", cases);
    let read = Cases::read(&path, &policies, UNIX_EPOCH);
    (folder, read)
}

#[test]
fn lists_multiply_and_fields_go_where_they_belong() {
    let (_folder, cases) = read(
        r#"
[caller.builder]
certificate = "builder.pem"
ca = "staff"
[caller.written]
certificate = { organizations = "Platform", uris = ["spiffe://a/b"], not_after = "2030-01-01T00:00:00Z" }
user = "ci"
client_ip = "10.0.0.1"

[[case]]
name = "all"
caller = ["builder", "written", "anonymous"]
action = ["put-manifest", "list-tags"]
namespace = ["a", "b/c"]
tag = ["v1", "v2", "v3"]
n = 5
expect = "allow"
rule = "platform"

[[case]]
caller = "written"
action = "put-manifest"
repository = "a"
digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
tags = ["v1", "v2"]
expect = "deny"
"#,
    );
    let cases = cases.unwrap_or_else(|problems| panic!("{problems}")).cases;
    let [first, second] = cases.as_slice() else { panic!("two cases") };
    // Two repositories, each with three tags to push and one list to read.
    assert_eq!(first.requests.len(), 3 * (2 * 3 + 2));
    assert_eq!(
        (first.name.as_str(), first.is_allowed, first.rule.as_deref()),
        ("all", true, Some("platform"))
    );
    assert_eq!((second.name.as_str(), second.is_allowed, second.requests.len()), ("case[1]", false, 1));
    assert!(second.origin.to_string().ends_with("cases.toml:20:1: "), "{}", second.origin);
    assert_eq!(second.requests[0].requests.required().len(), 3, "asked for itself and for each tag");
    let builder = first.requests[0].identity.certificate().expect("a certificate");
    assert_eq!((builder.common_names(), builder.ca()), (&["builder".to_owned()][..], Some("staff")));
    let written = &second.requests[0].identity;
    assert_eq!(
        (written.username(), written.id(), written.client_ip()),
        (Some("ci"), Some("robot"), "10.0.0.1")
    );
    assert_eq!(written.certificate().and_then(|it| it.spiffe_trust_domain()), Some("a"));
}

/// Each mistake with its place and what is said of it.
#[test]
fn mistakes_are_placed_and_explained() {
    const SOUND: &str = "action = \"get-api-version\"\ncaller = \"anonymous\"\nexpect = \"deny\"\n";
    let check = |cases: &str, place: &str, words: &str| {
        let (_folder, read) = read(cases);
        let problems = read.err().unwrap_or_else(|| panic!("accepted: {cases}")).to_string();
        assert!(problems.contains(&format!("cases.toml{place}: error: ")), "{cases}\n{problems}");
        assert!(problems.contains(words), "{cases}\n{problems}");
    };
    let case = |lines: &str| format!("[[case]]\n{lines}");
    check("", "", "the file has no cases");
    check("[caller.x]\nuser = \"ci\"\n", "", "the file has no cases");
    check("case = 1", ":1:1", "the file has no cases");
    check("case = [1]", ":1:9", "expected a table");
    check("[[case", ":1:7", "not TOML");
    check("[[cases]]\n", ":1:3", "did you mean `case`?");
    check(&case("aktion = \"healthz\"\n"), ":2:1", "did you mean `action`?");
    check(&case("action = \"get-manifset\"\n"), ":2:10", "did you mean `get-manifest`?");
    check(&case("action = \"pull\"\n"), ":2:10", "the actions are get-api-version");
    check(&case("action = []\n"), ":2:10", "nothing would be asked");
    check(&case("action = \"healthz\"\ncaller = \"anonymus\"\n"), ":3:10", "did you mean `anonymous`?");
    check(&case("action = \"healthz\"\n"), ":1:1", "has no `caller`");
    check(&case(&SOUND.replace("deny", "denied")), ":4:10", "is one of \"allow\", \"deny\"");
    check(&case(&format!("{SOUND}rule = \"platfrom\"\n")), ":5:8", "did you mean `platform`?");
    check(&case(&format!("{SOUND}tag = \"v1\"\n")), ":5:1", "none of the actions has a `tag`");
    check(&case(&format!("{SOUND}method = \"PUT\"\n")), ":1:1", "not asked with this method");
    check(&case(&format!("{SOUND}time = 2026-01-31T08:00:00Z\n")), ":5:8", "put it into quotes");
    check(&case(&format!("{SOUND}time = \"noon\"\n")), ":5:8", "2026-01-31T08:00:00Z");
    let manifest = SOUND.replace("get-api-version", "get-manifest");
    check(&case(&format!("{manifest}namespace = \"UPPER\"\n")), ":5:13", "namespace");
    check(&case(&format!("{manifest}namespace = \"a\"\n")), ":1:1", "get-manifest needs a `reference`");
    let caller = |lines: &str| format!("[caller.x]\n{lines}\n[[case]]\n{SOUND}");
    check(&caller("usr = \"ci\""), ":2:1", "did you mean `user`?");
    let reserved = format!("[caller.anonymous]\nuser = \"ci\"\n[[case]]\n{SOUND}");
    check(&reserved, ":1:9", "`caller.anonymous` is reserved");
    check(&caller("user = \"cj\""), ":2:8", "did you mean `ci`?");
    check(&caller("user = \"robot\""), ":2:8", "[auth.identity.robot] has the user name `ci`");
    check(&caller("client_ip = \"localhost\""), ":2:13", "expected an IP address");
    check(&caller("certificate = \"nowhere.pem\""), ":2:15", "nowhere.pem: ");
    check(&caller("certificate = \"binary.pem\""), ":2:15", "binary.pem: ");
    check(&caller("certificate = \"config.toml\""), ":2:15", "config.toml: ");
    check(&caller("certificate = 1"), ":2:15", "expected the name of a PEM file");
    check(&caller("certificate = { organisations = \"a\" }"), ":2:17", "did you mean `organizations`?");
    check(&caller("certificate = { dns_names = [\"a b\"] }"), ":2:1", "no certificate says this");
    check(
        &caller("certificate = { uris = [\"spiffe://a/b\", \"spiffe://a/c\"] }"),
        ":2:1",
        "several SPIFFE ids",
    );
    check(&caller("ca = \"staff\""), ":2:1", "a `ca` and no certificate");
}

#[test]
fn lists_that_multiply_beyond_all_bounds_are_refused_at_once() {
    let many = |field: &str| {
        let words: Vec<_> = (0..100).map(|index| format!("\"{}{index}\"", &field[..1])).collect();
        format!("{field} = [{}]\n", words.join(", "))
    };
    let cases = format!(
        "[[case]]\ncaller = \"anonymous\"\nexpect = \"deny\"\naction = \"mount-blob\"\n{}{}\n[[case]]\n{}{}{}{}",
        "namespace = \"a\"\n",
        "from = \"b\"",
        "caller = \"anonymous\"\nexpect = \"deny\"\naction = [\"list-tags\", \"mount-blob\"]\n",
        many("namespace"),
        many("from"),
        many("last"),
    );
    let (_folder, read) = read(&cases);
    // Ten thousand mounts and ten thousand listings pass.
    assert_eq!(read.map(|cases| cases.cases[1].requests.len()).ok(), Some(20_000));
    let listing = cases.replace("from = ", "n = ").replace("\"f", "\"");
    let (_folder, read) = self::read(&listing.replace("action = \"mount-blob\"", "action = \"list-tags\""));
    let problems = read.err().map(|problems| problems.to_string()).unwrap_or_default();
    assert!(problems.contains("ask more than 100000 times"), "{problems}");
}
