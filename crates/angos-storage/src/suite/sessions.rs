//! Cases for upload sessions.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use angos_oci::{Algorithm, Digest};
use bytes::Bytes;
use tokio::task::JoinSet;

use super::{
    Finding, Outcome,
    blobs::{Store, read},
    fresh, holds, same, sample,
};
use crate::{Error, Progress, SessionId};

pub(super) async fn all(store: &Store) -> Outcome {
    appends_continue_where_the_last_ended(store).await?;
    a_dropped_writer_leaves_the_session(store).await?;
    a_wrong_digest_leaves_the_session(store).await?;
    another_algorithm_is_computed_at_the_end(store).await?;
    a_writer_commits_its_session(store).await?;
    a_published_session_goes_on(store).await?;
    one_writer_at_a_time(store).await?;
    an_ended_session_is_unknown(store).await?;
    sessions_are_listed_in_order(store).await
}

/// Appends and acknowledges.
pub(super) async fn append(
    store: &Store,
    session: &SessionId,
    offset: u64,
    content: Bytes,
) -> Result<Progress, Error> {
    let mut writer = store.append(session, offset).await?;
    writer.write(content).await?;
    writer.finish().await
}

async fn offset(store: &Store, session: &SessionId) -> Result<Option<u64>, Finding> {
    Ok(store.progress(session).await?.map(|progress| progress.offset))
}

async fn appends_continue_where_the_last_ended(store: &Store) -> Outcome {
    for algorithm in Algorithm::ALL {
        let content = sample(fresh()?, 400_000);
        let digest = Digest::of(algorithm, &content);
        let session = store.begin(algorithm).await?;
        same("begin", store.progress(&session).await?, Some(Progress { offset: 0, algorithm }))?;
        let mut position = 0;
        for length in [0, 1, 99_999, 0, 200_000, 100_000] {
            for wrong in [position + 1, u64::MAX].into_iter().chain(position.checked_sub(1)) {
                match store.append(&session, wrong).await {
                    Err(Error::OffsetMismatch { expected }) => same("expected offset", expected, position)?,
                    other => return Err(Finding(format!("append at {wrong}: {other:?}"))),
                }
            }
            let start = usize::try_from(position).unwrap_or(usize::MAX);
            let progress = append(store, &session, position, content.slice(start..start + length)).await?;
            position += length as u64;
            same("progress", progress, Progress { offset: position, algorithm })?;
            same("progress", store.progress(&session).await?, Some(progress))?;
        }
        same("size", store.commit(&session, &digest).await?, 400_000)?;
        same("content", read(store, &digest, None).await?, Some(content))?;
    }
    Ok(())
}

async fn a_dropped_writer_leaves_the_session(store: &Store) -> Outcome {
    let content = sample(fresh()?, 900_000);
    let session = store.begin(Algorithm::Sha256).await?;
    append(store, &session, 0, content.slice(..300_000)).await?;
    for lost in [0, 10, 70_000, 600_000] {
        let mut writer = store.append(&session, 300_000).await?;
        writer.write(content.slice(..lost)).await?;
        drop(writer);
        same("acknowledged", offset(store, &session).await?, Some(300_000))?;
    }
    append(store, &session, 300_000, content.slice(300_000..)).await?;
    let digest = Digest::of(Algorithm::Sha256, &content);
    same("size", store.commit(&session, &digest).await?, 900_000)?;
    same("content", read(store, &digest, None).await?, Some(content))
}

async fn a_wrong_digest_leaves_the_session(store: &Store) -> Outcome {
    let content = sample(fresh()?, 80_000);
    let digest = Digest::of(Algorithm::Sha256, &content);
    let session = store.begin(Algorithm::Sha256).await?;
    append(store, &session, 0, content.slice(..50_000)).await?;
    let other = Digest::of(Algorithm::Sha512, &content);
    for wrong in [digest, other] {
        match store.commit(&session, &wrong).await {
            Err(Error::DigestMismatch { actual }) => {
                same("actual", actual, Digest::of(wrong.algorithm(), &content.slice(..50_000)))?;
            }
            other => return Err(Finding(format!("{other:?}"))),
        }
        same("not visible", store.stat(&wrong).await?, None)?;
    }
    let mut writer = store.append(&session, 50_000).await?;
    writer.write(content.slice(50_000..60_000)).await?;
    let mismatch = writer.commit(&digest).await;
    holds("mismatch", matches!(mismatch, Err(Error::DigestMismatch { .. })))?;
    same("what was acknowledged stays", offset(store, &session).await?, Some(50_000))?;
    append(store, &session, 50_000, content.slice(50_000..)).await?;
    same("size", store.commit(&session, &digest).await?, 80_000)
}

async fn another_algorithm_is_computed_at_the_end(store: &Store) -> Outcome {
    for (begun, asked) in [(Algorithm::Sha256, Algorithm::Sha512), (Algorithm::Sha512, Algorithm::Sha256)] {
        let content = sample(fresh()?, 700_000);
        let digest = Digest::of(asked, &content);
        let session = store.begin(begun).await?;
        append(store, &session, 0, content.slice(..1)).await?;
        append(store, &session, 1, content.slice(1..)).await?;
        same("size", store.commit(&session, &digest).await?, 700_000)?;
        same("content", read(store, &digest, None).await?, Some(content.clone()))?;
        let other = Digest::of(begun, &content);
        let mut writer = store.stage(asked).await?;
        writer.write(content).await?;
        same("staged", writer.commit(&other).await?, 700_000)?;
    }
    Ok(())
}

