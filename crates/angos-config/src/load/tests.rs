//! Rows of broken configurations and what is said about each; and what sound ones mean.

mod pasted;

use std::path::Path;

use super::*;

/// A valid argon2id hash of some password.
const HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$1Ai1gZ0CEq3hNPZWzkUT8K0uPAHbl2F3qmRj8VY2N4Y";

fn written(folder: &Path, text: &str) -> Vec<PathBuf> {
    let file = folder.join("config.toml");
    std::fs::write(&file, text).expect("a temporary file");
    vec![file]
}

fn no_variables() -> impl Iterator<Item = (String, String)> {
    std::iter::empty()
}

fn variables(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect::<Vec<_>>()
        .into_iter()
}

/// Each problem as `line:column message | help`, or with the variable's name in front.
fn rendered<'a>(problems: impl Iterator<Item = &'a Problem>) -> Vec<String> {
    problems
        .map(|problem| {
            let place = match problem.origin() {
                Origin::File { line, column, .. } => format!("{line}:{column}"),
                Origin::Variable(name) => name.to_string(),
                _ => "-".to_owned(),
            };
            let help = problem.help().map(|help| format!(" | {help}")).unwrap_or_default();
            format!("{place} {}{help}", problem.message())
        })
        .collect()
}

fn problems(text: &str) -> Problems {
    let folder = tempfile::tempdir().expect("a temporary folder");
    load(&written(folder.path(), text), no_variables()).expect_err(text)
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    assert_eq!(
        rendered(problems(text).iter().filter(|p| p.severity() == Severity::Error)),
        expected,
        "{text}"
    );
}

fn loaded(text: &str) -> Configuration {
    let folder = tempfile::tempdir().expect("a temporary folder");
    load(&written(folder.path(), text), no_variables())
        .unwrap_or_else(|problems| panic!("{text}\n{problems}"))
}

#[test]
fn unknown_keys_name_the_nearest_known_one() {
    check("[server]\nprot = 1", &["2:1 unknown key `server.prot` | did you mean `server.port`?"]);
    check("[sever]\nport = 1", &["1:2 unknown key `sever` | did you mean `server`?"]);
    check("port = 1", &["1:1 unknown key `port` | did you mean `server.port`?"]);
    check(
        "server.tls.bogus = 1\nserver.tls.client_auth = 'optional'",
        &[
            "1:8 `server.tls` has no `server_certificate_bundle` | write server_certificate_bundle = \"/path/to/file.pem\"",
            "1:8 `server.tls` has no `server_private_key` | write server_private_key = \"/path/to/file.pem\"",
            "1:12 unknown key `server.tls.bogus` | known here: server_certificate_bundle, server_private_key, certificate, client_ca_bundle, client_ca, revocation, client_auth, resumption, handshake_timeout, expiry_warning",
        ],
    );
    check(
        "[global.access_policy]\nrule = []",
        &["2:1 unknown key `global.access_policy.rule` | did you mean `global.access_policy.rules`?"],
    );
    check(
        "[repository.\"a/b\".acess_policy]\nrules = []",
        &[
            "1:19 unknown key `repository.\"a/b\".acess_policy` | did you mean `repository.\"a/b\".access_policy`?",
        ],
    );
    check(
        "[global.access_policy]\nrules = [{ wen = 'true' }, { name = 'x' }]",
        &[
            "2:12 unknown key `global.access_policy.rules[0].wen` | did you mean `when`?",
            "2:28 `global.access_policy.rules[1]` has no `when` | write { name = \"...\", when = \"a CEL expression\" }",
        ],
    );
}

