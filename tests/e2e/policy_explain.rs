//! `angos policy explain`: it answers as the running server does, without one, and says why.

use crate::harness::{Pki, Setup, angos, hash_password};
use angos_test_ca::{Leaf, RevocationList};
use std::path::Path;
use std::process::Output;

pub(crate) const POLICIES: &str = r#"
[global.access_policy]
rules = [
    { name = "readers", when = "identity.method != 'anonymous' && request.action.startsWith('get-')" },
    { name = "platform", when = "identity.certificate.organizations.contains('Platform')" },
]
[repository."prod".access_policy]
default = "allow"
rules = [{ name = "frozen", when = "request.tag == 'v1' && request.action == 'put-manifest'" }]
[repository."open".access_policy]
rules = ["request.tag.startsWith('v')"]
"#;

/// Runs `angos policy …` in a folder.
pub(crate) fn policy(folder: &Path, arguments: &[&str]) -> Output {
    angos().arg("policy").args(arguments).current_dir(folder).output().unwrap()
}

pub(crate) fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A folder with a configuration whose secrets are elsewhere, and the certificates of two clients.
pub(crate) fn fixture() -> (tempfile::TempDir, Pki) {
    let folder = tempfile::tempdir().unwrap();
    let pki = Pki::new(folder.path());
    for (name, organization) in [("platform", "Platform"), ("other", "Other")] {
        std::fs::write(
            folder.path().join(name).with_extension("pem"),
            pki.client(name, organization).certificate_pem,
        )
        .unwrap();
    }
    let text = format!(
        "[server.tls]\nserver_certificate_bundle = \"/nowhere/server.pem\"\nserver_private_key = \"/nowhere/key\"\n\
         client_ca_bundle = \"/nowhere/ca.pem\"\n{POLICIES}\
         [auth.identity.robot]\nusername = \"ci\"\npassword_file = \"/nowhere/hash\"\n"
    );
    std::fs::write(folder.path().join("config.toml"), text).unwrap();
    (folder, pki)
}

#[test]
fn every_rule_is_told_with_the_values_it_saw() {
    let (folder, _pki) = fixture();
    let arguments = [
        "explain",
        "--certificate",
        "platform.pem",
        "--action",
        "put-manifest",
        "--namespace",
        "prod/app",
        "--tag",
        "v1",
    ];
    let output = policy(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let text = out(&output);
    for line in [
        "denied: 401 UNAUTHORIZED, with a challenge for a user name and a password",
        "note: the certificate was not verified: /nowhere/ca.pem: ",
        "put-manifest prod/app, tag v1",
        "  policy global",
        "    allowed: platform is true",
        "    readers is false",
        "        request.action.startsWith('get-') → false",
        "          request.action → 'put-manifest'",
        "        identity.certificate.organizations → ['Platform']",
        "  policy prod",
        "    denied: frozen is true",
        "          request.tag → 'v1'",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!folder.path().join("angos-data").exists(), "no storage is opened");
    let with_code = policy(folder.path(), &[&arguments[..], &["--exit-code"]].concat());
    assert_eq!((with_code.status.code(), out(&with_code)), (Some(1), text));
}

#[test]
fn json_says_the_same() {
    let (folder, _pki) = fixture();
    let output = policy(
        folder.path(),
        &[
            "explain",
            "--user",
            "ci",
            "--action",
            "get-manifest",
            "--namespace",
            "open/x",
            "--digest",
            EMPTY,
            "--format",
            "json",
        ],
    );
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["allowed"], false);
    assert_eq!(told["status"], 403, "who has logged in is not asked to");
    assert_eq!(told["caller"]["username"], "ci");
    let answer = &told["required"][0]["answer"];
    assert_eq!((&answer["policy"], &answer["reason"]), (&"open".into(), &"undecidable".into()));
    assert_eq!(answer["policies"][0]["allowed"], true, "the global policy allows");
    let rule = &answer["policies"][1]["rules"][0];
    assert_eq!((&rule["status"], &rule["cause"]), (&"undecidable".into(), &"absent".into()));
    let tag = &rule["expression"]["parts"][0];
    assert_eq!((&tag["text"], &tag["status"]), (&"request.tag".into(), &"absent".into()));
    let place = |key: &str| usize::try_from(tag[key].as_u64().unwrap()).unwrap();
    let (start, end) = (place("start"), place("end"));
    assert_eq!(&rule["text"].as_str().unwrap()[start..end], "request.tag");
}

