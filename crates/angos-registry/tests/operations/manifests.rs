//! Pushing, pulling and deleting manifests.

use angos_oci::MediaType;
use angos_oci::limits::PUSH_TAGS_MAX;
use angos_registry::limits::INLINE_MAX_BYTES;
use angos_registry::{Error, PutManifest, Settings};
use bytes::Bytes;

use crate::harness::*;

#[tokio::test]
async fn what_is_pushed_is_pulled_by_tag_and_by_digest() {
    for bench in engines(&sparse()) {
        let (registry, name) = (&bench.registry, name("a/b"));
        let bytes = image("1");
        let receipt = put(registry, &name, &reference("v1"), &bytes).await.unwrap();
        assert_eq!(receipt.digest, sha256(&bytes));
        assert_eq!((receipt.subject, receipt.tags), (None, vec![]));
        for reference in ["v1".to_owned(), sha256(&bytes).to_string()] {
            for _cold_then_cached in 0..2 {
                let found = registry.manifest(&name, &reference.parse().unwrap()).await.unwrap();
                assert_eq!(found.bytes.as_ref(), Some(&bytes));
                assert_eq!(found.digest, sha256(&bytes));
                assert_eq!(found.media_type, MediaType::OCI_MANIFEST);
            }
        }
        let entry = registry.tag(&name, &tag("v1")).await.unwrap();
        assert_eq!((entry.digest, entry.pushed_by.as_str()), (sha256(&bytes), "tester"));
        assert_eq!(entry.size, bytes.len() as u64);
        for missing in ["v2".to_owned(), sha256(b"other").to_string(), sha512(&bytes).to_string()] {
            let outcome = registry.manifest(&name, &missing.parse().unwrap()).await;
            assert_eq!(refusal(outcome), "ManifestUnknown", "{missing}");
        }
        check_rules(&bench.storage).await;
    }
}

#[tokio::test]
async fn a_manifest_is_known_only_where_it_was_pushed() {
    let bench = Bench::memory(sparse());
    let bytes = image("1");
    put(&bench.registry, &name("a"), &reference("v1"), &bytes).await.unwrap();
    for other in ["b", "a/b", "a-b"] {
        for reference in ["v1".to_owned(), sha256(&bytes).to_string()] {
            let outcome = bench.registry.manifest(&name(other), &reference.parse().unwrap()).await;
            assert_eq!(refusal(outcome), "ManifestUnknown", "{other} {reference}");
        }
    }
}

#[tokio::test]
async fn a_digest_is_verified_whatever_its_algorithm() {
    let bench = Bench::memory(sparse());
    let (registry, name, bytes) = (&bench.registry, name("a"), image("1"));
    let tags = [tag("x"), tag("y"), tag("x")];
    for digest in [sha256(&bytes), sha512(&bytes)] {
        let reference = digest.to_string().parse().unwrap();
        let receipt = put_tags(registry, &name, &reference, &tags, &bytes).await.unwrap();
        assert_eq!(receipt.digest, digest);
        assert_eq!(receipt.tags, [tag("x"), tag("y")], "each tag once");
        for moved in &tags {
            let found = registry.manifest(&name, &moved.parse().unwrap()).await.unwrap();
            assert_eq!(found.digest, digest);
        }
    }
    for wrong in [sha256(b"other"), sha512(b"other")] {
        let outcome = put(registry, &name, &wrong.to_string().parse().unwrap(), &bytes).await;
        assert!(matches!(outcome, Err(Error::DigestMismatch { expected }) if expected == wrong));
        assert_eq!(outcome.unwrap_err().code().unwrap().as_str(), "DIGEST_INVALID");
    }
}

