//! What each operation of an OCI registry means, without HTTP.
//!
//! Between stages 7 and 8 of a request's path: parsed values come in, stores are changed or read, and what comes out is
//! data or an [`Error`] that knows the specification's code and no status. Who may do what was decided before.
//!
//! | what | file |
//! |---|---|
//! | [`Registry`], shared state | `registry.rs`, `settings.rs`, `clock.rs` |
//! | reading manifests | `manifests.rs`, `cache.rs` |
//! | deleting manifests and tags | `removal.rs` |
//! | pushing manifests | `push.rs`, `tag_patterns.rs` |
//! | blobs, mounts | `blobs.rs` |
//! | bytes that are not what was recorded | `damage.rs` |
//! | uploads | `uploads.rs`, `upload_id.rs`, `sessions.rs`, `receive.rs`, `body.rs`, `expiry.rs` |
//! | tag lists, catalog | `listing.rs`, `position.rs` |
//! | referrers | `referrers.rs` |
//! | who makes a change, asking again before a commit, committing | `actor.rs`, `approval.rs`, `commit.rs` |
//! | garbage collection | `collect.rs`, `gc_report.rs`, `references.rs`, `fence.rs` |
//! | whether the stores take writes | `health.rs` |
//! | records in the metadata store | `key.rs`, `record.rs`, `codec.rs`, `format.rs` |

mod actor;
mod approval;
mod blobs;
mod body;
mod cache;
mod clock;
mod codec;
mod collect;
mod commit;
mod damage;
mod error;
mod expiry;
mod fence;
mod format;
mod gc_report;
mod health;
mod key;
pub mod limits;
mod listing;
mod manifests;
mod position;
mod push;
mod receive;
mod record;
mod references;
mod referrers;
mod registry;
mod removal;
mod sessions;
mod settings;
mod tag_patterns;
mod upload_id;
mod uploads;

pub use angos_storage::{BlobReader, Storage};

pub use crate::actor::Actor;
pub use crate::approval::Approval;
pub use crate::body::{Body, BodyError};
pub use crate::clock::Clock;
pub use crate::collect::GcCommand;
pub use crate::damage::Damage;
pub use crate::error::{Error, Result};
pub use crate::gc_report::{CollectOptions, Collected, GcStatus, Space};
pub use crate::health::{StorageHealth, StoreFault, StoreHealth};
pub use crate::listing::{Page, Span};
pub use crate::manifests::StoredManifest;
pub use crate::push::{ManifestReceipt, PutManifest};
pub use crate::record::TagEntry;
pub use crate::referrers::{ReferrersPage, ReferrersRest};
pub use crate::registry::Registry;
pub use crate::settings::Settings;
pub use crate::tag_patterns::{PatternError, TagPatterns};

/// The example of the README compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