const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn a_request_that_asks_several_things_is_told_in_all_of_them() {
    let (folder, _pki) = fixture();
    let mount = [
        "explain",
        "--certificate",
        "platform.pem",
        "--action",
        "mount-blob",
        "--namespace",
        "prod/a",
        "--from",
        "open/b",
    ];
    let text = out(&policy(folder.path(), &mount));
    assert!(text.starts_with("allowed\n"), "the upload is allowed where the source is not: {text}");
    for line in ["\nmount-blob prod/a", "\nand one of these", "\nget-blob open/b", "\nstart-upload prod/a"] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let push = [
        "explain",
        "--certificate",
        "platform.pem",
        "--action",
        "start-upload",
        "--namespace",
        "prod/a",
        "--digest",
        EMPTY,
    ];
    let text = out(&policy(folder.path(), &push));
    assert!(text.contains("\nstart-upload prod/a") && text.contains("\ncomplete-upload prod/a"), "{text}");
}

/// A certificate, the class its handshake is refused with, and what is told of it.
type Shown = (&'static str, angos_test_ca::Issued, Option<&'static str>, &'static str);

/// A registry with two client authorities, of which one has a revocation list and a bound, and certificates of all kinds,
/// each in a file of its name.
fn vouched() -> (crate::harness::Registry, Vec<Shown>) {
    let partners = "[[server.tls.client_ca]]\nname = \"partners\"\nbundle = \"stranger.pem\"\ncrls = [\"lists\"]\nnamespaces = [\"open\"]\n";
    let folder = tempfile::tempdir().unwrap();
    let pki = Pki::new(folder.path());
    let partner = |name: &str| pki.stranger.issue(&Leaf::client(name).organization("Platform"));
    let below = pki.authority.intermediate("Below").issue(&Leaf::client("below").organization("Platform"));
    let unknown = angos_test_ca::Authority::new("Unknown").issue(&Leaf::client("x"));
    let (good, revoked) = (partner("good"), partner("revoked"));
    let list = pki.stranger.revocation_list(&RevocationList::new(1).revoke(&revoked.serial));
    let rows = vec![
        ("ours", pki.client("ours", "Platform"), None, "a CA of client_ca_bundle issued it"),
        ("below", below, None, "issued it"),
        ("good", good, None, "the client CA `partners` issued it"),
        ("revoked", revoked, Some("revoked"), "revoked"),
        ("expired", pki.authority.issue(&Leaf::client("old").expired()), Some("expired"), "has expired"),
        ("unknown", unknown, Some("unknown_ca"), "no client CA issued"),
        (
            "short",
            pki.authority.issue(&Leaf::client("x").key(angos_test_ca::Key::Rsa1024)),
            Some("unsupported_algorithm"),
            "its RSA key has 1024 bits",
        ),
        (
            "self",
            angos_test_ca::Authority::new("alice").as_client(),
            Some("self_signed"),
            "the certificate is self-signed",
        ),
        (
            "old",
            pki.authority.issue(&Leaf::client("x").version(1)),
            Some("certificate_version"),
            "not of X.509 version 3",
        ),
        (
            "encrypts",
            pki.authority.issue(&Leaf::client("x").key_usage(Some(angos_test_ca::KEY_ENCIPHERMENT))),
            Some("key_usage"),
            "does not include digitalSignature",
        ),
        ("usage", pki.authority.issue(&Leaf::server(["x"])), Some("wrong_usage"), "client authentication"),
    ];
    for (name, issued, ..) in &rows {
        let chain: String =
            issued.chain_der.iter().map(|der| angos_test_ca::pem("CERTIFICATE", der)).collect();
        std::fs::write(folder.path().join(format!("{name}.pem")), chain).unwrap();
    }
    let setup = Setup::mutual("required", &format!("{partners}{POLICIES}"));
    (setup.start_in(folder, pki, &[("lists/0.crl", &list)]), rows)
}

/// The configured authorities and lists are asked, and the answer is that of the handshake.
#[tokio::test]
async fn a_certificate_is_verified_as_in_a_handshake() {
    let (registry, rows) = vouched();
    let folder = registry.folder.path();
    for (name, issued, class, words) in rows {
        let file = format!("{name}.pem");
        let asked = [
            "explain",
            "--certificate",
            &file,
            "--action",
            "get-manifest",
            "--namespace",
            "open/x",
            "--tag",
            "v1",
        ];
        let output = policy(folder, &[&asked[..], &["--format", "json"]].concat());
        let told: serde_json::Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", err(&output)));
        let text = out(&policy(folder, &asked));
        assert!(text.contains(words), "{name}: {text}");
        assert!(text.contains("\n  policy global\n"), "the policies are told all the same: {text}");
        assert_eq!(told["handshake_refused"]["class"].as_str(), class, "{told:#}");
        let answer = registry.client(Some(&issued)).send("GET", "/v2/open/x/manifests/v1", &[], "").await;
        if let Some(class) = class {
            assert!(answer.is_err() && told["allowed"] == false, "{name}: {answer:?}");
            assert!(text.starts_with(&format!("refused in the handshake, {class}: ")), "{text}");
            registry.wait_for_log(&format!("\"{class}\""));
        } else {
            assert_eq!(told["allowed"], answer.unwrap().status == 404, "{name}: {told:#}");
        }
    }
}

#[test]
fn a_request_outside_of_the_namespaces_of_its_ca_is_explained() {
    let (registry, _rows) = vouched();
    let explain = |arguments: &[&str]| {
        let output = policy(registry.folder.path(), &[&["explain", "--certificate"], arguments].concat());
        out(&output) + &err(&output)
    };
    let listing = ["--action", "list-tags", "--namespace", "prod/x"];
    let text = explain(&[&["good.pem"], &listing[..]].concat());
    assert!(text.starts_with("denied: 403 DENIED\n"), "{text}");
    assert!(text.contains("  denied: the CA of the certificate may not issue for this request"), "{text}");
    assert!(text.contains("  policy global (not evaluated: denied before)\n"), "{text}");
    // A CA that is assumed to be the issuer restricts the request too, without a verification.
    let text = explain(&[&["ours.pem", "--client-ca", "partners"], &listing[..]].concat());
    assert!(text.contains("note: the certificate was not verified; the CA `partners` is assumed"), "{text}");
    assert!(text.contains("  denied: the CA of the certificate may not issue"), "{text}");
    // The certificate is verified at the time of the request.
    let text = explain(&["ours.pem", "--action", "get-api-version", "--time", "2999-01-01T00:00:00Z"]);
    assert!(text.starts_with("refused in the handshake, expired: "), "{text}");
}

#[test]
fn rules_on_trial_are_explained_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let text = r#"
[global.access_policy]
rules = [{ name = "version", when = "request.action == 'get-api-version'" }]
shadow_rules = [
    { name = "listings", when = "request.action == 'list-tags'" },
    "request.tag.startsWith('v')",
]
[repository.closed.access_policy]
default = "allow"
rules = []
shadow_rules = [{ name = "shut", when = "request.namespace == 'closed'" }]
"#;
    std::fs::write(folder.path().join("config.toml"), text).unwrap();
    let explain = |namespace: &str, rest: &[&str]| {
        let asked = ["explain", "--action", "list-tags", "--namespace", namespace];
        out(&policy(folder.path(), &[&asked[..], rest].concat()))
    };
    assert_eq!(
        explain("a", &[]),
        "\
denied: 403 DENIED

list-tags a
  policy global
    denied: no rule is true
    version is false
      request.action == 'get-api-version' → false
        request.action → 'list-tags'
    shadow rules, not enforced
      listings is true
        request.action == 'list-tags' → true
          request.action → 'list-tags'
      shadow_rules[1] cannot be decided: an absent value is used without a guard
        request.tag.startsWith('v') → no value: an absent value is used without a guard
          request.tag → absent
  with the shadow rules it would be allowed, by global listings
"
    );
    let closed = explain("closed", &[]);
    assert!(closed.ends_with("  with the shadow rules it would be denied, by closed shut\n"), "{closed}");
    let told: serde_json::Value = serde_json::from_str(&explain("a", &["--format", "json"])).unwrap();
    let answer = &told["required"][0]["answer"];
    assert_eq!(told["allowed"], false);
    let shadow =
        serde_json::json!({ "allowed": true, "policy": "global", "reason": "rule", "rule": "listings" });
    assert_eq!(answer["shadow"], shadow);
    assert_eq!(answer["policies"][0]["shadow_rules"][0]["rule"], "listings");
    assert_eq!(answer["policies"][0]["shadow_rules"][1]["status"], "undecidable");
}

