//! What a page, a push and a delete cost in a small and in a large namespace: counted, not timed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use angos_oci::Reference;
use angos_registry::{Registry, Storage};
use angos_storage::{Batch, BoxFuture, Entry, Error, MetadataStore, Versioned};

use crate::harness::*;

/// Counts what passes through it: calls, entries that scans return, and batches, each of which is a disk sync.
struct Counting {
    inner: Arc<dyn MetadataStore>,
    calls: Arc<AtomicUsize>,
    entries: Arc<AtomicUsize>,
    batches: Arc<AtomicUsize>,
}

impl MetadataStore for Counting {
    fn read<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Versioned>, Error>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.inner.read(key)
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a [u8],
        after: Option<&'a [u8]>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Entry>, Error>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            let page = self.inner.scan(prefix, after, limit).await?;
            self.entries.fetch_add(page.len(), Ordering::SeqCst);
            Ok(page)
        })
    }

    fn apply(&self, batch: Batch) -> BoxFuture<'_, Result<(), Error>> {
        self.calls.fetch_add(1 + batch.len(), Ordering::SeqCst);
        self.batches.fetch_add(1, Ordering::SeqCst);
        self.inner.apply(batch)
    }
}

/// A registry with `size` tags in one namespace, and a tenth of that in namespaces and in referrers of one subject.
async fn grown(size: usize) -> (Registry, impl AsyncFn(&str) -> (usize, usize)) {
    let mut storage = Storage::memory();
    let seed = Registry::new(storage.clone(), sparse());
    let by_digest: Reference = sha256(&image("0")).to_string().parse().unwrap();
    for page in 0..size / 50 {
        let tags: Vec<_> = (0..50).map(|n| tag(&format!("t{page:05}-{n:02}"))).collect();
        put_tags(&seed, &name("many"), &by_digest, &tags, &image("0")).await.unwrap();
    }
    let digest = push_blob(&seed, &name("source"), b"x").await;
    for number in 0..size / 10 + 1_000 {
        seed.mount_blob(&name("source"), &name(&format!("n/{number}")), &digest).await.unwrap();
    }
    for number in 0..size / 10 {
        let bytes = artifact("a/b", &number.to_string(), b"elsewhere");
        let by_digest = sha256(&bytes).to_string().parse().unwrap();
        put(&seed, &name("many"), &by_digest, &bytes).await.unwrap();
    }
    for number in 0..10 {
        let bytes = artifact("a/b", &format!("few {number}"), b"subject");
        let by_digest = sha256(&bytes).to_string().parse().unwrap();
        put(&seed, &name("many"), &by_digest, &bytes).await.unwrap();
    }
    let (calls, entries) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    storage.metadata = Arc::new(Counting {
        inner: storage.metadata,
        calls: Arc::clone(&calls),
        entries: Arc::clone(&entries),
        batches: Arc::default(),
    });
    let registry = Registry::new(storage, sparse());
    let counted = registry.clone();
    let cost = async move |operation: &str| {
        calls.store(0, Ordering::SeqCst);
        entries.store(0, Ordering::SeqCst);
        run(&counted, operation).await;
        (calls.load(Ordering::SeqCst), entries.load(Ordering::SeqCst))
    };
    (registry, cost)
}

