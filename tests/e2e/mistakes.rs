//! Rules that are refused: `angos check` and a start say what is wrong, where, and what was meant; whatever is written, the
//! answer is a place in the file.

#[path = "../../crates/angos-policy/tests/policy/invalid_rules.rs"]
mod invalid_rules;

use self::invalid_rules::{InvalidRules, invalid_rules};
use crate::harness::{BINARY, TIMEOUT, binary, settle};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Rule, column of the mistake in it, and what message and help begin with.
const MISTAKES: &[(&str, usize, &str, &str)] = &[
    // Unknown names.
    ("identity.usrname == 'a'", 10, "`identity` has no field `usrname`", "did you mean `username`?"),
    ("requst.action == 'metrics'", 1, "unknown name `requst`", "did you mean `request`?"),
    (
        "identity.certificate.cn == 'a'",
        22,
        "`identity.certificate` has no field `cn`",
        "did you mean `common_names`?",
    ),
    ("identity.username == admin", 22, "unknown name `admin`", "known are "),
    // Unknown functions.
    ("request.tag.startswith('v')", 13, "unknown function `startswith`", "did you mean `startsWith`?"),
    (
        "has_repository_polcy()",
        1,
        "unknown function `has_repository_polcy`",
        "did you mean `has_repository_policy`?",
    ),
    // Wrong operands.
    ("identity.username == 1", 19, "`==` cannot take a string and an int", ""),
    ("identity.username && true", 1, "each side of `&&` must be a bool, this is a string", ""),
    ("'x' in identity.username", 8, "the right side of `in` must be a list", ""),
    ("request.n.contains('a')", 1, "`contains` is called on a string, this is an int", ""),
    // No rule.
    ("identity.username", 1, "a rule must be true or false, this is a string", "compare it with something"),
    ("size(request.tags)", 1, "a rule must be true or false, this is an int", ""),
    // Words outside a closed set.
    (
        "request.action == 'pull'",
        19,
        "'pull' is not one of the possible values",
        "possible are get-api-version, get-manifest, put-manifest",
    ),
    (
        "request.action == 'get-manifst'",
        19,
        "'get-manifst' is not one of the possible values",
        "did you mean 'get-manifest'?",
    ),
    (
        "request.action.startsWith('pull')",
        27,
        "none of the possible values starts with 'pull'",
        "possible are ",
    ),
    (
        "identity.method in ['oidc']",
        21,
        "'oidc' is not one of the possible values",
        "possible are anonymous, certificate, basic",
    ),
    // Patterns, zones, networks and moments that are none.
    ("request.tag.matches('(v')", 21, "bad pattern: unclosed group", ""),
    (
        "request.tag.matches(identity.username)",
        21,
        "the pattern of `matches` must be written in the rule",
        "",
    ),
    (
        "request.time.getHours('Europe/Pariss') > 8",
        23,
        "`Europe/Pariss` is no time zone",
        "did you mean `Europe/Paris`?",
    ),
    (
        "cidr('10.0.0.0/33').containsIP(identity.client_ip)",
        6,
        "`10.0.0.0/33` is not a cidr",
        "write it like '10.0.0.0/8'",
    ),
    ("request.time < timestamp('tomorrow')", 26, "`tomorrow` is not a timestamp", ""),
    // No expressions.
    ("identity.username = 'admin'", 19, "`=` does not belong here", ""),
    ("'unterminated", 1, "the string that begins here does not end", ""),
    ("", 1, "the rule is empty", "write `true` or `false`"),
];

/// Rules that load, and what is said of them: line and column, lint, and help.
const SUSPECT: &[(&str, usize, &str, &str)] = &[
    (
        "identity.username == 'a' || 1 == 1",
        1,
        "warning[constant-rule]: this rule is always true",
        "make it narrower",
    ),
    (
        "identity.username != 'bob' && request.action == 'get-blob'",
        1,
        "warning[absent-identity]: an anonymous caller has no `identity.username`",
        "add `identity.username != '' && …`",
    ),
    (
        "identity.username == 'a' && request.namespace != 'prod'",
        29,
        "warning[absent-field]: a request without `request.namespace` passes here",
        "name the actions that are meant",
    ),
];

/// Runs `angos -c config.toml VERB` on a policy, on a stack of 2 MiB, and waits for its end.
fn run(folder: &Path, verb: &str, text: &[u8]) -> (Option<i32>, String) {
    std::fs::write(folder.join("config.toml"), text).unwrap();
    settle(folder);
    let mut process = Command::new("sh")
        .args(["-c", "ulimit -s 2048 && exec \"$0\" -c config.toml \"$1\""])
        .arg(binary())
        .env_remove(BINARY)
        .arg(verb)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(folder.join("said")).unwrap())
        .spawn()
        .unwrap();
    let started = Instant::now();
    let status = loop {
        if let Some(status) = process.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > TIMEOUT {
            process.kill().unwrap();
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    };
    (status.code(), std::fs::read_to_string(folder.join("said")).unwrap())
}