#[test]
fn a_mount_may_leave_its_source_open() {
    let (folder, _pki) = fixture();
    let mount = ["explain", "--user", "ci", "--action", "mount-blob", "--namespace", "prod/a"];
    let text = out(&policy(folder.path(), &mount));
    assert!(
        text.contains("\nmount-blob prod/a, digest ") && text.contains("\nstart-upload prod/a"),
        "{text}"
    );
    assert!(text.contains("note: a mount without a source takes the blob from any repository"), "{text}");
    assert!(!text.contains("get-blob "), "{text}");
}

/// What cannot be asked is refused with 2 and a sentence, whatever is handed in.
#[test]
fn what_cannot_be_asked_is_refused() {
    let (folder, _pki) = fixture();
    std::fs::write(folder.path().join("binary.pem"), [0, 159, 146, 150].repeat(1000)).unwrap();
    std::fs::write(folder.path().join("huge.pem"), vec![b'-'; 64 << 20]).unwrap();
    std::fs::write(
        folder.path().join("broken.toml"),
        "[global.access_policy]\nrules = [\"request.actoin == 1\"]\n",
    )
    .unwrap();
    let deep = format!("[global.access_policy]\nrules = [\"{}true\"]\n", "!(".repeat(2000));
    std::fs::write(folder.path().join("deep.toml"), deep).unwrap();
    let version = ["--action", "get-api-version"];
    for (arguments, words) in [
        (vec!["--action", "pull"], "the actions are get-api-version"),
        (vec!["--action", "get-manifset"], "did you mean `get-manifest`?"),
        (vec!["--action", "get-manifest"], "get-manifest needs a `namespace`"),
        (vec!["--action", "get-manifest", "--namespace", "a"], "get-manifest needs a `reference`"),
        (vec!["--action", "get-manifest", "--namespace", "A"], "--namespace: "),
        (vec!["--action", "list-catalog", "--tag", "v1"], "list-catalog has no `tag`"),
        ([&version[..], &["--user", "cj"]].concat(), "did you mean `ci`?"),
        ([&version[..], &["--user", "robot"]].concat(), "[auth.identity.robot] has the user name `ci`"),
        ([&version[..], &["--certificate", "nowhere.pem"]].concat(), "nowhere.pem: "),
        ([&version[..], &["--certificate", "binary.pem"]].concat(), "binary.pem: "),
        ([&version[..], &["--certificate", "huge.pem"]].concat(), "huge.pem: "),
        ([&version[..], &["--certificate", "."]].concat(), ".: "),
        ([&version[..], &["--client-ca", "staff"]].concat(), "--certificate"),
        ([&version[..], &["--time", "noon"]].concat(), "--time: "),
        ([&version[..], &["-c", "broken.toml"]].concat(), "broken.toml:2:"),
        ([&version[..], &["-c", "deep.toml"]].concat(), "deep.toml:2:"),
        ([&version[..], &["-c", "nowhere.toml"]].concat(), "nowhere.toml"),
    ] {
        let output = policy(folder.path(), &[&["explain"], &arguments[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", out(&output));
        assert!(err(&output).contains(words), "{arguments:?}: {}", err(&output));
        assert_eq!(out(&output), "", "{arguments:?}");
    }
}

/// The same configuration, the same callers and requests: the running server answers what was explained.
#[tokio::test]
async fn the_running_server_answers_what_is_explained() {
    let users =
        format!("[auth.identity.robot]\nusername = \"ci\"\npassword = \"{}\"\n", hash_password("secret"));
    let registry = Setup::mutual("optional", &format!("{POLICIES}{users}")).start();
    let folder = registry.folder.path();
    let long = (0..40)
        .fold(Leaf::client("many"), |leaf, index| leaf.organization(format!("Platform {index}").as_str()));
    let callers = [
        registry.pki.client("a", "Platform"),
        registry.pki.client("b", "Other"),
        registry.pki.authority.issue(&long),
    ];
    let mut answers = std::collections::BTreeSet::new();
    for (index, issued) in callers.iter().enumerate() {
        let file = format!("caller{index}.pem");
        std::fs::write(folder.join(&file), &issued.certificate_pem).unwrap();
        let client = registry.client(Some(issued));
        for (target, asked) in [
            ("/v2/", vec!["get-api-version"]),
            ("/v2/_catalog", vec!["list-catalog"]),
            (
                "/v2/prod/app/manifests/v1",
                vec!["get-manifest", "--namespace", "prod/app", "--reference", "v1"],
            ),
            ("/v2/open/app/manifests/v1", vec!["get-manifest", "--namespace", "open/app", "--tag", "v1"]),
            ("/v2/open/app/tags/list", vec!["list-tags", "--namespace", "open/app"]),
            ("/v2/other/tags/list?n=2", vec!["list-tags", "--namespace", "other", "--n", "2"]),
        ] {
            let status = client.fetch(target).await.status.as_u16();
            let arguments = ["explain", "--format", "json", "--certificate", &file, "--action"];
            let output = policy(folder, &[&arguments[..], &asked[..]].concat());
            let told: serde_json::Value =
                serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", err(&output)));
            let expected = told["status"].as_u64();
            // What is allowed is found or not.
            assert!(
                expected.map_or(matches!(status, 200 | 404), |expected| u64::from(status) == expected),
                "{target}: {status} {told:#}"
            );
            answers.insert((told["allowed"].as_bool(), expected));
        }
    }
    assert!(answers.len() > 1, "yes and no were both met: {answers:?}");
}
