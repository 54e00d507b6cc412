//! Listings in order, a page at a time: of sessions, and of blobs for verification and collection.

use std::{
    collections::BTreeMap,
    fs, io,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use angos_oci::{Algorithm, Digest};

use super::disk::{Disk, UPLOADS, algorithm_path, blob_path};
use crate::{Error, SessionId};

impl Disk {
    /// The first `limit` sessions after `after`. Also half-removed ones, so that they expire.
    pub(super) fn sessions(
        &self,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Vec<(SessionId, SystemTime)>, Error> {
        let folder = self.full(UPLOADS);
        let mut page: BTreeMap<SessionId, SystemTime> = BTreeMap::new();
        for_each_name(&folder, |name| {
            let Some(id) = name.split_once('.').and_then(|(id, _)| id.parse::<SessionId>().ok()) else {
                return;
            };
            let full = page.len() >= limit && page.last_key_value().is_none_or(|(last, _)| *last < id);
            if full || after.is_some_and(|after| id <= after) {
                return;
            }
            let modified = fs::symlink_metadata(folder.join(name)).and_then(|found| found.modified());
            // Gone since: committed or aborted.
            let Ok(modified) = modified else { return };
            let known = page.entry(id).or_insert(UNIX_EPOCH);
            *known = modified.max(*known);
            if page.len() > limit {
                page.pop_last();
            }
        })?;
        Ok(page.into_iter().collect())
    }

    /// The first `limit` blobs after `after`. Reads only the folders the page comes from.
    pub(super) fn scan(&self, after: Option<Digest>, limit: usize) -> Result<Vec<(Digest, u64)>, Error> {
        let mut page = Vec::new();
        let passed = |algorithm: &Algorithm| after.is_some_and(|after| *algorithm < after.algorithm());
        for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| !passed(algorithm)) {
            let after = after.filter(|after| after.algorithm() == algorithm);
            let start = after.and_then(|after| after.bytes().first().copied()).unwrap_or(0);
            for first in start..=u8::MAX {
                if page.len() >= limit {
                    return Ok(page);
                }
                self.scan_shard(algorithm, first, after, limit, &mut page)?;
            }
        }
        Ok(page)
    }

    fn scan_shard(
        &self,
        algorithm: Algorithm,
        first: u8,
        after: Option<Digest>,
        limit: usize,
        page: &mut Vec<(Digest, u64)>,
    ) -> Result<(), Error> {
        let folder = self.full(&format!("{}/{first:02x}", algorithm_path(algorithm)));
        let mut found = Vec::new();
        for_each_name(&folder, |name| {
            let digest = format!("{algorithm}:{name}").parse::<Digest>().ok();
            found.extend(digest.filter(|digest| after.is_none_or(|after| *digest > after)));
        })?;
        found.sort_unstable();
        for digest in found {
            if page.len() >= limit {
                break;
            }
            // Without a size it is gone since, or is no file.
            if let Ok(Some(size)) = self.size(&blob_path(&digest)) {
                page.push((digest, size));
            }
        }
        Ok(())
    }
}

/// Calls `each` for every name in a folder; a folder that is missing has none.
fn for_each_name(folder: &Path, mut each: impl FnMut(&str)) -> Result<(), Error> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(|error| Error::from_io("read", folder, error))?,
    };
    for entry in entries {
        let entry = entry.map_err(|error| Error::from_io("read", folder, error))?;
        if let Some(name) = entry.file_name().to_str() {
            each(name);
        }
    }
    Ok(())
}
