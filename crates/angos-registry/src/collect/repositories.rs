//! Repositories that have nothing left leave the catalog.

use angos_oci::Name;
use angos_storage::Batch;
use bytes::Bytes;

use crate::limits::{GC_CANDIDATES_PER_PAGE, GC_EMPTY_SCAN};
use crate::record::{REMOVED, Timestamp};
use crate::{Error, Registry, Result, key};

impl Registry {
    /// Removes repositories that were empty for the grace time, and returns how many.
    pub(super) async fn collect_repositories(&self, dry_run: bool) -> Result<u64> {
        let (mut removed, mut after): (u64, Option<Bytes>) = (0, None);
        loop {
            let page = self.metadata().scan(key::EMPTIED, after.as_deref(), GC_CANDIDATES_PER_PAGE).await?;
            for entry in &page {
                let name: Option<Name> = key::text_after(&entry.key, key::EMPTIED);
                let name = name.ok_or(Error::Corrupt { what: "name of a repository" })?;
                removed += u64::from(self.collect_repository(&name, dry_run).await?);
            }
            match page.last() {
                Some(last) if page.len() == GC_CANDIDATES_PER_PAGE => after = Some(last.key.clone()),
                _ => return Ok(removed),
            }
        }
    }

    async fn collect_repository(&self, name: &Name, dry_run: bool) -> Result<bool> {
        let emptied_key = key::emptied(name);
        let found = self.versioned::<Timestamp>(&emptied_key).await?;
        let Some((since, version)) = found else { return Ok(false) };
        if self.now().0.saturating_sub(since.0) < self.grace() {
            return Ok(false);
        }
        // Read before the repository is looked at: every push writes it, and so makes the batch conflict.
        let catalog_key = key::catalog(name);
        let entry = self.versioned::<Timestamp>(&catalog_key).await?;
        let is_empty = self.is_empty(name).await?;
        if dry_run {
            return Ok(is_empty && entry.is_some());
        }
        let batch = Batch::new().replace(emptied_key.clone(), version, REMOVED).delete(emptied_key);
        let (batch, leaves) = match entry {
            Some((_, version)) if is_empty => {
                (batch.replace(catalog_key.clone(), version, REMOVED).delete(catalog_key), true)
            }
            _ => (batch, false),
        };
        match self.apply(batch).await {
            Ok(()) => Ok(leaves),
            Err(Error::Storage(angos_storage::Error::Conflict { .. })) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether a repository has no manifest, tag and blob.
    async fn is_empty(&self, name: &Name) -> Result<bool> {
        for family in [b'r', b't', b'b'] {
            let page = self.metadata().scan(&key::in_repository(family, name), None, GC_EMPTY_SCAN).await?;
            let is_full = page.len() == GC_EMPTY_SCAN;
            if is_full || page.iter().any(|entry| entry.value != REMOVED) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
