//! A consistent copy of an open store: the metadata of one moment, then the blobs.
//!
//! The order makes it consistent: bytes are at rest before a record names them, so all that the metadata of one moment
//! names is there when the blobs are copied afterwards. What is pushed meanwhile may be copied too, without a record.
//! Uploads in progress are left out.
//!
//! The copy is laid out as a store with the metadata in the folder of the blobs. Until it is whole, both folders hold a
//! file that keeps it from being opened as one.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use angos_oci::Digest;

use crate::limits::{BACKUP_BLOBS_PER_PAGE, BACKUP_ENTRIES_PER_PAGE, METADATA_CACHE_BYTES};
use crate::{
    Batch, BlobStore as _, Error, FilesystemBlobs, MetadataStore as _, RedbMetadata, Storage,
    filesystem::blocking,
};

/// What a backup has copied so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backup {
    /// Records of the metadata.
    pub records: u64,
    /// Blobs.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs that share the bytes on the disk with the store, because both are on one filesystem.
    pub linked: u64,
    /// Blobs left out because they do not have their digest. Only blobs that are copied are verified.
    pub damaged: u64,
}

/// The folder of the metadata within that of the blobs.
const METADATA: &str = "metadata";

/// Says that the folder it is in is no store yet.
const INCOMPLETE: &str = "backup-incomplete";

impl Storage {
    /// Copies everything but uploads in progress to `folder`, which must not exist or be empty. What is stored
    /// meanwhile may be in the copy or not; what was acknowledged before is.
    ///
    /// The copy is durable when this returns. When it fails or is dropped, what is there so far is refused by
    /// [`Storage::open`] as [`Error::Incomplete`]. Blobs are linked where `folder` is on the same filesystem. `progress`
    /// is called now and then.
    ///
    /// [`Error::NotEmpty`] when the folder holds something.
    pub async fn backup(&self, folder: &Path, progress: impl Fn(Backup) + Send) -> Result<Backup, Error> {
        let path = folder.to_owned();
        let id = self.metadata.store_id()?;
        let mut copy = blocking(move || Copy::begin(path, id)).await?;
        let mut done = Backup::default();
        // Before the snapshot: what it names is not removed until it is copied.
        let _pause = self.blobs.pause_deletions();
        let mut snapshot = self.metadata.snapshot().await?;
        loop {
            let page = snapshot.next(BACKUP_ENTRIES_PER_PAGE).await?;
            if page.is_empty() {
                break;
            }
            done.records += page.len() as u64;
            let batch = page.into_iter().fold(Batch::new(), |batch, entry| batch.put(entry.key, entry.value));
            copy.metadata.apply(batch).await?;
            progress(done);
        }
        // Before the blobs, which take longer: it keeps space in the metadata from being used again.
        drop(snapshot);
        let mut after: Option<Digest> = None;
        loop {
            let page = self.blobs.scan(after.as_ref(), BACKUP_BLOBS_PER_PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(*last);
            for (digest, size) in page {
                copy.blob(self, digest, size, &mut done).await?;
            }
            progress(done);
        }
        blocking(move || copy.finish()).await?;
        Ok(done)
    }
}

/// A copy that is being made.
struct Copy {
    folder: PathBuf,
    metadata: RedbMetadata,
    blobs: FilesystemBlobs,
    /// Whether blobs can be linked here.
    links: bool,
}

impl Copy {
    /// `id`: of the store that is copied; its blobs may later be used with the metadata of the copy.
    fn begin(folder: PathBuf, id: Option<u64>) -> Result<Copy, Error> {
        let fail = |path: &Path, error: io::Error| Error::from_io("create", path, error);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(|error| fail(&folder, error))?;
        let mut entries = fs::read_dir(&folder).map_err(|error| Error::from_io("read", &folder, error))?;
        if entries.next().is_some() {
            return Err(Error::NotEmpty { path: folder });
        }
        let below = folder.join(METADATA);
        DirBuilder::new().mode(0o700).create(&below).map_err(|error| fail(&below, error))?;
        for folder in [&folder, &below] {
            let mark = folder.join(INCOMPLETE);
            File::create_new(&mark).map_err(|error| fail(&mark, error))?;
            sync_folder(folder)?;
        }
        // All of it is synced at the end, at once.
        let metadata = RedbMetadata::open(&below, METADATA_CACHE_BYTES, false)?;
        let blobs = FilesystemBlobs::open(&folder, false)?;
        if let Some(id) = id {
            metadata.make_store_id(Some(id))?;
            blobs.set_store_id(id)?;
        }
        Ok(Copy { folder, metadata, blobs, links: true })
    }

    async fn blob(
        &mut self,
        from: &Storage,
        digest: Digest,
        size: u64,
        done: &mut Backup,
    ) -> Result<(), Error> {
        if self.links
            && let Some(file) = from.blobs.file(&digest)
        {
            match self.blobs.link_blob_from(file, digest).await? {
                Some(true) => {
                    done.linked += 1;
                    done.blobs += 1;
                    done.bytes += size;
                    return Ok(());
                }
                // Gone since it was listed.
                Some(false) => return Ok(()),
                None => self.links = false,
            }
        }
        let Some(mut reader) = from.blobs.read(&digest, None).await? else { return Ok(()) };
        let mut writer = self.blobs.stage(digest.algorithm()).await?;
        while let Some(chunk) = reader.next().await {
            match chunk {
                Ok(chunk) => writer.write(chunk).await?,
                // It got shorter; the digest tells.
                Err(Error::Corrupt(_)) => break,
                Err(error) => return Err(error),
            }
        }
        match writer.commit(&digest).await {
            Ok(size) => {
                done.blobs += 1;
                done.bytes += size;
                Ok(())
            }
            Err(Error::DigestMismatch { .. }) => {
                tracing::warn!(target: "angos::storage", %digest, "damaged blob left out of the backup");
                done.damaged += 1;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Puts everything on the disk, then says that it is whole.
    fn finish(self) -> Result<(), Error> {
        let Copy { folder, metadata, blobs, .. } = self;
        drop((metadata, blobs));
        let opened = File::open(&folder).map_err(|error| Error::from_io("open", &folder, error))?;
        rustix::fs::syncfs(&opened).map_err(|error| Error::from_io("sync", &folder, error))?;
        for folder in [&folder.join(METADATA), &folder] {
            let mark = folder.join(INCOMPLETE);
            fs::remove_file(&mark).map_err(|error| Error::from_io("remove", &mark, error))?;
            sync_folder(folder)?;
        }
        Ok(())
    }
}

/// Refuses a folder with a backup that did not come to its end.
pub(crate) fn check_complete(root_dir: &Path) -> Result<(), Error> {
    let mark = root_dir.join(INCOMPLETE);
    match mark.try_exists() {
        Ok(false) => Ok(()),
        Ok(true) => Err(Error::Incomplete { path: root_dir.to_owned() }),
        Err(error) => Err(Error::from_io("look for", mark, error)),
    }
}

fn sync_folder(path: &Path) -> Result<(), Error> {
    let sync = || File::open(path)?.sync_all();
    sync().map_err(|error| Error::from_io("sync", path, error))
}

#[cfg(test)]
mod tests;
