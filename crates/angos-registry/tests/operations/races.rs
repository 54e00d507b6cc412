//! Requests that meet: one order of them explains what everyone saw, and nothing old is seen again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use angos_oci::Reference;
use angos_registry::{Error, Registry, Storage};
use angos_storage::{Batch, BoxFuture, Entry, MetadataStore, Versioned};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::harness::*;

/// Holds back what a read of one key found until the test says so.
struct Stalling {
    inner: Arc<dyn MetadataStore>,
    family: u8,
    is_armed: AtomicBool,
    has_read: Semaphore,
    may_answer: Semaphore,
}

impl MetadataStore for Stalling {
    fn read<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Versioned>, angos_storage::Error>> {
        Box::pin(async move {
            let found = self.inner.read(key).await;
            if key.first() == Some(&self.family) && self.is_armed.swap(false, Ordering::SeqCst) {
                self.has_read.add_permits(1);
                self.may_answer.acquire().await.unwrap().forget();
            }
            found
        })
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a [u8],
        after: Option<&'a [u8]>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Entry>, angos_storage::Error>> {
        self.inner.scan(prefix, after, limit)
    }

    fn apply(&self, batch: Batch) -> BoxFuture<'_, Result<(), angos_storage::Error>> {
        self.inner.apply(batch)
    }
}

/// A pull reads the old state, a write is acknowledged, then the pull fills the cache: no later pull may see the old.
#[tokio::test]
async fn a_slow_pull_does_not_bring_back_what_was_overwritten_or_deleted() {
    for family in [b't', b'r'] {
        for write in ["move", "delete tag", "delete digest"] {
            let mut storage = Storage::memory();
            let stalling = Arc::new(Stalling {
                inner: storage.metadata,
                family,
                is_armed: AtomicBool::new(false),
                has_read: Semaphore::new(0),
                may_answer: Semaphore::new(0),
            });
            storage.metadata = stalling.clone();
            let registry = Registry::new(storage, sparse());
            let (name, v) = (name("a"), reference("v"));
            put(&registry, &name, &v, &image("old")).await.unwrap();
            stalling.is_armed.store(true, Ordering::SeqCst);
            let slow = tokio::spawn({
                let (registry, name, v) = (registry.clone(), name.clone(), v.clone());
                async move { registry.manifest(&name, &v).await }
            });
            stalling.has_read.acquire().await.unwrap().forget();
            let by_old: Reference = sha256(&image("old")).to_string().parse().unwrap();
            match write {
                "move" => drop(put(&registry, &name, &v, &image("new")).await.unwrap()),
                "delete tag" => registry.delete_manifest(&name, &v).await.unwrap(),
                _ => registry.delete_manifest(&name, &by_old).await.unwrap(),
            }
            stalling.may_answer.add_permits(1);
            // It began before the write, so it may see either state.
            let _ = slow.await.unwrap();
            for _ in 0..2 {
                let found = registry.manifest(&name, &v).await;
                match write {
                    "move" => assert_eq!(found.unwrap().bytes, Some(image("new")), "{family}"),
                    _ => assert_eq!(refusal(found), "ManifestUnknown", "{family} {write}"),
                }
                let old = registry.manifest(&name, &by_old).await;
                assert_eq!(old.is_err(), write == "delete digest", "{family} {write}");
            }
        }
    }
}

