//! Listings in order, a page at a time: of sessions, and of blobs for verification and collection.

use std::{collections::BTreeSet, fs, io, path::Path, time::SystemTime};

use angos_oci::{Algorithm, Digest};

use super::disk::{Disk, UPLOADS, algorithm_path, blob_path};
use super::sessions::{data_path, state_path};
use crate::{Error, SessionId};

impl Disk {
    /// The first `limit` sessions after `after`. Also half-removed ones, so that they expire.
    pub(super) fn sessions(
        &self,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Vec<(SessionId, SystemTime)>, Error> {
        let folder = self.full(UPLOADS);
        let mut page: BTreeSet<SessionId> = BTreeSet::new();
        for_each_name(&folder, |name| {
            let Some(id) = name.split_once('.').and_then(|(id, _)| id.parse::<SessionId>().ok()) else {
                return;
            };
            let full = page.len() >= limit && page.last().is_none_or(|last| *last < id);
            if full || after.is_some_and(|after| id <= after) {
                return;
            }
            page.insert(id);
            if page.len() > limit {
                page.pop_last();
            }
        })?;
        // Only those of the page are looked at, however many there are. A session without a file is gone since.
        let touched = |id| Some((id, self.touched(id)?));
        Ok(page.into_iter().filter_map(touched).collect())
    }

    /// When a session was last written to.
    fn touched(&self, id: SessionId) -> Option<SystemTime> {
        let files =
            Algorithm::ALL.map(|algorithm| data_path(id, algorithm)).into_iter().chain([state_path(id)]);
        let modified =
            |path: String| fs::symlink_metadata(self.full(&path)).and_then(|found| found.modified()).ok();
        files.filter_map(modified).max()
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