#[test]
fn wrong_kinds_and_ranges() {
    check(
        "[server]\nport = 70000",
        &["2:8 `server.port`: expected a whole number from 0 to 65535, found the number 70000"],
    );
    check(
        "[server]\nport = '80'",
        &[
            "2:8 `server.port`: expected a whole number from 0 to 65535, found the string \"80\" | write 80 without quotes",
        ],
    );
    check(
        "[server]\nport = -1\nbind_address = 'localhost'\nidle_timeout = '5 minutes'",
        &[
            "2:8 `server.port`: expected a whole number from 0 to 65535, found the number -1",
            "3:16 `server.bind_address`: expected an IP address such as \"0.0.0.0\" or \"::\", found the string \"localhost\"",
            "4:16 `server.idle_timeout`: expected a number of seconds or a string such as \"30s\", from 100ms to 1d, found the string \"5 minutes\"",
        ],
    );
    check("server = 5", &["1:10 `server` is a section: expected a table, found the number 5"]);
    check("[[server]]\nport = 1", &["1:1 `server` is a section: expected a table, found an array"]);
    check(
        "[server.port]\nx = 1",
        &["1:9 `server.port`: expected a whole number from 0 to 65535, found a table"],
    );
    check(
        "[server]\nport = 2020-01-01\nmax_connections = 99999999999999999999",
        &[
            "2:8 `server.port`: expected a whole number from 0 to 65535, found a date, or a number beyond 64 bits",
            "3:19 `server.max_connections`: expected a whole number from 1 to 1000000, found a date, or a number beyond 64 bits",
        ],
    );
    check(
        "[global]\nmax_manifest_size = '5MiB'\nimmutable_tags = 'true'\ntrusted_proxies = '10.0.0.0/8'",
        &[
            "2:21 `global.max_manifest_size`: expected a number of bytes or a string such as \"4MiB\", from 1KiB to 4MiB, found the string \"5MiB\"",
            "3:18 `global.immutable_tags`: expected true or false, found the string \"true\" | write true without quotes",
            "4:19 `global.trusted_proxies`: expected an array of IP addresses and networks, found the string \"10.0.0.0/8\" | put it into brackets: [\"...\"]",
        ],
    );
    check(
        "[global]\ntrusted_proxies = ['10.0.0.1', '10.0.0.0/33', 7]",
        &[
            "2:32 `global.trusted_proxies[1]`: expected an IP address or network such as \"10.0.0.0/8\", found the string \"10.0.0.0/33\"",
            "2:47 `global.trusted_proxies[2]`: expected an IP address or network such as \"10.0.0.0/8\", found the number 7",
        ],
    );
    check(
        "[global.access_policy]\ndefault = 'alow'\nrules = 'true'",
        &[
            "2:11 `global.access_policy.default`: expected \"deny\" or \"allow\", found the string \"alow\" | did you mean \"allow\"?",
            "3:9 `global.access_policy.rules`: expected an array of rules, found the string \"true\" | put it into brackets: [\"...\"]",
        ],
    );
    check(
        "[global]\nimmutable_tags = true\nimmutable_tags_exclusions = ['dev-.*', '(']",
        &["3:40 not a usable regular expression: unclosed group"],
    );
}

#[test]
fn what_contradicts_itself() {
    check(
        "[global.access_policy]\ndefault = 'deny'\ndefault_allow = false",
        &[
            "3:1 `global.access_policy.default` and `global.access_policy.default_allow` are the same setting | keep `default`",
        ],
    );
    check(
        "[server.tls]\nserver_certificate_bundle = 5\nserver_private_key = 'k'\nclient_auth = 'required'",
        &[
            "2:29 `server.tls.server_certificate_bundle`: expected a path, found the number 5",
            "4:15 client_auth = \"required\" needs `client_ca_bundle` | set client_ca_bundle to the PEM file of the authorities that sign client certificates",
        ],
    );
    check("[server]\ntls = true", &["2:7 `server.tls` is a section: expected a table, found true"]);
    check(
        "[server.management]",
        &["1:9 `server.management` has no `port` | write port = 9090, or leave the section out"],
    );
    check(
        "[server]\nport = 9090\n[server.management]\nport = 9090",
        &["4:8 the management listener and the registry cannot both listen on port 9090"],
    );
    check(
        "[global.access_policy]\nrules = []\nshadow_rules = ['true', 'identity.nope', { name = '', when = 'true' }]",
        &[
            "3:35 `identity` has no field `nope` | its fields are certificate, client_ip, id, method, username",
            "3:51 the name of a rule has 1 to 64 bytes and no control characters",
        ],
    );
    check(
        "[repository.a.access_policy]\nshadow_rules = ['true']",
        &[
            "2:1 `repository.a.access_policy` has shadow_rules and nothing that is enforced: its default would deny every request | write the rules or the default in force as well; default = \"allow\" with no rules changes nothing",
        ],
    );
    check(
        "[repository.\"Bad Name\".access_policy]\nrules = []",
        &[
            "1:13 `repository.\"Bad Name\"`: this is no repository's name | write the name, or the first parts of it, as clients do: [repository.\"team/app\".access_policy]",
        ],
    );
}

