//! A second request at every single step of a first one: whatever the order, the state at rest is a correct registry
//! and what the second one was acknowledged is not undone by accident.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use angos_oci::Reference;
use angos_registry::{Error, Registry, Settings, Storage};
use angos_storage::{Batch, BoxFuture, Entry, MetadataStore, Versioned};

use crate::harness::*;

/// Lets another request run to its end just before the call with the number `at`.
struct Interfering {
    inner: Arc<dyn MetadataStore>,
    other: Registry,
    second: Act,
    at: usize,
    calls: AtomicUsize,
}

impl Interfering {
    async fn step(&self) {
        if self.calls.fetch_add(1, Ordering::SeqCst) == self.at {
            tolerate(act(&self.other, self.second).await);
        }
    }
}

impl MetadataStore for Interfering {
    fn read<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Versioned>, angos_storage::Error>> {
        Box::pin(async move {
            self.step().await;
            self.inner.read(key).await
        })
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a [u8],
        after: Option<&'a [u8]>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Entry>, angos_storage::Error>> {
        Box::pin(async move {
            self.step().await;
            self.inner.scan(prefix, after, limit).await
        })
    }

    fn apply(&self, batch: Batch) -> BoxFuture<'_, Result<(), angos_storage::Error>> {
        Box::pin(async move {
            self.step().await;
            self.inner.apply(batch).await
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    PushOne,
    PushTwo,
    TagOne,
    TagTwo,
    DeleteTag,
    DeleteOne,
    DeleteTwo,
}

const ACTS: [Act; 7] =
    [Act::PushOne, Act::PushTwo, Act::TagOne, Act::TagTwo, Act::DeleteTag, Act::DeleteOne, Act::DeleteTwo];

async fn act(registry: &Registry, act: Act) -> Outcome<()> {
    let name = name("a");
    let by = |bytes: &bytes::Bytes| -> Reference { sha256(bytes).to_string().parse().unwrap() };
    let (one, two) = (image("1"), artifact("a/b", "2", b"subject"));
    let tags = [tag("x"), tag("y")];
    match act {
        Act::PushOne => put(registry, &name, &by(&one), &one).await.map(drop),
        Act::PushTwo => put(registry, &name, &by(&two), &two).await.map(drop),
        Act::TagOne => put_tags(registry, &name, &by(&one), &tags, &one).await.map(drop),
        Act::TagTwo => put_tags(registry, &name, &by(&two), &tags, &two).await.map(drop),
        Act::DeleteTag => registry.delete_manifest(&name, &reference("x")).await,
        Act::DeleteOne => registry.delete_manifest(&name, &by(&one)).await,
        Act::DeleteTwo => registry.delete_manifest(&name, &by(&two)).await,
    }
}

fn tolerate(outcome: Outcome<()>) {
    match outcome {
        Ok(()) | Err(Error::ManifestUnknown | Error::TagImmutable { .. }) => {}
        Err(error) => panic!("{error:?}"),
    }
}

fn uncached(mut settings: Settings) -> Settings {
    // Two registries over one store, as two processes would be.
    settings.manifest_cache_bytes = 0;
    settings
}

/// Runs `first` with `second` at its step `at`; `false` when there is no such step.
async fn meet(before: Act, first: Act, second: Act, at: usize) -> bool {
    let storage = Storage::memory();
    let other = Registry::new(storage.clone(), uncached(sparse()));
    act(&other, before).await.unwrap();
    let interfering = Arc::new(Interfering {
        inner: Arc::clone(&storage.metadata),
        other: other.clone(),
        second,
        at,
        calls: AtomicUsize::new(0),
    });
    let mut through = storage.clone();
    through.metadata = interfering.clone();
    tolerate(act(&Registry::new(through, uncached(sparse())), first).await);
    if interfering.calls.load(Ordering::SeqCst) <= at {
        return false;
    }
    let label = format!("{before:?}, {first:?} with {second:?} at step {at}");
    check_rules(&storage).await;
    let name = name("a");
    for tag in other.list_tags(&name, None, None).await.unwrap().items {
        other.manifest(&name, &Reference::Tag(tag)).await.expect(&label);
    }
    // Deleting one manifest never takes a tag that was moved to the other.
    let moved_to_two = first == Act::DeleteOne && second == Act::TagTwo;
    let moved_to_one = first == Act::DeleteTwo && second == Act::TagOne;
    if moved_to_two || moved_to_one {
        let found = other.manifest(&name, &reference("x")).await.expect(&label);
        let expected = if moved_to_two { artifact("a/b", "2", b"subject") } else { image("1") };
        assert_eq!(found.bytes, Some(expected), "{label}");
    }
    // And deleting both finds every tag there is.
    for last in [Act::DeleteOne, Act::DeleteTwo] {
        tolerate(act(&other, last).await);
    }
    let left = other.list_tags(&name, None, None).await.unwrap().items;
    assert!(left.is_empty(), "{label}: {left:?}");
    let referrers = other.referrers(&name, &sha256(b"subject"), &[], None, None).await.unwrap();
    assert!(referrers.descriptors.is_empty(), "{label}");
    true
}

#[tokio::test]
async fn any_two_requests_at_any_step() {
    for before in [Act::TagOne, Act::TagTwo] {
        for first in ACTS {
            for second in ACTS {
                let mut at = 0;
                while meet(before, first, second, at).await {
                    at += 1;
                }
                assert!(at >= 1, "{first:?} made no call");
            }
        }
    }
}

/// More tags than one batch, a way back that a crash left over, and a push that makes it true again in between.
#[tokio::test]
async fn a_push_between_two_batches_of_a_delete() {
    let (one, two) = (image("1"), artifact("a/b", "2", b"subject"));
    let by_one: Reference = sha256(&one).to_string().parse().unwrap();
    for at in 0.. {
        let storage = Storage::memory();
        let other = Registry::new(storage.clone(), uncached(sparse()));
        for page in 0..5 {
            let tags: Vec<_> = (0..60).map(|n| tag(&format!("z{page}-{n}"))).collect();
            put_tags(&other, &name("a"), &by_one, &tags, &one).await.unwrap();
        }
        put_tags(&other, &name("a"), &reference("x"), &[tag("y")], &two).await.unwrap();
        let digest = sha256(&one);
        let left_over = [b"ga\0\x01".as_slice(), digest.bytes(), b"x"].concat();
        storage.metadata.apply(Batch::new().put(left_over, "")).await.unwrap();
        let interfering = Arc::new(Interfering {
            inner: Arc::clone(&storage.metadata),
            other: other.clone(),
            second: Act::TagOne,
            // Past the reads of the tags, of which one is like the other.
            at: if at < 10 { at } else { at + 240 },
            calls: AtomicUsize::new(0),
        });
        let mut through = storage.clone();
        through.metadata = interfering.clone();
        let registry = Registry::new(through, uncached(sparse()));
        registry.delete_manifest(&name("a"), &by_one).await.unwrap();
        check_rules(&storage).await;
        if interfering.calls.load(Ordering::SeqCst) <= interfering.at {
            assert!(at > 20, "the delete took {at} steps");
            break;
        }
    }
}
