//! Whatever a configuration file says, it loads or every problem has a place inside it and a bounded text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::OnceLock;

/// One file for the whole run; the folder goes with the system's temporary files.
fn file() -> &'static PathBuf {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| tempfile::tempdir().unwrap().keep().join("config.toml"))
}

fuzz_target!(|text: &[u8]| {
    std::fs::write(file(), text).unwrap();
    let Err(problems) = angos_config::load(&[file().clone()], std::iter::empty()) else { return };
    let shown = problems.to_string();
    assert!(!shown.is_empty() && shown.len() < 1 << 20);
    assert!(shown.chars().all(|it| it == '\n' || !it.is_control()), "a control character in {shown:?}");
});
