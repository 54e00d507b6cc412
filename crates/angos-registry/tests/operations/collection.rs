//! Garbage collection: what goes, what stays, and what is promised until then.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use angos_oci::{Digest, MediaType, Name, Reference};
use angos_registry::{Clock, CollectOptions, Collected, Error, Registry, Settings, Storage};
use angos_storage::Batch;
use bytes::Bytes;
use serde_json::json;

use crate::harness::*;

const HOUR: u64 = 3600;

/// A manifest of one layer, which has to be pushed before.
fn image_of(layer: &[u8], note: &str) -> Bytes {
    json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_MANIFEST,
        "config": descriptor(MediaType::OCI_CONFIG, b"{}"),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
        "annotations": { "note": note },
    })
    .to_string()
    .into()
}

async fn push_image(registry: &Registry, name: &Name, tag: &str, layer: &[u8]) -> Outcome<Digest> {
    push_blob(registry, name, b"{}").await;
    push_blob(registry, name, layer).await;
    put(registry, name, &reference(tag), &image_of(layer, tag)).await.map(|receipt| receipt.digest)
}

async fn collect(registry: &Registry) -> Collected {
    registry.collect(CollectOptions::default(), |_| {}).await.unwrap()
}

async fn has_bytes(bench: &Bench, content: &[u8]) -> bool {
    bench.storage.blobs.stat(&sha256(content)).await.unwrap().is_some()
}

