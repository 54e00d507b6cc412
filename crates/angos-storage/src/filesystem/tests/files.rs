//! What lies in the folder: damaged, hostile, left over, or in use.

use std::{fs, os::unix::fs::symlink};

use super::{super::record::Record, *};
use angos_oci::Hasher;

const ACKNOWLEDGED: usize = 200_000;

/// Writes something else where the record of a session is; the session must go on at `offset`.
async fn check_record(what: &str, offset: usize, damage: impl FnOnce(&Path, &Scene)) {
    let scene = Scene::new();
    let content = content(300_000);
    let digest = Digest::of(Algorithm::Sha256, &content);
    let session = scene.session(&content, ACKNOWLEDGED).await;
    damage(&scene.path(&format!("uploads/{session}.state")), &scene);
    assert_eq!(scene.offset(&session).await, Some(offset as u64), "{what}");
    scene.append(&session, offset as u64, content.slice(offset..)).await.unwrap();
    assert_eq!(scene.blobs.commit(&session, &digest).await.unwrap(), 300_000, "{what}");
    assert_eq!(scene.read(&digest).await.unwrap(), content, "{what}");
}

#[tokio::test]
async fn a_record_that_cannot_be_trusted_is_replaced_by_reading_again() {
    let hashed = |length: usize| {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(&content(300_000)[..length]);
        hasher
    };
    let write = |bytes: Vec<u8>| move |path: &Path, _: &Scene| fs::write(path, &bytes).unwrap();
    check_record("text", ACKNOWLEDGED, write(b"{\"offset\":5}".to_vec())).await;
    check_record("long", ACKNOWLEDGED, write(vec![7; 5 << 20])).await;
    check_record("missing", 0, |path: &Path, _: &Scene| fs::remove_file(path).unwrap()).await;
    check_record("empty file", 0, write(vec![])).await;
    let other_boot = Record::encode([9; 16], 150_000, &hashed(1));
    check_record("another boot", 150_000, write(other_boot)).await;
    check_record("offset beyond the content", ACKNOWLEDGED, |path, scene| {
        fs::write(path, Record::encode(scene.blobs.store.boot, u64::MAX, &hashed(5))).unwrap();
    })
    .await;
    check_record("hash of another algorithm", 70_000, |path, scene| {
        fs::write(path, Record::encode(scene.blobs.store.boot, 70_000, &Hasher::new(Algorithm::Sha512)))
            .unwrap();
    })
    .await;
    check_record("fewer bytes than there are", 70_000, |path, scene| {
        fs::write(path, Record::encode(scene.blobs.store.boot, 70_000, &hashed(70_000))).unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_is_no_file_is_damage_and_never_followed() {
    let scene = Scene::new();
    let secret = scene.path("secret");
    fs::write(&secret, "secret").unwrap();
    let digest = scene.publish(&content(10)).await;
    let blob = scene.path(&disk::blob_path(&digest));
    let session = scene.session(&content(10), 5).await;
    let [data, state] = ["sha256", "state"].map(|end| scene.path(&format!("uploads/{session}.{end}")));
    for path in [&blob, &data, &state] {
        fs::remove_file(path).unwrap();
        symlink(&secret, path).unwrap();
    }
    assert!(scene.blobs.read(&digest, None).await.is_err());
    assert!(scene.blobs.stat(&digest).await.is_err());
    assert!(scene.blobs.append(&session, 0).await.is_err());
    assert!(scene.blobs.progress(&session).await.is_err());
    for path in [&blob, &data] {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    }
    assert!(matches!(scene.blobs.read(&digest, None).await, Err(Error::Corrupt(_) | Error::Io(_))));
    assert!(scene.blobs.stat(&digest).await.is_err());
    assert!(scene.blobs.append(&session, 0).await.is_err());
    assert_eq!(fs::read(&secret).unwrap(), b"secret");
    fs::write(scene.path("blobs/sha256/not-a-shard"), "").unwrap();
    let shard = blob.parent().unwrap();
    fs::write(shard.join("not-a-digest"), "").unwrap();
    assert_eq!(scene.blobs.scan(None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_blob_that_shrinks_ends_its_readers_with_an_error() {
    for (kept, what) in [(0, "all"), (100_000, "most"), (299_999, "one byte")] {
        let scene = Scene::new();
        let digest = scene.publish(&content(300_000)).await;
        let mut reader = scene.blobs.read(&digest, None).await.unwrap().unwrap();
        let blob = fs::OpenOptions::new().write(true).open(scene.path(&disk::blob_path(&digest))).unwrap();
        blob.set_len(kept).unwrap();
        let mut seen = 0;
        let error = loop {
            match reader.next().await.unwrap() {
                Ok(chunk) => seen += chunk.len() as u64,
                Err(error) => break error,
            }
        };
        assert_eq!(seen, kept, "{what}");
        assert!(matches!(error, Error::Corrupt(_)), "{what}: {error:?}");
        assert!(reader.next().await.is_none(), "{what}");
    }
}

type Damage<'a> = &'a dyn Fn(&Path);

#[tokio::test]
async fn a_push_replaces_what_is_damaged() {
    let content = content(100_000);
    let mut flipped = content.to_vec();
    flipped[50_000] ^= 1;
    let other = tempfile::NamedTempFile::new().unwrap();
    let rows: [(&str, Damage<'_>); 5] = [
        ("shorter", &|path| fs::write(path, "damaged").unwrap()),
        ("longer", &|path| fs::write(path, vec![0; 100_001]).unwrap()),
        ("one bit", &|path| fs::write(path, &flipped).unwrap()),
        ("missing", &|path| fs::remove_file(path).unwrap()),
        ("a link elsewhere", &|path| {
            fs::remove_file(path).unwrap();
            symlink(other.path(), path).unwrap();
        }),
    ];
    for (what, damage) in rows {
        let scene = Scene::new();
        let digest = scene.publish(&content).await;
        let path = scene.path(&disk::blob_path(&digest));
        damage(&path);
        scene.publish(&content).await;
        assert_eq!(scene.read(&digest).await.unwrap(), content, "{what}");
        damage(&path);
        let session = scene.session(&content, 100_000).await;
        scene.blobs.commit(&session, &digest).await.unwrap();
        assert_eq!(scene.read(&digest).await.unwrap(), content, "{what}");
        assert_eq!(fs::read_dir(scene.path("staging")).unwrap().count(), 0, "{what}");
    }
}

#[tokio::test]
async fn a_start_clears_what_has_no_session_and_keeps_what_has() {
    let scene = Scene::new();
    let session = scene.session(&content(100), 60).await;
    let Scene { folder, blobs } = scene;
    assert!(matches!(FilesystemBlobs::open(folder.path(), true), Err(Error::Locked { .. })));
    drop(blobs);
    for name in ["probe", "0123456789abcdef0123456789abcdef", "anything"] {
        fs::write(folder.path().join("staging").join(name), "left over").unwrap();
    }
    let data = folder.path().join(format!("uploads/{session}.sha256"));
    fs::OpenOptions::new().append(true).open(&data).unwrap().set_len(99).unwrap();
    let blobs = FilesystemBlobs::open(folder.path(), true).unwrap();
    assert_eq!(fs::read_dir(folder.path().join("staging")).unwrap().count(), 0);
    let scene = Scene { folder, blobs };
    assert_eq!(scene.offset(&session).await, Some(60));
    scene.append(&session, 60, Bytes::new()).await.unwrap();
    assert_eq!(fs::metadata(data).unwrap().len(), 60, "what was not acknowledged is cut off");
}

#[tokio::test]
async fn half_removed_sessions_are_listed_until_they_are_aborted() {
    let scene = Scene::new();
    let session = scene.session(&content(10), 5).await;
    fs::remove_file(scene.path(&format!("uploads/{session}.sha256"))).unwrap();
    fs::write(scene.path("uploads/stranger"), "").unwrap();
    fs::write(scene.path("uploads/str.anger"), "").unwrap();
    let listed = scene.blobs.sessions(None, 10).await.unwrap();
    assert_eq!(listed.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [session]);
    assert_eq!(scene.offset(&session).await, None);
    assert!(scene.blobs.abort(&session).await.unwrap());
    assert!(scene.blobs.sessions(None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_folder_that_was_moved_takes_nothing_until_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (folder.path().join("b"), folder.path().join("elsewhere"));
    let blobs = FilesystemBlobs::open(&here, true).unwrap();
    let body = content(1000);
    let digest = Digest::of(Algorithm::Sha256, &body);
    let session = blobs.begin(Algorithm::Sha256).await.unwrap();
    let refused = async |what: &str| {
        let mut staged = blobs.stage(Algorithm::Sha256).await.unwrap();
        let written = staged.write(body.clone()).await;
        let error = match written {
            Ok(()) => staged.commit(&digest).await.unwrap_err(),
            Err(error) => error,
        };
        assert!(error.is_failure(), "{what}: {error:?}");
        let mut writer = blobs.append(&session, 0).await.unwrap();
        writer.write(body.clone()).await.unwrap();
        assert!(matches!(writer.finish().await, Err(Error::Moved { .. })), "{what}");
        assert!(matches!(blobs.health().await.outcome, Err(Error::Moved { .. })), "{what}");
        assert_eq!(blobs.stat(&digest).await.unwrap(), None, "{what}");
    };
    fs::rename(&here, &there).unwrap();
    refused("moved").await;
    drop(FilesystemBlobs::open(&here, true).unwrap());
    refused("replaced").await;
    fs::remove_dir_all(&here).unwrap();
    fs::rename(&there, &here).unwrap();
    assert!(blobs.health().await.outcome.is_ok());
    let mut writer = blobs.append(&session, 0).await.unwrap();
    writer.write(body.clone()).await.unwrap();
    assert_eq!(writer.commit(&digest).await.unwrap(), 1000);
}

#[tokio::test]
async fn only_its_owner_may_use_what_is_made() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("above/b");
    let mut blobs = FilesystemBlobs::open(&root, true).unwrap();
    for links in [true, false] {
        if !links {
            Arc::get_mut(&mut blobs.store).unwrap().disk.forbid_links();
        }
        let body = content(1000 + usize::from(links));
        let mut staged = blobs.stage(Algorithm::Sha256).await.unwrap();
        staged.write(body.clone()).await.unwrap();
        staged.commit(&Digest::of(Algorithm::Sha256, &body)).await.unwrap();
    }
    let session = blobs.begin(Algorithm::Sha512).await.unwrap();
    blobs.append(&session, 0).await.unwrap().finish().await.unwrap();
    blobs.set_store_id(1).unwrap();
    let mut folders = vec![folder.path().join("above")];
    let mut seen = 0;
    while let Some(path) = folders.pop() {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        let expected = if path.is_dir() { 0o40_700 } else { 0o100_600 };
        assert_eq!(mode, expected, "{}: {mode:o}", path.display());
        seen += 1;
        if path.is_dir() {
            folders.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    assert!(seen >= 12, "{seen}");
}
