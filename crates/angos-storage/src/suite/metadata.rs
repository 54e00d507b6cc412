//! Cases for metadata.

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::{Finding, Outcome, fresh, holds, same, sample};
use crate::{Batch, Error, MetadataStore};

type Store = Arc<dyn MetadataStore>;

pub(super) async fn all(store: &Store) -> Outcome {
    values_are_read_back(store).await?;
    scans_are_ordered_and_bounded(store).await?;
    conditions_decide_for_the_whole_batch(store).await?;
    operations_see_those_before_them(store).await?;
    versions_name_writes(store).await?;
    one_of_many_creates_wins(store).await?;
    no_increment_is_lost(store).await?;
    batches_are_seen_whole(store).await?;
    a_snapshot_shows_one_moment(store).await
}

async fn a_snapshot_shows_one_moment(store: &Store) -> Outcome {
    let prefix = fresh()?;
    let keys: Vec<Bytes> = (0..50_u8).map(|index| key(prefix, &[index])).collect();
    for key in &keys {
        store.apply(Batch::new().put(key.clone(), "before")).await?;
    }
    let mut snapshot = store.snapshot().await?;
    let mut found = snapshot.next(7).await?;
    for key in &keys {
        store.apply(Batch::new().delete(key.clone())).await?;
    }
    store.apply(Batch::new().put(key(prefix, b"later"), "after")).await?;
    loop {
        let page = snapshot.next(7).await?;
        holds("a page is no longer than asked", page.len() <= 7)?;
        if page.is_empty() {
            break;
        }
        found.extend(page);
    }
    holds("strictly ascending", found.is_sorted_by(|left, right| left.key < right.key))?;
    found.retain(|entry| entry.key.starts_with(&key(prefix, b"")));
    holds("values", found.iter().all(|entry| entry.value == "before"))?;
    let found: Vec<Bytes> = found.into_iter().map(|entry| entry.key).collect();
    same("keys of the moment", found, keys)
}

/// Below what, after what, how many, and what is expected.
type Row = (&'static [u8], Option<&'static [u8]>, usize, &'static [&'static [u8]]);

/// A key below a prefix of its own.
fn key(prefix: u64, rest: &[u8]) -> Bytes {
    [format!("suite/{prefix:016x}/").as_bytes(), rest].concat().into()
}

async fn value(store: &Store, key: &Bytes) -> Result<Option<Bytes>, Finding> {
    Ok(store.read(key).await?.map(|found| found.value))
}

/// Applies, and tells the key that was in the way.
async fn conflict(store: &Store, batch: Batch) -> Result<Option<Bytes>, Finding> {
    match store.apply(batch).await {
        Ok(()) => Ok(None),
        Err(Error::Conflict { key }) => Ok(Some(key)),
        Err(error) => Err(error.into()),
    }
}

async fn values_are_read_back(store: &Store) -> Outcome {
    let prefix = fresh()?;
    let rows: [(&[u8], Bytes); 5] = [
        (b"plain", Bytes::from_static(b"value")),
        (b"empty", Bytes::new()),
        (b"\x00\xff\x00", Bytes::from_static(b"\x00")),
        (b"", Bytes::from_static(b"of the prefix itself")),
        (b"large", sample(prefix, 5 << 20)),
    ];
    for (rest, content) in rows {
        let key = key(prefix, rest);
        same("before", value(store, &key).await?, None)?;
        store.apply(Batch::new().put(key.clone(), content.clone())).await?;
        same("after put", value(store, &key).await?, Some(content))?;
        store.apply(Batch::new().put(key.clone(), "other")).await?;
        same("after another put", value(store, &key).await?, Some("other".into()))?;
        store.apply(Batch::new().delete(key.clone())).await?;
        same("after delete", value(store, &key).await?, None)?;
        store.apply(Batch::new().delete(key)).await?;
    }
    store.apply(Batch::new()).await.map_err(Finding::from)
}