#[test]
fn client_authorities_are_checked_where_they_are_written() {
    let check_authorities = |text: &str, expected: &[&str]| {
        let section = "[server.tls]\nserver_certificate_bundle = '/nowhere/a.pem'\nserver_private_key = '/nowhere/b.pem'\n";
        let nowhere = [
            "2:29 /nowhere/a.pem: the file does not exist | check the path",
            "3:22 /nowhere/b.pem: the file does not exist | check the path",
        ];
        check(&format!("{section}{text}"), &[&nowhere, expected].concat());
    };
    check_authorities(
        "[server.tls.client_ca]",
        &[
            "4:13 `server.tls.client_ca` is a list of sections: expected an array of tables, found a table | write [[server.tls.client_ca]], once for each",
        ],
    );
    check_authorities(
        "[[server.tls.client_ca]]",
        &[
            "4:1 `server.tls.client_ca[0]` has no `name` | write name = \"partners\"; rules see it as identity.certificate.ca",
            "4:1 `server.tls.client_ca[0]` has no `bundle` | write bundle = \"/path/to/file.pem\"",
        ],
    );
    check_authorities(
        "[[server.tls.client_ca]]\nname = 'Ops'\nbundle = '/nowhere/c.pem'\ncrls = '/nowhere/d.pem'",
        &[
            "5:8 the name is not made of 1 to 63 lower-case letters, digits and `-` | write something like \"build-agents\"",
            "6:10 /nowhere/c.pem: the file does not exist | check the path",
            "7:8 `server.tls.client_ca[0].crls`: expected an array of paths, found the string \"/nowhere/d.pem\" | put it into brackets: [\"...\"]",
        ],
    );
    check_authorities(
        "[[server.tls.client_ca]]\nname = 'Ops'\nbundle = '/nowhere/c.pem'\n[[server.tls.client_ca]]\nname = 'mesh'\nbundle = '/nowhere/d.pem'\nspiffe_trust_domain = 'spiffe://x'",
        &[
            "5:8 the name is not made of 1 to 63 lower-case letters, digits and `-` | write something like \"build-agents\"",
            "6:10 /nowhere/c.pem: the file does not exist | check the path",
            "9:10 /nowhere/d.pem: the file does not exist | check the path",
            "10:23 this is no SPIFFE trust domain: lower-case letters, digits, `.`, `-` and `_`, 1 to 255 of them | write it as in spiffe://<trust domain>/..., without the scheme",
        ],
    );
    check_authorities(
        "[[server.tls.client_ca]]\nname = 'ops'\nbundle = '/nowhere/c.pem'\ncrls = []",
        &[
            "6:10 /nowhere/c.pem: the file does not exist | check the path",
            "7:8 revocation is to be checked, but no revocation list is named | name a file or folder of lists, or leave the setting out: then revocation is not checked",
        ],
    );
    check_authorities(
        "[server.tls.revocation]\nunknown_status = 'ignore'\ndepth = 1",
        &[
            "5:18 `server.tls.revocation.unknown_status`: expected \"deny\" or \"allow\", found the string \"ignore\"",
            "6:9 `server.tls.revocation.depth`: expected \"chain\" or \"leaf\", found the number 1",
        ],
    );
}

#[test]
fn a_tls_section_that_does_not_load_is_an_error() {
    check(
        "[server.tls]\nserver_certificate_bundle = '/nowhere/a.pem'\nserver_private_key = '/nowhere/b.pem'",
        &[
            "2:29 /nowhere/a.pem: the file does not exist | check the path",
            "3:22 /nowhere/b.pem: the file does not exist | check the path",
        ],
    );
}

#[test]
fn a_summary_is_one_line() {
    let only = problems("[server]\nprot = 1\n[global.access_policy]");
    let summary = only.iter().map(Problem::summary).collect::<Vec<_>>().concat();
    let expected = ":2:1: unknown key `server.prot`; did you mean `server.port`?";
    assert!(summary.ends_with(expected) && !summary.contains('\n'), "{summary}");
}

#[test]
fn everything_is_reported_at_once() {
    let text = "[server]\nprot = 1\nport = 'x'\n[server.tls]\nserver_private_key = 'missing.pem'\n[global.access_policy]\nrules = ['identity.nope', 7]\n[auth.identity.a]\nusername = 'a'\n";
    let problems = problems(text);
    let lines: Vec<_> = problems.iter().filter_map(Problem::line).collect();
    assert_eq!(lines, [2, 3, 4, 7, 7, 8], "{problems}");
}

#[test]
fn rules_are_reported_where_they_are_written() {
    let problems = problems(
        "[global.access_policy]\nrules = [\n  \"true\",\n  \"\\\"é\\\" == identity.certificat.issuer\",\n  { when = '''\n  true &&\n    identity.nope == 'x' ''' },\n]\n",
    );
    let places: Vec<_> = problems.iter().map(|p| (p.line(), p.column())).collect();
    assert_eq!(places, [(Some(4), Some(22)), (Some(7), Some(14))], "{problems}");
    let text = problems.to_string();
    assert!(text.contains("\n  4 |   \"\\\"é\\\" == identity.certificat.issuer\",\n"), "{text}");
    assert!(text.contains("did you mean"), "{text}");
    assert!(problems.iter().all(|problem| problem.key().starts_with("global.access_policy.rules[")));
}

#[test]
fn shown_with_the_line_and_a_mark() {
    let problems = problems("[server]\n\tport = 70000 # comment\n[global.access_policy]\n");
    let file = problems.snapshot().paths().next().expect("a file").display().to_string();
    assert_eq!(
        problems.to_string(),
        format!(
            "{file}:2:9: error: `server.port`: expected a whole number from 0 to 65535, found the number 70000\n  2 |  port = 70000 # comment\n    |         ^^^^^"
        )
    );
    let only = problems.iter().next().expect("one problem");
    assert_eq!((only.text(), only.key(), problems.errors()), (Some("70000"), "server.port", 1));
}