/// A policy with these rules, one a line from the third on.
fn policy<'r>(rules: impl Iterator<Item = &'r str>) -> String {
    let lines = rules.map(|rule| format!("{},\n", quoted(rule)));
    format!("[global.access_policy]\nrules = [\n{}]\n", lines.collect::<String>())
}

/// A basic string of TOML on one line.
fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|character| match character {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        control if control.is_control() => format!("\\u{:04x}", u32::from(control)),
        other => other.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

#[test]
fn each_class_of_mistake_is_placed_shown_and_corrected() {
    let folder = tempfile::tempdir().unwrap();
    let text = policy(MISTAKES.iter().map(|(rule, ..)| *rule));
    for verb in ["check", "server"] {
        let (code, said) = run(folder.path(), verb, text.as_bytes());
        assert_eq!(code, Some(1), "{verb}: {said}");
        assert!(!said.contains("listening"), "{verb}: {said}");
        assert!(said.ends_with(&format!("\n{} errors in the configuration\n", MISTAKES.len())), "{said}");
        for (index, (rule, column, message, help)) in MISTAKES.iter().enumerate() {
            told(&said, index + 3, rule, column + 1, &format!("error: {message}"), help);
        }
    }
}

#[test]
fn what_loads_and_looks_wrong_is_placed_shown_and_corrected() {
    let folder = tempfile::tempdir().unwrap();
    for (rule, column, message, help) in SUSPECT {
        let (code, said) = run(folder.path(), "check", policy([*rule].into_iter()).as_bytes());
        assert_eq!(code, Some(0), "{said}");
        told(&said, 3, rule, column + 1, message, help);
    }
}

/// The place, the line, a caret under the column, and the help: as they stand below each other.
#[track_caller]
fn told(said: &str, line: usize, rule: &str, column: usize, message: &str, help: &str) {
    let begin = format!("config.toml:{line}:{column}: {message}");
    let (_, rest) = said.split_once(&begin).unwrap_or_else(|| panic!("no {begin}\n{said}"));
    let mut lines = rest.lines().skip(1);
    let shown = format!("  {line} | {},", quoted(rule));
    assert_eq!(lines.next(), Some(&*shown), "{begin}");
    let marked = lines.next().unwrap();
    let indent = " ".repeat(line.to_string().len() + 2);
    assert!(
        marked.starts_with(&format!("{indent} | {}^", " ".repeat(column - 1))),
        "{begin}\n{shown}\n{marked}"
    );
    let helped = lines.next().unwrap_or_default();
    assert!(help.is_empty() || helped.starts_with(&format!("  help: {help}")), "{begin}: {helped}");
}

/// Kinds of which some are rules, that cost too much when they are asked.
const RULES: [&str; 1] = ["a macro of 125 bytes that grows without end"];

#[test]
fn every_kind_of_broken_input_is_refused_with_a_place() {
    let folder = tempfile::tempdir().unwrap();
    let table = invalid_rules();
    assert!(table.len() >= 46);
    for InvalidRules { kind, inputs } in table {
        let text = policy(inputs.iter().map(String::as_str));
        let started = Instant::now();
        let (code, said) = run(folder.path(), "check", text.as_bytes());
        let expected = if RULES.contains(&kind) { code.filter(|code| *code < 2) } else { Some(1) };
        assert!(code.is_some() && code == expected, "{kind}: {code:?}\n{said:.2000}");
        let placed = (3..inputs.len() + 3).filter(|line| said.contains(&format!("config.toml:{line}:")));
        assert!(RULES.contains(&kind) || placed.count() == inputs.len(), "{kind}: {said:.2000}");
        assert!(
            said.len() < 100_000 && said.chars().all(|c| c == '\n' || !c.is_control()),
            "{kind}: {said:.2000?}"
        );
        assert!(started.elapsed() < TIMEOUT / 3, "{kind} took {:?}", started.elapsed());
    }
}

#[test]
fn what_is_no_utf8_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    for bytes in [&b"\xff"[..], b"\xc3\x28", b"\xed\xa0\x80", b"\xf0\x9f\x92"] {
        let text =
            [b"[global.access_policy]\nrules = [\n\"identity.username == '", bytes, b"'\",\n]\n"].concat();
        for verb in ["check", "server"] {
            let (code, said) = run(folder.path(), verb, &text);
            assert_eq!(code, Some(1), "{said}");
            assert!(said.contains("config.toml: error: ") && said.contains("not UTF-8 (line 3)"), "{said}");
        }
    }
}
