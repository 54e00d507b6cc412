//! Tests of the redb engine beyond the suite.

mod damage;

use std::{sync::Arc, time::Duration};

use super::*;
use crate::limits::METADATA_CACHE_BYTES;
use crate::suite;

fn open(root: &Path) -> Result<RedbMetadata, Error> {
    RedbMetadata::open(root, METADATA_CACHE_BYTES, true)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_suite_holds() {
    let folder = tempfile::tempdir().unwrap();
    for sync in [true, false] {
        let root = folder.path().join(sync.to_string());
        let store: Arc<dyn MetadataStore> = Arc::new(RedbMetadata::open(&root, 1 << 20, sync).unwrap());
        suite::metadata(&store).await.unwrap();
        drop(store);
        suite::reopened_metadata(|| Ok(Arc::new(RedbMetadata::open(&root, 1 << 20, sync)?))).await.unwrap();
    }
}

#[test]
fn a_file_in_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path()).unwrap();
    let second = open(folder.path()).err().unwrap();
    assert!(matches!(&second, Error::Locked { path } if path.ends_with("metadata.redb")), "{second}");
    assert!(second.to_string().contains("in use by another process"), "{second}");
    drop(first);
    open(folder.path()).unwrap();
}

#[test]
fn a_file_of_another_program_is_refused_and_left_alone() {
    let check = |what: &str, write: &dyn Fn(&Path)| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metadata.redb");
        write(&path);
        let before = std::fs::read(&path).unwrap();
        let error = open(folder.path()).err().unwrap();
        let expected = match error {
            Error::NotAnAngosStore { .. } => "metadata.redb is not an Angos store",
            Error::Damaged { .. } => "metadata.redb is damaged",
            _ => panic!("{what}: {error:?}"),
        };
        assert!(error.to_string().contains(expected), "{what}: {error}");
        if what != "another redb file" && what != "later format" {
            assert!(std::fs::read(&path).unwrap() == before, "{what} was changed");
        }
    };
    let bytes = |content: Vec<u8>| move |path: &Path| std::fs::write(path, &content).unwrap();
    check("text", &bytes(b"not a database\n".to_vec()));
    check("long text", &bytes(b"not a database\n".repeat(10_000)));
    check("zeros", &bytes(vec![0; 100_000]));
    check("magic and zeros", &bytes([b"redb\x1A\x0A\xA9\x0D\x0A".to_vec(), vec![0; 100_000]].concat()));
    check("magic and ones", &bytes([b"redb\x1A\x0A\xA9\x0D\x0A".to_vec(), vec![255; 100_000]].concat()));
    check("empty", &bytes(vec![]));
    check("another redb file", &|path| drop(redb::Database::create(path).unwrap()));
    check("later format", &|path| {
        let database = redb::Database::create(path).unwrap();
        let transaction = database.begin_write().unwrap();
        let table: TableDefinition<'_, &str, u64> = TableDefinition::new("angos");
        transaction.open_table(table).unwrap().insert("format", 2).unwrap();
        transaction.commit().unwrap();
    });
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let error = open(&folder.path().join("file/below")).err().unwrap();
    assert!(error.to_string().contains("file/below"), "{error}");
    assert!(matches!(error, Error::Io(_)), "{error:?}");
}

#[tokio::test]
async fn a_full_disk_fails_the_batch_and_not_the_store() {
    let rows = [
        (std::io::ErrorKind::StorageFull, "OutOfSpace"),
        (std::io::ErrorKind::PermissionDenied, "AccessDenied"),
        (std::io::ErrorKind::Other, "Io"),
    ];
    for (kind, expected) in rows {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path()).unwrap();
        store.apply(Batch::new().put("before", "1")).await.unwrap();
        let fault = Arc::clone(&store.shared.backend().fault);
        assert!(store.health().await.outcome.is_ok(), "{kind:?}");
        *fault.lock().unwrap() = Some(kind);
        let error = store.apply(Batch::new().put("during", "2")).await.unwrap_err();
        assert!(format!("{error:?}").starts_with(expected), "{error:?}");
        assert!(store.apply(Batch::new().put("still", "3")).await.unwrap_err().is_failure());
        let health = store.health().await;
        assert!(format!("{:?}", health.outcome.unwrap_err()).starts_with(expected));
        *fault.lock().unwrap() = None;
        assert!(store.health().await.outcome.is_ok(), "{kind:?}: a look finds out that the cause is gone");
        store.apply(Batch::new().put("after", "4")).await.unwrap();
        let keys = store.scan(b"", None, 10).await.unwrap();
        let keys: Vec<_> = keys.iter().map(|entry| entry.key.as_ref()).collect();
        assert_eq!(keys, [b"after".as_ref(), b"before"], "{kind:?}");
        drop(store);
        let store = open(folder.path()).unwrap();
        assert!(store.read(b"after").await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_batches_share_their_syncs() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(folder.path()).unwrap());
    assert_eq!(store.shared.backend().syncs(), 0, "opening leaves its sync to the first change");
    store.apply(Batch::new().put("first", "")).await.unwrap();
    store.apply(Batch::new().delete("first")).await.unwrap();
    let before = store.shared.backend().syncs();
    store.apply(Batch::new().put("alone", "")).await.unwrap();
    assert_eq!(store.shared.backend().syncs() - before, 2);
    store.apply(Batch::new().delete("alone")).await.unwrap();
    let before = store.shared.backend().syncs();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..16 {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            for round in 0..20 {
                store.apply(Batch::new().put(format!("{writer}/{round}"), "value")).await.unwrap();
            }
        });
    }
    writers.join_all().await;
    let syncs = store.shared.backend().syncs() - before;
    assert!(syncs * 10 <= 4 * 16 * 20, "{syncs} syncs for {} batches", 16 * 20);
    assert_eq!(store.scan(b"", None, 1000).await.unwrap().len(), 320);
}

