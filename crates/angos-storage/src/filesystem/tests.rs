//! Tests of the filesystem engine beyond the suite.

mod faults;
mod files;

use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::suite;

/// A store in a folder of its own.
struct Scene {
    folder: TempDir,
    blobs: FilesystemBlobs,
}

impl Scene {
    fn new() -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let blobs = FilesystemBlobs::open(folder.path(), true).unwrap();
        Scene { folder, blobs }
    }

    /// A session with so many acknowledged bytes of `content`.
    async fn session(&self, content: &Bytes, acknowledged: usize) -> SessionId {
        let session = self.blobs.begin(Algorithm::Sha256).await.unwrap();
        self.append(&session, 0, content.slice(..acknowledged)).await.unwrap();
        session
    }

    async fn append(&self, session: &SessionId, offset: u64, content: Bytes) -> Result<Progress, Error> {
        let mut writer = self.blobs.append(session, offset).await?;
        writer.write(content).await?;
        writer.finish().await
    }

    async fn publish(&self, content: &Bytes) -> Digest {
        let digest = Digest::of(Algorithm::Sha256, content);
        let mut writer = self.blobs.stage(Algorithm::Sha256).await.unwrap();
        writer.write(content.clone()).await.unwrap();
        writer.commit(&digest).await.unwrap();
        digest
    }

    async fn offset(&self, session: &SessionId) -> Option<u64> {
        self.blobs.progress(session).await.unwrap().map(|progress| progress.offset)
    }

    async fn read(&self, digest: &Digest) -> Result<Vec<u8>, Error> {
        let mut reader = self.blobs.read(digest, None).await?.unwrap();
        let mut content = Vec::new();
        while let Some(chunk) = reader.next().await {
            content.extend_from_slice(&chunk?);
        }
        Ok(content)
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }
}

