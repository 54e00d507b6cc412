//! Which store a folder belongs to, and what it holds before it is opened.

use std::{
    fs,
    io::{self, Read},
    os::unix::fs::FileExt,
    path::Path,
};

use angos_oci::Algorithm;
use rustix::fs::OFlags;

use super::disk::{BLOBS, Disk, Step, algorithm_path, staging_path};
use crate::limits::STORE_ID_MAX_BYTES;
use crate::{Error, SessionId};

/// The file that says which store the blobs belong to, and how it begins.
const STORE_ID: &str = "store.id";
const STORE_ID_START: &str = "angos-store-1 ";

/// What is in a folder before it is opened.
pub(crate) struct FolderContents {
    /// Whether it holds a blob, or once belonged to a store.
    pub(crate) has_content: bool,
    /// Whether the folder of all blobs is there.
    pub(crate) has_folder: bool,
}

impl Disk {
    /// What a folder holds that was the root of a store.
    pub(super) fn folder_contents(root: &Path) -> Result<FolderContents, Error> {
        let mut has_blobs = false;
        for folder in Algorithm::ALL.map(|algorithm| root.join(algorithm_path(algorithm))) {
            has_blobs |= match fs::read_dir(&folder) {
                Ok(mut entries) => entries.next().is_some(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => false,
                Err(error) => return Err(Error::from_io("read", &folder, error)),
            };
        }
        let exists = |name: &str| {
            let path = root.join(name);
            path.try_exists().map_err(|error| Error::from_io("open", path, error))
        };
        Ok(FolderContents { has_content: has_blobs || exists(STORE_ID)?, has_folder: exists(BLOBS)? })
    }

    /// The id of the store these blobs belong to. None: never given, or lost to a power failure while it was.
    pub(super) fn store_id(&self) -> Result<Option<u64>, Error> {
        let Some(file) = self.open_file(STORE_ID, OFlags::RDONLY)? else { return Ok(None) };
        let path = self.full(STORE_ID);
        let mut text = String::new();
        match file.take(STORE_ID_MAX_BYTES).read_to_string(&mut text) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {}
            Err(error) => return Err(Error::from_io("read", path, error)),
        }
        let id = text.strip_prefix(STORE_ID_START).map(str::trim_end);
        match id.and_then(|id| u64::from_str_radix(id, 16).ok()) {
            Some(id) => Ok(Some(id)),
            None => Err(Error::NotAnAngosStore { path, reason: "it holds no id of a store".into() }),
        }
    }

    /// Records the id of the store, as a whole or not at all.
    pub(super) fn set_store_id(&self, id: u64) -> Result<(), Error> {
        let fresh = staging_path(SessionId::random()?);
        let file = self.create(&fresh)?;
        let written = file
            .write_all_at(format!("{STORE_ID_START}{id:016x}\n").as_bytes(), 0)
            .and_then(|()| self.rename(Step::Record, &fresh, STORE_ID));
        written.map_err(|error| {
            let _ = self.remove(&fresh);
            Error::from_io("write", self.full(STORE_ID), error)
        })
    }
}
