//! Lints: what `angos check` says of policies that load, and what it exits with.

use crate::harness::angos;

/// A credential that may be used; the hash is of some password.
const CREDENTIAL: &str = "[auth.identity.a]\nusername = \"admin\"\n\
    password = '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$1Ai1gZ0CEq3hNPZWzkUT8K0uPAHbl2F3qmRj8VY2N4Y'\n";

/// Runs `angos check` with these arguments on a global policy; its exit code, and what it said.
fn check(policy: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("[global.access_policy]\n{policy}\n{CREDENTIAL}");
    std::fs::write(folder.path().join("config.toml"), text).unwrap();
    let output = angos().arg("check").args(arguments).current_dir(folder.path()).output().unwrap();
    let said = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap()).concat();
    (output.status.code(), said)
}

const KNOWN: &str = "\"identity.username == 'admin'\"";

#[test]
fn each_lint_is_reported_with_its_place_and_denied_on_request() {
    for (lint, place, policy) in [
        ("open-registry", "2:1", "default = \"allow\"".to_owned()),
        ("anonymous-write", "2:11", format!("rules = [\"request.action == 'put-manifest'\", {KNOWN}]")),
        (
            "anonymous-version-check",
            "3:2",
            format!("rules = [{KNOWN},\n\"request.action.startsWith('get-')\"]"),
        ),
        (
            "absent-identity",
            "2:43",
            "rules = [\"request.action == 'get-blob' && identity.username != 'bob'\"]".to_owned(),
        ),
        (
            "absent-field",
            "2:43",
            "rules = [\"identity.username == 'admin' && request.namespace != 'prod'\"]".to_owned(),
        ),
        (
            "never-true",
            "3:2",
            format!("rules = [{KNOWN},\n\"request.action == 'get-blob' && has(request.tag)\"]"),
        ),
        ("constant-rule", "3:2", format!("rules = [{KNOWN},\n\"1 == 2\"]")),
        ("redundant-rule", "3:2", format!("rules = [{KNOWN},\n{KNOWN}]")),
        ("always-denied", "2:1", "default = \"deny\"".to_owned()),
        // Of rules on trial, beside those in force.
        (
            "redundant-rule",
            "3:18",
            format!(
                "rules = [{KNOWN}]\nshadow_rules = [\"identity.username == 'admin' && has(request.tag)\"]"
            ),
        ),
        ("not-analyzed", "1:9", costly(150)),
    ] {
        let (code, said) = check(&policy, &[]);
        assert_eq!(code, Some(0), "{lint}: {said}");
        let line = format!("config.toml:{place}: warning[{lint}]: ");
        assert!(said.contains(&line), "no {line:?} in\n{said}");
        assert!(said.contains("help: "), "{said}");
        let (code, said) = check(&policy, &["--deny-warnings"]);
        assert_eq!(code, Some(1), "{lint}: {said}");
        assert!(said.contains("no errors, but 1 warning"), "{said}");
        let silenced = format!("allowed_lints = [\"{lint}\"]\n{policy}");
        let (code, said) = check(&silenced, &["--deny-warnings"]);
        assert_eq!((code, said.contains("warning")), (Some(0), false), "{lint}: {said}");
    }
}

/// Rules that each walk a list of hundreds for each of its elements.
fn costly(count: usize) -> String {
    let rule = |index| {
        format!(
            "\"lists.range(400).all(a, lists.range(400).all(b, a + b >= -{index})) && identity.username == 'u{index}'\",\n"
        )
    };
    format!("rules = [\n{}]\n", (0..count).map(rule).collect::<String>())
}

#[test]
fn a_policy_of_the_user_pages_raises_none() {
    let rules = "rules = [\"identity.certificate.organizations.contains('Infrastructure')\", \
        \"'build-server' in identity.certificate.common_names\", \"identity.username == 'admin'\"]";
    let (code, said) = check(rules, &["--deny-warnings"]);
    assert_eq!((code, said.as_str()), (Some(0), "config.toml: no errors\n"));
}