fn content(length: usize) -> Bytes {
    (0..length).map(|index| u8::try_from(index * 7 % 251).unwrap()).collect::<Vec<_>>().into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_suite_holds() {
    for (sync, links) in [(true, true), (false, false)] {
        let folder = tempfile::tempdir().unwrap();
        let open = || {
            let mut blobs = FilesystemBlobs::open(folder.path(), sync)?;
            if !links {
                Arc::get_mut(&mut blobs.store).unwrap().disk.forbid_links();
            }
            Ok(Arc::new(blobs) as Arc<dyn BlobStore>)
        };
        let store = open().unwrap();
        suite::blobs(&store).await.unwrap();
        drop(store);
        suite::reopened_blobs(open).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_upload_holds_neither_a_thread_nor_much_memory() {
    let scene = Scene::new();
    let session = scene.blobs.begin(Algorithm::Sha256).await.unwrap();
    let mut writer = scene.blobs.append(&session, 0).await.unwrap();
    for _ in 0..100 {
        writer.write(content(16 * 1024)).await.unwrap();
    }
    let buffered = || scene.blobs.store.buffered.load(Ordering::Relaxed);
    for _ in 0..500 {
        if buffered() < 64 * 1024 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(buffered() < 64 * 1024, "{}", buffered());
    writer.write(content(1)).await.unwrap();
    assert_eq!(writer.finish().await.unwrap().offset, 100 * 16 * 1024 + 1);
    assert_eq!(buffered(), 0);
    let dropped = scene.blobs.stage(Algorithm::Sha256).await.unwrap();
    drop(dropped);
    assert_eq!(buffered(), 0);
}

#[tokio::test]
async fn buffers_are_reused_and_few_are_kept() {
    let scene = Scene::new();
    let digest = scene.publish(&content(400_000)).await;
    let mut held = Vec::new();
    for _ in 0..50 {
        let mut reader = scene.blobs.read(&digest, None).await.unwrap().unwrap();
        while let Some(chunk) = reader.next().await {
            held.push(chunk.unwrap());
        }
    }
    assert_eq!(scene.blobs.store.pool.idle(), 0);
    drop(held);
    assert_eq!(scene.blobs.store.pool.idle(), 32);
    scene.read(&digest).await.unwrap();
    assert_eq!(scene.blobs.store.pool.idle(), 32);
}

#[test]
fn those_who_publish_together_share_one_sync() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::open(folder.path(), true).unwrap();
    let directories = Directories::default();
    let syncs = |disk: &Disk| {
        disk.steps.lock().unwrap().iter().filter(|step| **step == disk::Step::SyncDirectory).count()
    };
    directories.sync_names(&disk, "blobs/sha256", "blobs").unwrap();
    let before = syncs(&disk);
    std::thread::scope(|scope| {
        let lead = directories.hold_sync();
        let threads: Vec<_> =
            (0..16).map(|_| scope.spawn(|| directories.sync_names(&disk, "blobs/sha256", "blobs"))).collect();
        while directories.waiting() < 16 {
            std::thread::yield_now();
        }
        lead();
        for thread in threads {
            thread.join().unwrap().unwrap();
        }
    });
    assert_eq!(syncs(&disk) - before, 1);
}

/// A killed process may have made folders that are not on the disk; opening leaves them to the first push.
#[tokio::test]
async fn opening_syncs_nothing_and_the_first_push_every_folder_above_it() {
    use disk::Step;
    let scene = Scene::new();
    let syncs = || {
        let steps = std::mem::take(&mut *scene.blobs.store.disk.steps.lock().unwrap());
        steps.iter().filter(|step| **step == Step::SyncDirectory).count()
    };
    assert_eq!(syncs(), 0);
    scene.publish(&content(1000)).await;
    assert_eq!(syncs(), 4, "of the blob, of its folder, of the algorithm, of all blobs");
    scene.publish(&content(1000)).await;
    assert_eq!(syncs(), 1);
}

#[tokio::test]
async fn a_push_takes_two_syncs_also_of_what_is_there() {
    use disk::Step::{Create, Publish, SyncData, SyncDirectory, Write};
    let scene = Scene::new();
    scene.publish(&content(1000)).await;
    let steps = || std::mem::take(&mut *scene.blobs.store.disk.steps.lock().unwrap());
    steps();
    // The folder exists now, so that only this blob is written.
    let near = (0..100_000).map(|seed| Bytes::from(format!("{seed}"))).find(|near| {
        let shard = |content: &Bytes| disk::shard_path(&Digest::of(Algorithm::Sha256, content));
        shard(near) == shard(&content(1000))
    });
    let near = near.unwrap();
    scene.publish(&near).await;
    assert_eq!(steps(), [Create, Write, SyncData, Publish, SyncDirectory]);
    // What is there is taken for damaged: a link fails, a second name is given and moved.
    scene.publish(&near).await;
    let again = [Create, Write, SyncData, Publish, Publish, Publish, SyncDirectory];
    assert_eq!(steps(), again);
    let session = scene.blobs.begin(Algorithm::Sha256).await.unwrap();
    let mut writer = scene.blobs.append(&session, 0).await.unwrap();
    writer.write(near.clone()).await.unwrap();
    writer.commit(&Digest::of(Algorithm::Sha256, &near)).await.unwrap();
    assert_eq!(steps(), again);
    scene.blobs.abort(&session).await.unwrap();
    assert_eq!(std::fs::read_dir(scene.path("uploads")).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(scene.path("staging")).unwrap().count(), 0);
}

/// An acknowledgement is told when the bytes, the names of the files and the record that counts the bytes are on the
/// disk, in this order; from the second one on the names are there.
#[tokio::test]
async fn an_acknowledged_chunk_survives_a_power_loss() {
    use disk::Step::{Create, Record, SyncData, SyncDirectory, SyncRecord, Write};
    let scene = Scene::new();
    scene.publish(&content(10)).await;
    let steps = || std::mem::take(&mut *scene.blobs.store.disk.steps.lock().unwrap());
    steps();
    let session = scene.session(&content(1000), 300).await;
    let first = [Create, Write, SyncData, Record, SyncDirectory, SyncDirectory, SyncDirectory];
    let above = [SyncDirectory, Record, SyncRecord];
    assert_eq!(steps(), [&first[..], &above].concat(), "its folder, the root; once for a process: all above");
    let again = [Write, SyncData, Record, Record, SyncRecord];
    for offset in [300, 400, 500] {
        scene.append(&session, offset, content(100)).await.unwrap();
        assert_eq!(steps(), again);
    }
    scene.append(&session, 600, Bytes::new()).await.unwrap();
    assert_eq!(steps(), [], "nothing new is nothing to write");
    let second = scene.session(&content(1000), 300).await;
    assert_eq!(steps(), [Create, Write, SyncData, Record, SyncDirectory, Record, SyncRecord]);
    assert_eq!((scene.offset(&session).await, scene.offset(&second).await), (Some(600), Some(300)));
}
