//! Blobs and metadata at rest: two traits, embedded engines, one test suite.
//!
//! Stage 8 of a request's path: verified bytes come in, and what was acknowledged is found again after a
//! crash. The crate knows digests, and nothing of names, tags or HTTP.
//!
//! | file | what it holds |
//! |---|---|
//! | `metadata.rs`, `batch.rs` | [`MetadataStore`]: an ordered map of small values, changed by [`Batch`] |
//! | `blobs.rs`, `session.rs` | [`BlobStore`]: content by digest, written through upload sessions |
//! | `reader.rs`, `writer.rs` | [`BlobReader`] and [`Writer`]: the two streams of a blob |
//! | `settings.rs` | [`Settings`] → [`Storage`] |
//! | `backup.rs` | a consistent copy of an open store |
//! | `control.rs` | the socket through which other processes send commands |
//! | `pair.rs` | whether blobs and metadata belong together |
//! | `location.rs`, `health.rs`, `modes.rs` | whether a folder is still where it was opened; room and writability; file modes |
//! | `memory.rs` | both engines in memory, for tests and embedding |
//! | `filesystem.rs` | blobs as files |
//! | `redb.rs` | metadata in one redb file |
//! | `suite.rs` | the one test suite over all engines (feature `suite`) |

mod backup;
mod batch;
mod blobs;
mod control;
mod error;
mod filesystem;
mod health;
pub mod limits;
mod location;
mod memory;
mod metadata;
mod modes;
mod pair;
mod reader;
mod redb;
mod session;
mod settings;
#[cfg(any(test, feature = "suite"))]
pub mod suite;
mod writer;

pub use crate::redb::RedbMetadata;
pub use backup::Backup;
pub use batch::{Batch, Operation};
pub use blobs::{BlobStore, BoxFuture, DeletionPause, Progress};
pub use control::client::ControlClient;
pub use control::{ControlCommand, ControlSocket};
pub use error::{Error, Failure};
pub use filesystem::FilesystemBlobs;
pub use health::{Health, Space};
pub use memory::{MemoryBlobs, MemoryMetadata};
pub use metadata::{Entry, Guarantees, MetadataStore, Snapshot, Version, Versioned};
pub use reader::{BlobReader, Chunks};
pub use session::{InvalidSessionId, SessionId};
pub use settings::{BlobSettings, MetadataSettings, Settings, Storage};
pub use writer::{Sink, Writer};