fn by(digest: Digest) -> Reference {
    Reference::Digest(digest)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleting_gives_the_space_back_after_the_grace_time() {
    for bench in engines(&Settings::default()) {
        let registry = &bench.registry;
        let (a, b) = (name("a"), name("b"));
        let one = push_image(registry, &a, "one", b"layer one").await.unwrap();
        push_image(registry, &a, "two", b"layer two").await.unwrap();
        let shared = push_image(registry, &b, "one", b"layer one").await.unwrap();
        bench.wait(2 * HOUR);
        let kept = collect(registry).await;
        assert_eq!((kept.ownerships, kept.blobs, kept.examined), (0, 0, 3), "everything is referenced");
        assert_eq!(count(&bench.storage, b"q").await, 0, "and is no candidate any more");

        registry.delete_manifest(&a, &by(one)).await.unwrap();
        let early = collect(registry).await;
        assert_eq!((early.ownerships, early.waiting), (0, 2));
        bench.wait(HOUR);
        let first = collect(registry).await;
        assert_eq!((first.ownerships, first.blobs), (1, 0), "another repository has the bytes");
        assert_eq!(refusal(registry.blob(&a, &sha256(b"layer one")).await), "BlobUnknown");
        assert_eq!(read_blob(registry, &b, &sha256(b"layer one")).await.unwrap(), b"layer one");
        check_rules(&bench.storage).await;

        registry.delete_manifest(&b, &by(shared)).await.unwrap();
        bench.wait(HOUR);
        let second = collect(registry).await;
        assert_eq!((second.ownerships, second.blobs, second.bytes), (2, 1, 9));
        assert!(!has_bytes(&bench, b"layer one").await);
        assert!(has_bytes(&bench, b"layer two").await && has_bytes(&bench, b"{}").await);
        assert_eq!(registry.catalog(None, 9).await.unwrap(), [a.clone(), b.clone()]);
        bench.wait(HOUR);
        assert_eq!(collect(registry).await.repositories, 1);
        assert_eq!(registry.catalog(None, 9).await.unwrap(), [a], "an empty repository leaves the catalog");
        assert_eq!(refusal(registry.list_tags(&b, None, None).await), "NameUnknown");
        push_image(registry, &b, "again", b"layer one").await.unwrap();
        assert_eq!(registry.catalog(None, 9).await.unwrap().len(), 2);
        let status = registry.gc_status();
        assert_eq!((status.reclaimed_blobs, status.reclaimed_bytes), (1, 9));
        check_rules(&bench.storage).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bytes_of_a_large_manifest_go_with_it() {
    for bench in engines(&sparse()) {
        let registry = &bench.registry;
        let large = image(&"x".repeat(angos_registry::limits::INLINE_MAX_BYTES));
        put(registry, &name("a"), &reference("v"), &large).await.unwrap();
        bench.wait(HOUR);
        assert_eq!(collect(registry).await.blobs, 0);
        assert!(has_bytes(&bench, &large).await);
        registry.delete_manifest(&name("a"), &by(sha256(&large))).await.unwrap();
        bench.wait(HOUR);
        assert_eq!(collect(registry).await.blobs, 1);
        assert!(!has_bytes(&bench, &large).await);
        bench.wait(HOUR);
        assert_eq!(collect(registry).await.repositories, 0, "it left the catalog in the same round");
        assert!(registry.catalog(None, 9).await.unwrap().is_empty());
    }
}

/// A blob that no manifest references stays for the grace time after each of these.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_grace_time_starts_again() {
    for what in ["pushed again", "found by HEAD", "found by HEAD, from memory", "read", "mounted"] {
        for bench in engines(&Settings::default()) {
            let (registry, a) = (&bench.registry, name("a"));
            let digest = push_blob(registry, &a, b"content").await;
            bench.wait(50 * 60);
            match what {
                "pushed again" => drop(push_blob(registry, &a, b"content").await),
                "found by HEAD" => drop(registry.blob(&a, &digest).await.unwrap()),
                "found by HEAD, from memory" => {
                    registry.blob(&a, &digest).await.unwrap();
                    registry.blob(&a, &digest).await.unwrap();
                }
                "read" => drop(read_blob(registry, &a, &digest).await.unwrap()),
                _ => assert!(registry.mount_blob(&a, &name("b"), &digest).await.unwrap()),
            }
            bench.wait(50 * 60);
            assert_eq!(collect(registry).await.ownerships, 0, "{what}");
            assert!(has_bytes(&bench, b"content").await, "{what}");
            bench.wait(HOUR);
            assert_eq!(collect(registry).await.blobs, 1, "{what}");
            assert_eq!(refusal(registry.blob(&a, &digest).await), "BlobUnknown", "{what}");
        }
    }
}

#[tokio::test]
async fn a_blob_in_memory_does_not_outlive_its_grace_time_unseen() {
    let bench = Bench::memory(Settings::default());
    let (registry, a) = (&bench.registry, name("a"));
    let manifest = push_image(registry, &a, "v", b"layer").await.unwrap();
    bench.wait(HOUR);
    collect(registry).await;
    // It is referenced, and kept in memory as such.
    registry.blob(&a, &sha256(b"layer")).await.unwrap();
    registry.delete_manifest(&a, &by(manifest)).await.unwrap();
    bench.wait(50 * 60);
    registry.blob(&a, &sha256(b"layer")).await.unwrap();
    bench.wait(50 * 60);
    assert_eq!(collect(registry).await.ownerships, 1, "the configuration, which no client asked for");
    assert!(has_bytes(&bench, b"layer").await);
}

#[tokio::test]
async fn a_referenced_blob_is_not_deleted() {
    for bench in engines(&Settings::default()) {
        let (registry, a) = (&bench.registry, name("a"));
        let manifest = push_image(registry, &a, "v", b"layer").await.unwrap();
        assert_eq!(refusal(registry.delete_blob(&a, &sha256(b"layer")).await), "BlobReferenced");
        registry.delete_manifest(&a, &reference("v")).await.unwrap();
        assert_eq!(refusal(registry.delete_blob(&a, &sha256(b"layer")).await), "BlobReferenced", "untagged");
        registry.delete_manifest(&a, &by(manifest)).await.unwrap();
        registry.delete_blob(&a, &sha256(b"layer")).await.unwrap();
        check_rules(&bench.storage).await;
    }
}

/// What an index lists and is no manifest is kept by it.
#[tokio::test]
async fn an_index_keeps_its_blobs() {
    let bench = Bench::memory(Settings::default());
    let (registry, a) = (&bench.registry, name("a"));
    push_blob(registry, &a, b"content").await;
    let index = json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_INDEX,
        "manifests": [descriptor("application/octet-stream", b"content")],
    });
    put(registry, &a, &reference("v"), &index.to_string().into()).await.unwrap();
    bench.wait(HOUR);
    assert_eq!(collect(registry).await.blobs, 0);
    assert!(has_bytes(&bench, b"content").await);
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let bench = Bench::memory(Settings::default());
    let registry = &bench.registry;
    push_blob(registry, &name("a"), b"content").await;
    bench.wait(HOUR);
    let dry = CollectOptions { dry_run: true, sweep: true };
    let before = bench.storage.metadata.scan(b"", None, 1000).await.unwrap();
    let found = registry.collect(dry, |_| {}).await.unwrap();
    assert_eq!((found.ownerships, found.blobs, found.bytes, found.swept), (1, 1, 7, 1));
    assert_eq!(bench.storage.metadata.scan(b"", None, 1000).await.unwrap(), before);
    assert!(has_bytes(&bench, b"content").await);
}

