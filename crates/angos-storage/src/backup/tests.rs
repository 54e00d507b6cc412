//! A backup is whole, or is refused.

use std::{path::Path, sync::Arc};

use angos_oci::{Algorithm, Digest};
use bytes::Bytes;

use crate::{Backup, Batch, Error, Settings, Storage};

async fn publish(storage: &Storage, content: &Bytes) -> Digest {
    let digest = Digest::of(Algorithm::Sha256, content);
    let mut writer = storage.blobs.stage(Algorithm::Sha256).await.unwrap();
    writer.write(content.clone()).await.unwrap();
    writer.commit(&digest).await.unwrap();
    digest
}

/// The n-th blob, and the record that names it.
fn nth(number: u32) -> (Bytes, String) {
    (Bytes::from(format!("blob {number} ").repeat(100)), format!("record/{number:05}"))
}

async fn push(storage: &Storage, number: u32) {
    let (content, key) = nth(number);
    let digest = publish(storage, &content).await;
    storage.metadata.apply(Batch::new().put(key, digest.to_string())).await.unwrap();
}

/// Every record of a store names a blob that is there with its bytes; how many there are.
async fn verify(storage: &Storage) -> usize {
    let entries = storage.metadata.scan(b"record/", None, 100_000).await.unwrap();
    for entry in &entries {
        let digest: Digest = std::str::from_utf8(&entry.value).unwrap().parse().unwrap();
        let mut reader =
            storage.blobs.read(&digest, None).await.unwrap().expect("a record names bytes that are there");
        let mut content = Vec::new();
        while let Some(chunk) = reader.next().await {
            content.extend_from_slice(&chunk.unwrap());
        }
        assert_eq!(Digest::of(Algorithm::Sha256, &content), digest);
    }
    entries.len()
}

fn open(folder: &Path) -> Result<Storage, Error> {
    Storage::open(&Settings::in_folder(folder).with_metadata_below())
}

/// The metadata of a backup fits the blobs it was made of, and the other way round.
#[tokio::test]
async fn a_backup_has_the_id_of_its_store() {
    let folder = tempfile::tempdir().unwrap();
    let [from, to] = ["store", "copy"].map(|name| folder.path().join(name));
    let storage = open(&from).unwrap();
    push(&storage, 1).await;
    storage.backup(&to, |_| {}).await.unwrap();
    drop(storage);
    std::fs::remove_dir_all(from.join("metadata")).unwrap();
    std::fs::rename(to.join("metadata"), from.join("metadata")).unwrap();
    assert_eq!(verify(&open(&from).unwrap()).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_beside_pushes_is_a_store_of_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let durable = open(&folder.path().join("store")).unwrap();
    for (what, storage, links) in [("files", durable, true), ("memory", Storage::memory(), false)] {
        for number in 0..300 {
            push(&storage, number).await;
        }
        let session = storage.blobs.begin(Algorithm::Sha256).await.unwrap();
        let mut writer = storage.blobs.append(&session, 0).await.unwrap();
        writer.write(Bytes::from_static(b"not finished")).await.unwrap();
        writer.finish().await.unwrap();
        let pushing = {
            let storage = storage.clone();
            tokio::spawn(async move {
                for number in 300.. {
                    push(&storage, number).await;
                    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                }
            })
        };
        let to = folder.path().join(format!("copy of {what}"));
        let done = storage.backup(&to, |_| {}).await.unwrap();
        pushing.abort();
        let Backup { records, blobs, linked, damaged, bytes } = done;
        assert!(records >= 300 && blobs >= records && bytes > 0, "{what}: {done:?}");
        assert_eq!((linked, damaged), (if links { blobs } else { 0 }, 0), "{what}");
        let copy = open(&to).unwrap();
        assert_eq!(verify(&copy).await as u64, records, "{what}");
        assert!(copy.blobs.sessions(None, 9).await.unwrap().is_empty(), "{what}");
        // It is a store of its own.
        push(&copy, 1_000_000).await;
        let (_, key) = nth(1_000_000);
        assert!(storage.metadata.read(key.as_bytes()).await.unwrap().is_none(), "{what}");
    }
}

#[tokio::test]
async fn a_folder_in_use_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine"), "mine").unwrap();
    let refused = Storage::memory().backup(folder.path(), |_| {}).await.unwrap_err();
    assert!(matches!(refused, Error::NotEmpty { .. }), "{refused:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn an_interrupted_backup_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::memory();
    push(&storage, 1).await;
    let to = folder.path().join("copy");
    // Dropped after the records.
    let first = Arc::new(tokio::sync::Notify::new());
    let told = Arc::clone(&first);
    let copying = storage.backup(&to, move |_| told.notify_one());
    tokio::select! {
        biased;
        () = first.notified() => {}
        _ = copying => {}
    }
    let mark = |name: &str| to.join(name).join("backup-incomplete");
    if !mark(".").exists() {
        // It was faster than the interruption: as it would be found.
        std::fs::write(mark("."), "").unwrap();
    }
    let refused = open(&to).unwrap_err();
    assert!(matches!(refused, Error::Incomplete { .. }), "{refused:?}");
    std::fs::remove_file(mark(".")).unwrap();
    std::fs::write(mark("metadata"), "").unwrap();
    assert!(matches!(open(&to).unwrap_err(), Error::Incomplete { .. }));
}

#[tokio::test]
async fn a_damaged_blob_is_left_out_of_a_copy() {
    let folder = tempfile::tempdir().unwrap();
    let storage = open(&folder.path().join("store")).unwrap();
    push(&storage, 1).await;
    push(&storage, 2).await;
    let (content, _) = nth(1);
    let digest = Digest::of(Algorithm::Sha256, &content);
    std::fs::write(storage.blobs.file(&digest).unwrap(), "damaged").unwrap();
    // From another engine nothing can be linked.
    let mut copy = super::Copy::begin(folder.path().join("copy"), None).unwrap();
    copy.links = false;
    let mut done = Backup::default();
    for (digest, size) in storage.blobs.scan(None, 9).await.unwrap() {
        copy.blob(&storage, digest, size, &mut done).await.unwrap();
    }
    assert_eq!((done.blobs, done.damaged, done.linked), (1, 1, 0));
}
