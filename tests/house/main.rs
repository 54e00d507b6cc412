//! The rules of the house, as tests: what continuous integration would check, `cargo test` checks.
//!
//! - [`bounds`]: every bound stands in the `limits.rs` of its crate
//! - [`docs`]: the tables of the reference pages are what the code says
//! - [`graph`]: the arrows between crates, and who may use which foreign library
//! - [`help`]: the command line's reference is what the program prints
//! - [`modules`]: sibling modules form no cycle
//! - [`words`]: old words only become fewer
//! - [`tidy`]: sizes, module docs, names, and what a layer must not contain
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::format_push_string,
    reason = "tests: whatever goes wrong here must stop them"
)]

mod bounds;
mod docs;
mod graph;
mod help;
mod modules;
mod tidy;
mod words;

use std::path::{Path, PathBuf};

/// The root of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every Rust file below `folder`, with its text, in a stable order.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found.sort();
    found
}

/// The path as a reader would name it: relative to the root.
fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