/// A backup copies the metadata first, and then the bytes that it names.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_stay_while_a_backup_runs() {
    for bench in engines(&Settings::default()).into_iter().skip(1) {
        push_blob(&bench.registry, &name("a"), b"content").await;
        bench.wait(HOUR);
        let pause = bench.storage.blobs.pause_deletions();
        assert_eq!(collect(&bench.registry).await.blobs, 0);
        assert!(has_bytes(&bench, b"content").await);
        drop(pause);
        assert_eq!(collect(&bench.registry).await.blobs, 1);
        assert!(!has_bytes(&bench, b"content").await);
    }
}

/// A process that ended between the bytes and their record leaves bytes that no record knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_finds_bytes_without_a_record() {
    for bench in engines(&Settings::default()) {
        let registry = &bench.registry;
        push_image(registry, &name("a"), "v", b"layer").await.unwrap();
        let mut writer = bench.storage.blobs.stage(angos_oci::Algorithm::Sha256).await.unwrap();
        writer.write(Bytes::from_static(b"orphan")).await.unwrap();
        writer.commit(&sha256(b"orphan")).await.unwrap();
        let sweep = CollectOptions { sweep: true, dry_run: false };
        bench.wait(HOUR);
        let found = registry.collect(sweep, |_| {}).await.unwrap();
        assert_eq!((found.swept, found.blobs), (3, 0), "it is a candidate from now on");
        let status = registry.gc_status();
        assert_eq!((status.owned.blobs, status.owned.bytes), (2, 7));
        assert_eq!((status.unowned.blobs, status.unowned.bytes), (1, 6));
        bench.wait(HOUR);
        assert_eq!(collect(registry).await.blobs, 1);
        assert!(!has_bytes(&bench, b"orphan").await);
        assert_eq!(registry.collect(sweep, |_| {}).await.unwrap().swept, 2);
    }
}

/// A process that ended while it collected leaves its mark; nothing waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abandoned_mark_is_lifted() {
    for what in ["push", "delete", "collect"] {
        for bench in engines(&Settings::default()) {
            let (registry, a) = (&bench.registry, name("a"));
            let digest = push_blob(registry, &a, b"content").await;
            let mark = [b"x\x01", digest.bytes()].concat();
            let now = [1, 0, 0, 0, 0, 0, 0, 0, 1];
            bench.storage.metadata.apply(Batch::new().put(mark.clone(), now.to_vec())).await.unwrap();
            match what {
                "push" => drop(push_image(registry, &a, "v", b"content").await.unwrap()),
                "delete" => registry.delete_blob(&a, &digest).await.unwrap(),
                _ => drop(collect(registry).await),
            }
            assert!(bench.storage.metadata.read(&mark).await.unwrap().is_none(), "{what}");
            bench.wait(HOUR);
            assert_eq!(collect(registry).await.blobs, u64::from(what != "push"), "{what}");
        }
    }
}

