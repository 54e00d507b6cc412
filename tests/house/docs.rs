//! The tables of the reference pages, made from the code and compared: every key, limit and error that exists is
//! documented, and nothing else is. `BLESS=1 cargo test -p angos-house` writes them anew.

use std::path::PathBuf;

use crate::{root, shown, sources};
use angos_config::{LINTS, SCHEMA, ValueKind};
use angos_oci::ErrorCode;

const BEGIN: &str = "<!-- made from the code; `BLESS=1 cargo test -p angos-house` renews it -->\n";
const END: &str = "<!-- end -->";

/// Compares the generated part of a page with `table`, or writes it when asked to.
fn check(page: &str, table: &str) {
    let path = root().join("docs/reference").join(page);
    let text = std::fs::read_to_string(&path).unwrap();
    let begin = text.find(BEGIN).unwrap_or_else(|| panic!("{page} has no generated part")) + BEGIN.len();
    let end = begin + text[begin..].find(END).unwrap();
    if std::env::var_os("BLESS").is_some() {
        let renewed = format!("{}{table}{}", &text[..begin], &text[end..]);
        if renewed != text {
            std::fs::write(&path, renewed).unwrap();
        }
        return;
    }
    let documented = &text[begin..end];
    let missing: Vec<&str> = table.lines().filter(|line| !documented.contains(line)).collect();
    let stale: Vec<&str> = documented.lines().filter(|line| !table.contains(line)).collect();
    assert!(
        documented == table,
        "docs/reference/{page} is not what the code says (BLESS=1 renews it)\nmissing: {missing:#?}\nstale: {stale:#?}"
    );
}

/// One line of a table; what would break it is escaped.
fn row<const N: usize>(cells: [String; N]) -> String {
    let cells = cells.map(|it| it.replace('|', "\\|").replace('\n', " "));
    format!("| {} |\n", cells.join(" | "))
}

fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{text}`") }
}

#[test]
fn every_configuration_key_is_documented() {
    let mut table =
        String::from("| key | takes | default | reload | what it does |\n|---|---|---|---|---|\n");
    for key in SCHEMA {
        let takes = takes(key.kind);
        let reload = if key.reload { "yes" } else { "restart" };
        table += &row([code(key.path), takes, code(key.default), reload.into(), key.doc.into()]);
    }
    check("configuration.md", &table);
}

fn takes(kind: ValueKind) -> String {
    match kind {
        ValueKind::Integer { min, max } => format!("integer, {min} to {max}"),
        ValueKind::Size { min, max } => format!("size, {min} to {max} bytes"),
        ValueKind::Duration { min, max } => format!("duration, {min:?} to {max:?}"),
        ValueKind::OneOf(words) => {
            words.iter().map(|it| format!("`\"{it}\"`")).collect::<Vec<_>>().join(" or ")
        }
        ValueKind::SetOf(words) => format!("list of {}", takes(ValueKind::OneOf(words))),
        ValueKind::Strings => "list of strings".into(),
        ValueKind::Paths => "list of paths".into(),
        ValueKind::RepositoryNames => "list of repository names".into(),
        ValueKind::Networks => "list of IP addresses and networks".into(),
        ValueKind::Regexes => "list of regular expressions".into(),
        ValueKind::Rules => "list of rules".into(),
        ValueKind::IpAddress => "IP address".into(),
        other => format!("{other:?}").to_lowercase(),
    }
}