async fn a_writer_commits_its_session(store: &Store) -> Outcome {
    let content = sample(fresh()?, 333_333);
    let digest = Digest::of(Algorithm::Sha256, &content);
    let session = store.begin(Algorithm::Sha256).await?;
    append(store, &session, 0, content.slice(..111_111)).await?;
    let mut writer = store.append(&session, 111_111).await?;
    writer.write(content.slice(111_111..)).await?;
    same("size", writer.commit(&digest).await?, 333_333)?;
    same("content", read(store, &digest, None).await?, Some(content))?;
    same("the session stays as acknowledged", offset(store, &session).await?, Some(111_111))?;
    same("abort", store.abort(&session).await?, true)?;
    same("over", offset(store, &session).await?, None)?;
    same("abort again", store.abort(&session).await?, false)
}

/// A process may die between the commit and the end of a session: the commit works again, and whatever the client
/// does to the session, the blob stays what it is.
async fn a_published_session_goes_on(store: &Store) -> Outcome {
    let content = sample(fresh()?, 250_000);
    let (first, whole) = (content.slice(..200_000), &content);
    let [part, all] = [&first, whole].map(|content| Digest::of(Algorithm::Sha256, content));
    let session = store.begin(Algorithm::Sha256).await?;
    append(store, &session, 0, content.slice(..100_000)).await?;
    for _ in 0..2 {
        let mut writer = store.append(&session, 100_000).await?;
        writer.write(content.slice(100_000..200_000)).await?;
        same("size", writer.commit(&part).await?, 200_000)?;
    }
    append(store, &session, 100_000, content.slice(100_000..200_000)).await?;
    for _ in 0..2 {
        same("size", store.commit(&session, &part).await?, 200_000)?;
        same("offset", offset(store, &session).await?, Some(200_000))?;
    }
    let mut dropped = store.append(&session, 200_000).await?;
    dropped.write(sample(1, 300_000)).await?;
    drop(dropped);
    append(store, &session, 200_000, content.slice(200_000..)).await?;
    same("what was published", read(store, &part, None).await?, Some(first.clone()))?;
    same("size", store.commit(&session, &all).await?, 250_000)?;
    same("abort", store.abort(&session).await?, true)?;
    same("the first", read(store, &part, None).await?, Some(first))?;
    same("the whole", read(store, &all, None).await?, Some(content))
}

async fn one_writer_at_a_time(store: &Store) -> Outcome {
    let session = store.begin(Algorithm::Sha256).await?;
    let mut racers = JoinSet::new();
    for _ in 0..32 {
        let store = Arc::clone(store);
        racers.spawn(async move { store.append(&session, 0).await });
    }
    let (mut winners, mut busy) = (Vec::new(), 0);
    for finished in racers.join_all().await {
        match finished {
            Ok(writer) => winners.push(writer),
            Err(Error::SessionBusy) => busy += 1,
            Err(error) => return Err(error.into()),
        }
    }
    same("winners and losers", (winners.len(), busy), (1, 31))?;
    let digest = Digest::of(Algorithm::Sha256, b"");
    holds("commit", matches!(store.commit(&session, &digest).await, Err(Error::SessionBusy)))?;
    holds("abort", matches!(store.abort(&session).await, Err(Error::SessionBusy)))?;
    same("progress is told", offset(store, &session).await?, Some(0))?;
    drop(winners);
    append(store, &session, 0, Bytes::from_static(b"free again")).await?;
    same("abort", store.abort(&session).await?, true)
}

async fn an_ended_session_is_unknown(store: &Store) -> Outcome {
    let aborted = store.begin(Algorithm::Sha512).await?;
    append(store, &aborted, 0, Bytes::from_static(b"some")).await?;
    same("abort", store.abort(&aborted).await?, true)?;
    let committed = store.begin(Algorithm::Sha256).await?;
    store.commit(&committed, &Digest::of(Algorithm::Sha256, b"")).await?;
    same("abort", store.abort(&committed).await?, true)?;
    for session in [aborted, committed, SessionId::random()?] {
        let digest = Digest::of(Algorithm::Sha256, b"");
        holds("append", matches!(store.append(&session, 0).await, Err(Error::SessionUnknown)))?;
        holds("commit", matches!(store.commit(&session, &digest).await, Err(Error::SessionUnknown)))?;
        same("progress", store.progress(&session).await?, None)?;
        same("abort", store.abort(&session).await?, false)?;
    }
    Ok(())
}

async fn sessions_are_listed_in_order(store: &Store) -> Outcome {
    let earliest = SystemTime::now() - Duration::from_secs(5);
    let mut expected = Vec::new();
    for length in 0..20 {
        let session = store.begin(Algorithm::Sha256).await?;
        if length % 2 == 0 {
            append(store, &session, 0, sample(1, length)).await?;
        }
        expected.push(session);
    }
    expected.sort_unstable();
    for limit in [1, 6, 100] {
        let (mut after, mut found) = (None, Vec::new());
        loop {
            let page = store.sessions(after.as_ref(), limit).await?;
            holds("a page is no longer than asked", page.len() <= limit)?;
            let Some((last, _)) = page.last() else { break };
            after = Some(*last);
            found.extend(page);
        }
        holds("strictly ascending", found.is_sorted_by(|left, right| left.0 < right.0))?;
        found.retain(|(session, _)| expected.contains(session));
        holds("times", found.iter().all(|(_, modified)| *modified >= earliest))?;
        let found: Vec<SessionId> = found.into_iter().map(|(session, _)| session).collect();
        same("every session once", found, expected.clone())?;
    }
    for session in expected {
        same("abort", store.abort(&session).await?, true)?;
    }
    Ok(())
}
