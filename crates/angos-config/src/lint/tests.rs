//! Each lint with policies it must find and policies it must leave alone; and the policies of the published pages.

use crate::load::lint;
use crate::problem::Severity;

/// A valid argon2id hash of some password.
const CREDENTIAL: &str = "[auth.identity.a]\nusername = \"admin\"\n\
    password = \"$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$1Ai1gZ0CEq3hNPZWzkUT8K0uPAHbl2F3qmRj8VY2N4Y\"\n";

/// What is found in a configuration: name of the lint and place.
fn found(text: &str) -> Vec<(String, String)> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("config.toml");
    std::fs::write(&file, text).expect("a temporary file");
    let read = lint(&[file], std::iter::empty()).unwrap_or_else(|problems| panic!("{text}\n{problems}"));
    let lints = read.warnings.iter().filter_map(|problem| {
        assert_eq!(problem.severity(), Severity::Warning);
        assert!(problem.help().is_some(), "{problem}");
        let place = format!("{}:{}", problem.line()?, problem.column()?);
        Some((problem.lint()?.to_owned(), place))
    });
    lints.collect()
}

fn names(text: &str) -> Vec<String> {
    found(text).into_iter().map(|(name, _)| name).collect()
}

/// A global policy of these rules that denies by default.
fn deny(rules: &[&str]) -> String {
    policy("[global.access_policy]\ndefault = \"deny\"\n", rules)
}

/// A global policy of these rules that allows by default.
fn allow(rules: &[&str]) -> String {
    policy("[global.access_policy]\ndefault = \"allow\"\n", rules)
}

fn policy(head: &str, rules: &[&str]) -> String {
    let rules: Vec<String> = rules.iter().map(|rule| format!("  \"{rule}\",\n")).collect();
    format!("{head}rules = [\n{}]\n", rules.concat())
}

/// A rule that keeps the other lints quiet.
const KNOWN: &str = "identity.username == 'admin'";

fn rows(lint: &str, bad: &[String], good: &[String]) {
    for text in bad {
        assert!(
            names(text).iter().any(|name| name == lint),
            "{lint} not found in\n{text}\n{:?}",
            names(text)
        );
    }
    for text in good {
        assert_eq!(names(text), [""; 0], "{lint}: in\n{text}");
    }
}

#[test]
fn open_registry() {
    let open_repository = "[repository.\"a\".access_policy]\ndefault = \"allow\"\n";
    rows(
        "open-registry",
        &[
            allow(&[]),
            open_repository.to_owned(),
            "[global.access_policy]\ndefault_allow = true\n".to_owned(),
        ],
        &[allow(&["identity.method == 'anonymous'"]), deny(&[KNOWN]) + open_repository],
    );
}

#[test]
fn anonymous_write() {
    let repository = |rule: &str| policy("[repository.\"a/b\".access_policy]\n", &[rule]);
    rows(
        "anonymous-write",
        &[
            deny(&["request.action == 'put-manifest'"]),
            deny(&["request.action.startsWith('put-') || identity.username == 'admin'"]),
            deny(&["identity.username != 'bob'"]),
            deny(&["cidr('10.0.0.0/8').containsIP(identity.client_ip)"]),
            deny(&["has(request.namespace) && request.namespace.startsWith('public/')"]),
            deny(&[KNOWN, "request.action == 'start-upload'"]),
            allow(&["request.action == 'delete-manifest'"]),
            allow(&["identity.username == 'bob'"]),
            repository("request.action in ['get-blob', 'delete-blob']"),
            deny(&["request.namespace.startsWith('a/')", KNOWN])
                + &repository("request.action == 'put-manifest'"),
        ],
        &[
            deny(&[KNOWN]),
            deny(&["request.action in ['get-blob', 'get-manifest', 'list-tags']"]),
            deny(&["identity.method != 'anonymous' && request.action == 'put-manifest'"]),
            deny(&["identity.certificate.organizations.contains('a') || identity.username.startsWith('a')"]),
            deny(&["request.namespace.startsWith(identity.username + '/')"]),
            deny(&[
                "identity.certificate.organizational_units.exists(u, has(request.namespace) && request.namespace.startsWith(u + '/'))",
            ]),
            allow(&["identity.method == 'anonymous'"]),
            allow(&[
                "identity.username == '' && !identity.certificate.present && !request.action.startsWith('get-')",
            ]),
            // The global policy rules the anonymous out, or the namespace.
            deny(&[KNOWN]) + &repository("request.action == 'put-manifest'"),
            deny(&[
                "has(request.namespace) && request.namespace.startsWith('c/') && request.action == 'get-blob'",
            ]) + &repository("request.action == 'get-blob'"),
        ],
    );
}

