//! What the disk refuses: typed, nothing visible, and the session goes on.

use std::io::ErrorKind;
use std::time::Duration;

use super::{super::disk::Step, *};

const TOTAL: usize = 500_000;
const ACKNOWLEDGED: usize = 100_000;
const PATIENCE: Duration = Duration::from_secs(30);

/// Fails `step` while the rest of the content is written and committed, then continues.
async fn check(step: Step, kind: ErrorKind, expected: &str) {
    for direct in [true, false] {
        let what = format!("{step:?} {kind:?} direct {direct}");
        let scene = Scene::new();
        let content = content(TOTAL);
        let digest = Digest::of(Algorithm::Sha256, &content);
        let session = scene.session(&content, ACKNOWLEDGED).await;
        let fault = || scene.blobs.store.disk.fault.lock().unwrap();
        *fault() = Some((step, kind));
        let failed = push_rest(&scene, &session, &content, direct).await.unwrap_err();
        assert!(format!("{failed:?}").starts_with(expected), "{what}: {failed:?}");
        assert!(failed.is_failure(), "{what}");
        *fault() = None;
        if step != Step::SyncDirectory {
            assert_eq!(scene.blobs.stat(&digest).await.unwrap(), None, "{what}");
        }
        // The publishing steps come after the acknowledgement, where there was one.
        let is_late = matches!(step, Step::Publish | Step::SyncDirectory);
        let offset = if is_late && !direct { TOTAL } else { ACKNOWLEDGED };
        assert_eq!(scene.offset(&session).await, Some(offset as u64), "{what}");
        scene.append(&session, offset as u64, content.slice(offset..)).await.unwrap();
        assert_eq!(scene.blobs.commit(&session, &digest).await.unwrap(), TOTAL as u64, "{what}");
        assert_eq!(scene.read(&digest).await.unwrap(), content, "{what}");
    }
}

async fn push_rest(scene: &Scene, session: &SessionId, content: &Bytes, direct: bool) -> Result<u64, Error> {
    let digest = Digest::of(Algorithm::Sha256, content);
    let mut writer = scene.blobs.append(session, ACKNOWLEDGED as u64).await?;
    for start in (ACKNOWLEDGED..content.len()).step_by(50_000) {
        writer.write(content.slice(start..(start + 50_000).min(content.len()))).await?;
    }
    if direct {
        return writer.commit(&digest).await;
    }
    writer.finish().await?;
    scene.blobs.commit(session, &digest).await
}

#[tokio::test]
async fn faults_are_typed_and_leave_the_session() {
    for (kind, expected) in [
        (ErrorKind::StorageFull, "OutOfSpace"),
        (ErrorKind::QuotaExceeded, "OutOfSpace"),
        (ErrorKind::PermissionDenied, "AccessDenied"),
        (ErrorKind::ReadOnlyFilesystem, "AccessDenied"),
        (ErrorKind::Other, "Io"),
    ] {
        check(Step::Write, kind, expected).await;
        check(Step::Publish, kind, expected).await;
        // What was acknowledged was synced before.
        check(Step::SyncData, kind, expected).await;
        // The content is there under its digest; only its durability is open.
        check(Step::SyncDirectory, kind, expected).await;
    }
}

#[tokio::test]
async fn an_acknowledgement_that_cannot_be_recorded_is_none() {
    for step in [Step::Record, Step::SyncRecord] {
        let scene = Scene::new();
        let content = content(TOTAL);
        let session = scene.session(&content, ACKNOWLEDGED).await;
        *scene.blobs.store.disk.fault.lock().unwrap() = Some((step, ErrorKind::StorageFull));
        let rest = content.slice(ACKNOWLEDGED..);
        let error = scene.append(&session, ACKNOWLEDGED as u64, rest.clone()).await.unwrap_err();
        assert!(matches!(error, Error::OutOfSpace(_)), "{error:?}");
        *scene.blobs.store.disk.fault.lock().unwrap() = None;
        assert_eq!(scene.offset(&session).await, Some(ACKNOWLEDGED as u64), "{step:?}");
        let data = scene.path(&format!("uploads/{session}.sha256"));
        assert_eq!(std::fs::metadata(data).unwrap().len(), ACKNOWLEDGED as u64, "the space is given back");
        scene.append(&session, ACKNOWLEDGED as u64, rest).await.unwrap();
        let digest = Digest::of(Algorithm::Sha256, &content);
        assert_eq!(scene.blobs.commit(&session, &digest).await.unwrap(), TOTAL as u64);
    }
}

