//! Blobs where they are owned, and nowhere else.

use angos_oci::ByteRange;
use angos_registry::{Error, Settings};
use bytes::Bytes;

use crate::harness::*;

#[tokio::test]
async fn a_blob_is_readable_only_where_it_is_owned() {
    for bench in engines(&Settings::default()) {
        let registry = &bench.registry;
        let (a, b) = (name("a"), name("b"));
        let digest = push_blob(registry, &a, b"content").await;
        assert_eq!(registry.blob(&a, &digest).await.unwrap(), 7);
        assert_eq!(read_blob(registry, &a, &digest).await.unwrap(), b"content");
        assert_eq!(refusal(registry.blob(&b, &digest).await), "BlobUnknown");
        assert_eq!(refusal(read_blob(registry, &b, &digest).await), "BlobUnknown");
        assert_eq!(refusal(registry.delete_blob(&b, &digest).await), "BlobUnknown");
        check_rules(&bench.storage).await;
    }
}

#[tokio::test]
async fn deleting_ends_one_ownership_and_queues_the_bytes() {
    for bench in engines(&Settings::default()) {
        let registry = &bench.registry;
        let (a, b) = (name("a"), name("b"));
        let digest = push_blob(registry, &a, b"content").await;
        push_blob(registry, &b, b"content").await;
        // Whoever asks before the delete may be answered from memory; whoever asks after it may not.
        for owner in [&a, &b] {
            registry.blob(owner, &digest).await.unwrap();
        }
        registry.delete_blob(&a, &digest).await.unwrap();
        assert_eq!(refusal(registry.blob(&a, &digest).await), "BlobUnknown");
        assert_eq!(refusal(read_blob(registry, &a, &digest).await), "BlobUnknown");
        assert_eq!(refusal(registry.delete_blob(&a, &digest).await), "BlobUnknown");
        assert_eq!(read_blob(registry, &b, &digest).await.unwrap(), b"content");
        assert_eq!(count(&bench.storage, b"q").await, 1);
        assert_eq!(registry.blob_owners(&digest, None, 9).await.unwrap(), [b]);
        push_blob(registry, &a, b"content").await;
        assert_eq!(read_blob(registry, &a, &digest).await.unwrap(), b"content");
        check_rules(&bench.storage).await;
    }
}

#[tokio::test]
async fn ranges() {
    for bench in engines(&Settings::default()) {
        let (registry, name) = (&bench.registry, name("a"));
        let digest = push_blob(registry, &name, b"0123456789").await;
        let empty = push_blob(registry, &name, b"").await;
        let check = async |digest, range: &str, expected: Option<&str>| {
            let range = ByteRange::parse(range).unwrap();
            match (registry.read_blob(&name, digest, range).await, expected) {
                (Ok(mut reader), Some(expected)) => {
                    let mut content = Vec::new();
                    while let Some(chunk) = reader.next().await {
                        content.extend_from_slice(&chunk.unwrap());
                    }
                    assert_eq!(content, expected.as_bytes());
                }
                (Err(Error::RangeNotSatisfiable { size }), None) => {
                    assert_eq!(size, registry.blob(&name, digest).await.unwrap());
                }
                (outcome, _) => panic!("{range:?}: {outcome:?}"),
            }
        };
        check(&digest, "bytes=2-4", Some("234")).await;
        check(&digest, "bytes=8-", Some("89")).await;
        check(&digest, "bytes=-3", Some("789")).await;
        check(&digest, "bytes=5-99", Some("56789")).await;
        check(&digest, "bytes=1-2,4-5", Some("0123456789")).await;
        check(&digest, "bytes=10-", None).await;
        check(&empty, "bytes=0-", None).await;
    }
}

#[tokio::test]
async fn mounts_are_records() {
    for bench in engines(&Settings::default()) {
        let registry = &bench.registry;
        let (a, b) = (name("a"), name("b"));
        let digest = push_blob(registry, &a, b"content").await;
        assert!(!registry.mount_blob(&b, &a, &digest).await.unwrap(), "b owns nothing");
        assert!(!registry.mount_blob(&a, &b, &sha256(b"x")).await.unwrap());
        assert_eq!(refusal(registry.list_tags(&b, None, None).await), "NameUnknown");
        assert!(registry.mount_blob(&a, &b, &digest).await.unwrap());
        assert!(registry.mount_blob(&a, &b, &digest).await.unwrap(), "again");
        assert_eq!(read_blob(registry, &b, &digest).await.unwrap(), b"content");
        // The source may go; the mount stays.
        registry.delete_blob(&a, &digest).await.unwrap();
        assert_eq!(registry.blob(&b, &digest).await.unwrap(), 7);
        assert!(!registry.mount_blob(&a, &b, &digest).await.unwrap(), "no longer an owner");
        check_rules(&bench.storage).await;
    }
}

#[tokio::test]
async fn owners_are_listed_in_order_and_in_pages() {
    let bench = Bench::memory(Settings::default());
    let names: Vec<_> = ["a", "a/b", "a-b", "b", "c"].map(name).into();
    for name in names.iter().rev() {
        push_blob(&bench.registry, name, b"content").await;
        push_blob(&bench.registry, name, b"another").await;
    }
    let digest = sha256(b"content");
    let mut expected = names.clone();
    expected.sort();
    let mut found = Vec::new();
    loop {
        let page = bench.registry.blob_owners(&digest, found.last(), 2).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 2);
        found.extend(page);
    }
    assert_eq!(found, expected);
}

#[tokio::test]
async fn one_request_takes_a_whole_blob() {
    for bench in engines(&Settings::default()) {
        let (registry, name) = (&bench.registry, name("a"));
        let body = || Some(Bytes::from_static(b"content"));
        for digest in [sha256(b"content"), sha512(b"content")] {
            registry.push_blob(&name, &digest, Some(7), body()).await.unwrap();
            assert_eq!(read_blob(registry, &name, &digest).await.unwrap(), b"content");
        }
        let wrong = registry.push_blob(&name, &sha256(b"other"), None, body()).await;
        assert_eq!(refusal(wrong), "DigestMismatch");
        for length in [6, 8] {
            let digest = sha256(b"content");
            let outcome = registry.push_blob(&name, &digest, Some(length), body()).await;
            assert_eq!(refusal(outcome), "SizeMismatch");
        }
        assert_eq!(refusal(registry.blob(&name, &sha256(b"other")).await), "BlobUnknown");
    }
}
