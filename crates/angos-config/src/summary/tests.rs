//! How one configuration differs from another, and what none may lose.

use std::path::Path;

use angos_test_ca::{Authority, Leaf};

use crate::configuration::Configuration;
use crate::load::load;

const HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$1Ai1gZ0CEq3hNPZWzkUT8K0uPAHbl2F3qmRj8VY2N4Y";

/// The configuration of files with these texts, which lie beside `folder`'s certificates.
fn loaded(folder: &Path, texts: &[&str]) -> Configuration {
    let file = |(place, text): (usize, &&str)| {
        let file = folder.join(format!("{place}.toml"));
        std::fs::write(&file, text.replace("HASH", HASH)).expect("a file");
        file
    };
    let files: Vec<_> = texts.iter().enumerate().map(file).collect();
    load(&files, std::iter::empty()).unwrap_or_else(|problems| panic!("{texts:?}\n{problems}"))
}

/// What a reload from one to the other says.
fn said(before: &Configuration, after: &Configuration) -> String {
    match after.replaces(&before.summary, &before.restart_only) {
        Ok(changes) => changes.to_string(),
        Err(problems) => problems.to_string(),
    }
}

#[track_caller]
fn check(before: &str, after: &str, expected: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let loaded = |text| loaded(folder.path(), &[text]);
    assert_eq!(said(&loaded(before), &loaded(after)), expected, "{before}\n->\n{after}");
}

fn policy(rules: &str) -> String {
    format!("[global.access_policy]\nrules = [{rules}]\n")
}

#[test]
fn policies_and_rules() {
    let tags = |names: &[&str]| {
        let rules: Vec<_> = names.iter().map(|it| format!("\"request.tag == '{it}'\"")).collect();
        policy(&rules.join(", "))
    };
    check(&tags(&["a"]), &tags(&["a"]), "nothing changed");
    check(&tags(&["a"]), &format!("# why\n{}", tags(&["a"])), "nothing changed");
    check(
        &tags(&["a"]),
        &tags(&["b", "a"]),
        "policies: 1 changed (global); rules: 1 added (global: rules[0])",
    );
    check(
        &tags(&["a", "b"]),
        &tags(&["c", "b"]),
        "policies: 1 changed (global); rules: 1 added (global: rules[0]), 1 removed (global: rules[0])",
    );
    let named = |when: &str| policy(&format!("{{ name = 'ci', when = \"request.tag == '{when}'\" }}"));
    check(&named("a"), &named("b"), "policies: 1 changed (global); rules: 1 changed (global: ci)");
    check(
        &tags(&["a"]),
        &tags(&["a"]).replace("rules", "default = 'allow'\nrules"),
        "policies: 1 changed (global)",
    );
    let secret = format!("{}[repository.secret.access_policy]\nrules = ['true']\n", tags(&["a"]));
    check(
        &secret,
        &tags(&["a"]),
        "policies: 1 removed (repository secret); rules: 1 removed (repository secret: rules[0])",
    );
    check(
        &tags(&["a"]),
        &tags(&["a", "1", "2", "3", "4", "5", "6", "7"]),
        "policies: 1 changed (global); rules: 7 added (global: rules[1], global: rules[2], global: rules[3], global: rules[4], global: rules[5], …)",
    );
}

#[test]
fn users() {
    let user =
        |id: &str, name: &str| format!("[auth.identity.{id}]\nusername = '{name}'\npassword = 'HASH'\n");
    let (policy, one) = (policy("'true'"), user("ci", "bob"));
    let with = |users: &str| format!("{policy}{users}");
    check(&with(&one), &with(&one), "nothing changed");
    check(&policy, &with(&one), "users: 1 added (ci)");
    check(&with(&one), &with(&user("ci", "eve")), "users: 1 changed (ci)");
    check(&with(&one), &with(&one.replace("HASH", &HASH.replace("Y2N4Y", "Y2N4g"))), "users: 1 changed (ci)");
    check(&with(&one), &with(&user("x", "bob")), "users: 1 added (x), 1 removed (ci)");
}

#[test]
fn certificates_and_what_none_may_lose() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let (one, other) = (Authority::new("One"), Authority::new("Other"));
    let issue = || drop(one.issue(&Leaf::server(["localhost"])).write(at, "server"));
    issue();
    std::fs::write(at.join("ca.pem"), one.certificate_pem()).expect("a file");
    let tls = format!(
        "[server.tls]\nserver_certificate_bundle = '{0}/server.pem'\nserver_private_key = '{0}/server.key'\nclient_ca_bundle = '{0}/ca.pem'\n",
        at.display()
    );
    let (policy, texts) = (policy("'true'"), |tls: &str, policy: &str| format!("{policy}{tls}"));
    let whole = texts(&tls, &policy);
    let check = |before: &[&str], after: &[&str], change: &dyn Fn(), expected: &[&str]| {
        let before = loaded(at, before);
        change();
        let said = said(&before, &loaded(at, after));
        for words in expected {
            assert!(said.contains(words), "{words} not in {said}");
        }
    };
    check(&[&whole], &[&whole], &|| (), &["nothing changed"]);
    check(&[&whole], &[&whole], &issue, &["certificates: 1 changed (CN=localhost"]);
    check(
        &[&whole],
        &[&whole],
        &|| std::fs::write(at.join("ca.pem"), other.certificate_pem()).expect("a file"),
        &["client CAs: 1 added (CN=Other", "1 removed (CN=One"],
    );
    let required = whole.clone() + "client_auth = 'required'\n";
    check(&[&whole], &[&required], &|| (), &["settings: 1 changed (server.tls.client_auth)"]);
    check(&[&whole], &[&policy], &|| (), &["[server.tls] is missing", "restart the server"]);
    check(&[&policy], &[&whole], &|| (), &["certificates: 1 added"]);
    check(&[&whole], &[&tls], &|| (), &["every access policy is missing"]);
    let repository = format!("{tls}[repository.a.access_policy]\nrules = ['true']\n");
    let both = texts(&repository, &policy);
    check(&[&both], &[&repository], &|| (), &["[global.access_policy] is missing"]);
    check(&[&both], &[&whole], &|| (), &["1 removed (repository a)"]);
    check(
        &[&whole, &repository],
        &[&whole, "# nothing\n"],
        &|| (),
        &["1.toml: error: the file set something before"],
    );
}
