//! Loads the configuration: files and environment variables → settings, or every problem with its place.
//!
//! | stage | file | in → out |
//! |---|---|---|
//! | read | `layers/file.rs`, `layers/environment.rs` | files and variables → values, and where each is written |
//! | layer | `layers.rs` | files and variables → one tree (figment), and the layer each value is from |
//! | validate | `load/validate.rs` by `schema.rs` | tree → valid tree, and every unknown key and wrong value |
//! | deserialize | `document.rs` | valid tree → one field per key |
//! | resolve | `sections/*.rs` with `context.rs` | document → settings, policies, certificates |
//! | lint | `lint.rs` and its modules | policies → warnings about valid rules that look wrong |
//! | report | `problem.rs`, `key_path.rs`, `layers/string_offset.rs` | problems with file, line and column |
//! | load | `load.rs`, `load/loader.rs`, `load/stable.rs` | all of the above → `configuration.rs`, within a time limit, of complete files |
//! | watch | `watch.rs`, `restart_only.rs`, `summary.rs` | when to load again, which changes need a restart, what changed |
//! | query | `policies.rs`, `cases.rs` | the policies alone, and policy tests |
#![doc = ""]
#![doc = include_str!("../README.md")]

mod cases;
mod configuration;
mod context;
mod document;
mod key_path;
mod layers;
pub mod limits;
mod lint;
mod load;
mod policies;
mod problem;
mod restart_only;
mod schema;
mod sections;
mod summary;
mod watch;

pub use cases::{Case, CaseRequest, Cases, TestReport};
pub use configuration::Configuration;
pub use load::loader::Loader;
pub use load::{lint, load};
pub use policies::explain::{CallerOptions, RequestExplanation};
pub use policies::{CertificateCheck, Policies, User, load_policies, read_certificate};
pub use problem::{Origin, Problem, Problems, Severity};
pub use restart_only::RestartOnly;
pub use schema::kind::ValueKind;
pub use schema::lints::{LINTS, Lint};
pub use schema::{ConfigKey, SCHEMA};
pub use summary::{ConfigChanges, ConfigSummary};
pub use watch::{Watch, WatchEnded};