#[test]
fn syntax_errors_come_alone_and_all() {
    let several = problems("[server\nport = 1\n[global]\nx = \ny = 'open\n");
    assert!(several.errors() >= 2, "{several}");
    assert!(several.iter().all(|problem| problem.message().starts_with("not TOML: ")), "{several}");
    check("a = 1\na = 2", &["2:1 not TOML: duplicate key"]);
    let deep = format!("a = {}", "[".repeat(100_000));
    let message = problems(&deep).to_string();
    assert!(message.contains("max recursion depth") && message.len() < 100_000, "{message}");
}

#[test]
fn files_that_cannot_be_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let message = |path: PathBuf| load(&[path], no_variables()).expect_err("not readable").to_string();
    assert!(
        message(folder.path().join("absent.toml")).contains("absent.toml: error: cannot read"),
        "missing"
    );
    assert!(message(folder.path().to_path_buf()).contains("cannot read the configuration file"), "folder");
    let big = folder.path().join("big.toml");
    std::fs::write(&big, "#".repeat(1024 * 1024 + 1)).expect("a big file");
    assert!(message(big).contains("larger than 1048576 bytes"), "big");
    let binary = folder.path().join("binary.toml");
    std::fs::write(&binary, b"a = 1\nb = '\xff'").expect("a binary file");
    assert!(message(binary).contains("not UTF-8 (line 2)"), "binary");
}

#[test]
fn credentials() {
    let good = format!("[auth.identity.a]\nusername = 'a'\npassword = '{HASH}'\n");
    loaded(&good);
    check(
        &format!("{good}[auth.identity.b]\nusername = 'a'\npassword = '{HASH}'"),
        &["5:1 `auth.identity.b` has the user name of `auth.identity.a`"],
    );
    check(
        "[auth.identity.a]\nusername = 'a:b'\n[auth.identity.b]\npassword = ''",
        &[
            "1:16 `auth.identity.a` has no `password` | write password = \"<hash>\" with the output of `angos hash-password`",
            "2:1 a user name has 1 to 255 bytes, no colon (it ends the name in a Basic credential) and no control characters",
            "3:16 `auth.identity.b` has no `username` | write username = \"...\"",
            "4:1 `auth.identity.b.password`: not an argon2id or bcrypt hash; `angos hash-password` makes one",
        ],
    );
    check(
        &format!("[auth.identity.a]\nusername = 'a'\npassword = '{HASH}'\npassword_file = 'x'"),
        &["4:1 `auth.identity.a` has both `password` and `password_file` | keep one of the two"],
    );
}

#[test]
fn a_password_may_stand_in_a_file_beside() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("hash"), format!("{HASH}\n")).expect("a file");
    let files = written(folder.path(), "[auth.identity.a]\nusername = 'a'\npassword_file = 'hash'");
    let configuration = load(&files, no_variables()).unwrap_or_else(|problems| panic!("{problems}"));
    let read: Vec<_> = configuration.snapshot.paths().map(Path::to_path_buf).collect();
    assert_eq!(read, [files[0].clone(), folder.path().join("hash")]);
}

