//! Cases for engines that keep what they have when the store is closed and opened again.

use std::{sync::Arc, time::Duration};

use angos_oci::{Algorithm, Digest};

use super::{
    Finding, Outcome,
    blobs::{publish, read},
    fresh, same, sample,
    sessions::append,
};
use crate::{Batch, BlobStore, Error, MetadataStore};

/// Opens; work that was dropped may hold the store a moment longer.
async fn again<T>(open: &impl Fn() -> Result<T, Error>) -> Result<T, Error> {
    for _ in 0..500 {
        match open() {
            Err(Error::Locked { .. }) => tokio::time::sleep(Duration::from_millis(10)).await,
            other => return other,
        }
    }
    open()
}

/// What was applied is there after the store was closed and opened again.
pub async fn reopened_metadata(open: impl Fn() -> Result<Arc<dyn MetadataStore>, Error>) -> Outcome {
    let prefix = format!("reopen/{:016x}/", fresh()?);
    let mut versions = Vec::new();
    for round in 0..3_u32 {
        let store = again(&open).await?;
        let found = store.scan(prefix.as_bytes(), None, 10).await?;
        same("entries from before", found.len(), round as usize)?;
        let key = format!("{prefix}{round}");
        store.apply(Batch::new().create(key.clone(), sample(u64::from(round), 100_000))).await?;
        let written = store.read(key.as_bytes()).await?.ok_or(Finding("lost".into()))?;
        versions.push((key, written));
    }
    let store = again(&open).await?;
    for (key, written) in versions {
        same("value and version", store.read(key.as_bytes()).await?, Some(written))?;
    }
    Ok(())
}

/// Blobs and sessions are there after the store was closed and opened again.
pub async fn reopened_blobs(open: impl Fn() -> Result<Arc<dyn BlobStore>, Error>) -> Outcome {
    for algorithm in Algorithm::ALL {
        let content = sample(fresh()?, 300_000);
        let digest = Digest::of(algorithm, &content);
        let store = again(&open).await?;
        let published = publish(&store, &sample(fresh()?, 1000)).await?;
        let session = store.begin(algorithm).await?;
        drop(store);
        let mut position = 0;
        for length in [100_000, 1, 199_999] {
            let store = again(&open).await?;
            let progress = store.progress(&session).await?.ok_or(Finding("session lost".into()))?;
            same("progress", (progress.offset, progress.algorithm), (position as u64, algorithm))?;
            let part = content.slice(position..position + length);
            append(&store, &session, position as u64, part).await?;
            position += length;
            // Not acknowledged, and so not there after the next start.
            let mut writer = store.append(&session, position as u64).await?;
            writer.write(sample(2, 200_000)).await?;
            drop(writer);
        }
        let store = again(&open).await?;
        same("size", store.commit(&session, &digest).await?, 300_000)?;
        drop(store);
        let store = again(&open).await?;
        same("content", read(&store, &digest, None).await?, Some(content))?;
        same("from the start", store.stat(&published).await?, Some(1000))?;
        same("size", store.commit(&session, &digest).await?, 300_000)?;
        same("abort", store.abort(&session).await?, true)?;
        drop(store);
        let store = again(&open).await?;
        same("session", store.progress(&session).await?, None)?;
        same("blob", store.stat(&digest).await?, Some(300_000))?;
    }
    Ok(())
}
