//! Programs that write while a configuration is read.

use std::cell::Cell;
use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::load::load_with;

const HEAD: &str = "[global.access_policy]\ndefault = \"allow\"\n";
const TAIL: &str = "[repository.secret.access_policy]\ndefault = \"deny\"\n";

/// Loads `config.toml` in `folder`; after each reading but the last, the next of the `changes` happens.
fn run(folder: &Path, within: Duration, changes: &[&dyn Fn()]) -> (Loaded, usize) {
    let readings = Cell::new(0);
    let loaded = load_stable_within(within, &Files::new(), |files| {
        let loaded = load_with(files, &[folder.join("config.toml")], std::iter::empty());
        if let Some(change) = changes.get(readings.replace(readings.get() + 1)) {
            change();
        }
        loaded
    });
    (loaded, readings.get())
}

fn set_age(file: &Path, age: Duration) {
    let file = File::options().append(true).open(file).expect("a file");
    file.set_modified(SystemTime::now() - age).expect("a time");
}

#[test]
fn half_a_file_is_never_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.toml");
    let old = Duration::from_hours(1);
    let write = |text: &str| fs::write(&file, text).expect("a file");
    let whole = format!("{HEAD}{TAIL}");
    for (what, first, age, changes) in [
        ("at rest", whole.as_str(), old, vec![]),
        ("written lately", &whole, Duration::ZERO, vec![]),
        ("cut off", HEAD, Duration::ZERO, vec![&(|| write(&whole)) as &dyn Fn()]),
        ("cut off inside of a line", &whole[..70], Duration::ZERO, vec![&|| write(&whole)]),
        ("old and then written", HEAD, old, vec![&|| write(&whole)]),
        (
            "written with an old time",
            HEAD,
            old,
            vec![&|| {
                write(&whole);
                set_age(&file, old);
            }],
        ),
        (
            "replaced by an old file",
            HEAD,
            old,
            vec![&|| {
                let other = folder.path().join("other");
                fs::write(&other, &whole).expect("a file");
                set_age(&other, old);
                fs::rename(&other, &file).expect("a rename");
            }],
        ),
        ("in three pieces", "", Duration::ZERO, vec![&|| write(HEAD), &|| write(&whole)]),
    ] {
        write(first);
        set_age(&file, age);
        let started = Instant::now();
        let (loaded, readings) = run(folder.path(), Duration::from_mins(1), &changes);
        let loaded = loaded.unwrap_or_else(|problems| panic!("{what}: {problems}"));
        assert!(!loaded.access.policies.repositories.is_empty(), "{what}: half was taken");
        assert_eq!(readings, changes.len() + 1, "{what}");
        if age == Duration::ZERO {
            assert!(started.elapsed() >= STABLE_PERIOD, "{what}: taken without being watched");
        }
    }
}

#[test]
fn a_file_that_is_written_again_and_again_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.toml");
    let write = || fs::write(&file, HEAD).expect("a file");
    write();
    let (loaded, readings) = run(folder.path(), Duration::ZERO, &[&write, &write]);
    let said = loaded.expect_err("still being written").to_string();
    assert!(said.contains("config.toml: error: the file was still being written"), "{said}");
    assert_eq!(readings, 1);
}

#[test]
fn what_is_wrong_is_said_only_of_files_at_rest() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.toml");
    let write = |text: &str| fs::write(&file, text).expect("a file");
    write("[global.acc");
    let (loaded, _) = run(folder.path(), Duration::from_mins(1), &[&|| write("[global]\nbogus = 1")]);
    let said = loaded.expect_err("an unknown key").to_string();
    assert!(said.contains("bogus") && !said.contains("TOML"), "{said}");
}