#[test]
fn secrets_are_never_shown() {
    const SECRET: &str = "hunter2-hunter2";
    for text in [
        "[auth.identity.a]\nusername = 'a'\npassword = 'SECRET'",
        "[auth.identity.a]\nusername = 'a'\npassword = ['SECRET']",
        "[auth.identity.a]\nusername = 'a'\npasword = 'SECRET'",
        "[auth.identity]\na = 'SECRET'",
        "auth = 'SECRET'",
        "auth = { identity = { a = { password = 'SECRET', bogus = 1, username = 7 } } }",
        "[auth.identity.a]\npassword = 'SECRET",
        "[auth.identity.a]\npassword = SECRET",
        "[auth.identity.a]\npassword = \"\"\"\nSECRET \\q \"\"\"",
        "passwort = 'SECRET'",
        "[server]\npassword = 'SECRET'",
    ] {
        let problems = problems(&text.replace("SECRET", SECRET));
        assert!(!problems.to_string().contains(SECRET), "{problems}");
        assert!(!format!("{problems:?}").contains(SECRET), "{problems:?}");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = written(folder.path(), "[auth.identity.a]\nusername = 'a'");
    let named = [("ANGOS_AUTH__IDENTITY__A__PASSWORD", SECRET), ("ANGOS_AUTH__IDENTITY__A__PASSWOR", SECRET)];
    let problems = load(&files, variables(&named)).expect_err("no hash");
    assert_eq!(problems.errors(), 2, "{problems}");
    assert!(!format!("{problems} {problems:?}").contains(SECRET), "{problems:?}");
    let configuration = loaded(&format!("[auth.identity.a]\nusername = 'a'\npassword = '{HASH}'"));
    assert!(!format!("{configuration:?}").contains("argon2id$"), "{configuration:?}");
}

#[test]
fn variables_come_last() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = written(
        folder.path(),
        "[server]\nport = 1\n[auth.identity.Build]\nusername = 'b'\n[blob_store.fs]\nroot_dir = 'here'",
    );
    let named = [
        ("ANGOS_SERVER__PORT", "8443"),
        ("angos_server__bind_address", "::1"),
        ("ANGOS_AUTH__IDENTITY__BUILD__PASSWORD", HASH),
        ("ANGOS_GLOBAL__TRUSTED_PROXIES", "['10.0.0.0/8', '::1']"),
        ("ANGOS_GLOBAL__MAX_BLOB_SIZE", "1GiB"),
        ("ANGOS_GLOBAL__IMMUTABLE_TAGS", "true"),
        ("ANGOS_SERVER__IDLE_TIMEOUT", "9"),
        ("ANGOS_METADATA_STORE__FS__ROOT_DIR", "there"),
        ("ANGOS_REPOSITORY__DEV__ACCESS_POLICY__RULES", "['true']"),
        // What Kubernetes adds beside a service called angos.
        ("ANGOS_SERVICE_HOST", "10.0.0.1"),
        ("ANGOS_SERVICE_PORT", "8000"),
        ("ANGOS_SERVICE_PORT_HTTPS", "8000"),
        ("ANGOS_PORT", "tcp://10.0.0.1:8000"),
        ("ANGOS_PORT_8000_TCP", "tcp://10.0.0.1:8000"),
        ("ANGOS_PORT_8000_TCP_ADDR", "10.0.0.1"),
        ("PATH", "/bin"),
    ];
    let read = load(&files, variables(&named)).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(read.server.listen.to_string(), "[::1]:8443");
    assert_eq!(read.server.trusted_proxies.len(), 2);
    assert_eq!(read.server.registry.max_blob_size, Some(1 << 30));
    assert_eq!(read.server.timeouts.idle.as_secs(), 9);
    assert!(read.server.registry.immutable_tags);
    assert_eq!(read.access.policies.repositories.len(), 1);
    let storage = format!("{:?}", read.storage);
    assert!(storage.contains(&format!("{:?}", folder.path().join("here"))), "{storage}");
    assert!(storage.contains("\"there\""), "{storage}");
}

#[test]
fn wrong_variables() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = written(folder.path(), "[global]");
    for (name, value, expected) in [
        (
            "ANGOS_SERVER_PORT",
            "8443",
            "ANGOS_SERVER_PORT sets no known key | did you mean ANGOS_SERVER__PORT?",
        ),
        (
            "ANGOS_SERVER__PROT",
            "1",
            "ANGOS_SERVER__PROT sets no known key | did you mean ANGOS_SERVER__PORT?",
        ),
        (
            "ANGOS_BOGUS__BOGUS",
            "1",
            "ANGOS_BOGUS__BOGUS sets no known key | levels are separated by two underscores, e.g. ANGOS_SERVER__PORT",
        ),
        (
            "ANGOS_SERVER__PORT",
            "http",
            "ANGOS_SERVER__PORT `server.port`: expected a whole number from 0 to 65535, found the string \"http\"",
        ),
        (
            "ANGOS_GLOBAL__TRUSTED_PROXIES",
            "10.0.0.0/8",
            "ANGOS_GLOBAL__TRUSTED_PROXIES `global.trusted_proxies` takes an array of IP addresses and networks, written as in a file",
        ),
        (
            "ANGOS_GLOBAL__TRUSTED_PROXIES",
            "['x']",
            "ANGOS_GLOBAL__TRUSTED_PROXIES `global.trusted_proxies[0]`: expected an IP address or network such as \"10.0.0.0/8\", found the string \"x\"",
        ),
        (
            "ANGOS_SERVER__TLS__SERVER_PRIVATE_KEY",
            "\u{fffd}",
            "ANGOS_SERVER__TLS__SERVER_PRIVATE_KEY the value is not UTF-8",
        ),
    ] {
        let problems = load(&files, variables(&[(name, value)])).expect_err(name);
        assert_eq!(rendered(problems.iter().filter(|p| p.severity() == Severity::Error)), [expected]);
    }
    let other = load(&files, variables(&[("ANGOS_E2E_BINARY", "x")])).expect("another program's variable");
    assert_eq!(
        rendered(other.warnings.iter().take(1)),
        [
            "ANGOS_E2E_BINARY sets no known key | levels are separated by two underscores, e.g. ANGOS_SERVER__PORT",
        ]
    );
    let twice = [("ANGOS_SERVER__PORT", "1"), ("angos_server__port", "2")];
    let problems = load(&files, variables(&twice)).expect_err("twice");
    assert!(problems.to_string().contains("ANGOS_SERVER__PORT sets the same key"), "{problems}");
    let rule = [("ANGOS_GLOBAL__ACCESS_POLICY__RULES", "['identity.nope == 1']")];
    let problems = load(&files, variables(&rule)).expect_err("unknown field");
    assert!(problems.to_string().starts_with("environment variable ANGOS_GLOBAL__ACCESS_POLICY__RULES: "));
}