/// A tag is moved on and what it named before is deleted between the two reads of a pull: the tag always exists.
#[tokio::test]
async fn a_pull_never_misses_a_tag_that_moves() {
    let mut storage = Storage::memory();
    let stalling = Arc::new(Stalling {
        inner: storage.metadata,
        family: b't',
        is_armed: AtomicBool::new(false),
        has_read: Semaphore::new(0),
        may_answer: Semaphore::new(0),
    });
    storage.metadata = stalling.clone();
    let registry = Registry::new(storage, sparse());
    let (name, v) = (name("a"), reference("v"));
    put(&registry, &name, &v, &image("old")).await.unwrap();
    stalling.is_armed.store(true, Ordering::SeqCst);
    let slow = tokio::spawn({
        let (registry, name, v) = (registry.clone(), name.clone(), v.clone());
        async move { registry.manifest(&name, &v).await }
    });
    stalling.has_read.acquire().await.unwrap().forget();
    put(&registry, &name, &v, &image("new")).await.unwrap();
    let by_old = sha256(&image("old")).to_string().parse().unwrap();
    registry.delete_manifest(&name, &by_old).await.unwrap();
    stalling.may_answer.add_permits(1);
    assert_eq!(slow.await.unwrap().unwrap().bytes, Some(image("new")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_never_see_a_tag_go_back() {
    let bench = Bench::memory(sparse());
    let acknowledged = Arc::new(AtomicU32::new(0));
    put(&bench.registry, &name("a"), &reference("v"), &image("0")).await.unwrap();
    let mut tasks = JoinSet::new();
    for _ in 0..4 {
        let (registry, acknowledged) = (bench.registry.clone(), Arc::clone(&acknowledged));
        tasks.spawn(async move {
            loop {
                let before = acknowledged.load(Ordering::SeqCst);
                let found = registry.manifest(&name("a"), &reference("v")).await.unwrap();
                let text = String::from_utf8(found.bytes.unwrap().to_vec()).unwrap();
                let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
                let seen: u32 = manifest["annotations"]["note"].as_str().unwrap().parse().unwrap();
                assert!(seen >= before, "saw {seen} after {before} was acknowledged");
                if before == 2000 {
                    return;
                }
                tokio::task::yield_now().await;
            }
        });
    }
    for number in 1..=2000 {
        let bytes = image(&number.to_string());
        put(&bench.registry, &name("a"), &reference("v"), &bytes).await.unwrap();
        acknowledged.store(number, Ordering::SeqCst);
        if number % 3 == 0 {
            let old = sha256(&image(&(number - 1).to_string())).to_string().parse().unwrap();
            bench.registry.delete_manifest(&name("a"), &old).await.unwrap();
        }
    }
    while let Some(outcome) = tasks.join_next().await {
        outcome.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pushes_and_deletes_of_one_digest_leave_no_tag_dangling() {
    for bench in engines(&sparse()) {
        let contents = [image("1"), image("2")];
        let mut tasks = JoinSet::new();
        for worker in 0..6 {
            let (registry, contents) = (bench.registry.clone(), contents.clone());
            tasks.spawn(async move {
                for round in 0..40 {
                    let bytes = &contents[(worker + round) % 2];
                    let by_digest: Reference = sha256(bytes).to_string().parse().unwrap();
                    if worker % 3 == 0 {
                        match registry.delete_manifest(&name("a"), &by_digest).await {
                            Ok(()) | Err(Error::ManifestUnknown | Error::Contended) => {}
                            Err(error) => panic!("{error}"),
                        }
                    } else {
                        let tags = [tag("x"), tag("y"), tag(&format!("w{worker}"))];
                        put_tags(&registry, &name("a"), &by_digest, &tags, bytes).await.unwrap();
                    }
                }
            });
        }
        while let Some(outcome) = tasks.join_next().await {
            outcome.unwrap();
        }
        check_rules(&bench.storage).await;
        let tags = bench.registry.list_tags(&name("a"), None, None).await.unwrap().items;
        for tag in tags {
            bench.registry.manifest(&name("a"), &Reference::Tag(tag)).await.unwrap();
        }
        // A last delete of each finds all of its tags.
        for bytes in &contents {
            let by_digest = sha256(bytes).to_string().parse().unwrap();
            let _ = bench.registry.delete_manifest(&name("a"), &by_digest).await;
        }
        let tags = bench.registry.list_tags(&name("a"), None, None).await.unwrap().items;
        assert!(tags.is_empty(), "{tags:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_sets_an_immutable_tag() {
    let mut settings = sparse();
    settings.immutable_tags = true;
    for bench in engines(&settings) {
        for round in 0..10 {
            let target = reference(&format!("v{round}"));
            let mut tasks = JoinSet::new();
            for worker in 0..16 {
                let (registry, target) = (bench.registry.clone(), target.clone());
                tasks.spawn(async move {
                    let bytes = image(&worker.to_string());
                    let outcome = put(&registry, &name("a"), &target, &bytes).await;
                    (bytes, outcome)
                });
            }
            let mut winners = Vec::new();
            while let Some(outcome) = tasks.join_next().await {
                match outcome.unwrap() {
                    (bytes, Ok(_)) => winners.push(bytes),
                    (_, Err(Error::TagImmutable { .. })) => {}
                    (_, Err(error)) => panic!("{error}"),
                }
            }
            let found = bench.registry.manifest(&name("a"), &target).await.unwrap();
            assert_eq!(winners, [found.bytes.unwrap()]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_completes_a_session_and_the_others_hear_of_it_or_wait() {
    for bench in engines(&sparse()) {
        for has_chunk in [false, true] {
            let registry = &bench.registry;
            let id = registry.start_upload(&name("a"), None).await.unwrap();
            let content: &'static [u8] = if has_chunk { b"tent" } else { b"content" };
            if has_chunk {
                append(registry, &name("a"), &id, b"con").await.unwrap();
            }
            let mut tasks = JoinSet::new();
            for _ in 0..16 {
                let registry = registry.clone();
                tasks.spawn(async move {
                    complete(&registry, &name("a"), &id, &sha256(b"content"), content).await
                });
            }
            let mut winners = 0;
            while let Some(outcome) = tasks.join_next().await {
                match outcome.unwrap() {
                    Ok(()) => winners += 1,
                    Err(Error::UploadBusy | Error::UploadUnknown) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            // Those that come when it is over are answered as the one that made the blob.
            assert!(winners >= 1);
            let read = read_blob(registry, &name("a"), &sha256(b"content")).await.unwrap();
            assert_eq!(read, b"content");
            registry.delete_blob(&name("a"), &sha256(b"content")).await.unwrap();
        }
    }
}

/// A client that goes away while its push is being written: the push happens or not, and pulls agree with the store.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_abandoned_push_does_not_leave_an_old_answer_behind() {
    let bench = engines(&sparse()).into_iter().next_back().unwrap();
    for round in 0..60_u64 {
        let (registry, bytes) = (bench.registry.clone(), image(&round.to_string()));
        registry.manifest(&name("a"), &reference("v")).await.ok();
        let push = tokio::spawn({
            let registry = registry.clone();
            async move { put(&registry, &name("a"), &reference("v"), &bytes).await }
        });
        tokio::time::sleep(Duration::from_micros(round * 20)).await;
        push.abort();
        let _ = push.await;
        registry.manifest(&name("a"), &reference("v")).await.ok();
        // What nobody waits for may take its time, but must come out right.
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        loop {
            let stored = registry.tag(&name("a"), &tag("v")).await.map(|entry| entry.digest).ok();
            let pulled = registry.manifest(&name("a"), &reference("v")).await.ok();
            if pulled.map(|manifest| manifest.digest) == stored {
                break;
            }
            assert!(tokio::time::Instant::now() < deadline, "round {round}: the old answer stays");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// A client that goes away while its delete is being written: the blob goes or stays, and reads agree with the store.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_abandoned_delete_does_not_leave_a_blob_readable() {
    let bench = engines(&sparse()).into_iter().next_back().unwrap();
    let a = name("a");
    for round in 0..60_u64 {
        let registry = bench.registry.clone();
        // A blob of its own: an abandoned delete may still come, and would take the next round's push with it.
        let digest = push_blob(&registry, &a, &round.to_le_bytes()).await;
        registry.blob(&a, &digest).await.unwrap();
        let delete = tokio::spawn({
            let (registry, a) = (registry.clone(), a.clone());
            async move { registry.delete_blob(&a, &digest).await }
        });
        tokio::time::sleep(Duration::from_micros(round * 20)).await;
        delete.abort();
        let _ = delete.await;
        registry.blob(&a, &digest).await.ok();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        loop {
            let stored = registry.blob_owners(&digest, None, 1).await.unwrap().len();
            if stored == usize::from(registry.blob(&a, &digest).await.is_ok()) {
                break;
            }
            assert!(tokio::time::Instant::now() < deadline, "round {round}: the deleted blob stays readable");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}
