//! Bytes that are not what was recorded: never announced, never served as if whole, and healed by the next push.

use std::path::PathBuf;

use angos_oci::{Digest, MediaType};
use angos_registry::limits::INLINE_MAX_BYTES;
use angos_registry::{Damage, Settings};
use angos_storage::Batch;
use serde_json::json;

use crate::harness::*;

/// A durable bench, and where it keeps a blob.
fn durable() -> (Bench, impl Fn(&Digest) -> PathBuf) {
    let [_, bench] = engines(&Settings::default());
    let root = bench.path().to_owned();
    (bench, move |digest: &Digest| {
        let hex = digest.hex();
        root.join("blobs").join(digest.algorithm().to_string()).join(&hex[..2]).join(hex)
    })
}

/// A manifest whose only blob is `config`.
fn manifest_of(config: &[u8], note: &str) -> bytes::Bytes {
    let config = descriptor(MediaType::OCI_CONFIG, config);
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "config": config, "layers": [],
        "annotations": { "note": note },
    });
    manifest.to_string().into()
}

#[tokio::test]
async fn a_damaged_blob_is_answered_as_missing_and_healed_by_a_push() {
    type Change = fn(&std::path::Path);
    let rows: [(&str, Change, Damage); 4] = [
        ("gone", |path| std::fs::remove_file(path).unwrap(), Damage { missing: 1, ..Damage::default() }),
        ("cut", |path| std::fs::write(path, "cont").unwrap(), Damage { length: 1, ..Damage::default() }),
        ("empty", |path| std::fs::write(path, "").unwrap(), Damage { length: 1, ..Damage::default() }),
        (
            "longer",
            |path| std::fs::write(path, "content+").unwrap(),
            Damage { length: 1, ..Damage::default() },
        ),
    ];
    for (what, change, expected) in rows {
        let (bench, path) = durable();
        let (registry, a, b) = (&bench.registry, name("a"), name("b"));
        let digest = push_blob(registry, &a, b"content").await;
        // From memory, too: whoever asked before has it in the cache.
        assert_eq!(registry.blob(&a, &digest).await.unwrap(), 7);
        change(&path(&digest));
        assert_eq!(refusal(registry.blob(&a, &digest).await), "BlobUnknown", "{what}");
        assert_eq!(registry.damage(), expected, "{what}");
        assert_eq!(refusal(read_blob(registry, &a, &digest).await), "BlobUnknown", "{what}");
        let range = angos_oci::ByteRange::parse("bytes=5-6").unwrap();
        assert_eq!(refusal(registry.read_blob(&a, &digest, range).await), "BlobUnknown", "{what}");
        assert!(!registry.mount_blob(&a, &b, &digest).await.unwrap(), "{what}");
        let manifest = manifest_of(b"content", what);
        let refused = put(registry, &a, &reference("v"), &manifest).await;
        assert_eq!(refusal(refused), "ReferenceUnknown", "{what}");
        push_blob(registry, &a, b"content").await;
        assert_eq!(read_blob(registry, &a, &digest).await.unwrap(), b"content", "{what}");
        assert!(registry.mount_blob(&a, &b, &digest).await.unwrap(), "{what}");
        put(registry, &a, &reference("v"), &manifest).await.unwrap();
        // What is damaged can be deleted.
        change(&path(&digest));
        registry.delete_manifest(&a, &sha256(&manifest).to_string().parse().unwrap()).await.unwrap();
        registry.delete_blob(&a, &digest).await.unwrap();
    }
}

#[tokio::test]
async fn a_push_heals_other_bytes_of_the_same_length() {
    let (bench, path) = durable();
    let (registry, a) = (&bench.registry, name("a"));
    let digest = push_blob(registry, &a, b"content").await;
    std::fs::write(path(&digest), "CONTENT").unwrap();
    let id = registry.start_upload(&a, None).await.unwrap();
    append(registry, &a, &id, b"cont").await.unwrap();
    complete(registry, &a, &id, &digest, b"ent").await.unwrap();
    assert_eq!(read_blob(registry, &a, &digest).await.unwrap(), b"content");
}

