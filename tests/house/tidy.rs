//! Sizes, module docs and forbidden words: small rules that keep the house pleasant to read.

use crate::{root, shown, sources};
use std::path::PathBuf;

/// Guides, not laws: a file past one of them says why in a comment that begins with this.
const EXCEPTION: &str = "// tidy: ";
const FILE_LINES: usize = 400;
const TEST_FILE_LINES: usize = 800;

fn product() -> Vec<(PathBuf, String)> {
    let mut all = sources(&root().join("crates"));
    all.extend(sources(&root().join("bins")));
    all
}

fn everything() -> Vec<(PathBuf, String)> {
    let mut all = product();
    all.extend(sources(&root().join("tests")));
    all
}

fn is_test(path: &std::path::Path) -> bool {
    let name = shown(path);
    name.contains("/tests") || name.starts_with("tests/") || name.contains("test_")
}

/// Asserts that no file offends, listing every one that does.
fn check(rule: &str, files: &[(PathBuf, String)], offends: impl Fn(&PathBuf, &str) -> Option<String>) {
    let offenders: Vec<String> = files
        .iter()
        .filter_map(|(path, text)| offends(path, text).map(|why| format!("  {}: {why}", shown(path))))
        .collect();
    assert!(offenders.is_empty(), "{rule}:\n{}", offenders.join("\n"));
}

#[test]
fn files_are_short() {
    check("split by meaning, or give a reason", &everything(), |path, text| {
        let limit = if is_test(path) { TEST_FILE_LINES } else { FILE_LINES };
        let lines = text.lines().count();
        (lines > limit && !text.contains(EXCEPTION)).then(|| format!("{lines} lines, guide {limit}"))
    });
}

#[test]
fn every_file_says_its_place() {
    check("a file opens with //!", &everything(), |_, text| {
        (!text.starts_with("//!") && !text.starts_with("#!")).then(|| "no module documentation".into())
    });
}

#[test]
fn modules_are_named_after_themselves() {
    check("no mod.rs, no catch-all names", &everything(), |path, _| {
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let banned = ["mod", "utils", "util", "helpers", "helper", "common", "misc", "manager"];
        banned.contains(&stem.as_str()).then(|| format!("named {stem}"))
    });
}

#[test]
fn nothing_is_left_unfinished() {
    // Spelled apart, so that this file does not find itself.
    let marks = [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("FIX", "ME"),
        concat!("#[ig", "nore]"),
    ];
    check("unfinished", &everything(), |_, text| {
        marks.iter().find(|it| text.contains(**it)).map(|it| format!("contains {it}"))
    });
}

#[test]
fn every_crate_has_a_readme() {
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        let readme = entry.unwrap().path().join("README.md");
        assert!(readme.is_file(), "{} is missing", shown(&readme));
    }
}

#[test]
fn no_library_reads_the_environment() {
    let words = ["std::env::var", "env::vars", "env::var(", "env::var_os"];
    let files = sources(&root().join("crates"));
    check("only the binary reads the environment", &files, |path, text| {
        let code = text.split("#[cfg(test)]").next().unwrap();
        let found = words.iter().find(|it| code.contains(**it))?;
        (!is_test(path)).then(|| format!("contains {found}"))
    });
}

#[test]
fn only_these_crates_touch_files() {
    let owners = ["angos-storage", "angos-tls", "angos-config", "angos-doctor", "angos-quickstart"];
    let files: Vec<_> = sources(&root().join("crates"))
        .into_iter()
        .filter(|(path, _)| !is_test(path) && shown(path).contains("/src/"))
        .filter(|(path, _)| !owners.iter().any(|it| shown(path).contains(it)))
        .collect();
    check("no file access here", &files, |_, text| {
        let code = text.split("#[cfg(test)]").next().unwrap();
        let words = ["std::fs", "tokio::fs", "File::open", "File::create"];
        words.iter().find(|it| code.contains(**it)).map(|it| format!("contains {it}"))
    });
}

#[test]
fn http_types_stay_in_the_server() {
    let files: Vec<_> =
        product().into_iter().filter(|(path, _)| !shown(path).contains("angos-server")).collect();
    check("no HTTP type below or above the server", &files, |path, text| {
        let words = ["hyper::", "http::Status", "StatusCode"];
        let inside = shown(path).contains("/src/");
        words.iter().find(|it| inside && text.contains(**it)).map(|it| format!("contains {it}"))
    });
}

#[test]
fn status_codes_are_chosen_in_two_files() {
    let allowed = ["src/respond.rs", "respond/error.rs"];
    let files: Vec<_> = sources(&root().join("crates/angos-server/src"))
        .into_iter()
        .filter(|(path, _)| !is_test(path) && !allowed.iter().any(|it| path.ends_with(it)))
        .collect();
    check("status codes belong to respond.rs and respond/error.rs", &files, |_, text| {
        let code = text.split("#[cfg(test)]").next().unwrap();
        code.contains("StatusCode::").then(|| "names a status code".into())
    });
}

#[test]
fn nothing_is_global_and_mutable() {
    // A task-local value is set for one handshake, so that what a library does not pass on reaches its callback.
    let exceptions = ["crates/angos-tls/src/verifier.rs"];
    let files: Vec<_> = product().into_iter().filter(|(path, _)| !is_test(path)).collect();
    check("metrics, clocks and caches are passed in", &files, |path, text| {
        let code = text.split("#[cfg(test)]").next().unwrap();
        let words = ["static mut ", "thread_local!", "task_local!", "lazy_static!"];
        let types = ["OnceLock<", "LazyLock<", "OnceCell<", "Mutex<", "RwLock<", "Atomic"];
        let is_static = |line: &str| {
            let line = line.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
            line.starts_with("static ") && types.iter().any(|it| line.contains(it))
        };
        let found = words.iter().find(|it| code.contains(**it)).map(|it| format!("contains {it}"));
        let found = found.or_else(|| code.lines().find(|line| is_static(line)).map(str::to_owned));
        found.filter(|_| !exceptions.contains(&shown(path).as_str()))
    });
}

/// The stages of a request are described once: the crate and the page about it show the same table.
#[test]
fn the_path_of_a_request_is_described_alike() {
    let table = |path: &str, mark: &str| -> Vec<String> {
        let text = std::fs::read_to_string(root().join(path)).unwrap();
        let lines = text.lines().map(|line| line.trim_start_matches(mark));
        lines
            .skip_while(|line| *line != "| stage | file | in → out | calls |")
            .take_while(|line| line.starts_with('|'))
            .map(str::to_owned)
            .collect()
    };
    let code = table("crates/angos-server/src/lib.rs", "//! ");
    let page = table("docs/architecture.md", "");
    assert!(code.len() > 10, "{code:#?}");
    assert_eq!(code, page, "lib.rs of angos-server and docs/architecture.md differ");
}

/// A reader finds the stages of a request at the top of the folder.
#[test]
fn the_server_has_few_files_at_its_top() {
    let folder = root().join("crates/angos-server/src");
    let files = std::fs::read_dir(folder).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_file());
    assert!(files.count() <= 16, "put the file below the stage that it belongs to");
}
