//! Sessions that nobody finishes.

use angos_oci::Algorithm;
use angos_registry::Settings;
use angos_registry::limits::SESSIONS_PER_SWEEP;
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::harness::*;

const LIFE: u64 = 24 * 60 * 60;

#[tokio::test]
async fn an_old_session_is_unknown_and_its_bytes_go() {
    for bench in engines(&Settings::default()) {
        let (registry, name) = (&bench.registry, name("a"));
        let old = registry.start_upload(&name, None).await.unwrap();
        append(registry, &name, &old, b"old").await.unwrap();
        bench.wait(LIFE / 2);
        let young = registry.start_upload(&name, None).await.unwrap();
        append(registry, &name, &young, b"young").await.unwrap();
        assert_eq!(registry.expire_uploads().await.unwrap(), 0);
        bench.wait(LIFE / 2);
        assert_eq!(refusal(registry.upload_progress(&name, &old).await), "UploadUnknown");
        assert_eq!(refusal(append(registry, &name, &old, b"x").await), "UploadUnknown");
        assert_eq!(count(&bench.storage, b"u").await, 2, "until it is swept");
        assert!(registry.expire_uploads().await.unwrap() >= 1);
        assert_eq!(count(&bench.storage, b"u").await, 1);
        assert_eq!(count(&bench.storage, b"e").await, 1);
        assert_eq!(registry.upload_progress(&name, &young).await.unwrap(), 5);
    }
}

#[tokio::test]
async fn a_call_is_bounded_and_the_next_one_goes_on() {
    let bench = Bench::memory(Settings::default());
    let (registry, name) = (&bench.registry, name("a"));
    let total = 2 * SESSIONS_PER_SWEEP + 1;
    for _ in 0..total {
        let id = registry.start_upload(&name, None).await.unwrap();
        append(registry, &name, &id, b"x").await.unwrap();
    }
    bench.wait(LIFE + 60);
    for left in [SESSIONS_PER_SWEEP + 1, 1, 0] {
        registry.expire_uploads().await.unwrap();
        assert_eq!(count(&bench.storage, b"e").await, left);
        assert_eq!(count(&bench.storage, b"u").await, left);
    }
    for _ in 0..4 {
        registry.expire_uploads().await.unwrap();
    }
    assert!(bench.storage.blobs.sessions(None, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_session_without_a_record_goes_too() {
    for bench in engines(&Settings::default()) {
        bench.storage.blobs.begin(Algorithm::Sha256).await.unwrap();
        assert_eq!(bench.registry.expire_uploads().await.unwrap(), 0, "it may be brand new");
        bench.wait(LIFE + 60);
        bench.registry.expire_uploads().await.unwrap();
        assert!(bench.storage.blobs.sessions(None, 9).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_session_in_use_is_left_alone() {
    let bench = Bench::memory(Settings::default());
    let (registry, name) = (bench.registry.clone(), name("a"));
    let id = registry.start_upload(&name, None).await.unwrap();
    let (sender, receiver) = mpsc::channel(1);
    let upload = tokio::spawn({
        let (registry, name) = (registry.clone(), name.clone());
        async move { registry.update_upload(&name, &id, None, None, Fed(receiver)).await }
    });
    sender.send(Ok(Bytes::from_static(b"con"))).await.unwrap();
    sender.send(Ok(Bytes::from_static(b"tent"))).await.unwrap();
    bench.wait(LIFE + 60);
    assert_eq!(registry.expire_uploads().await.unwrap(), 0);
    drop(sender);
    assert_eq!(upload.await.unwrap().unwrap(), 7);
    registry.expire_uploads().await.unwrap();
    assert_eq!(count(&bench.storage, b"u").await, 0);
}

/// Uploads that never end are the oldest of all, and whoever keeps enough of them would otherwise keep every session.
#[tokio::test]
async fn sessions_in_use_hide_no_others() {
    let bench = Bench::memory(Settings::default());
    let (registry, name) = (bench.registry.clone(), name("a"));
    let mut kept = Vec::new();
    for _ in 0..SESSIONS_PER_SWEEP {
        let id = registry.start_upload(&name, None).await.unwrap();
        let (sender, receiver) = mpsc::channel(1);
        let (registry, name) = (registry.clone(), name.clone());
        let upload = async move { registry.update_upload(&name, &id, None, None, Fed(receiver)).await };
        kept.push((sender, tokio::spawn(upload)));
    }
    for (sender, _) in &kept {
        sender.send(Ok(Bytes::from_static(b"x"))).await.unwrap();
        sender.reserve().await.unwrap();
    }
    bench.wait(1);
    let left_behind = registry.start_upload(&name, None).await.unwrap();
    append(&registry, &name, &left_behind, b"x").await.unwrap();
    bench.wait(LIFE + 60);
    assert_eq!(registry.expire_uploads().await.unwrap(), 1);
    assert_eq!(count(&bench.storage, b"u").await, SESSIONS_PER_SWEEP);
}
