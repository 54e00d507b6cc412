//! Both engines in memory: for tests and for embedding. Everything is gone with the process.

mod blobs;
mod metadata;

pub use blobs::MemoryBlobs;
pub use metadata::MemoryMetadata;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks; a panic elsewhere does not spread, since nothing here is left half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use crate::{Storage, suite};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_suite_holds() {
        let storage = Storage::memory();
        suite::metadata(&storage.metadata).await.unwrap();
        suite::blobs(&storage.blobs).await.unwrap();
    }
}
