//! Tests of the crate as its users see it.
//!
//! - `mistyped_facts`: facts outside what was declared
//! - `invalid_rules`: every kind of invalid rule, for `rule_errors` and the benchmark
//! - `string_storage`: strings rules build
//! - `list_storage`: lists and maps, however they are held
//! - `fixtures`: the identities and requests the tables are walked with
//! - `analyze`: what can be said before everything is known
//! - `lint_analyses`: what looks wrong in rules
//! - `explain`: decisions replayed
//! - `published_rules`: the rules of the published pages, to the letter
//! - `language`: what expressions mean, absence and errors included
//! - `functions`: functions a service declares
//! - `rule_errors`: what does not load, with the place and the message
//! - `differential`: generated expressions against another evaluator of CEL
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy knows functions marked as tests, not the ones they share"
)]

mod analyze;
mod differential;
mod explain;
mod fixtures;
mod functions;
mod invalid_rules;
mod language;
mod lint_analyses;
mod list_storage;
mod mistyped_facts;
mod published_rules;
mod rule_errors;
mod string_storage;