#[tokio::test]
async fn nothing_begins_where_nothing_can_be_created() {
    let scene = Scene::new();
    *scene.blobs.store.disk.fault.lock().unwrap() = Some((Step::Create, ErrorKind::PermissionDenied));
    assert!(matches!(scene.blobs.begin(Algorithm::Sha256).await, Err(Error::AccessDenied(_))));
    let digest = Digest::of(Algorithm::Sha256, b"");
    let staged = scene.blobs.stage(Algorithm::Sha256).await.unwrap();
    assert!(matches!(staged.commit(&digest).await, Err(Error::AccessDenied(_))));
    assert_eq!(scene.blobs.stat(&digest).await.unwrap(), None);
}

#[tokio::test]
async fn a_failed_writer_frees_the_session_at_once() {
    let scene = Scene::new();
    let session = scene.session(&content(TOTAL), ACKNOWLEDGED).await;
    for _ in 0..20 {
        let mut writer = scene.blobs.append(&session, ACKNOWLEDGED as u64).await.unwrap();
        writer.write(content(300_000)).await.unwrap();
        drop(writer);
    }
    assert_eq!(scene.offset(&session).await, Some(ACKNOWLEDGED as u64));
}

/// A look writes only where there is a reason to: after a failure, until the cause is gone.
#[tokio::test]
async fn health_follows_failures() {
    let scene = Scene::new();
    assert!(scene.blobs.health().await.outcome.is_ok());
    for kind in [ErrorKind::StorageFull, ErrorKind::ReadOnlyFilesystem] {
        *scene.blobs.store.disk.fault.lock().unwrap() = Some((Step::Create, kind));
        assert!(scene.blobs.begin(Algorithm::Sha256).await.is_err());
        for _ in 0..2 {
            assert!(scene.blobs.health().await.outcome.is_err(), "{kind:?}");
        }
        *scene.blobs.store.disk.fault.lock().unwrap() = None;
        let health = scene.blobs.health().await;
        assert!(health.outcome.is_ok(), "{kind:?}");
        assert!(health.space.is_some_and(|space| space.free_bytes > 0));
    }
    if scene.blobs.health().await.space.unwrap().free_bytes > crate::limits::SPACE_LOW_BYTES {
        scene.blobs.store.disk.steps.lock().unwrap().clear();
        scene.blobs.health().await;
        assert!(
            scene.blobs.store.disk.steps.lock().unwrap().is_empty(),
            "a store that is well is left alone"
        );
    }
}

/// A defect in the thread that writes ends that upload. No other waits for it, and nothing waits for ever.
#[tokio::test]
async fn a_panic_fails_one_upload_and_leaves_nobody_waiting() {
    const PANIC: ErrorKind = ErrorKind::Unsupported;
    let content = content(TOTAL);
    for step in [Step::Write, Step::SyncDirectory] {
        let scene = Scene::new();
        let session = scene.session(&content, ACKNOWLEDGED).await;
        *scene.blobs.store.disk.fault.lock().unwrap() = Some((step, PANIC));
        let failed = tokio::time::timeout(PATIENCE, push_rest(&scene, &session, &content, true)).await;
        assert!(matches!(failed.expect("an answer"), Err(Error::Closed)), "{step:?}");
        *crate::memory::lock(&scene.blobs.store.disk.fault) = None;
        let published = tokio::time::timeout(PATIENCE, scene.publish(&content)).await;
        published.expect("the next push does not wait for the one that panicked");
    }
}
