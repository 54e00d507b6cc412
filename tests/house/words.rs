//! Plain words: the terms of docs/contributing.md, and none of the older ones that had to be decoded.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::{root, shown};

/// Older words; `*` stands for any ending.
const OLD_WORDS: &[&str] = &[
    "judge",
    "judges",
    "judged",
    "judging",
    "judgement*",
    "verdict*",
    "inquiry",
    "inquiries",
    "fate",
    "door",
    "doors",
    "situation*",
    "vouch*",
    "whoever",
    "nobody",
    "somebody",
    "everybody",
    "anybody",
    "is none",
    "on trial",
    "of which",
];

/// How many of them a folder still has at most. Only lower a number; a folder that is not here has none.
const AT_MOST: &[(&str, usize)] = &[
    ("crates/angos-access", 48),
    ("crates/angos-auth", 13),
    ("crates/angos-identity", 6),
    ("crates/angos-oci", 2),
    ("crates/angos-policy", 48),
    ("crates/angos-registry", 25),
    ("crates/angos-server", 239),
    ("crates/angos-storage", 12),
    ("crates/angos-tls", 88),
    ("docs", 22),
    ("tests/bench", 3),
    ("tests/ca", 5),
    ("tests/e2e", 123),
    ("tests/fuzz", 15),
];

/// Files that show these words on purpose, each with the reason.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("docs/changelog.md", "says what was renamed"),
    ("docs/contributing.md", "lists them for people"),
    ("tests/house/words.rs", "lists them"),
];

/// Text files of the project, but not data from outside.
fn texts() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> =
        ["bins", "crates", "docs", "examples", "tests"].map(|folder| root().join(folder)).into();
    found.push((root().join("README.md"), std::fs::read_to_string(root().join("README.md")).unwrap()));
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = shown(&path);
            if path.is_dir() {
                let is_foreign =
                    ["tests/fuzz/corpus", "tests/fixtures", "tests/cel"].contains(&name.as_str());
                if !is_foreign && !path.ends_with("target") {
                    folders.push(path);
                }
            } else if path
                .extension()
                .is_some_and(|it| ["rs", "md", "toml", "sh", "txt", "py"].iter().any(|end| it == *end))
                && !EXCEPTIONS.iter().any(|(file, _)| name == *file)
            {
                found.push((path.clone(), std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// The old words in a line.
fn old_words(line: &str) -> Vec<&'static str> {
    let line = line.to_lowercase();
    let is_letter = |letter: char| letter.is_alphanumeric() || letter == '_';
    let is_found = |word: &&&str| {
        let (stem, is_open) = word.strip_suffix('*').map_or((**word, false), |stem| (stem, true));
        line.match_indices(stem).any(|(at, _)| {
            let (before, after) = (&line[..at], &line[at + stem.len()..]);
            !before.ends_with(is_letter) && (is_open || !after.starts_with(is_letter))
        })
    };
    OLD_WORDS.iter().filter(is_found).copied().collect()
}

#[test]
fn old_words_only_become_fewer() {
    let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in texts() {
        let name = shown(&path);
        let mut parts = name.split('/');
        let folder = match (parts.next(), parts.next()) {
            (Some(top @ ("bins" | "crates" | "tests")), Some(next)) => format!("{top}/{next}"),
            (Some(top), _) => top.to_owned(),
            (None, _) => unreachable!("a path has a part"),
        };
        for (number, line) in text.lines().enumerate() {
            for word in old_words(line) {
                lines.entry(folder.clone()).or_default().push(format!("    {name}:{}: {word}", number + 1));
            }
        }
    }
    let mut offenders = String::new();
    for (folder, found) in &lines {
        let most = AT_MOST.iter().find(|row| row.0 == folder).map_or(0, |row| row.1);
        if found.len() > most {
            offenders +=
                &format!("  {folder}: {} where {most} are known\n{}\n", found.len(), found.join("\n"));
        }
    }
    assert!(offenders.is_empty(), "use the field's word (docs/contributing.md has the list):\n{offenders}");
}

#[test]
fn words_are_found_whole() {
    for (line, expected) in [
        ("Judged by proof", vec!["judged"]),
        ("it vouches for the caller", vec!["vouch*"]),
        ("a doorman indoors", vec![]),
        ("there is none of it", vec!["is none"]),
        ("fate_of", vec![]),
    ] {
        assert_eq!(old_words(line), expected, "{line}");
    }
}
