//! The one test suite over all engines.
//!
//! An engine is right when every case holds. The cases work on a store that others use too: they make their
//! own keys, content and sessions.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), angos_storage::suite::Finding> {
//! use angos_storage::{Storage, suite};
//!
//! let storage = Storage::memory();
//! suite::metadata(&storage.metadata).await?;
//! suite::blobs(&storage.blobs).await
//! # }
//! ```

mod blobs;
mod metadata;
mod reopen;
mod sessions;

use std::sync::Arc;

use bytes::Bytes;

use crate::{BlobStore, Error, MetadataStore};

pub use reopen::{reopened_blobs, reopened_metadata};

/// What an engine got wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding(String);

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Finding {}

impl From<Error> for Finding {
    fn from(error: Error) -> Finding {
        Finding(format!("unexpected error: {error:?}"))
    }
}

type Outcome = Result<(), Finding>;

/// All cases for metadata.
pub async fn metadata(store: &Arc<dyn MetadataStore>) -> Outcome {
    metadata::all(store).await
}

/// All cases for blobs. Needs a tokio runtime.
pub async fn blobs(store: &Arc<dyn BlobStore>) -> Outcome {
    blobs::all(store).await?;
    sessions::all(store).await
}

/// Compares, and says what was compared.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Outcome {
    if found == expected {
        return Ok(());
    }
    let place = std::panic::Location::caller();
    Err(Finding(format!("{place}: {what}: found {found:.200?}, expected {expected:.200?}")))
}

/// Requires, and says what was required.
#[track_caller]
fn holds(what: &str, condition: bool) -> Outcome {
    same(what, condition, true)
}

/// Bytes that differ for every seed and do not repeat.
fn sample(seed: u64, length: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut content = Vec::with_capacity(length + 8);
    while content.len() < length {
        content.extend_from_slice(&next());
    }
    content.truncate(length);
    Bytes::from(content)
}

/// A number nobody used before.
fn fresh() -> Result<u64, Finding> {
    getrandom::u64().map_err(|error| Finding(error.to_string()))
}
