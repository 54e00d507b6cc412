//! Cases for what is published: digests, ranges, deleting, listing.

use std::{ops::Range, sync::Arc};

use angos_oci::{Algorithm, Digest};
use bytes::Bytes;
use tokio::task::JoinSet;

use super::{Finding, Outcome, fresh, holds, same, sample};
use crate::{BlobStore, Error};

pub(super) type Store = Arc<dyn BlobStore>;

pub(super) async fn all(store: &Store) -> Outcome {
    content_of_every_size_is_found_again(store).await?;
    small_frames_are_put_together(store).await?;
    ranges_are_exact(store).await?;
    staged_content_is_published_or_gone(store).await?;
    equal_content_is_published_once(store).await?;
    deleting_does_not_disturb_readers(store).await?;
    scans_list_every_blob_once(store).await
}

/// The whole content, or a part of it.
pub(super) async fn read(
    store: &Store,
    digest: &Digest,
    range: Option<Range<u64>>,
) -> Result<Option<Bytes>, Finding> {
    let Some(mut reader) = store.read(digest, range).await? else { return Ok(None) };
    let mut content = Vec::new();
    while let Some(chunk) = reader.next().await {
        let chunk = chunk?;
        holds("a chunk is not empty", !chunk.is_empty())?;
        content.extend_from_slice(&chunk);
    }
    Ok(Some(content.into()))
}

/// Publishes content without a session.
pub(super) async fn publish(store: &Store, content: &Bytes) -> Result<Digest, Finding> {
    let digest = Digest::of(Algorithm::Sha256, content);
    let mut writer = store.stage(Algorithm::Sha256).await?;
    writer.write(content.clone()).await?;
    same("size", writer.commit(&digest).await?, content.len() as u64)?;
    Ok(digest)
}

async fn content_of_every_size_is_found_again(store: &Store) -> Outcome {
    for algorithm in Algorithm::ALL {
        for size in [0, 1, 4095, 65_535, 65_536, 65_537, 262_144, 300_001, 3 << 20] {
            let content = sample(fresh()?, size);
            let digest = Digest::of(algorithm, &content);
            let empty = size == 0;
            same("before", store.stat(&digest).await?.is_some() && !empty, false)?;
            let session = store.begin(algorithm).await?;
            let mut writer = store.append(&session, 0).await?;
            writer.write(content.clone()).await?;
            let progress = writer.finish().await?;
            same("progress", progress.offset, size as u64)?;
            same("invisible before the commit", store.stat(&digest).await?.is_some() && !empty, false)?;
            same("committed size", store.commit(&session, &digest).await?, size as u64)?;
            same("stat", store.stat(&digest).await?, Some(size as u64))?;
            same("content", read(store, &digest, None).await?, Some(content))?;
            same("abort", store.abort(&session).await?, true)?;
            same("the session is over", store.progress(&session).await?, None)?;
            same("the blob stays", store.stat(&digest).await?, Some(size as u64))?;
        }
    }
    let missing = Digest::of(Algorithm::Sha256, &fresh()?.to_le_bytes());
    same("missing", read(store, &missing, None).await?, None)?;
    same("missing", store.stat(&missing).await?, None)
}

async fn small_frames_are_put_together(store: &Store) -> Outcome {
    let content = sample(fresh()?, 200_000);
    let digest = Digest::of(Algorithm::Sha256, &content);
    for step in [1, 100, 4096, 5000, 70_000] {
        let mut writer = store.stage(Algorithm::Sha256).await?;
        let mut rest = content.clone();
        let mut alternate = false;
        while !rest.is_empty() {
            alternate = !alternate;
            let step = if alternate { step } else { 1 };
            writer.write(rest.split_to(step.min(rest.len()))).await?;
        }
        writer.write(Bytes::new()).await?;
        same("size", writer.commit(&digest).await?, 200_000)?;
        same("content", read(store, &digest, None).await?.as_ref(), Some(&content))?;
        store.delete(&digest).await?;
    }
    Ok(())
}

