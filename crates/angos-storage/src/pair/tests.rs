//! What is refused, what is not, and that a refusal creates nothing.

use std::fs;

use angos_oci::{Algorithm, Digest};
use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::limits::METADATA_CACHE_BYTES;
use crate::{Batch, BlobStore, MetadataStore};

/// Two folders, with a store in them that has one blob and one entry.
async fn store() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (blobs, metadata) = open_in(&folder).unwrap();
    let content = Bytes::from_static(b"content");
    let digest = Digest::of(Algorithm::Sha256, &content);
    let mut writer = blobs.stage(Algorithm::Sha256).await.unwrap();
    writer.write(content).await.unwrap();
    writer.commit(&digest).await.unwrap();
    metadata.apply(Batch::new().put("key", "value")).await.unwrap();
    folder
}

fn open_in(folder: &TempDir) -> Result<(FilesystemBlobs, RedbMetadata), Error> {
    open(&folder.path().join("b"), &folder.path().join("m"), METADATA_CACHE_BYTES, true)
}

/// Every path in the folder, for comparing.
fn listing(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            found.push(path.clone());
            folders.extend(path.is_dir().then_some(path));
        }
    }
    found.sort();
    found
}

/// Changes the folders of a store. `expected`: how the error begins, or nothing when the store opens.
async fn check(what: &str, change: impl FnOnce(&Path), expected: Option<&str>) {
    let folder = store().await;
    change(folder.path());
    let before = listing(folder.path());
    match (open_in(&folder), expected) {
        (Err(error), Some(expected)) => {
            assert!(format!("{error:?}").starts_with(expected), "{what}: {error:?}");
            assert_eq!(listing(folder.path()), before, "{what}: something was created");
        }
        (Ok((blobs, metadata)), None) => {
            assert!(metadata.read(b"key").await.unwrap().is_some(), "{what}");
            assert_eq!(metadata.store_id().unwrap(), blobs.store_id().unwrap(), "{what}");
            assert!(metadata.store_id().unwrap().is_some(), "{what}");
        }
        (Err(error), None) => panic!("{what}: {error}"),
        (Ok(_), Some(expected)) => panic!("{what}: opened instead of {expected}"),
    }
}

#[tokio::test]
async fn blobs_and_metadata_are_opened_together_or_not_at_all() {
    let remove = |name: &'static str| move |root: &Path| fs::remove_dir_all(root.join(name)).unwrap();
    let forget = |root: &Path| fs::remove_file(root.join("b/store.id")).unwrap();
    check("as it was left", |_| {}, None).await;
    check("without metadata", remove("m"), Some("Unpaired")).await;
    check(
        "with an empty folder for metadata",
        |root| fs::remove_file(root.join("m/metadata.redb")).unwrap(),
        Some("Unpaired"),
    )
    .await;
    check(
        "blobs of an older version, without metadata",
        |root| {
            forget(root);
            fs::remove_dir_all(root.join("m")).unwrap();
        },
        Some("Unpaired"),
    )
    .await;
    check(
        "an id and no blob, without metadata",
        |root| {
            fs::remove_dir_all(root.join("b/blobs")).unwrap();
            fs::remove_dir_all(root.join("m")).unwrap();
        },
        Some("Unpaired"),
    )
    .await;
    check("without blobs", remove("b"), Some("Unpaired")).await;
    check(
        "with an empty folder for blobs",
        |root| {
            fs::remove_dir_all(root.join("b")).unwrap();
            fs::create_dir(root.join("b")).unwrap();
        },
        Some("Unpaired"),
    )
    .await;
    check(
        "with the id lost to a power failure",
        |root| fs::write(root.join("b/store.id"), "").unwrap(),
        None,
    )
    .await;
    check("of an older version, without an id", forget, None).await;
    check(
        "with an id that is none",
        |root| fs::write(root.join("b/store.id"), "x").unwrap(),
        Some("NotAnAngosStore"),
    )
    .await;
    check(
        "of another store",
        |root| fs::write(root.join("b/store.id"), "angos-store-1 1\n").unwrap(),
        Some("Mismatched"),
    )
    .await;
}

/// A start that died before it made the blobs, and one that died before it recorded anything.
#[tokio::test]
async fn an_unfinished_start_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    drop(RedbMetadata::open(&folder.path().join("m"), METADATA_CACHE_BYTES, true).unwrap());
    drop(open_in(&folder).unwrap());
    let (blobs, metadata) = open_in(&folder).unwrap();
    assert_eq!(metadata.store_id().unwrap(), blobs.store_id().unwrap());
}

/// Metadata that was restored from a backup of an older version takes the id of its blobs.
#[tokio::test]
async fn metadata_without_an_id_takes_that_of_the_blobs() {
    let folder = store().await;
    let path = folder.path().join("m/metadata.redb");
    let database = redb::Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let table: redb::TableDefinition<'_, &str, u64> = redb::TableDefinition::new("angos");
    transaction.open_table(table).unwrap().remove("store").unwrap();
    transaction.commit().unwrap();
    drop(database);
    fs::write(folder.path().join("b/store.id"), "angos-store-1 00000000000000ab\n").unwrap();
    let (blobs, metadata) = open_in(&folder).unwrap();
    assert_eq!((metadata.store_id().unwrap(), blobs.store_id().unwrap()), (Some(0xab), Some(0xab)));
}