async fn scans_are_ordered_and_bounded(store: &Store) -> Outcome {
    let prefix = fresh()?;
    let rests: [&[u8]; 7] = [b"a", b"a\x00", b"a\xff", b"a\xff\xff", b"aa", b"b", b"\xff"];
    let mut batch = Batch::new();
    for rest in rests {
        batch = batch.put(key(prefix, rest), rest);
    }
    store.apply(batch).await?;
    let rows: [Row; 11] = [
        (b"", None, 100, &[b"a", b"a\x00", b"aa", b"a\xff", b"a\xff\xff", b"b", b"\xff"]),
        (b"a", None, 100, &[b"a", b"a\x00", b"aa", b"a\xff", b"a\xff\xff"]),
        (b"a", None, 2, &[b"a", b"a\x00"]),
        (b"a", None, 0, &[]),
        (b"a", Some(b"a\x00"), 2, &[b"aa", b"a\xff"]),
        (b"a", Some(b"a\x01"), 1, &[b"aa"]),
        (b"a", Some(b"a\xff\xff"), 9, &[]),
        (b"a", Some(b"zzz"), 9, &[]),
        (b"a", Some(b""), 1, &[b"a"]),
        (b"a\xff", None, 9, &[b"a\xff", b"a\xff\xff"]),
        (b"nothing", None, 9, &[]),
    ];
    for (below, after, limit, expected) in rows {
        let after = after.map(|after| key(prefix, after));
        let found = store.scan(&key(prefix, below), after.as_deref(), limit).await?;
        let keys: Vec<Bytes> = found.iter().map(|entry| entry.key.clone()).collect();
        let expected_keys: Vec<Bytes> = expected.iter().map(|rest| key(prefix, rest)).collect();
        same(&format!("scan {below:?} after {after:?} limit {limit}"), keys, expected_keys)?;
        holds("values", found.iter().zip(expected).all(|(entry, rest)| entry.value == *rest))?;
    }
    Ok(())
}

async fn conditions_decide_for_the_whole_batch(store: &Store) -> Outcome {
    let prefix = fresh()?;
    let [there, missing, witness, no] =
        [b"there", b"missi", b"witne", b"never"].map(|rest| key(prefix, rest));
    store.apply(Batch::new().put(there.clone(), "old")).await?;
    let stale = store.read(&there).await?.ok_or(Finding("lost".into()))?.version;
    store.apply(Batch::new().put(there.clone(), "new")).await?;
    let current = store.read(&there).await?.ok_or(Finding("lost".into()))?.version;
    let rows = [
        ("create of what exists", Batch::new().create(there.clone(), "x"), Some(&there)),
        ("replace of an old version", Batch::new().replace(there.clone(), stale, "x"), Some(&there)),
        ("replace of what is missing", Batch::new().replace(missing.clone(), current, "x"), Some(&missing)),
        ("replace of the current version", Batch::new().replace(there.clone(), current, "x"), None),
        ("create of what is missing", Batch::new().create(missing.clone(), "x"), None),
        ("required present, and there", Batch::new().require_present(there.clone()), None),
        ("required present, but missing", Batch::new().require_present(no.clone()), Some(&no)),
        ("required absent, and missing", Batch::new().require_absent(no.clone()), None),
        ("required absent, but there", Batch::new().require_absent(there.clone()), Some(&there)),
    ];
    for (what, condition, expected) in rows {
        let mut batch = Batch::new().put(witness.clone(), what);
        for operation in condition.operations() {
            batch = batch.with(operation.clone());
        }
        let batch = batch.delete(key(prefix, b"another"));
        same(what, conflict(store, batch).await?.as_ref(), expected)?;
        let seen = value(store, &witness).await?;
        same(what, seen, expected.is_none().then(|| Bytes::from(what)))?;
        store.apply(Batch::new().delete(witness.clone())).await?;
    }
    Ok(())
}

