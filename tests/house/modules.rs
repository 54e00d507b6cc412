//! No cycle between sibling modules: files of one folder can be read in an order. Parent and child may use each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::{root, sources};

/// Cycles that exist. A cycle among some of the modules of a row is one less; when none is left, the row goes.
const KNOWN: &[(&str, &[&str])] = &[
    ("angos-access", &["decide", "policy_set"]),
    ("angos-oci", &["digest", "hasher"]),
    (
        "angos-policy",
        &[
            "analyze",
            "attribute",
            "check",
            "collection",
            "environment",
            "evaluate",
            "format_spec",
            "function",
            "policy",
            "program",
            "value",
        ],
    ),
    ("angos-registry", &["cache", "damage", "manifests", "registry"]),
    (
        "angos-server",
        &[
            "authenticate",
            "authorize",
            "connection",
            "listener",
            "metrics",
            "operations",
            "request",
            "respond",
            "server",
        ],
    ),
    ("angos-storage", &["batch", "metadata"]),
    ("angos-storage", &["blobs", "writer"]),
    ("angos-storage", &["filesystem::content", "filesystem::sessions"]),
    (
        "angos-tls",
        &[
            "accept_error",
            "acceptor",
            "ca_bundle",
            "crl",
            "current_material",
            "failure_log",
            "issuers",
            "loading",
            "material",
            "peer",
            "probe",
            "refusal",
            "revocation",
            "sessions",
            "trust",
            "verifier",
        ],
    ),
];

/// A module's path in its crate: `["connection", "limit"]`; empty for `lib.rs` and `main.rs`.
type Module = Vec<String>;

/// All modules of one crate, each with its product code.
fn modules(folder: &Path) -> BTreeMap<Module, String> {
    let mut found = BTreeMap::new();
    for (path, text) in sources(folder) {
        let relative = path.strip_prefix(folder).unwrap().with_extension("");
        let mut module: Module = relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        if module.iter().any(|part| part == "tests" || part.starts_with("test_")) {
            continue;
        }
        if module.len() == 1 && (module[0] == "lib" || module[0] == "main") {
            module.clear();
        }
        found.insert(module, product_code(&text));
    }
    found
}

/// The code without comments, and without what is compiled for tests alone.
fn product_code(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap();
    code.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// Every path in the code that begins with `crate::` or `super::`, with braces expanded: `crate::a::{b, c::D}` is two.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let is_whole =
                !code[..at].ends_with(|letter: char| letter.is_alphanumeric() || "_:$".contains(letter));
            if is_whole {
                expand(&code[at..], Vec::new(), &mut found);
            }
        }
    }
    found
}

/// Reads one path, or a tree of them, and returns the rest of the text.
fn expand<'a>(mut text: &'a str, mut prefix: Vec<String>, found: &mut Vec<Vec<String>>) -> &'a str {
    loop {
        text = text.trim_start();
        if let Some(mut inner) = text.strip_prefix('{') {
            loop {
                inner = expand(inner, prefix.clone(), found).trim_start();
                match inner.strip_prefix(',') {
                    Some(rest) if !rest.trim_start().starts_with('}') => inner = rest,
                    Some(rest) => return rest.trim_start().strip_prefix('}').unwrap_or(rest),
                    None => return inner.strip_prefix('}').unwrap_or(inner),
                }
            }
        }
        let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        if name.is_empty() {
            found.push(prefix);
            return rest;
        }
        prefix.push(name.to_owned());
        let Some(below) = rest.strip_prefix("::") else {
            found.push(prefix);
            // `as Name`
            let rest = rest.trim_start();
            return rest
                .strip_prefix("as ")
                .map_or(rest, |it| it.trim_start().trim_start_matches(char::is_alphanumeric));
        };
        text = below;
    }
}

/// Names that the root shows of its modules: `pub use a::b::C` lets others write `crate::C`.
fn shown_by_root(code: &str) -> BTreeMap<String, Vec<String>> {
    let mut shown = BTreeMap::new();
    for statement in code.split("use ").skip(1) {
        let mut found = Vec::new();
        expand(statement.trim_start_matches("crate::").trim_start_matches("self::"), Vec::new(), &mut found);
        shown.extend(found.into_iter().filter_map(|path| Some((path.last()?.clone(), path))));
    }
    shown
}

/// Every use of one file by another: the module that uses, and the one that is used.
fn uses(modules: &BTreeMap<Module, String>) -> Vec<(&Module, Module)> {
    let shown = modules.get(&Module::new()).map(|code| shown_by_root(code)).unwrap_or_default();
    let mut uses = Vec::new();
    for (from, code) in modules {
        for path in paths(code) {
            let ups = path.iter().take_while(|part| *part == "super").count();
            let mut target: Module = match ups {
                0 => path[1..].to_vec(),
                _ => [&from[..from.len().saturating_sub(ups)], &path[ups..]].concat(),
            };
            if let Some(real) = target.first().filter(|name| !modules.contains_key(&vec![(*name).clone()])) {
                target = shown.get(real).cloned().unwrap_or_default();
            }
            while !modules.contains_key(&target) {
                target.pop();
            }
            uses.push((from, target));
        }
    }
    uses
}