/// A record that cannot be read keeps its blob, and the collection goes on.
#[tokio::test]
async fn a_damaged_record_keeps_its_blob() {
    let bench = Bench::memory(Settings::default());
    let (registry, a) = (&bench.registry, name("a"));
    let digest = push_blob(registry, &a, b"kept").await;
    push_blob(registry, &a, b"goes").await;
    let owner = [b"o\x01", digest.bytes(), b"NO NAME"].concat();
    bench.storage.metadata.apply(Batch::new().put(owner, "")).await.unwrap();
    bench.wait(HOUR);
    let collected = collect(registry).await;
    assert_eq!((collected.skipped, collected.blobs), (1, 1));
    assert!(has_bytes(&bench, b"kept").await && !has_bytes(&bench, b"goes").await);
}

/// A store of format 1, as the version before garbage collection wrote it, in a folder of its own.
fn format_1() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let archive = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/store-format-1.tar.gz");
    let tar = Command::new("tar").args(["-xzf", archive, "-C"]).arg(folder.path()).status().unwrap();
    assert!(tar.success());
    folder
}

fn open(folder: &tempfile::TempDir, settings: Settings) -> Bench {
    let mut stores = angos_storage::Settings::in_folder(folder.path().join("data"));
    if let angos_storage::MetadataSettings::Redb { root_dir, .. } = &mut stores.metadata {
        root_dir.push("metadata");
    }
    Bench::new(Storage::open(&stores).unwrap(), settings)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_of_format_1_is_brought_up_to_date() {
    let folder = format_1();
    let bench = open(&folder, Settings::default());
    let (registry, app) = (&bench.registry, name("team/app"));
    registry.check_format().await.unwrap();
    let sweep = CollectOptions { sweep: true, dry_run: false };
    for _ in 0..2 {
        registry.collect(sweep, |_| {}).await.unwrap();
        bench.wait(HOUR);
    }
    let tags = registry.list_tags(&app, None, None).await.unwrap().items;
    assert_eq!(tags.len(), 5, "{tags:?}");
    for tag in &tags {
        registry.manifest(&app, &Reference::Tag(tag.clone())).await.unwrap();
    }
    for layer in ["layer one", "layer two", "shared layer", "layer of a large manifest", "signature"] {
        assert_eq!(read_blob(registry, &app, &sha256(layer.as_bytes())).await.unwrap(), layer.as_bytes());
        assert_eq!(
            refusal(registry.delete_blob(&app, &sha256(layer.as_bytes())).await),
            "BlobReferenced",
            "{layer}"
        );
    }
    assert!(!has_bytes(&bench, b"referenced by nothing").await && !has_bytes(&bench, b"deleted").await);
    check_rules(&bench.storage).await;
}

/// A migration that is cut short anywhere goes on where it was, and nothing is collected before it is done.
#[tokio::test]
async fn a_migration_may_be_cut_short() {
    for at in [0, 1, 2] {
        let bench = Bench::memory(Settings::default());
        let a = name("a");
        for number in 0..200 {
            push_image(&bench.registry, &a, &format!("v{number}"), format!("layer {number}").as_bytes())
                .await
                .unwrap();
        }
        // As format 1 had it.
        let references = bench.storage.metadata.scan(b"l", None, 10_000).await.unwrap();
        assert_eq!(references.len(), 400);
        let batch = references.into_iter().fold(Batch::new(), |batch, entry| batch.delete(entry.key));
        bench.storage.metadata.apply(batch).await.unwrap();
        bench.wait(HOUR);
        let failing = Arc::new(Full::over(&bench.storage));
        failing.fail_after(at);
        let mut storage = bench.storage.clone();
        storage.metadata = failing;
        let cut = Registry::new(storage, Settings::default());
        assert!(cut.collect(CollectOptions::default(), |_| {}).await.is_err());
        assert_eq!(count(&bench.storage, b"b").await, 201, "nothing is collected");
        let found = collect(&bench.registry).await;
        assert_eq!(found.ownerships, 0);
        assert_eq!(count(&bench.storage, b"l").await, 400);
    }
}

#[tokio::test]
async fn a_newer_store_is_refused() {
    let bench = Bench::memory(Settings::default());
    bench.registry.check_format().await.unwrap();
    let newer = [1, 0, 0, 0, 0, 0, 0, 0, 3].to_vec();
    bench.storage.metadata.apply(Batch::new().put(b"kformat".to_vec(), newer)).await.unwrap();
    let refused = bench.registry.check_format().await.unwrap_err();
    assert!(matches!(refused, Error::FormatTooNew { found: 3, supported: 2 }), "{refused}");
    let collected = bench.registry.collect(CollectOptions::default(), |_| {}).await;
    assert!(matches!(collected, Err(Error::FormatTooNew { .. })));
}

/// Pushes, mounts and deletions beside two collectors that leave no time at all: what is acknowledged pulls.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_acknowledged_pulls_beside_collectors_in_a_hurry() {
    let mut settings = Settings::default();
    settings.gc_grace = Duration::ZERO;
    let folder = tempfile::tempdir().unwrap();
    let mut stores = angos_storage::Settings::in_folder(folder.path());
    stores.sync = false;
    for storage in [Storage::memory(), Storage::open(&stores).unwrap()] {
        let registry = Registry::with_clock(storage.clone(), settings.clone(), Clock::default());
        let is_done = Arc::new(AtomicBool::new(false));
        let collectors: Vec<_> = (0..2)
            .map(|_| {
                let (registry, is_done) = (registry.clone(), Arc::clone(&is_done));
                tokio::spawn(async move {
                    let mut reclaimed = 0;
                    while !is_done.load(Ordering::SeqCst) {
                        let sweep = CollectOptions { sweep: true, dry_run: false };
                        reclaimed += registry.collect(sweep, |_| {}).await.unwrap().blobs;
                    }
                    reclaimed
                })
            })
            .collect();
        let writers: Vec<_> =
            (0..4).map(|writer| tokio::spawn(write_and_delete(registry.clone(), writer))).collect();
        let mut acknowledged = 0;
        for writer in writers {
            acknowledged += writer.await.unwrap();
        }
        is_done.store(true, Ordering::SeqCst);
        for collector in collectors {
            collector.await.unwrap();
        }
        assert!(acknowledged >= 40, "only {acknowledged} manifests were acknowledged");
        assert!(registry.gc_status().reclaimed_blobs > 0);
        check_rules(&storage).await;
        for _ in 0..3 {
            collect(&registry).await;
        }
        assert!(storage.blobs.scan(None, 9).await.unwrap().is_empty(), "everything was deleted");
        assert!(registry.catalog(None, 9).await.unwrap().is_empty());
        assert_eq!(count(&storage, b"").await, 2, "only the format and the time of the sweep are left");
    }
}