async fn ranges_are_exact(store: &Store) -> Outcome {
    let content = sample(fresh()?, 500_000);
    let digest = publish(store, &content).await?;
    for (start, end) in
        [(0, 0), (0, 1), (499_999, 500_000), (500_000, 500_000), (131_071, 131_073), (1, 499_999)]
    {
        let expected = usize::try_from(start).ok().zip(usize::try_from(end).ok());
        let expected = expected.map(|(start, end)| content.slice(start..end));
        same("part", read(store, &digest, Some(start..end)).await?, expected)?;
    }
    #[expect(clippy::reversed_empty_ranges, reason = "that is the case")]
    for range in [0..500_001, 500_001..500_001, 9..8, u64::MAX - 1..u64::MAX] {
        match store.read(&digest, Some(range.clone())).await {
            Err(Error::OutOfRange { size: 500_000 }) => {}
            other => return Err(Finding(format!("{range:?}: {other:?}"))),
        }
    }
    Ok(())
}

async fn staged_content_is_published_or_gone(store: &Store) -> Outcome {
    let content = sample(fresh()?, 100_000);
    let digest = Digest::of(Algorithm::Sha256, &content);
    let mut dropped = store.stage(Algorithm::Sha256).await?;
    dropped.write(content.clone()).await?;
    drop(dropped);
    let mut finished = store.stage(Algorithm::Sha256).await?;
    finished.write(content.clone()).await?;
    same("progress", finished.finish().await?.offset, 100_000)?;
    let mut wrong = store.stage(Algorithm::Sha256).await?;
    wrong.write(content.slice(1..)).await?;
    match wrong.commit(&digest).await {
        Err(Error::DigestMismatch { actual }) => {
            same("actual", actual, Digest::of(Algorithm::Sha256, &content.slice(1..)))?;
        }
        other => return Err(Finding(format!("{other:?}"))),
    }
    same("nothing visible", store.stat(&digest).await?, None)?;
    publish(store, &content).await?;
    same("visible", store.stat(&digest).await?, Some(100_000))
}

async fn equal_content_is_published_once(store: &Store) -> Outcome {
    let content = sample(fresh()?, 150_000);
    let mut racers = JoinSet::new();
    for racer in 0..16 {
        let (store, content) = (Arc::clone(store), content.clone());
        racers.spawn(async move {
            if racer % 2 == 0 {
                return publish(&store, &content).await;
            }
            let digest = Digest::of(Algorithm::Sha256, &content);
            let session = store.begin(Algorithm::Sha256).await?;
            let mut writer = store.append(&session, 0).await?;
            writer.write(content).await?;
            writer.finish().await?;
            store.commit(&session, &digest).await?;
            Ok(digest)
        });
    }
    for finished in racers.join_all().await {
        let digest = finished?;
        same("content", read(store, &digest, None).await?.as_ref(), Some(&content))?;
    }
    Ok(())
}

async fn deleting_does_not_disturb_readers(store: &Store) -> Outcome {
    let content = sample(fresh()?, 600_000);
    let digest = publish(store, &content).await?;
    let mut reader = store.read(&digest, None).await?.ok_or(Finding("lost".into()))?;
    same("delete", store.delete(&digest).await?, true)?;
    same("delete again", store.delete(&digest).await?, false)?;
    same("gone", store.stat(&digest).await?, None)?;
    let mut seen = Vec::new();
    while let Some(chunk) = reader.next().await {
        seen.extend_from_slice(&chunk?);
    }
    same("an open reader reads on", Bytes::from(seen), content.clone())?;
    publish(store, &content).await?;
    same("published again", read(store, &digest, None).await?, Some(content))
}

async fn scans_list_every_blob_once(store: &Store) -> Outcome {
    let mut expected = std::collections::BTreeMap::new();
    for size in 1..40 {
        let content = sample(fresh()?, size);
        let algorithm = if size % 5 == 0 { Algorithm::Sha512 } else { Algorithm::Sha256 };
        let digest = Digest::of(algorithm, &content);
        let mut writer = store.stage(algorithm).await?;
        writer.write(content).await?;
        writer.commit(&digest).await?;
        expected.insert(digest, size as u64);
    }
    for limit in [1, 7, 1000] {
        let mut after = None;
        let mut found = Vec::new();
        loop {
            let page = store.scan(after.as_ref(), limit).await?;
            holds("a page is no longer than asked", page.len() <= limit)?;
            let Some((last, _)) = page.last() else { break };
            after = Some(*last);
            found.extend(page);
        }
        holds("strictly ascending", found.is_sorted_by(|left, right| left.0 < right.0))?;
        found.retain(|(digest, _)| expected.contains_key(digest));
        same("every blob once", found, expected.clone().into_iter().collect())?;
    }
    same("limit 0", store.scan(None, 0).await?.len(), 0)
}
