//! Whether the stores can be written to, and their room, in words that may be shown to anybody.

use angos_storage::Health;

use crate::Registry;

/// What a look at one of the stores found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreHealth {
    /// Bytes that may still be written; absent for a store in memory.
    pub free_bytes: Option<u64>,
    /// Files that may still be created; absent where the file system has no such bound.
    pub free_inodes: Option<u64>,
    /// Why it takes no writes, if it takes none.
    pub fault: Option<StoreFault>,
}

/// Why a store takes no writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreFault {
    /// Disk, inodes or quota are used up.
    OutOfSpace,
    /// The folder that was opened is no longer at its path.
    Moved,
    /// The process may not write there, or the file system is read-only.
    AccessDenied,
    /// The disk or the engine fails in another way.
    Failing,
}

/// What a look at both stores found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StorageHealth {
    /// The blobs.
    pub blobs: StoreHealth,
    /// The metadata.
    pub metadata: StoreHealth,
}

impl Registry {
    /// Looks at both stores. A few system calls while they are well; after a failure a small write to find out
    /// whether the cause is gone. To be called every second or so, not for each request.
    pub async fn storage_health(&self) -> StorageHealth {
        let storage = &self.0.storage;
        StorageHealth {
            blobs: store_health("blobs", &storage.blobs.health().await),
            metadata: store_health("metadata", &storage.metadata.health().await),
        }
    }
}

/// The details, paths among them, go to the log; what becomes of them elsewhere knows nothing of them.
fn store_health(store: &str, found: &Health) -> StoreHealth {
    let fault = found.outcome.as_ref().err().map(|error| {
        tracing::debug!(target: "angos::storage", store, %error, "store takes no writes");
        match error {
            angos_storage::Error::OutOfSpace(_) => StoreFault::OutOfSpace,
            angos_storage::Error::Moved { .. } => StoreFault::Moved,
            angos_storage::Error::AccessDenied(_) => StoreFault::AccessDenied,
            _ => StoreFault::Failing,
        }
    });
    StoreHealth {
        free_bytes: found.space.map(|space| space.free_bytes),
        free_inodes: found.space.and_then(|space| space.free_inodes),
        fault,
    }
}