#[tokio::test]
async fn refused_pushes_leave_nothing() {
    let mut settings = sparse();
    settings.max_manifest_size = 1000;
    let bench = Bench::memory(settings);
    let (registry, name) = (&bench.registry, name("a"));
    let many: Vec<_> = (0..=PUSH_TAGS_MAX).map(|n| tag(&format!("t{n}"))).collect();
    let index: MediaType = MediaType::OCI_INDEX.parse().unwrap();
    let check = async |bytes: Bytes, media_type: Option<&MediaType>, tags: &[_], code: &str| {
        let reference = &reference("v1");
        let put = PutManifest { reference, tags, media_type, bytes };
        let error = registry.put_manifest(&name, put).await.unwrap_err();
        assert_eq!(error.code().unwrap().as_str(), code, "{error}");
    };
    check(image("1"), None, &many, "MANIFEST_INVALID").await;
    check(image(&"x".repeat(1000)), None, &[], "SIZE_INVALID").await;
    check(image("1"), Some(&index), &[], "MANIFEST_INVALID").await;
    check(Bytes::from_static(b"{}"), None, &[], "MANIFEST_INVALID").await;
    check(Bytes::new(), None, &[], "MANIFEST_INVALID").await;
    let both = br#"{"schemaVersion":2,"config":{},"layers":[],"manifests":[]}"#;
    check(Bytes::from_static(both), None, &[], "MANIFEST_INVALID").await;
    assert_eq!(count(&bench.storage, b"").await, 0);
    assert_eq!(refusal(registry.list_tags(&name, None, None).await), "NameUnknown");
}

#[tokio::test]
async fn the_last_push_says_what_the_bytes_are() {
    let bench = Bench::memory(sparse());
    let (registry, name) = (&bench.registry, name("a"));
    let text = String::from_utf8(image("1").to_vec()).unwrap();
    let bytes = Bytes::from(text.replace(&format!("\"mediaType\":\"{}\",", MediaType::OCI_MANIFEST), ""));
    for (tag, media_type) in [("x", MediaType::DOCKER_MANIFEST), ("y", MediaType::OCI_MANIFEST)] {
        let media_type: MediaType = media_type.parse().unwrap();
        let reference = reference(tag);
        let put = PutManifest {
            reference: &reference,
            tags: &[],
            media_type: Some(&media_type),
            bytes: bytes.clone(),
        };
        registry.put_manifest(&name, put).await.unwrap();
        // The cached answer of the first tag must follow the second push.
        let found = registry.manifest(&name, &"x".parse().unwrap()).await.unwrap();
        assert_eq!(found.media_type, media_type);
    }
}

#[tokio::test]
async fn a_large_manifest_is_kept_as_a_blob_and_handed_to_the_collector() {
    for bench in engines(&sparse()) {
        let (registry, name) = (&bench.registry, name("a"));
        let bytes = image(&"x".repeat(INLINE_MAX_BYTES));
        let digest = sha256(&bytes);
        put(registry, &name, &reference("big"), &bytes).await.unwrap();
        // Found again (from memory), it is still read from where it is.
        for _ in 0..2 {
            let found = registry.manifest(&name, &reference("big")).await.unwrap();
            assert_eq!((found.bytes.as_ref(), found.size), (None, bytes.len() as u64));
            let mut reader = registry.read_large_manifest(&found).await.unwrap();
            let mut read = Vec::new();
            while let Some(chunk) = reader.next().await {
                read.extend_from_slice(&chunk.unwrap());
            }
            assert_eq!(read, bytes);
        }
        assert!(bench.storage.blobs.stat(&digest).await.unwrap().is_some());
        // A manifest is no blob of its namespace, and cannot be mounted as one.
        assert_eq!(refusal(registry.blob(&name, &digest).await), "BlobUnknown");
        assert!(registry.blob_owners(&digest, None, 10).await.unwrap().is_empty());
        let by_digest = digest.to_string().parse().unwrap();
        registry.delete_manifest(&name, &by_digest).await.unwrap();
        assert_eq!(count(&bench.storage, b"m").await, 0);
        let candidate = [b"q\x01", digest.bytes()].concat();
        assert_eq!(count(&bench.storage, &candidate).await, 1);
    }
}

