//! The ordered map of small values in which the registry records what exists.

use bytes::Bytes;

use crate::{Batch, BoxFuture, Error, Health};

/// An ordered map from byte strings to small values.
///
/// **Guarantee:** when [`apply`](Self::apply) returns `Ok`, the whole batch is visible to every later call
/// and survives what the engine's settings promise (power loss by default). Reads see whole batches only.
/// Keys order by their bytes.
pub trait MetadataStore: Send + Sync + 'static {
    /// The value of a key, with the version that [`Batch::replace`] compares.
    fn read<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Versioned>, Error>>;

    /// Up to `limit` entries whose key starts with `prefix` and is greater than `after` (a full key, which
    /// need not exist), in order. The cost follows the page, not the store.
    fn scan<'a>(
        &'a self,
        prefix: &'a [u8],
        after: Option<&'a [u8]>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Entry>, Error>>;

    /// Applies all operations in order, or none and [`Error::Conflict`].
    ///
    /// Dropping the future does not take the batch back: it may or may not be applied.
    fn apply(&self, batch: Batch) -> BoxFuture<'_, Result<(), Error>>;

    /// What this engine promises beyond the trait, which callers may rely on.
    fn guarantees(&self) -> Guarantees {
        Guarantees::default()
    }

    /// Whether the store can be written to, and its room. Costs two system calls while it is well; after a
    /// failure it tries to write, so that it also says when the cause is gone.
    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(std::future::ready(Health::IN_MEMORY))
    }

    /// The id that the metadata shares with the blobs of its store, if the engine keeps one.
    fn store_id(&self) -> Result<Option<u64>, Error> {
        Ok(None)
    }

    /// All entries as they are at this moment, whatever is applied while they are read.
    ///
    /// An engine may keep space that was freed meanwhile until the snapshot is dropped. [`Error::Unsupported`] from an
    /// engine that has no such view.
    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>, Error>> {
        Box::pin(std::future::ready(Err(Error::Unsupported("a snapshot of the metadata"))))
    }

    /// Resolves when a thread that the engine needs has ended, so that no batch can be applied until the store is
    /// opened again. Never resolves for an engine without a thread. Cancel safe.
    fn ended(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}

/// What an engine promises beyond [`MetadataStore`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guarantees {
    /// Whether a batch is applied whole or not at all. Without it a batch may stop between two operations, and others
    /// see the operations one by one, in their order.
    pub is_atomic: bool,
    /// Whether other processes may change the store while it is open.
    pub is_shared: bool,
}

/// Atomic batches, and a store that this process has to itself.
impl Default for Guarantees {
    fn default() -> Guarantees {
        Guarantees { is_atomic: true, is_shared: false }
    }
}

/// The entries of one moment, read once from the first to the last.
pub trait Snapshot: Send {
    /// Up to `limit` further entries, in the order of their keys; none after the last.
    fn next(&mut self, limit: usize) -> BoxFuture<'_, Result<Vec<Entry>, Error>>;
}

/// A value and its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    /// The value.
    pub value: Bytes,
    /// Changes with every write of the key, also by a write of an equal value.
    pub version: Version,
}

/// Names one write of one key; opaque but for equality.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version(u64);

impl Version {
    /// For engines: a version by number.
    pub fn from_number(number: u64) -> Version {
        Version(number)
    }

    /// For engines: the number it was made from.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// One entry of a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The full key.
    pub key: Bytes,
    /// The value.
    pub value: Bytes,
}