async fn operations_see_those_before_them(store: &Store) -> Outcome {
    let prefix = fresh()?;
    let key = key(prefix, b"k");
    store.apply(Batch::new().put(key.clone(), "1")).await?;
    let version = store.read(&key).await?.ok_or(Finding("lost".into()))?.version;
    let (k, new) = (|| key.clone(), Batch::new);
    let rows = [
        ("put, create", new().put(k(), "x").create(k(), "y"), true, "1"),
        ("put, replace", new().put(k(), "x").replace(k(), version, "y"), true, "1"),
        ("delete, replace", new().delete(k()).replace(k(), version, "y"), true, "1"),
        ("delete, create, create", new().delete(k()).create(k(), "x").create(k(), "y"), true, "1"),
        ("delete, create", new().delete(k()).create(k(), "x"), false, "x"),
        ("put, put", new().put(k(), "y").put(k(), "z"), false, "z"),
        ("delete, required present", new().delete(k()).require_present(k()), true, "z"),
        ("delete, required absent, put", new().delete(k()).require_absent(k()).put(k(), "x"), false, "x"),
        ("put, required absent", new().put(k(), "y").require_absent(k()), true, "x"),
        ("required present, create", new().require_present(k()).create(k(), "y"), true, "x"),
    ];
    for (what, batch, conflicts, expected) in rows {
        same(what, conflict(store, batch).await?.is_some(), conflicts)?;
        same(what, value(store, &key).await?, Some(expected.into()))?;
    }
    store.apply(new().put(k(), "x").delete(k())).await?;
    same("put, delete", value(store, &key).await?, None)
}

async fn versions_name_writes(store: &Store) -> Outcome {
    let key = key(fresh()?, b"k");
    let mut seen = std::collections::HashSet::new();
    for _ in 0..4 {
        store.apply(Batch::new().put(key.clone(), "equal")).await?;
        let first = store.read(&key).await?.ok_or(Finding("lost".into()))?;
        let again = store.read(&key).await?.ok_or(Finding("lost".into()))?;
        same("version of one write", first.version, again.version)?;
        holds("a new version for a new write", seen.insert(first.version))?;
    }
    Ok(())
}

async fn one_of_many_creates_wins(store: &Store) -> Outcome {
    let key = key(fresh()?, b"contested");
    let mut racers = JoinSet::new();
    for racer in 0..32 {
        let (store, key) = (Arc::clone(store), key.clone());
        racers.spawn(async move {
            conflict(&store, Batch::new().create(key, racer.to_string())).await.map(|lost| (racer, lost))
        });
    }
    let mut winners = Vec::new();
    for finished in racers.join_all().await {
        let (racer, lost) = finished?;
        if lost.is_none() {
            winners.push(racer.to_string());
        }
    }
    same("winners", winners.len(), 1)?;
    let stored = value(store, &key).await?;
    same("the winner's value", stored, winners.into_iter().next().map(Bytes::from))
}

async fn no_increment_is_lost(store: &Store) -> Outcome {
    let key = key(fresh()?, b"counter");
    store.apply(Batch::new().put(key.clone(), "0")).await?;
    let mut racers = JoinSet::new();
    for _ in 0..32 {
        let (store, key) = (Arc::clone(store), key.clone());
        racers.spawn(async move {
            loop {
                let found = store.read(&key).await?.ok_or(Finding("lost".into()))?;
                let count: u32 = std::str::from_utf8(&found.value)
                    .ok()
                    .and_then(|text| text.parse().ok())
                    .ok_or(Finding("not a number".into()))?;
                let next = Batch::new().replace(key.clone(), found.version, (count + 1).to_string());
                if conflict(&store, next).await?.is_none() {
                    return Ok::<(), Finding>(());
                }
            }
        });
    }
    for finished in racers.join_all().await {
        finished?;
    }
    same("count", value(store, &key).await?, Some("32".into()))
}

async fn batches_are_seen_whole(store: &Store) -> Outcome {
    let prefix = fresh()?;
    let (left, right) = (key(prefix, b"left"), key(prefix, b"right"));
    let writer = {
        let (store, left, right) = (Arc::clone(store), left.clone(), right.clone());
        tokio::spawn(async move {
            for round in 0..50 {
                let batch =
                    Batch::new().put(left.clone(), round.to_string()).put(right.clone(), round.to_string());
                store.apply(batch).await?;
            }
            Ok::<(), Error>(())
        })
    };
    while !writer.is_finished() {
        let seen = store.scan(&key(prefix, b""), None, 10).await?;
        let values: Vec<&Bytes> = seen.iter().map(|entry| &entry.value).collect();
        match values.as_slice() {
            [] => {}
            [left, right] => same("both sides of a batch", left, right)?,
            _ => return Err(Finding("half a batch is visible".into())),
        }
        tokio::task::yield_now().await;
    }
    Ok(writer.await.map_err(|error| Finding(error.to_string()))??)
}