/// All writers push the same few blobs into a repository of each and a common one, and delete them again. How many
/// manifests were acknowledged.
async fn write_and_delete(registry: Registry, writer: usize) -> usize {
    let (own, common) = (name(&format!("own{writer}")), name("common"));
    let mut acknowledged = 0;
    for round in 0..60 {
        let layer = format!("layer {}", round % 3).into_bytes();
        let digest = sha256(&layer);
        push_blob(&registry, &own, b"{}").await;
        if round % 2 == 0 || !registry.mount_blob(&common, &own, &digest).await.unwrap() {
            push_blob(&registry, &own, &layer).await;
        }
        push_blob(&registry, &common, b"{}").await;
        push_blob(&registry, &common, &layer).await;
        for name in [&own, &common] {
            let manifest = image_of(&layer, &format!("{writer}"));
            match put(&registry, name, &by(sha256(&manifest)), &manifest).await {
                Ok(_) => acknowledged += 1,
                // Without any grace time a blob may go before its manifest comes.
                Err(Error::ReferenceUnknown { .. }) => continue,
                Err(error) => panic!("{error}"),
            }
            tokio::task::yield_now().await;
            assert_eq!(read_blob(&registry, name, &digest).await.unwrap(), layer);
            assert_eq!(read_blob(&registry, name, &sha256(b"{}")).await.unwrap(), b"{}");
            let deleted = registry.delete_manifest(name, &by(sha256(&manifest))).await;
            assert!(matches!(deleted, Ok(()) | Err(Error::ManifestUnknown)), "{deleted:?}");
        }
    }
    acknowledged
}