#[test]
fn later_files_win() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (first, second) = (folder.path().join("a.toml"), folder.path().join("b.toml"));
    std::fs::write(
        &first,
        "[server]\nport = 1\nmax_requests = 7\n[global]\ntrusted_proxies = ['::1', '::2']\n",
    )
    .expect("a file");
    std::fs::write(&second, "[server]\nport = 2\n[global]\ntrusted_proxies = ['::3']\n").expect("a file");
    let read = load(&[first.clone(), second.clone()], no_variables()).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!((read.server.listen.port(), read.server.limits.max_requests), (2, 7), "tables merge");
    assert_eq!(read.server.trusted_proxies.len(), 1, "arrays are replaced");

    std::fs::write(&second, "[server]\nport = 'x'\n").expect("a file");
    std::fs::write(&first, "[server]\nbogus = 1\n").expect("a file");
    let problems = load(&[first.clone(), second.clone()], no_variables()).expect_err("both are wrong");
    let files: Vec<_> = problems.iter().filter_map(|p| p.file()).collect();
    assert_eq!(files, [first, second], "{problems}");
}

#[test]
fn listeners_are_checked_one_by_one_and_together() {
    let plain = |lines: &str| format!("[[server.listener]]\nname = 'a'\nport = 1\ntls = false\n{lines}");
    check(
        "[[server.listener]]\n[[server.listener]]\nname = 'Probes!'\nport = 9\ntls = false",
        &[
            "1:1 `server.listener[0]` has no `name` | write name = \"probes\"",
            "1:1 `server.listener[0]` has no `port` | write port = 9000",
            "1:1 `server.listener[0]` speaks TLS, and there is no [server.tls] | add [server.tls], or write tls = false if everything, passwords included, may be sent in the clear",
            "3:8 the name of a listener has 1 to 63 of the characters a-z, 0-9 and -",
        ],
    );
    check(
        &plain("bogus = 1"),
        &[
            "5:1 unknown key `server.listener[0].bogus` | known here: name, bind_address, port, tls, client_auth, serve, max_connections",
        ],
    );
    check(
        &plain("serve = ['registry', 'managment']"),
        &[
            "5:22 `server.listener[0].serve[1]`: expected \"registry\" or \"management\", found the string \"managment\" | did you mean \"management\"?",
        ],
    );
    check(&plain("serve = ['registry', 'registry']"), &["5:22 \"registry\" is there twice"]);
    check(
        &plain("serve = []"),
        &["5:9 `server.listener[0]` serves nothing | write [\"registry\"], [\"management\"] or both"],
    );
    check(
        &plain("[[server.listener]]\nname = 'a'\nport = 0\ntls = false"),
        &["6:8 another listener is named \"a\" already"],
    );
    check(
        &plain("[[server.listener]]\nname = 'registry'\nport = 1\nbind_address = '0.0.0.0'\ntls = false"),
        &[
            "6:8 \"registry\" is the name of a listener that has a section of its own; choose another",
            "7:8 `server.listener[1]` and `server.listener[0]` cannot both listen on port 1",
        ],
    );
    check(
        "[server]\nport = 1\n[[server.listener]]\nname = 'a'\nport = 1\ntls = false",
        &["5:8 `server.listener[0]` and `server` cannot both listen on port 1"],
    );
    check(
        "[server.listener]\nname = 'a'",
        &[
            "1:9 `server.listener` is a list of sections: expected an array of tables, found a table | write [[server.listener]], once for each",
        ],
    );
    check(
        "server.listener = [5]",
        &["1:20 `server.listener[0]` is a section: expected a table, found the number 5"],
    );
}

#[test]
fn listeners_mean_what_they_say() {
    let read = loaded(
        "server.insecure = true\n[[server.listener]]\nname = 'probes'\nbind_address = '::'\nport = 9\ntls = false\nserve = ['management', 'registry']\nmax_connections = 3",
    );
    let [listener] = &read.server.listeners[..] else { panic!("{:?}", read.server.listeners) };
    assert_eq!((listener.name.as_str(), listener.tls, listener.max_connections), ("probes", false, 3));
    assert_eq!(listener.address, "[::]:9".parse().expect("an address"));
    assert_eq!((listener.surfaces.registry, listener.surfaces.management), (true, true));
    assert_eq!(
        rendered(read.warnings.iter())[1..3],
        [
            "6:1 listener \"probes\" serves the registry at [::]:9 without TLS: everything, passwords included, is sent in the clear | use TLS, or bind it to a loopback address",
            "7:1 listener \"probes\" serves health and metrics, without a policy, to every client that can reach [::]:9 | bind it where only probes and scrapers reach it",
        ]
    );
}