#[tokio::test]
async fn an_unwanted_answer_does_not_stop_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let _ = tokio::time::timeout(Duration::ZERO, store.apply(Batch::new().put("dropped", "1"))).await;
    store.apply(Batch::new().put("kept", "2")).await.unwrap();
    assert!(store.read(b"kept").await.unwrap().is_some());
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    for batch in [
        Batch::new().put(vec![0; KEY_MAX_BYTES + 1], ""),
        Batch::new().delete(vec![0; KEY_MAX_BYTES + 1]),
        Batch::new().put("k", vec![0; BATCH_MAX_BYTES]),
    ] {
        assert!(matches!(store.apply(batch).await, Err(Error::TooLarge { .. })));
    }
}

/// Opening after a crash must cost the same whatever the file holds, so it may read only a part of it.
#[tokio::test]
async fn opening_after_a_crash_does_not_read_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let crashed = folder.path().join("crashed");
    std::fs::create_dir(&crashed).unwrap();
    let store = open(folder.path()).unwrap();
    for round in 0..40 {
        let mut batch = Batch::new();
        for index in 0..500 {
            batch = batch.put(format!("{round:03}/{index:04}"), vec![7; 900]);
        }
        store.apply(batch).await.unwrap();
    }
    // What a killed process leaves: the file as it is, and no lock.
    std::fs::copy(folder.path().join("metadata.redb"), crashed.join("metadata.redb")).unwrap();
    let length = std::fs::metadata(crashed.join("metadata.redb")).unwrap().len();
    let store = open(&crashed).unwrap();
    let read = store.shared.backend().bytes_read();
    assert!(length > 16 << 20, "{length}");
    assert!(!store.shared.was_repaired());
    // redb checks itself in debug builds, by reading everything.
    assert!(cfg!(debug_assertions) || read < 1 << 20, "{read} of {length} bytes read");
    assert_eq!(store.scan(b"039/", None, 1000).await.unwrap().len(), 500);
}

/// Whoever only reads must not wait for somebody who writes before a store that failed is opened again.
#[tokio::test]
async fn readers_open_a_store_again_that_failed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    store.apply(Batch::new().put("before", "1")).await.unwrap();
    let fault = Arc::clone(&store.shared.backend().fault);
    *fault.lock().unwrap() = Some(std::io::ErrorKind::StorageFull);
    store.apply(Batch::new().put("during", "2")).await.unwrap_err();
    assert!(store.shared.closed().is_some(), "opening writes, too");
    *fault.lock().unwrap() = None;
    let started = std::time::Instant::now();
    while store.read(b"before").await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(store.read(b"during").await.unwrap().is_none());
}

#[tokio::test]
async fn what_was_moved_away_takes_nothing_until_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (folder.path().join("m"), folder.path().join("elsewhere"));
    let store = open(&here).unwrap();
    store.apply(Batch::new().put("before", "1")).await.unwrap();
    let refused = async |what: &str| {
        let error = store.apply(Batch::new().put("during", "2")).await.unwrap_err();
        assert!(matches!(error, Error::Moved { .. }), "{what}: {error:?}");
        assert!(matches!(store.health().await.outcome, Err(Error::Moved { .. })), "{what}");
        assert!(store.read(b"before").await.unwrap().is_some(), "{what}: what is open can be read");
    };
    std::fs::rename(&here, &there).unwrap();
    refused("moved").await;
    std::fs::create_dir(&here).unwrap();
    std::fs::copy(there.join("metadata.redb"), here.join("metadata.redb")).unwrap();
    refused("replaced by a copy").await;
    std::fs::remove_dir_all(&here).unwrap();
    std::fs::rename(&there, &here).unwrap();
    store.apply(Batch::new().put("after", "3")).await.unwrap();
    assert!(store.health().await.outcome.is_ok());
    assert!(store.read(b"during").await.unwrap().is_none());
    std::fs::remove_file(here.join("metadata.redb")).unwrap();
    refused("removed").await;
}

#[test]
fn only_its_owner_may_use_what_is_made() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("above/m");
    drop(open(&root).unwrap());
    for (path, expected) in [("above", 0o40700), ("above/m", 0o40700), ("above/m/metadata.redb", 0o100_600)] {
        let mode = std::fs::metadata(folder.path().join(path)).unwrap().permissions().mode();
        assert_eq!(mode, expected, "{path}: {mode:o}");
    }
}

#[tokio::test]
async fn the_end_of_the_thread_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path()).unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(10), store.ended()).await.is_err());
    // The thread drops its end of the queue, however it ends.
    store.queue = Some(mpsc::channel(1).0);
    tokio::time::timeout(Duration::from_secs(30), store.ended()).await.unwrap();
    assert!(matches!(store.apply(Batch::new().put("k", "v")).await, Err(Error::Closed)));
}
