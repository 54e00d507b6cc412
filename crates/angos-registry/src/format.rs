//! The format of the records, and the steps from an older one.
//!
//! | format | what it has |
//! |---|---|
//! | 1 | no entry `kformat`; references of manifests are in their bytes alone |
//! | 2 | an entry for each blob that a manifest references (family `l`) |
//!
//! A step is resumable: it writes entries that are right whether or not the step comes to its end, and the format last.

use angos_storage::Batch;
use bytes::Bytes;

use crate::limits::{MIGRATION_PAGE, STORE_FORMAT};
use crate::record::{self, Number, Record as _, Revision};
use crate::{Error, Registry, Result, key};

impl Registry {
    /// Refuses a store that a newer version wrote ([`Error::FormatTooNew`]). Reads one record; to be called before the
    /// registry serves.
    pub async fn check_format(&self) -> Result<()> {
        self.format().await.map(drop)
    }

    async fn format(&self) -> Result<u64> {
        let found: Option<Number> = self.record(key::FORMAT).await?;
        match found.map_or(1, |found| found.0) {
            found if found > STORE_FORMAT => Err(Error::FormatTooNew { found, supported: STORE_FORMAT }),
            found => Ok(found),
        }
    }

    /// Brings the records to the current format; nothing is collected before that. Goes on where it was interrupted.
    pub(crate) async fn migrate(&self) -> Result<()> {
        if self.format().await? >= STORE_FORMAT {
            return Ok(());
        }
        let mut after: Option<Bytes> = self.metadata().read(key::MIGRATION).await?.map(|found| found.value);
        loop {
            let page = self.scan(key::REVISIONS, after.as_deref(), MIGRATION_PAGE).await?;
            let Some(last) = page.last() else { break };
            let last = last.key.clone();
            let mut batch = Batch::new();
            for entry in page {
                let (name, digest) =
                    key::parse_revision(&entry.key).ok_or(Error::Corrupt { what: "key of a revision" })?;
                // A damaged revision references nothing; pushing it again records what it references.
                let Ok(Some(revision)) = record::present::<Revision>(entry.value) else { continue };
                for blob in self.stored_references(&digest, &revision).await?.iter() {
                    batch = batch.put(key::reference(&name, blob, &digest), Bytes::new());
                }
            }
            self.apply(batch.put(key::MIGRATION, last.clone())).await?;
            after = Some(last);
        }
        let batch = Batch::new().put(key::FORMAT, Number(STORE_FORMAT).encode());
        self.apply(batch.delete(key::MIGRATION)).await
    }
}