#[tokio::test]
async fn deleting_a_tag_deletes_only_the_tag() {
    for bench in engines(&sparse()) {
        let (registry, name, bytes) = (&bench.registry, name("a"), image("1"));
        put(registry, &name, &reference("x"), &bytes).await.unwrap();
        put(registry, &name, &reference("y"), &bytes).await.unwrap();
        registry.manifest(&name, &reference("x")).await.unwrap();
        registry.delete_manifest(&name, &reference("x")).await.unwrap();
        assert_eq!(refusal(registry.manifest(&name, &reference("x")).await), "ManifestUnknown");
        let again = registry.delete_manifest(&name, &reference("x")).await;
        assert_eq!(refusal(again), "ManifestUnknown");
        registry.manifest(&name, &reference("y")).await.unwrap();
        let by_digest = sha256(&bytes).to_string().parse().unwrap();
        registry.manifest(&name, &by_digest).await.unwrap();
        check_rules(&bench.storage).await;
    }
}

#[tokio::test]
async fn deleting_a_digest_deletes_its_tags_and_no_others() {
    for bench in engines(&sparse()) {
        let (registry, name) = (&bench.registry, name("a"));
        let (old, new) = (image("old"), image("new"));
        // More tags than one batch takes, one of which has moved on, beside one that never was on it.
        let by_old = sha256(&old).to_string().parse().unwrap();
        for page in 0..9 {
            let tags: Vec<_> = (0..64).map(|n| tag(&format!("t{page}-{n}"))).collect();
            put_tags(registry, &name, &by_old, &tags, &old).await.unwrap();
        }
        put(registry, &name, &reference("t0-7"), &new).await.unwrap();
        put(registry, &name, &reference("z"), &new).await.unwrap();
        registry.manifest(&name, &reference("t1-1")).await.unwrap();
        registry.delete_manifest(&name, &by_old).await.unwrap();
        let left = registry.list_tags(&name, None, None).await.unwrap().items;
        assert_eq!(left, [tag("t0-7"), tag("z")]);
        for gone in [by_old.clone(), reference("t1-1")] {
            assert_eq!(refusal(registry.manifest(&name, &gone).await), "ManifestUnknown");
        }
        assert_eq!(registry.manifest(&name, &reference("t0-7")).await.unwrap().bytes, Some(new));
        assert_eq!(refusal(registry.delete_manifest(&name, &by_old).await), "ManifestUnknown");
        assert_eq!(count(&bench.storage, b"g").await, 2, "no way back is left over");
        check_rules(&bench.storage).await;
    }
}

#[tokio::test]
async fn a_registry_without_a_cache_answers_alike() {
    let mut settings = sparse();
    settings.manifest_cache_bytes = 0;
    let bench = Bench::memory(settings);
    let (registry, name) = (&bench.registry, name("a"));
    for note in ["1", "2"] {
        put(registry, &name, &reference("v"), &image(note)).await.unwrap();
        assert_eq!(registry.manifest(&name, &reference("v")).await.unwrap().bytes, Some(image(note)));
    }
}

#[tokio::test]
async fn what_is_acknowledged_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let settings = angos_storage::Settings::in_folder(folder.path());
    let (name, bytes) = (name("a"), image("1"));
    let bench = Bench::new(angos_registry::Storage::open(&settings).unwrap(), Settings::default());
    push_blob(&bench.registry, &name, b"{}").await;
    put(&bench.registry, &name, &reference("v"), &bytes).await.unwrap();
    drop(bench);
    let bench = Bench::new(angos_registry::Storage::open(&settings).unwrap(), Settings::default());
    let found = bench.registry.manifest(&name, &reference("v")).await.unwrap();
    assert_eq!(found.bytes, Some(bytes));
    assert_eq!(read_blob(&bench.registry, &name, &sha256(b"{}")).await.unwrap(), b"{}");
}
