//! What the operator wrote: files and environment to settings, or every problem with its place.
//!
//! | stage | file | in → out |
//! |---|---|---|
//! | read | `file.rs`, `environment.rs` | files and variables → values, and where each is written |
//! | layer | `layers.rs` | layers → one tree (figment), and the layer each value is from |
//! | check | `check.rs`, `schema.rs`, `kind.rs`, `quantity.rs` | tree → sound tree, and every unknown key and wrong value |
//! | type | `document.rs` | sound tree → what is written |
//! | mean | `configuration.rs`, then `server.rs` `plaintext.rs` `tls.rs` `storage.rs` `access.rs` `credentials.rs` | what is written → settings, policies, certificates |
//! | judge | `lint.rs` and its modules | policies → what is sound and yet looks wrong |
//! | report | `problem.rs`, `path.rs`, `string_offset.rs` | what is wrong, and where |
//! | ask | `policies.rs`, `cases.rs` | the policies alone, and what they are expected to answer |
//! | load | `loader.rs`, `rest.rs` | all of the above in bounded time, of files that nobody is writing |
//! | watch | `watch.rs`, `fixed.rs`, `summary.rs` | when to do it again, what then waits for a restart, and what changed |
#![doc = ""]
#![doc = include_str!("../README.md")]

mod access;
mod cases;
mod check;
mod configuration;
mod credentials;
mod document;
mod environment;
mod exposure;
mod file;
mod fixed;
mod kind;
mod layers;
pub mod limits;
mod lint;
mod listeners;
mod loader;
mod machine;
mod path;
mod plaintext;
mod policies;
mod problem;
mod quantity;
mod rest;
mod schema;
mod server;
mod storage;
mod string_offset;
mod summary;
mod tls;
mod watch;

pub use cases::{Case, Cases, Check, read_certificate};
pub use configuration::{Configuration, lint, load};
pub use fixed::Fixed;
pub use kind::Kind;
pub use lint::{LINTS, Lint};
pub use loader::Loader;
pub use policies::{Policies, Standing, User, load_policies};
pub use problem::{Origin, Problem, Problems, Severity};
pub use schema::{Key, SCHEMA};
pub use summary::{Changes, Summary};
pub use watch::{Watch, WatchEnded};
