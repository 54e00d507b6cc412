//! Tells the program what it is built from: the commit, the target and the compiler. Works without git.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    let commit = commit().unwrap_or_else(|| "unknown".to_owned());
    println!("cargo:rustc-env=ANGOS_BUILD_COMMIT={commit}");
    println!("cargo:rustc-env=ANGOS_BUILD_TARGET={}", env::var("TARGET").unwrap_or_default());
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    println!("cargo:rustc-env=ANGOS_BUILD_RUSTC={}", output(&rustc, &["--version"]).unwrap_or_default());
    println!("cargo:rerun-if-env-changed=ANGOS_COMMIT");
}

/// `ANGOS_COMMIT`, for packagers who build an archive, or the commit that git names.
fn commit() -> Option<String> {
    if let Some(commit) = env::var("ANGOS_COMMIT").ok().filter(|commit| !commit.is_empty()) {
        return Some(commit);
    }
    let folder = output("git", &["rev-parse", "--absolute-git-dir"])?;
    // A change of the commit is a change of one of these.
    for file in ["HEAD", "logs/HEAD"] {
        let file = Path::new(&folder).join(file);
        if file.exists() {
            println!("cargo:rerun-if-changed={}", file.display());
        }
    }
    let commit = output("git", &["rev-parse", "--short=12", "HEAD"])?;
    let is_dirty = !output("git", &["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Some(if is_dirty { format!("{commit}-dirty") } else { commit })
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output =
        Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
