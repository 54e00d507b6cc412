//! Whole-process tests: each starts the real binary on port 0 over a temporary folder and talks to it as a client would.
//!
//! One test binary, so that the harness is compiled once. Table of contents:
//! - [`push_and_pull`]: an image goes in and comes out, over every transport
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests: whatever goes wrong here must stop them"
)]

mod harness;
mod push_and_pull;
