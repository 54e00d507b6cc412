//! Tests of the crate as its users see it.
//!
//! - `mistyped_facts`: facts outside what was declared
//! - `invalid_rules`: every kind of invalid rule, for `rule_errors` and the benchmark
//! - `string_storage`: strings rules build
//! - `list_storage`: lists and maps, however they are held
//! - `fixtures`: the identities and requests of the tables
//! - `analyze`: analysis with partial facts
//! - `lint_analyses`: rules that look wrong: redundant, or dependent on absence
//! - `explain`: decisions replayed
//! - `published_rules`: the rules of the published pages, to the letter
//! - `language`: semantics of expressions, with absent values and errors
//! - `functions`: functions a service declares
//! - `rule_errors`: rules that do not load, with position and message
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
mod literal_forms;
mod mistyped_facts;
mod published_rules;
mod rule_errors;
mod string_storage;
