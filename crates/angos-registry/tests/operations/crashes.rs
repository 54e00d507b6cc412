//! An engine without transactions that dies inside a batch: every beginning of every batch is a correct registry.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use angos_registry::limits::INLINE_MAX_BYTES;
use angos_registry::{Registry, Storage};
use angos_storage::{Batch, BoxFuture, Entry, Error, MetadataStore, Operation, Versioned};

use crate::harness::*;

/// Applies the operations of batches one by one, and none any more once `left` of them are done.
struct Dying {
    inner: Arc<dyn MetadataStore>,
    left: AtomicUsize,
}

impl MetadataStore for Dying {
    fn read<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Versioned>, Error>> {
        self.inner.read(key)
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a [u8],
        after: Option<&'a [u8]>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Entry>, Error>> {
        self.inner.scan(prefix, after, limit)
    }

    fn apply(&self, batch: Batch) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            for operation in batch.operations() {
                let left = self.left.load(Ordering::SeqCst);
                if left == 0 {
                    return Err(Error::Closed);
                }
                self.left.store(left - 1, Ordering::SeqCst);
                self.inner.apply(Batch::new().with(Operation::clone(operation))).await?;
            }
            Ok(())
        })
    }
}

/// Everything that writes, one after the other.
async fn everything(registry: &Registry) -> angos_registry::Result<()> {
    let (a, b) = (name("a"), name("b"));
    let by = |bytes: &bytes::Bytes| sha256(bytes).to_string().parse().unwrap();
    let blob = sha256(b"{}");
    registry.push_blob(&a, &blob, None, Some(bytes::Bytes::from_static(b"{}"))).await?;
    registry.mount_blob(&a, &b, &blob).await?;
    let id = registry.start_upload(&a, None).await?;
    append(registry, &a, &id, b"con").await?;
    complete(registry, &a, &id, &sha256(b"content"), b"tent").await?;
    let id = registry.start_upload(&a, None).await?;
    append(registry, &a, &id, b"con").await?;
    registry.cancel_upload(&a, &id).await?;
    let (one, two) = (image("1"), image(&"2".repeat(INLINE_MAX_BYTES)));
    let referrer = artifact("a/b", "r", &one);
    put_tags(registry, &a, &reference("x"), &[tag("y"), tag("z")], &one).await?;
    put_tags(registry, &a, &reference("y"), &[tag("w")], &referrer).await?;
    put_tags(registry, &a, &by(&two), &[tag("x"), tag("big")], &two).await?;
    registry.delete_manifest(&a, &reference("w")).await?;
    registry.delete_manifest(&a, &by(&referrer)).await?;
    registry.delete_manifest(&a, &by(&two)).await?;
    registry.delete_manifest(&a, &by(&one)).await?;
    registry.delete_blob(&a, &blob).await?;
    Ok(())
}

#[tokio::test]
async fn every_beginning_of_every_batch_is_a_correct_registry() {
    for operations in 0.. {
        let mut storage = Storage::memory();
        let dying =
            Arc::new(Dying { inner: Arc::clone(&storage.metadata), left: AtomicUsize::new(operations) });
        let intact = storage.clone();
        storage.metadata = dying.clone();
        let outcome = everything(&Registry::new(storage, sparse())).await;
        check_rules(&intact).await;
        // Whoever starts again can read every tag, and can do everything once more.
        let registry = Registry::new(intact.clone(), sparse());
        for name in registry.catalog(None, 9).await.unwrap() {
            for tag in registry.list_tags(&name, None, None).await.unwrap().items {
                registry.manifest(&name, &tag.parse().unwrap()).await.unwrap();
            }
        }
        everything(&registry).await.unwrap();
        check_rules(&intact).await;
        let names = registry.catalog(None, 9).await.unwrap();
        assert_eq!(names, [name("a"), name("b")]);
        assert!(registry.list_tags(&names[0], None, None).await.unwrap().items.is_empty());
        if outcome.is_ok() {
            assert!(operations > 40, "the dying store let everything through");
            break;
        }
    }
}
