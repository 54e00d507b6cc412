//! All entries of one moment: a read transaction, which keeps its pages until it is dropped.

use std::{ops::Bound, sync::Arc};

use bytes::Bytes;
use redb::{Database, ReadTransaction, ReadableDatabase};

use super::{ENTRIES, database::Shared, decode};
use crate::{BoxFuture, Entry, Error, Snapshot};

/// The entries of one moment.
pub(super) struct RedbSnapshot {
    view: Arc<View>,
    after: Option<Bytes>,
}

struct View {
    shared: Arc<Shared>,
    transaction: ReadTransaction,
    /// Which opening of the file it belongs to: one that follows does not know of the pages it reads.
    opening: u64,
}

impl RedbSnapshot {
    pub(super) fn take(shared: &Arc<Shared>) -> Result<RedbSnapshot, Error> {
        let taken = shared.attempt_at(|database: &Database, opening| Ok((database.begin_read()?, opening)));
        let (transaction, opening) = taken.map_err(|failed| failed.error)?;
        let view = View { shared: Arc::clone(shared), transaction, opening };
        Ok(RedbSnapshot { view: Arc::new(view), after: None })
    }
}

impl View {
    fn page(&self, after: Option<&[u8]>, limit: usize) -> Result<Vec<Entry>, Error> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let entries = self.shared.attempt_at(|_, opening| {
            // The file was opened again after a failure of the disk.
            if opening != self.opening {
                return Ok(None);
            }
            let table = self.transaction.open_table(ENTRIES)?;
            let mut entries = Vec::new();
            for item in table.range::<&[u8]>((start, Bound::Unbounded))?.take(limit) {
                let (key, stored) = item?;
                entries.push((Bytes::copy_from_slice(key.value()), decode(stored.value())));
            }
            Ok(Some(entries))
        });
        let entries = entries.map_err(|failed| failed.error)?.ok_or(Error::Closed)?;
        entries.into_iter().map(|(key, stored)| Ok(Entry { key, value: stored?.value })).collect()
    }
}

impl Snapshot for RedbSnapshot {
    fn next(&mut self, limit: usize) -> BoxFuture<'_, Result<Vec<Entry>, Error>> {
        Box::pin(async move {
            let (view, after) = (Arc::clone(&self.view), self.after.clone());
            let page = tokio::task::spawn_blocking(move || view.page(after.as_deref(), limit));
            let page = page.await.unwrap_or(Err(Error::Closed))?;
            if let Some(last) = page.last() {
                self.after = Some(last.key.clone());
            }
            Ok(page)
        })
    }
}