async fn run(registry: &Registry, operation: &str) {
    let many = name("many");
    match operation {
        "first page" => {
            let page = registry.list_tags(&many, Some(100), None).await.unwrap();
            assert_eq!((page.items.len(), page.next.is_some()), (100, true));
        }
        "page inside" => {
            let page = registry.list_tags(&many, Some(100), Some("t00005-01")).await.unwrap();
            assert_eq!((page.items.len(), page.next.is_some()), (100, true));
        }
        "catalog" => {
            assert_eq!(registry.catalog(Some("n/5"), 100).await.unwrap().len(), 100);
        }
        "referrers" => {
            let subject = sha256(b"subject");
            let page = registry.referrers(&many, &subject, &[], None, Some(100)).await.unwrap();
            assert_eq!(page.descriptors.len(), 10);
        }
        "page of referrers" => {
            let subject = sha256(b"elsewhere");
            let page = registry.referrers(&many, &subject, &[], None, Some(50)).await.unwrap();
            assert_eq!(page.descriptors.len(), 50);
        }
        "owners" => {
            let owners = registry.blob_owners(&sha256(b"x"), None, 100).await.unwrap();
            assert_eq!(owners.len(), 100);
        }
        "push tag" => drop(put(registry, &many, &reference("new"), &image("1")).await.unwrap()),
        "move tag" => drop(put(registry, &many, &reference("new"), &image("2")).await.unwrap()),
        "delete tag" => registry.delete_manifest(&many, &reference("new")).await.unwrap(),
        "delete digest" => {
            let by_digest = sha256(&image("1")).to_string().parse().unwrap();
            registry.delete_manifest(&many, &by_digest).await.unwrap();
        }
        "pull" => drop(registry.manifest(&many, &reference("t00003-03")).await.unwrap()),
        "delete blob" => registry.delete_blob(&name("n/7"), &sha256(b"x")).await.unwrap(),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn costs_follow_the_page_and_not_the_namespace() {
    let (_, small) = grown(1_000).await;
    let (_, large) = grown(100_000).await;
    for operation in [
        "first page",
        "page inside",
        "catalog",
        "referrers",
        "page of referrers",
        "owners",
        "push tag",
        "move tag",
        "delete tag",
        "delete digest",
        "pull",
        "delete blob",
    ] {
        let (small, large) = (small(operation).await, large(operation).await);
        assert_eq!(small, large, "{operation}: calls and entries at 1 000 and at 100 000");
        let (calls, entries) = large;
        assert!(calls <= 12 && entries <= 101, "{operation}: {calls} calls, {entries} entries");
    }
}

#[tokio::test]
async fn a_cached_pull_touches_no_store() {
    let (registry, cost) = grown(50).await;
    put(&registry, &name("many"), &reference("t00003-03"), &image("9")).await.unwrap();
    assert_eq!(cost("pull").await, (2, 0), "the tag, then the revision with its bytes");
    assert_eq!(cost("pull").await, (0, 0));
}

#[tokio::test]
async fn a_push_syncs_the_metadata_as_rarely_as_it_can() {
    let mut storage = Storage::memory();
    let batches = Arc::new(AtomicUsize::new(0));
    storage.metadata = Arc::new(Counting {
        inner: storage.metadata,
        calls: Arc::default(),
        entries: Arc::default(),
        batches: Arc::clone(&batches),
    });
    let registry = Registry::new(storage, sparse());
    let (a, b) = (name("a"), name("b"));
    let digest = sha256(b"content");
    let check = |expected: usize, operation: &str| {
        assert_eq!(batches.swap(0, Ordering::SeqCst), expected, "{operation}");
    };
    registry.start_upload(&a, None).await.unwrap();
    check(1, "the secret, once in the life of a store");
    let id = registry.start_upload(&a, None).await.unwrap();
    check(0, "POST");
    complete(&registry, &a, &id, &digest, b"content").await.unwrap();
    check(1, "PUT of everything");
    let id = registry.start_upload(&b, None).await.unwrap();
    append(&registry, &b, &id, b"con").await.unwrap();
    check(1, "first PATCH");
    append(&registry, &b, &id, b"tent").await.unwrap();
    check(0, "second PATCH");
    complete(&registry, &b, &id, &digest, b"").await.unwrap();
    check(1, "PUT of nothing");
    push_blob(&registry, &b, b"content").await;
    check(1, "a blob that is owned already: its grace time starts again");
    assert!(registry.mount_blob(&a, &name("c"), &digest).await.unwrap());
    check(1, "mount");
    put_tags(&registry, &a, &reference("v"), &[tag("w"), tag("x")], &image("1")).await.unwrap();
    check(1, "manifest and three tags");
    push_blob(&registry, &a, b"{}").await;
    batches.store(0, Ordering::SeqCst);
    push_blob(&registry, &a, b"{}").await;
    check(0, "a blob that is owned and referenced already");
    let by_digest = sha256(&image("1")).to_string().parse().unwrap();
    registry.delete_manifest(&a, &by_digest).await.unwrap();
    check(1, "manifest and three tags deleted");
}