/// The arrows between siblings: from and to, under their parent.
fn arrows(modules: &BTreeMap<Module, String>) -> BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> {
    let mut arrows: BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for (from, target) in uses(modules) {
        let common = from.iter().zip(&target).take_while(|(one, other)| one == other).count();
        if common < from.len() && common < target.len() {
            let parent = arrows.entry(from[..common].to_vec()).or_default();
            parent.entry(from[common].clone()).or_default().insert(target[common].clone());
        }
    }
    arrows
}

/// Everything that can be reached from `start` by at least one arrow.
fn reachable(start: &str, arrows: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut open = vec![start.to_owned()];
    while let Some(next) = open.pop() {
        for to in arrows.get(&next).into_iter().flatten() {
            if seen.insert(to.clone()) {
                open.push(to.clone());
            }
        }
    }
    seen
}

/// The cycles among one parent's children, each as its sorted members.
fn cycles(arrows: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<Vec<String>> {
    let reach: BTreeMap<&String, BTreeSet<String>> =
        arrows.keys().map(|name| (name, reachable(name, arrows))).collect();
    let mut found = BTreeSet::new();
    for (name, reached) in &reach {
        if reached.contains(*name) {
            let members =
                reach.iter().filter(|(other, back)| reached.contains(**other) && back.contains(*name));
            found.insert(members.map(|(other, _)| (*other).clone()).collect());
        }
    }
    found
}

#[test]
fn siblings_form_no_cycle() {
    let mut offenders = Vec::new();
    let mut crates: Vec<_> = ["crates", "bins"]
        .into_iter()
        .flat_map(|folder| std::fs::read_dir(root().join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    crates.sort();
    for folder in crates {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        for (parent, children) in arrows(&modules(&folder.join("src"))) {
            for cycle in cycles(&children) {
                let path = |child: &String| [&parent[..], std::slice::from_ref(child)].concat().join("::");
                let members: Vec<String> = cycle.iter().map(path).collect();
                let is_known = |row: &(&str, &[&str])| {
                    row.0 == name && members.iter().all(|member| row.1.contains(&member.as_str()))
                };
                if KNOWN.iter().any(is_known) {
                    continue;
                }
                let lines: Vec<String> = cycle
                    .iter()
                    .map(|from| {
                        let to: Vec<&str> = children[from]
                            .iter()
                            .filter(|to| cycle.contains(to))
                            .map(String::as_str)
                            .collect();
                        format!("    {from} → {}", to.join(", "))
                    })
                    .collect();
                offenders.push(format!("  {name}: {}\n{}", members.join(", "), lines.join("\n")));
            }
        }
    }
    assert!(offenders.is_empty(), "move what both need into a module of its own:\n{}", offenders.join("\n"));
}

/// The same for single files, whatever folder they lie in. A file may use what it is a part of.
#[test]
fn files_of_the_server_form_no_cycle() {
    let modules = modules(&root().join("crates/angos-server/src"));
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (from, to) in uses(&modules).into_iter().filter(|(from, to)| !from.starts_with(to)) {
        arrows.entry(from.join("::")).or_default().insert(to.join("::"));
    }
    assert!(arrows.len() > 30, "{arrows:#?}");
    let cycles = cycles(&arrows);
    assert!(cycles.is_empty(), "move what both need into a file of its own: {cycles:#?}");
}

#[test]
fn paths_are_read() {
    for (code, expected) in [
        ("use crate::a::B;", vec!["crate a B"]),
        ("use crate::{a, b::{C, D as E}, f};", vec!["crate a", "crate b C", "crate b D", "crate f"]),
        ("let x = super::super::y(1);", vec!["super super y"]),
        ("fn f() -> crate::Result<crate::a::B> {}", vec!["crate Result", "crate a B"]),
        ("use other_crate::x;", vec![]),
    ] {
        let mut found: Vec<String> = paths(code).into_iter().map(|path| path.join(" ")).collect();
        found.retain(|path| path != "super y");
        assert_eq!(found, expected, "{code}");
    }
}

#[test]
fn a_cycle_is_found() {
    let arrow = |from: &str, to: &[&str]| (from.to_owned(), to.iter().map(|it| (*it).to_owned()).collect());
    let graph = [arrow("a", &["b"]), arrow("b", &["c", "d"]), arrow("c", &["a"]), arrow("d", &[])].into();
    let expected: Vec<String> = ["a", "b", "c"].map(str::to_owned).into();
    assert_eq!(cycles(&graph).into_iter().collect::<Vec<_>>(), [expected]);
}