/// The limits that a user of the registry or of its tools meets. All others are explained in the documentation of the code.
const USER_LIMITS: &[(&str, &[&str])] = &[
    ("angos", &["PASSWORD_INPUT_MAX_BYTES"]),
    (
        "angos-access",
        &["DECISION_LINE_BYTES", "REPLAY_LINE_MAX_BYTES", "REPLAY_UNREADABLE_MAX_BYTES", "REPLAY_GROUPS_MAX"],
    ),
    (
        "angos-auth",
        &[
            "AUTHORIZATION_BYTES",
            "PASSWORD_BYTES",
            "PASSWORD_BCRYPT_BYTES",
            "PASSWORD_BCRYPT_COST",
            "PASSWORD_ARGON2_KIB",
            "VERIFICATION_CONCURRENCY",
            "VERIFICATION_QUEUE_LENGTH",
            "CREDENTIAL_CACHE_TTL",
        ],
    ),
    (
        "angos-config",
        &[
            "FILE_MAX_BYTES",
            "FILES_MAX",
            "VARIABLE_MAX_BYTES",
            "RULES_MAX",
            "REPOSITORIES_MAX",
            "IDENTITIES_MAX",
            "USERNAME_MAX_BYTES",
            "RULE_NAME_MAX_BYTES",
            "LISTENER_NAME_MAX_BYTES",
            "SECTIONS_MAX",
            "CASES_MAX",
            "CASE_REQUESTS_MAX",
            "STABLE_PERIOD",
            "STABLE_TIMEOUT",
            "WATCH_POLL_INTERVAL",
            "FILE_TIMEOUT",
            "LOAD_TIMEOUT",
        ],
    ),
    ("angos-doctor", &["STEP_TIMEOUT", "CANDIDATES_MAX"]),
    (
        "angos-identity",
        &[
            "CERTIFICATE_MAX_BYTES",
            "NAME_ATTRIBUTES_MAX",
            "ALTERNATIVE_NAMES_MAX",
            "EXTENSIONS_MAX",
            "SERIAL_NUMBER_MAX_BYTES",
            "CALLER_PREFIX_V6_BITS",
            "CERTIFICATE_RESERVE",
        ],
    ),
    (
        "angos-oci",
        &["NAME_MAX_BYTES", "TAG_MAX_BYTES", "PUSH_TAGS_MAX", "MANIFEST_MAX_BYTES", "DESCRIPTORS_MAX"],
    ),
    (
        "angos-policy",
        &[
            "RULE_MAX_BYTES",
            "NESTING_MAX",
            "LOOP_DEPTH_MAX",
            "RULE_COST_MAX",
            "TEXT_MAX_BYTES",
            "PATTERN_MAX_BYTES",
            "REGEX_MAX_BYTES",
        ],
    ),
    ("angos-quickstart", &["VALID_DAYS"]),
    ("angos-registry", &["PAGE_MAX", "REFERRERS_PER_PAGE_MAX"]),
    (
        "angos-server",
        &[
            "REQUEST_HEAD_BYTES",
            "PAGE_ENTRIES",
            "ARTIFACT_TYPES_MAX",
            "BODY_BUFFER_FREE_BYTES",
            "MANAGEMENT_CONNECTIONS",
            "NEW_CONNECTIONS_SHARE",
            "FILES_RESERVE",
            "LOGGED_DENIALS",
            "LOGGED_DENIALS_PERIOD",
            "UPLOAD_SWEEP_INTERVAL",
            "DECISION_LOG_QUEUE_BYTES",
            "EXPIRY_LOG_INTERVAL",
        ],
    ),
    ("angos-storage", &["UPLOAD_BUFFER_MAX_BYTES", "UPLOAD_BUFFERS_BYTES", "SPACE_LOW_BYTES", "INODES_LOW"]),
    (
        "angos-tls",
        &[
            "PEM_MAX_BYTES",
            "CRL_MAX_BYTES",
            "CRL_FILES_MAX",
            "REVOKED_CERTIFICATES_MAX",
            "CA_NAME_MAX_BYTES",
            "CLIENT_CAS_MAX",
            "SESSION_LIFETIME",
            "LOGGED_FAILURES_BURST",
            "LOGGED_FAILURES_INTERVAL",
            "POSSIBLE_ISSUERS_MAX",
        ],
    ),
];

#[test]
fn every_user_limit_is_documented() {
    let mut table = String::from("| crate | limit | value | what it bounds, and why |\n|---|---|---|---|\n");
    let mut files = sources(&root().join("crates"));
    files.extend(sources(&root().join("bins")));
    let mut found = Vec::new();
    for (path, text) in files {
        if !path.ends_with("src/limits.rs") {
            continue;
        }
        let package = shown(&path).split('/').nth(1).unwrap().to_owned();
        let wanted = USER_LIMITS.iter().find(|row| row.0 == package).map_or(&[][..], |row| row.1);
        for (name, value, doc) in constants(&text) {
            assert!(!doc.is_empty(), "{package}: {name} has no documentation");
            if wanted.contains(&name.as_str()) {
                found.push(name.clone());
                table += &row([package.clone(), code(&name), code(&value), doc]);
            }
        }
    }
    for (package, wanted) in USER_LIMITS {
        for name in *wanted {
            assert!(found.iter().any(|it| it == name), "{package}: {name} is gone: rename or drop the row");
        }
    }
    check("limits.md", &table);
}