#[test]
fn the_bound_of_an_authority_names_repositories() {
    let section = "[[server.tls.client_ca]]\nname = 'a'\nbundle = 'a.pem'\n";
    let problems = |lines: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        let problems = load(&written(folder.path(), &format!("{section}{lines}")), no_variables())
            .expect_err("no files");
        rendered(problems.iter()).into_iter().filter(|it| it.starts_with("4:")).collect::<Vec<_>>()
    };
    assert_eq!(
        problems("namespaces = ['team/app', 'Team', 5]"),
        [
            "4:27 `server.tls.client_ca[0].namespaces[1]`: expected the name of a repository, or the first parts of one, such as \"team/app\", found the string \"Team\"",
            "4:35 `server.tls.client_ca[0].namespaces[2]`: expected the name of a repository, or the first parts of one, such as \"team/app\", found the number 5",
        ]
    );
    assert_eq!(
        problems("namespaces = []"),
        [
            "4:14 `namespaces` names no repository | name at least one repository, or leave `namespaces` out to bound nothing"
        ]
    );
    assert!(problems("namespaces = ['team/app']").is_empty());
}

#[test]
fn a_list_of_sections_is_replaced_as_a_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let (first, second) = (folder.path().join("1.toml"), folder.path().join("2.toml"));
    std::fs::write(&first, "[[server.listener]]\nname = 'a'\nport = 1\ntls = false").expect("a file");
    std::fs::write(&second, "\n[[server.listener]]\nname = 'b'\ntls = false").expect("a file");
    let problems = load(&[first, second.clone()], no_variables()).expect_err("no port");
    let found: Vec<_> = problems.iter().map(|problem| (problem.file(), problem.line())).collect();
    assert_eq!(found[..1], [(Some(second.as_path()), Some(2))], "{problems}");
    let variable = [("ANGOS_SERVER__LISTENER__PORT".to_owned(), "1".to_owned())];
    let problems = load(&[second], variable.into_iter()).expect_err("a variable").to_string();
    assert!(problems.contains("write [[server.listener]] in a file"), "{problems}");
}

#[test]
fn warnings_do_not_refuse() {
    let read = loaded(
        "[global.access_policy]\ndefault_allow = true\nrules = [{ name = 'a', when = 'true' }, { name = 'a', when = 'true' }]\n[repository.a.access_policy]\ndefault_allow = false\n[storage]\nsync = false\n[global]\nimmutable_tags_exclusions = ['x']",
    );
    let found = rendered(read.warnings.iter());
    assert_eq!(
        found,
        [
            "2:1 `default_allow` is the older spelling of `default`, and deprecated | write default = \"allow\"",
            "3:41 two rules are called `a`: logs and metrics cannot tell them apart | give each rule a name of its own",
            "7:1 acknowledged pushes do not survive a power failure, and the metadata may be damaged by one | leave `storage.sync` out unless everything here can be pushed again",
            "9:1 `global.immutable_tags_exclusions` has no effect: immutable_tags is not set | write immutable_tags = true, or leave the exclusions out",
        ]
    );
    let empty = loaded("[global]");
    assert!(rendered(empty.warnings.iter())[0].contains("every request will be denied"));
}

#[test]
fn defaults_are_those_the_schema_promises() {
    let read = loaded("[server]\ninsecure = true");
    let default = |path: &str| {
        let key = crate::SCHEMA.iter().find(|key| key.path == path).expect("a key");
        key.default.trim_matches('"').to_owned()
    };
    let span = |duration| crate::schema::quantity::TimeSpan(duration).to_string();
    let size = |bytes| crate::schema::quantity::ByteSize(bytes).to_string();
    let server = &read.server;
    for (path, value) in [
        ("server.bind_address", server.listen.ip().to_string()),
        ("server.port", server.listen.port().to_string()),
        ("server.request_head_timeout", span(server.timeouts.request_head)),
        ("server.idle_timeout", span(server.timeouts.idle)),
        ("server.body_progress_timeout", span(server.timeouts.body_progress)),
        ("server.tls.expiry_warning", span(server.expiry_warning)),
        ("server.untrusted_drain_timeout", span(server.timeouts.untrusted_drain)),
        ("server.shutdown_delay", span(server.timeouts.shutdown_delay)),
        ("server.drain_timeout", span(server.timeouts.drain)),
        ("server.max_connections", server.limits.max_connections.to_string()),
        ("server.max_requests", server.limits.max_requests.to_string()),
        ("server.max_http2_streams", server.limits.max_http2_streams.to_string()),
        ("server.tls.handshake_timeout", span(angos_tls::limits::HANDSHAKE_TIMEOUT)),
        ("global.max_manifest_size", size(server.registry.max_manifest_size as u64)),
        ("global.require_references", server.registry.require_references.to_string()),
        ("global.immutable_tags", server.registry.immutable_tags.to_string()),
        ("global.upload_expiry", span(server.registry.upload_expiry)),
        ("global.manifest_cache_size", size(server.registry.manifest_cache_bytes)),
        ("metadata_store.fs.cache_size", size(angos_storage::limits::METADATA_CACHE_BYTES as u64)),
        // tidy: one table of all defaults.
        ("garbage_collection.grace", span(server.registry.gc_grace)),
        ("garbage_collection.interval", span(server.registry.gc_interval)),
        ("garbage_collection.sweep_interval", span(server.registry.gc_sweep_interval)),
        ("garbage_collection.rate", server.registry.gc_rate.to_string()),
        ("storage.sync", read.storage.sync.to_string()),
    ] {
        // "24h" and "1d" are the same promise.
        let promised = default(path);
        let promised = crate::schema::quantity::TimeSpan::parse(&promised)
            .filter(|_| !promised.chars().all(|c| c.is_ascii_digit()))
            .map_or(promised, |span| span.to_string());
        assert_eq!(promised, value, "{path}");
    }
    assert_eq!((server.management, server.registry.max_blob_size), (None, None));
}

