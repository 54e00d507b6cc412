//! Every bound stands in the `limits.rs` of its crate, with its reason, and so in `docs/reference/limits.md`.

use crate::{root, shown, sources};

/// The types bounds have. Bytes are left out: they are tags of formats.
const TYPES: &[&str] = &["usize", "u16", "u32", "u64", "u128", "i32", "i64", "Duration"];

/// Numbers that are no limits, each with what it is.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("crates/angos-quickstart/src/lib.rs", "DEFAULT_PORT", "a default, documented with its option"),
    ("crates/angos-access/src/request.rs", "TEXT_BYTES", "length of the longest digest, written out"),
    ("crates/angos-auth/src/password_hash.rs", "VERSION", "of argon2"),
    ("crates/angos-config/src/schema.rs", "TIB", "a unit; the keys that use it are in the table of keys"),
    ("crates/angos-oci/src/digest.rs", "MAX_BYTES", "length of the longest digest"),
    ("crates/angos-oci/src/upload_id.rs", "BYTES", "length of an upload id"),
    ("crates/angos-policy/src/timestamp.rs", "FIRST", "the first timestamp of CEL"),
    ("crates/angos-policy/src/timestamp.rs", "LAST", "the last timestamp of CEL"),
    ("crates/angos-registry/src/key.rs", "DIGEST", "length of a field of a key"),
    ("crates/angos-policy/src/certificate_forms.rs", "SHA256_DIGITS", "length of a digest"),
    ("crates/angos-registry/src/position.rs", "CODE_BYTES", "length of a code"),
    ("crates/angos-registry/src/position.rs", "NAME_BYTES", "room for the longest name"),
    ("crates/angos-server/src/connection/activity.rs", "FREE", "stands for none"),
    ("crates/angos-server/src/request/id.rs", "TEXT_BYTES", "length of a request id"),
    ("crates/angos-storage/src/redb/database.rs", "FORMAT_VERSION", "of the file"),
    ("crates/angos-storage/src/filesystem/record.rs", "CHECKSUM_BYTES", "length of a checksum"),
];

/// File and name of every numeric constant of the product outside of `limits.rs` and of tests.
fn strays() -> Vec<(String, String)> {
    let mut files = sources(&root().join("crates"));
    files.extend(sources(&root().join("bins")));
    let mut found = Vec::new();
    for (path, text) in files {
        let file = shown(&path);
        let is_product =
            file.contains("/src/") && !file.contains("/tests") && !file.ends_with("src/limits.rs");
        if !is_product {
            continue;
        }
        let code = text.split("#[cfg(test)]\nmod").next().unwrap();
        found.extend(code.lines().filter_map(numeric_constant).map(|name| (file.clone(), name)));
    }
    found
}

/// The name a line gives to a number or a duration, if it does.
fn numeric_constant(line: &str) -> Option<String> {
    let line = line.trim_start();
    let rest = match line.split_once("const ") {
        Some((before, rest)) if before.is_empty() || before.starts_with("pub") => rest,
        _ => return None,
    };
    let (name, rest) = rest.split_once(':')?;
    let (kind, value) = rest.split_once('=')?;
    let kind = kind.trim().rsplit("::").next().unwrap();
    // Permissions of files are octal, and no limit.
    let is_mode = value.trim().starts_with("0o");
    (TYPES.contains(&kind) && !is_mode).then(|| name.to_owned())
}

#[test]
fn every_bound_stands_in_limits() {
    let is_exception = |file: &str, name: &str| EXCEPTIONS.iter().any(|it| it.0 == file && it.1 == name);
    let offenders: Vec<String> = strays()
        .into_iter()
        .filter(|(file, name)| !is_exception(file, name))
        .map(|(file, name)| format!("  {file}: {name}"))
        .collect();
    assert!(
        offenders.is_empty(),
        "move to the crate's limits.rs, with value, source and reason:\n{}",
        offenders.join("\n")
    );
}

#[test]
fn every_exception_exists() {
    let found = strays();
    for (file, name, reason) in EXCEPTIONS {
        let exists = found.iter().any(|it| it.0 == *file && it.1 == *name);
        assert!(exists, "{file}: {name} ({reason}) is gone: drop the row");
    }
}

#[test]
fn constants_are_recognised() {
    for (line, expected) in [
        ("const A: usize = 1;", Some("A")),
        ("    pub(super) const B_C: std::time::Duration = Duration::from_secs(1);", Some("B_C")),
        ("pub const D: u64 = 1 << 40;", Some("D")),
        ("const E: &str = \"x\";", None),
        ("const MODE: u32 = 0o600;", None),
        ("const fn f(a: usize) -> u64 {", None),
        ("fn g<const N: usize>(cells: [String; N]) -> String {", None),
        ("/// const F: usize = 1;", None),
    ] {
        assert_eq!(numeric_constant(line).as_deref(), expected, "{line}");
    }
}