#[test]
fn anonymous_version_check() {
    let with = |text: String| text + CREDENTIAL;
    rows(
        "anonymous-version-check",
        &[
            with(deny(&["request.action.startsWith('get-')", KNOWN])),
            with(deny(&["request.action in ['get-api-version', 'get-blob']", KNOWN])),
            with(deny(&[
                "cidr('10.0.0.0/8').containsIP(identity.client_ip) && request.action.startsWith('get-')",
                KNOWN,
            ])),
            with(allow(&["identity.username == '' && !request.action.startsWith('get-')"])),
        ],
        &[
            deny(&["request.action.startsWith('get-')", KNOWN]),
            with(deny(&["request.action.startsWith('get-') && request.action != 'get-api-version'", KNOWN])),
            with(deny(&["identity.username != '' && request.action.startsWith('get-')"])),
            // A credential opens nothing.
            with(deny(&["request.action.startsWith('get-')"])),
            with(allow(&[
                "identity.method == 'anonymous' && !(request.action in ['get-manifest', 'get-blob'])",
            ])),
        ],
    );
}

#[test]
fn absent_identity() {
    rows(
        "absent-identity",
        &[
            deny(&["identity.username != 'bob'"]),
            deny(&["identity.username != 'bob' && request.action.startsWith('get-')"]),
            deny(&["!(identity.username in ['bob', 'eve']) && request.action == 'get-blob'"]),
            deny(&["!('x' in identity.certificate.common_names)"]),
            deny(&["identity.certificate.dns_names.all(n, n.endsWith('.example'))"]),
            deny(&["identity.certificate.ca != 'partners' && request.action == 'get-blob'"]),
        ],
        &[
            deny(&["identity.username != '' && identity.username != 'bob'"]),
            deny(&[
                "identity.certificate.present && identity.certificate.dns_names.all(n, n.endsWith('.example'))",
            ]),
            deny(&["has(identity.username) && !(identity.username in ['bob', 'eve'])"]),
            deny(&["identity.username == '' && request.action == 'get-blob'"]),
            deny(&["size(identity.certificate.common_names) == 0 && request.action == 'get-blob'"]),
            allow(&["identity.username != 'bob'"]),
        ],
    );
}

#[test]
fn absent_field() {
    rows(
        "absent-field",
        &[
            deny(&["identity.username == 'admin' && request.tag != 'latest'"]),
            deny(&["identity.username == 'admin' && request.namespace != 'prod'"]),
            deny(&["identity.username == 'admin' && !(request.namespace in ['prod', 'test'])"]),
            deny(&["identity.username == 'admin' && request.tags.all(t, t.startsWith('dev-'))"]),
            deny(&[
                "identity.username == 'admin' && request.action == 'get-manifest' && request.tag != 'latest'",
            ]),
        ],
        &[
            deny(&["identity.username == 'admin' && has(request.namespace) && request.namespace != 'prod'"]),
            deny(&[
                "identity.username == 'admin' && request.action == 'put-manifest' && request.tag != 'latest'",
            ]),
            deny(&[
                "identity.username == 'admin' && request.action == 'delete-manifest' && request.tag != 'latest'",
            ]),
            deny(&[
                "identity.username == 'admin' && request.action == 'get-blob' && request.namespace != 'prod'",
            ]),
            deny(&["identity.username == 'admin' && request.namespace == 'prod'"]),
            deny(&["identity.username == 'admin' && request.action != 'delete-manifest'"]),
            allow(&[
                "identity.method == 'anonymous' || request.tag != 'latest' && request.action == 'put-manifest'",
            ]),
        ],
    );
}

#[test]
fn never_true_constant_and_nobody() {
    rows(
        "never-true",
        &[
            deny(&[KNOWN, "request.action == 'get-blob' && request.tag == 'latest'"]),
            deny(&[KNOWN, "identity.method == 'certificate' && identity.username == 'admin'"]),
            deny(&[KNOWN, "request.action == 'get-blob' && request.action == 'get-manifest'"]),
        ],
        &[deny(&["request.action == 'get-manifest' && request.tag == 'latest'"])],
    );
    rows(
        "constant-rule",
        &[
            deny(&["true"]),
            deny(&[KNOWN, "1 + 1 == 3"]),
            allow(&["identity.method == 'anonymous'", "false"]),
            allow(&["request.action.endsWith('') "]),
        ],
        &[],
    );
    rows(
        "always-denied",
        &[
            deny(&[]),
            "[repository.\"a\".access_policy]\n".to_owned(),
            deny(&["request.action == 'get-blob' && has(request.tag)"]),
            allow(&["request.method != ''", "identity.client_ip != ''", "true"]),
        ],
        &[deny(&["identity.username == 'no user yet'"])],
    );
}

#[test]
fn redundant_rule() {
    let three = ["identity.certificate.organizations.contains('a')", KNOWN];
    rows(
        "redundant-rule",
        &[
            deny(&[KNOWN, KNOWN]),
            deny(&[KNOWN, "identity.username == 'admin' && request.action == 'get-blob'"]),
            deny(&["identity.username == 'admin' && request.action == 'get-blob'", KNOWN]),
            deny(&[
                "identity.username == 'admin' && request.action == 'get-blob'",
                "identity.username == 'admin' && request.action.startsWith('get-')",
            ]),
        ],
        &[deny(&three), deny(&[three[0], "identity.certificate.organizations.contains('b')"])],
    );
}

