//! What the operator wrote: files and environment to settings, or every problem with its place.
//!
//! | stage | file | in → out |
//! |---|---|---|
//! | read | `file.rs`, `environment.rs` | files and variables → values, and where each is written |
//! | layer | `layers.rs` | layers → one tree (figment), and the layer each value is from |
//! | check | `check.rs`, `schema.rs`, `kind.rs`, `quantity.rs` | tree → sound tree, and every unknown key and wrong value |
//! | type | `document.rs` | sound tree → what is written |
//! | mean | `configuration.rs`, then `server.rs` `tls.rs` `storage.rs` `access.rs` `credentials.rs` | what is written → settings, policies, certificates |
//! | judge | `lint.rs` and its modules | policies → what is sound and yet looks wrong |
//! | report | `problem.rs`, `path.rs`, `string_offset.rs` | what is wrong, and where |
//! | ask | `policies.rs`, `cases.rs` | the policies alone, and what they are expected to answer |
//! | watch | `watch.rs`, `fixed.rs` | when to do it again, and what then waits for a restart |
#![doc = ""]
#![doc = include_str!("../README.md")]

mod access;
mod cases;
mod check;
mod configuration;
mod credentials;
mod document;
mod environment;
mod file;
mod fixed;
mod kind;
mod layers;
pub mod limits;
mod lint;
mod listeners;
mod path;
mod policies;
mod problem;
mod quantity;
mod schema;
mod server;
mod storage;
mod string_offset;
mod tls;
mod watch;

pub use cases::{Case, Cases, Check, read_certificate};
pub use configuration::{Configuration, lint, load};
pub use fixed::Fixed;
pub use kind::Kind;
pub use lint::{LINTS, Lint};
pub use policies::{Policies, Standing, User, load_policies};
pub use problem::{Origin, Problem, Problems, Severity};
pub use schema::{Key, SCHEMA};
pub use watch::Watch;
