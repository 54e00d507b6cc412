//! `angos policy test`: cases that hold, cases that fail, rules that no case has seen, and files that are none.

use crate::policy_explain::{err, fixture, out, policy};

const CASES: &str = r#"
[caller.platform]
certificate = "platform.pem"
[caller.written]
certificate = { organizations = ["Other"] }
[caller.robot]
user = "ci"

[[case]]
name = "everybody known reads"
caller = ["platform", "written", "robot"]
action = ["get-manifest", "get-blob"]
namespace = ["prod/app", "other"]
tag = ["v1", "latest"]
expect = "allow"
rule = "readers"

[[case]]
name = "prod is frozen"
caller = "platform"
action = "put-manifest"
namespace = "prod/app"
tag = "v1"
expect = "deny"
rule = "frozen"

[[case]]
name = "nobody else writes"
caller = ["written", "robot", "anonymous"]
action = ["put-manifest", "delete-manifest"]
namespace = "prod/app"
tag = "v2"
expect = "deny"
rule = "default"
"#;

#[test]
fn cases_that_hold_pass_and_coverage_is_told() {
    let (folder, _pki) = fixture();
    std::fs::write(folder.path().join("cases.toml"), CASES).unwrap();
    let output = policy(folder.path(), &["test", "cases.toml"]);
    let text = out(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", err(&output));
    for line in [
        "  global readers: true ",
        "  prod frozen: true 1, false ",
        "  open rules[0]: true 0, false 0 - never decided",
        "25 requests in 3 cases: 0 failed",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let output = policy(folder.path(), &["test", "cases.toml", "--require-coverage"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(out(&output).ends_with(": 0 failed, and rules are not covered\n"), "{}", out(&output));

    let rest = r#"
[[case]]
caller = "platform"
action = ["put-manifest", "get-manifest"]
namespace = "open/app"
tag = "v1"
expect = "allow"
[[case]]
caller = "platform"
action = "put-manifest"
namespace = "open/app"
tag = "latest"
expect = "deny"
"#;
    std::fs::write(folder.path().join("cases.toml"), format!("{CASES}{rest}")).unwrap();
    let output = policy(folder.path(), &["test", "cases.toml", "--require-coverage", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}{}", out(&output), err(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["failed"], &report["covered"]), (&0.into(), &true.into()));
    assert_eq!(report["coverage"].as_array().unwrap().len(), 4);
}

#[test]
fn a_case_that_fails_is_explained() {
    let (folder, _pki) = fixture();
    let wrong = CASES
        .replace("expect = \"deny\"\nrule = \"frozen\"", "expect = \"allow\"")
        .replace("rule = \"readers\"", "rule = \"platform\"");
    std::fs::write(folder.path().join("cases.toml"), &wrong).unwrap();
    let output = policy(folder.path(), &["test", "cases.toml"]);
    let text = out(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for line in [
        "cases.toml:18:1: prod is frozen\n  platform: expected allow, found deny by prod frozen\n",
        "      denied: frozen is true\n",
        "            request.tag → 'v1'\n",
        "cases.toml:9:1: everybody known reads\n  platform: expected allow by platform, found allow by global readers, prod default\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let output = policy(folder.path(), &["test", "cases.toml", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let failures = report["failures"].as_array().unwrap();
    assert_eq!(report["failed"].as_u64().unwrap(), failures.len() as u64);
    let frozen = failures.iter().find(|failure| failure["case"] == "prod is frozen").unwrap();
    assert_eq!(frozen["place"], "cases.toml:18:1");
    assert_eq!(frozen["found"]["rules"], serde_json::json!(["prod frozen"]));
    assert_eq!(frozen["explanations"][0]["answer"]["allowed"], false);
}

#[test]
fn files_that_are_no_cases_are_refused_with_a_place() {
    let (folder, _pki) = fixture();
    let write = |name: &str, content: &[u8]| std::fs::write(folder.path().join(name), content).unwrap();
    write("huge.toml", &vec![b'#'; 8 << 20]);
    write("binary.toml", &[0x80, 0xfe, 0, 1]);
    write("utf-16.toml", &[0xff, 0xfe, b'a', 0]);
    write("empty.toml", b"");
    write("deep.toml", format!("case = {}", "[".repeat(100_000)).as_bytes());
    write("typo.toml", CASES.replace("namespace", "namspace").as_bytes());
    write("rule.toml", CASES.replace("frozen\"\n\n", "frosen\"\n\n").as_bytes());
    write("control.toml", b"[[case]]\n\"a\\u001b[31m\" = 1\n");
    for (file, words) in [
        (
            "nowhere.toml",
            "nowhere.toml: error: cannot read the cases file: No such file or directory (os error 2)\n1 error\n",
        ),
        (".", ".: error: cannot read the cases file: this is not a regular file"),
        ("huge.toml", "huge.toml: error: cannot read the cases file: the file is larger than"),
        ("binary.toml", "binary.toml: error: the cases file is not UTF-8 (line 1)"),
        ("utf-16.toml", "utf-16.toml: error: the cases file is UTF-16; save it as UTF-8"),
        (
            "empty.toml",
            "empty.toml: error: the file has no cases\n  help: write [[case]], once for each\n1 error\n",
        ),
        ("deep.toml", "deep.toml:1:"),
        (
            "typo.toml",
            "typo.toml:13:1: error: unknown key `case[0].namspace`\n  help: did you mean `namespace`?",
        ),
        ("rule.toml", "did you mean `frozen`?"),
        ("control.toml", "control.toml:2:1: error: unknown key"),
        ("platform.pem", "not TOML"),
    ] {
        let output = policy(folder.path(), &["test", file]);
        assert_eq!(output.status.code(), Some(2), "{file}: {}", out(&output));
        assert!(err(&output).contains(words), "{file}: {}", err(&output));
        assert!(!err(&output).contains('\u{1b}') && !err(&output).contains("configuration"), "{file}");
    }
}

/// What an authority may vouch for bounds its callers before any rule is asked: the rules are then not seen.
#[test]
fn callers_of_a_bounded_authority_are_held_to_its_namespaces() {
    let (folder, _pki) = fixture();
    let bounded = std::fs::read_to_string(folder.path().join("config.toml")).unwrap().replace(
        "[global.access_policy]",
        "[[server.tls.client_ca]]\nname = \"partners\"\nbundle = \"/nowhere/partners.pem\"\nnamespaces = [\"shared\"]\n[global.access_policy]",
    );
    std::fs::write(folder.path().join("config.toml"), bounded).unwrap();
    let cases = r#"
[caller.partner]
certificate = { organizations = ["Platform"] }
ca = "partners"
[caller.ours]
certificate = { organizations = ["Platform"] }
[[case]]
caller = ["partner", "ours"]
action = "put-manifest"
namespace = ["shared", "shared/app"]
tag = "v1"
expect = "allow"
rule = "platform"
[[case]]
caller = "partner"
action = ["put-manifest", "get-manifest", "list-tags"]
namespace = ["sharedx", "prod/app"]
tag = "v1"
expect = "deny"
rule = "ca_restriction"
[[case]]
caller = "partner"
action = ["get-api-version", "list-catalog"]
expect = "allow"
"#;
    std::fs::write(folder.path().join("cases.toml"), cases).unwrap();
    let output = policy(folder.path(), &["test", "cases.toml"]);
    let text = out(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", err(&output));
    // Four pushes and two questions without a repository; of the six that are outside no rule was asked.
    for line in [
        "  global readers: true 1, false 5\n",
        "  global platform: true 6, false 0 - never false\n",
        "12 requests in 3 cases: 0 failed\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}