#[test]
fn plain_http_beyond_this_machine_is_asked_for() {
    const HELP: &str =
        "use TLS ([server.tls]), bind it to a loopback address, or write insecure = true below [server]";
    let listener = |lines: &str| format!("[[server.listener]]\nname = 'a'\nport = 1\ntls = false\n{lines}\n");
    for address in ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"] {
        let written = format!("[server]\nbind_address = '{address}'\nport = 1");
        let shown = if address.contains(':') { format!("[{address}]:1") } else { format!("{address}:1") };
        let said = format!(
            "the server serves the registry at {shown} without TLS: everything, passwords included, is sent in the clear"
        );
        check(&written, &[&format!("2:1 {said} | {HELP}")]);
        check(&written.replace("[server]", "[server]\ninsecure = false"), &[&format!("3:1 {said} | {HELP}")]);
        let read = loaded(&written.replace("[server]", "[server]\ninsecure = true"));
        assert!(
            rendered(read.warnings.iter())
                .contains(&format!("3:1 {said} | use TLS, or bind it to a loopback address"))
        );
    }
    for local in [
        "",
        "bind_address = '127.0.0.1'",
        "bind_address = '127.8.8.8'",
        "bind_address = '::1'",
        "bind_address = '::ffff:127.0.0.1'",
    ] {
        let read = loaded(&format!("[server]\n{local}\n{}", listener("bind_address = '::1'")));
        assert!(read.server.listen.ip().to_canonical().is_loopback(), "{local}: {}", read.server.listen);
    }
    assert_eq!(loaded("[server]\ninsecure = true").server.listen.to_string(), "0.0.0.0:8000");
    check(
        &listener("bind_address = '::'"),
        &[&format!(
            "4:1 listener \"a\" serves the registry at [::]:1 without TLS: everything, passwords included, is sent in the clear | {HELP}"
        )],
    );
    loaded(&listener("bind_address = '::'\nserve = ['management']"));
    let useless = loaded("[server]\ninsecure = true\nbind_address = '::1'");
    let found =
        rendered(useless.warnings.iter()).into_iter().filter(|it| it.starts_with("2:1 `server.insecure`"));
    assert_eq!(found.count(), 1);
}

#[test]
fn an_empty_configuration_is_an_error() {
    for text in ["", "\n\n", "# [server.tls]\n"] {
        check(text, &["- the configuration is empty | write at least one section, or set a variable"]);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let files = written(folder.path(), "");
    load(&files, variables(&[("ANGOS_SERVER__PORT", "1")])).unwrap_or_else(|problems| panic!("{problems}"));
}

#[test]
fn nothing_but_regular_files_is_read() {
    use std::os::unix::net::UnixListener;
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    assert!(std::process::Command::new("mkfifo").arg(at("pipe")).status().expect("mkfifo").success());
    let _socket = UnixListener::bind(at("socket")).expect("a socket");
    for special in [at("pipe"), at("socket"), at(""), "/dev/zero".to_owned(), "/dev/null".to_owned()] {
        let said = load(&[special.clone().into()], no_variables()).expect_err("not a file").to_string();
        assert!(said.contains("cannot read the configuration file: this is not a regular file"), "{said}");
        for line in [
            format!("[auth.identity.a]\nusername = 'a'\npassword_file = '{special}'"),
            format!(
                "[server.tls]\nserver_certificate_bundle = '{special}'\nserver_private_key = '{special}'"
            ),
            format!(
                "[server.tls]\nserver_certificate_bundle = 'x'\nserver_private_key = 'x'\nclient_ca_bundle = '{special}'"
            ),
        ] {
            let said = problems(&line).to_string();
            assert!(said.contains("this is not a regular file") && said.contains(&special), "{line}\n{said}");
        }
    }
}