#[test]
fn the_rules_of_the_published_pages_are_left_alone() {
    for default in ["default = \"deny\"", "default_allow = false"] {
        for rules in [
            &[
                "identity.certificate.organizations.contains('Infrastructure')",
                "'build-server' in identity.certificate.common_names",
                "identity.username == 'admin'",
            ] as &[&str],
            &["size(identity.certificate.common_names) > 0"],
            &[
                "identity.certificate.organizations.contains('DevOps')",
                "identity.username != '' && request.action.startsWith('get-')",
            ],
        ] {
            let text = policy(&format!("[global.access_policy]\n{default}\n"), rules);
            assert_eq!(names(&text), [""; 0], "{text}");
            assert_eq!(names(&(text.clone() + CREDENTIAL)), [""; 0], "{text}");
        }
        let of = |name: &str, organization: &str| {
            let rule = format!("identity.certificate.organizations.contains('{organization}')");
            policy(&format!("[repository.\"{name}\".access_policy]\n{default}\n"), &[&rule])
        };
        assert_eq!(names(&(of("dev", "Developers") + &of("prod", "Platform") + CREDENTIAL)), [""; 0]);
    }
}

#[test]
fn a_finding_has_a_place_and_can_be_silenced() {
    let text = deny(&[KNOWN, "request.action == 'get-blob' && identity.username != 'bob'"]);
    assert_eq!(found(&text), [("absent-identity".to_owned(), "5:36".to_owned())]);
    let named =
        "[global.access_policy]\nrules = [{ name = \"b\", when = \"request.action == 'put-manifest'\" }]\n";
    assert_eq!(found(named), [("anonymous-write".to_owned(), "2:32".to_owned())]);
    assert_eq!(found(&allow(&[])), [("open-registry".to_owned(), "2:1".to_owned())]);
    let silenced = |names: &str| format!("{text}allowed_lints = [{names}]\n");
    assert_eq!(found(&silenced("\"absent-identity\"")), []);
    assert_eq!(found(&silenced("\"anonymous-write\"")).len(), 1);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("config.toml");
    std::fs::write(&file, silenced("\"absent-identiti\"")).expect("a temporary file");
    let problems = lint(&[file], std::iter::empty()).expect_err("an unknown lint").to_string();
    assert!(problems.contains("did you mean \"absent-identity\"?"), "{problems}");
}

/// Rules that are costly by themselves, or many enough to be costly to compare: the rest is not analyzed, and that is reported,
/// once, at the first policy that it holds of.
#[test]
fn what_takes_too_long_is_not_judged() {
    let walk = |rule: usize| {
        format!(
            "lists.range(400).all(a, lists.range(400).all(b, a + b >= -{rule})) && identity.username == 'u{rule}'"
        )
    };
    let cheap = ["request.action == 'get-blob' && has(request.tag)", KNOWN, KNOWN].map(str::to_owned);
    let costly: Vec<String> = (0..150).map(walk).chain(cheap).collect();
    let costly: Vec<&str> = costly.iter().map(String::as_str).collect();
    let text = deny(&costly) + &policy("[repository.a.access_policy]\n", &[KNOWN]);
    let found = found(&text);
    assert!(found.contains(&("not-analyzed".to_owned(), "2:1".to_owned())), "{found:?}");
    assert_eq!(found.iter().filter(|(name, _)| name == "not-analyzed").count(), 1, "{found:?}");
    assert!(found.contains(&("never-true".to_owned(), "154:4".to_owned())), "{found:?}");
    assert!(!found.iter().any(|(name, _)| name == "redundant-rule"), "{found:?}");
    let silenced = text.replacen("rules =", "allowed_lints = [\"not-analyzed\"]\nrules =", 1);
    assert!(!names(&silenced).contains(&"not-analyzed".to_owned()));
    // As many as there are in the largest ordinary policy.
    let many: Vec<String> = (0..200).map(|rule| format!("identity.username == 'u{rule}'")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(names(&deny(&many)), [""; 0]);
}

#[test]
fn rules_on_trial_are_judged_beside_those_in_force() {
    let check = |trial: &str, expected: &[(&str, &str)]| {
        let text = format!("{}shadow_rules = [\n  \"{trial}\",\n]\n", deny(&[KNOWN]));
        let expected: Vec<_> =
            expected.iter().map(|(name, place)| ((*name).to_owned(), (*place).to_owned())).collect();
        assert_eq!(found(&text), expected, "{trial}");
    };
    check("identity.username == 'admin' && request.action == 'get-blob'", &[("redundant-rule", "7:4")]);
    check("request.action == 'get-blob' && has(request.tag)", &[("never-true", "7:4")]);
    check("1 == 1", &[("constant-rule", "7:4")]);
    check("identity.username != '' && request.namespace != 'prod'", &[("absent-field", "7:31")]);
    // A wider shadow rule changes more; what anonymous callers may do depends on the enforced rules.
    check("identity.username != ''", &[]);
    check("request.action == 'put-manifest'", &[]);
}
