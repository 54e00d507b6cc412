//! Stores that hold what nobody wrote: errors, never a panic, and nothing of it shown to a client.

use angos_registry::{Error, Settings};
use angos_storage::Batch;

use crate::harness::*;

/// A key of the store for namespace `a`, as `src/key.rs` spells it.
fn key(family: u8, parts: &[&[u8]]) -> Vec<u8> {
    [&[family], b"a\0".as_slice(), &parts.concat()].concat()
}

#[tokio::test]
async fn damaged_records_are_errors() {
    let digest = sha256(b"x");
    let digest_key = [&[1], digest.bytes()].concat();
    let records: [&[u8]; 8] = [
        b"",
        b"\x01",
        b"\x02",
        b"\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x01\xff\xff",
        b"\x01\x01\x00\x00",
        &[1; 300],
        &[255; 300],
    ];
    for record in records {
        let bench = Bench::memory(Settings::default());
        let (registry, name) = (&bench.registry, name("a"));
        let id = registry.start_upload(&name, None).await.unwrap();
        append(registry, &name, &id, b"x").await.unwrap();
        let session = count(&bench.storage, b"u").await;
        assert_eq!(session, 1);
        let upload_key = bench.storage.metadata.scan(b"u", None, 1).await.unwrap()[0].key.clone();
        let batch = Batch::new()
            .put(key(b't', &[b"v"]), record.to_vec())
            .put(key(b'r', &[&digest_key]), record.to_vec())
            .put(key(b'b', &[&digest_key]), record.to_vec())
            .put(key(b'f', &[&digest_key, &digest_key]), record.to_vec())
            .put(upload_key, record.to_vec());
        bench.storage.metadata.apply(batch).await.unwrap();
        let by_digest = digest.to_string().parse().unwrap();
        let errors = [
            registry.manifest(&name, &reference("v")).await.map(drop).unwrap_err(),
            registry.manifest(&name, &by_digest).await.map(drop).unwrap_err(),
            registry.tag(&name, &tag("v")).await.map(drop).unwrap_err(),
            registry.blob(&name, &digest).await.map(drop).unwrap_err(),
            registry.delete_manifest(&name, &by_digest).await.unwrap_err(),
            registry.upload_progress(&name, &id).await.map(drop).unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, Error::Corrupt { .. }), "{record:?}: {error:?}");
            assert_eq!(error.code(), None);
        }
        // Some bytes are a descriptor like any other; what must not happen is a panic.
        let _ = registry.referrers(&name, &digest, &[], None, None).await;
    }
}

#[tokio::test]
async fn damaged_keys_are_errors() {
    let bench = Bench::memory(Settings::default());
    let (registry, name) = (&bench.registry, name("a"));
    let digest = sha256(b"x");
    let digest_key = [&[1], digest.bytes()].concat();
    let batch = Batch::new()
        .put(key(b't', &[b"\xff\xfe"]), b"\x01".to_vec())
        .put([b"o".as_slice(), &digest_key, b"NOT A NAME"].concat(), b"".to_vec())
        .put(b"cUPPER".to_vec(), b"\x01".to_vec())
        .put(b"e\0\0".to_vec(), b"".to_vec());
    bench.storage.metadata.apply(batch).await.unwrap();
    let errors = [
        registry.list_tags(&name, None, None).await.map(drop).unwrap_err(),
        registry.catalog(None, 9).await.map(drop).unwrap_err(),
        registry.blob_owners(&digest, None, 9).await.map(drop).unwrap_err(),
        registry.expire_uploads().await.map(drop).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
    }
}
