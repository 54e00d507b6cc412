//! What this program was built from. `build.rs` sets the variables.

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// `-dirty` if files were changed; `unknown` if it was built without git.
pub(crate) const COMMIT: &str = env!("ANGOS_BUILD_COMMIT");

const TARGET: &str = env!("ANGOS_BUILD_TARGET");
const RUSTC: &str = env!("ANGOS_BUILD_RUSTC");

/// The lines of `angos --version`.
pub(crate) const LONG: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit: ",
    env!("ANGOS_BUILD_COMMIT"),
    "\ntarget: ",
    env!("ANGOS_BUILD_TARGET"),
    "\nrustc: ",
    env!("ANGOS_BUILD_RUSTC")
);

/// The labels of `angos_build_info`.
pub(crate) fn labels() -> Vec<(&'static str, &'static str)> {
    vec![("version", VERSION), ("commit", COMMIT), ("target", TARGET), ("rustc", RUSTC)]
}