#[tokio::test]
async fn a_damaged_manifest_is_not_served_and_healed_by_a_push() {
    let a = name("a");
    // Kept as a blob: every kind of damage.
    for damage in ["gone", "cut", "other"] {
        let (bench, path) = durable();
        let registry = &bench.registry;
        push_blob(registry, &a, b"{}").await;
        let manifest = manifest_of(b"{}", &"x".repeat(INLINE_MAX_BYTES));
        let digest = put(registry, &a, &reference("v"), &manifest).await.unwrap().digest;
        match damage {
            "gone" => std::fs::remove_file(path(&digest)).unwrap(),
            "cut" => std::fs::write(path(&digest), "x").unwrap(),
            _ => std::fs::write(path(&digest), vec![b' '; manifest.len()]).unwrap(),
        }
        for by in [reference("v"), digest.to_string().parse().unwrap()] {
            assert_eq!(refusal(registry.manifest(&a, &by).await), "ManifestUnknown", "{damage}");
        }
        assert_ne!(registry.damage(), Damage::default());
        put(registry, &a, &reference("v"), &manifest).await.unwrap();
        let healed = registry.manifest(&a, &reference("v")).await.unwrap();
        let mut reader = registry.read_large_manifest(&healed).await.unwrap();
        let mut read = Vec::new();
        while let Some(chunk) = reader.next().await {
            read.extend_from_slice(&chunk.unwrap());
        }
        assert!(read == manifest, "{damage}");
    }
    // Kept in the metadata: one changed byte.
    for bench in engines(&sparse()) {
        let registry = &bench.registry;
        let manifest = image("1");
        let digest = put(registry, &a, &reference("v"), &manifest).await.unwrap().digest;
        let stored = bench.storage.metadata.scan(b"r", None, 1).await.unwrap().remove(0);
        let mut value = stored.value.to_vec();
        *value.last_mut().unwrap() ^= 1;
        bench.storage.metadata.apply(Batch::new().put(stored.key, value)).await.unwrap();
        let by = digest.to_string().parse().unwrap();
        assert_eq!(refusal(registry.manifest(&a, &by).await), "ManifestUnknown");
        assert_eq!(registry.damage(), Damage { content: 1, ..Damage::default() });
        put(registry, &a, &by, &manifest).await.unwrap();
        assert_eq!(registry.manifest(&a, &by).await.unwrap().bytes, Some(manifest.clone()));
    }
}

/// The metadata is full when the upload ends: the session stays, and the same end works once there is room.
#[tokio::test]
async fn an_end_that_cannot_be_recorded_can_be_repeated() {
    for sent_at_the_end in [b"".as_slice(), b"tent"] {
        for inner in engines(&Settings::default()) {
            let full = std::sync::Arc::new(Full::over(&inner.storage));
            let mut storage = inner.storage.clone();
            storage.metadata = full.clone();
            let bench = Bench::new(storage, Settings::default());
            let (registry, a) = (&bench.registry, name("a"));
            let id = registry.start_upload(&a, None).await.unwrap();
            append(registry, &a, &id, if sent_at_the_end.is_empty() { b"content" } else { b"con" })
                .await
                .unwrap();
            let before = registry.upload_progress(&a, &id).await.unwrap();
            full.set(true);
            let digest = sha256(b"content");
            let failed = complete(registry, &a, &id, &digest, sent_at_the_end).await.unwrap_err();
            assert!(matches!(failed, angos_registry::Error::OutOfSpace(_)), "{failed:?}");
            full.set(false);
            assert_eq!(registry.upload_progress(&a, &id).await.unwrap(), before);
            complete(registry, &a, &id, &digest, sent_at_the_end).await.unwrap();
            assert_eq!(read_blob(registry, &a, &digest).await.unwrap(), b"content");
            // Its answer was lost: the same again, with and without what was sent at the end.
            complete(registry, &a, &id, &digest, sent_at_the_end).await.unwrap();
            complete(registry, &a, &id, &digest, b"").await.unwrap();
            let other = complete(registry, &a, &id, &sha256(b"x"), b"").await;
            assert_eq!(refusal(other), "UploadUnknown");
            assert!(inner.storage.blobs.sessions(None, 9).await.unwrap().is_empty());
            // Also after a restart, which remembers no session that is over.
            for sent in [sent_at_the_end, b""] {
                let again = angos_registry::Registry::new(inner.storage.clone(), Settings::default());
                complete(&again, &a, &id, &digest, sent).await.unwrap();
            }
            let again = angos_registry::Registry::new(inner.storage.clone(), Settings::default());
            let other = complete(&again, &a, &id, &sha256(b"x"), b"").await;
            assert_eq!(refusal(other), "DigestMismatch", "a session without bytes");
            let fresh = again.start_upload(&a, None).await.unwrap();
            let other = complete(&again, &a, &fresh, &digest, b"other").await;
            assert_eq!(refusal(other), "DigestMismatch", "a session that cannot have been finished");
        }
    }
}
