//! Tests of the crate as its users see it.
//!
//! - `admitted`: facts outside what was declared
//! - `broken`: every kind of broken rule, for `refused` and the benchmark
//! - `built`: strings rules build
//! - `collected`: lists and maps, however they are held
//! - `callers`: the identities and requests the tables are walked with
//! - `consider`: what can be said before everything is known
//! - `judged`: what looks wrong in rules
//! - `explain`: decisions replayed
//! - `seeds`: the rules of the published pages, to the letter
//! - `language`: what expressions mean, absence and errors included
//! - `functions`: functions a service declares
//! - `refused`: what does not load, with the place and the message
//! - `differential`: generated expressions against another evaluator of CEL
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy knows functions marked as tests, not the ones they share"
)]

mod admitted;
mod broken;
mod built;
mod callers;
mod collected;
mod consider;
mod differential;
mod explain;
mod functions;
mod judged;
mod language;
mod refused;
mod seeds;
