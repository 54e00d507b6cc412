//! The ordered map, as an ordered map.

use std::{collections::BTreeMap, ops::Bound, sync::Mutex};

use bytes::Bytes;

use super::lock;
use crate::{Batch, BoxFuture, Entry, Error, MetadataStore, Operation, Snapshot, Version, Versioned};

/// Metadata in memory.
#[derive(Debug, Default)]
pub struct MemoryMetadata {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<Bytes, Versioned>,
    writes: u64,
}

impl State {
    fn apply(&mut self, batch: &Batch) -> Result<(), Error> {
        batch.check(|key| Ok(self.entries.get(key).map(|entry| entry.version)))?;
        for operation in batch.operations() {
            match operation {
                Operation::RequireAbsent { .. } | Operation::RequirePresent { .. } => {}
                Operation::Delete { key } => {
                    self.entries.remove(key);
                }
                Operation::Put { key, value }
                | Operation::Create { key, value }
                | Operation::Replace { key, value, .. } => {
                    self.writes += 1;
                    let version = Version::from_number(self.writes);
                    self.entries.insert(key.clone(), Versioned { value: value.clone(), version });
                }
            }
        }
        Ok(())
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Vec<Entry> {
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        self.entries
            .range::<[u8], _>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .take(limit)
            .map(|(key, entry)| Entry { key: key.clone(), value: entry.value.clone() })
            .collect()
    }
}

impl MetadataStore for MemoryMetadata {
    fn read<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Versioned>, Error>> {
        Box::pin(async move { Ok(lock(&self.state).entries.get(key).cloned()) })
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a [u8],
        after: Option<&'a [u8]>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Entry>, Error>> {
        Box::pin(async move { Ok(lock(&self.state).scan(prefix, after, limit)) })
    }

    fn apply(&self, batch: Batch) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move { lock(&self.state).apply(&batch) })
    }

    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>, Error>> {
        Box::pin(async move {
            let entries = lock(&self.state).scan(b"", None, usize::MAX).into_iter();
            Ok(Box::new(MemorySnapshot(entries)) as Box<dyn Snapshot>)
        })
    }
}

/// The entries of one moment. Their bytes are shared.
struct MemorySnapshot(std::vec::IntoIter<Entry>);

impl Snapshot for MemorySnapshot {
    fn next(&mut self, limit: usize) -> BoxFuture<'_, Result<Vec<Entry>, Error>> {
        Box::pin(async move { Ok(self.0.by_ref().take(limit).collect()) })
    }
}