/// Name, value and documentation of every constant of a `limits.rs`.
fn constants(text: &str) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    let mut doc = String::new();
    for line in text.lines() {
        let line = line.trim();
        if let Some(words) = line.strip_prefix("///") {
            if !doc.is_empty() {
                doc.push(' ');
            }
            doc.push_str(words.trim());
        } else if let Some((_, rest)) = line.split_once("const ") {
            let (name, rest) = rest.split_once(':').unwrap();
            let value = rest.split_once("= ").unwrap().1.trim_end_matches(';');
            found.push((name.to_owned(), value.to_owned(), unlinked(doc.trim())));
            doc.clear();
        } else {
            doc.clear();
        }
    }
    found
}

/// Documentation links, as plain code: `[`A`](path)` and `[`A`]` become `A`.
fn unlinked(doc: &str) -> String {
    let mut out = String::new();
    let mut rest = doc;
    while let Some(start) = rest.find("[`") {
        out.push_str(&rest[..start]);
        let Some(length) = rest[start..].find("`]") else { break };
        out.push_str(&rest[start + 1..=start + length]);
        rest = &rest[start + length + 2..];
        if rest.starts_with('(') {
            rest = rest.split_once(')').map_or(rest, |(_, after)| after);
        }
    }
    out + rest
}

#[test]
fn every_lint_is_documented() {
    let mut table = String::from("| lint | what it finds |\n|---|---|\n");
    for lint in LINTS {
        table += &row([format!("[`{0}`](#{0})", lint.name), lint.doc.into()]);
    }
    check("lints.md", &table);
    let page = std::fs::read_to_string(root().join("docs/reference/lints.md")).unwrap();
    for lint in LINTS {
        assert!(page.contains(&format!("\n## {}\n", lint.name)), "lints.md has no section on {}", lint.name);
    }
}

#[test]
fn every_error_code_is_documented() {
    let mut table = String::from("| code | message |\n|---|---|\n");
    for error in ErrorCode::ALL {
        table += &row([code(error.as_str()), error.message().into()]);
    }
    check("errors.md", &table);
}

#[test]
fn every_page_is_linked_from_the_readme() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                assert!(readme.contains(&shown(&path)), "README.md does not link {}", shown(&path));
            }
        }
    }
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    let mut pages = vec![root().join("README.md")];
    for folder in ["docs", "docs/how-to", "docs/reference", "docs/tutorials", "docs/explanation"] {
        let Ok(entries) = std::fs::read_dir(root().join(folder)) else { continue };
        pages.extend(entries.map(|it| it.unwrap().path()).filter(|it| it.is_file()));
    }
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        for target in text.split("](").skip(1).filter_map(|it| it.split(')').next()) {
            let file = target.split('#').next().unwrap();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            let path = page.parent().unwrap().join(file);
            assert!(path.exists(), "{} links {target}, which does not exist", shown(&page));
        }
    }
}

/// Prose of pages, that is not code, a table or a heading, in lines a reader can follow.
#[test]
fn prose_lines_are_short() {
    const LINE_CHARS: usize = 110;
    let mut offenders = String::new();
    for (path, text) in pages() {
        let mut is_code = false;
        for (number, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                is_code = !is_code;
            }
            let is_prose = !is_code && !line.starts_with(['|', '#', '`']) && !line.starts_with("<!--");
            if is_prose && line.chars().count() > LINE_CHARS {
                offenders += &format!("  {}:{}\n", shown(&path), number + 1);
            }
        }
    }
    assert!(offenders.is_empty(), "break these lines at {LINE_CHARS} characters:\n{offenders}");
}

/// README, every page, and the README of every crate.
fn pages() -> Vec<(PathBuf, String)> {
    let mut paths = vec![root().join("README.md")];
    for folder in std::fs::read_dir(root().join("crates")).unwrap() {
        paths.push(folder.unwrap().path().join("README.md"));
    }
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() { folders.push(path) } else { paths.push(path) }
        }
    }
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}
