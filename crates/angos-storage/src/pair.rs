//! Whether blobs and metadata belong together: asked before anything is created, so that a volume that is not mounted
//! is a refusal to start and not an empty registry.

use std::path::Path;

use crate::{Error, MetadataStore as _, filesystem::FilesystemBlobs, redb::RedbMetadata};

/// Opens both, or neither. What is created is created when neither of them is there.
pub(crate) fn open(
    blobs_dir: &Path,
    metadata_dir: &Path,
    cache_bytes: usize,
    sync: bool,
) -> Result<(FilesystemBlobs, RedbMetadata), Error> {
    let blobs_before = FilesystemBlobs::folder_contents(blobs_dir)?;
    let file = RedbMetadata::file(metadata_dir);
    let has_metadata = file.try_exists().map_err(|error| Error::from_io("open", &file, error))?;
    // A start makes the metadata first. Whoever finds blobs alone finds what is left of a store.
    if blobs_before.has_content && !has_metadata {
        return Err(Error::Unpaired { missing: file, beside: blobs_dir.to_owned() });
    }
    let metadata = RedbMetadata::open(metadata_dir, cache_bytes, sync)?;
    if !blobs_before.has_folder && metadata.has_entries()? {
        return Err(Error::Unpaired { missing: blobs_dir.join("blobs"), beside: file });
    }
    let blobs = FilesystemBlobs::open(blobs_dir, sync)?;
    match (metadata.store_id()?, blobs.store_id()?) {
        (Some(metadata), Some(blobs)) if metadata == blobs => {}
        (Some(_), Some(_)) => {
            return Err(Error::Mismatched { blobs: blobs_dir.to_owned(), metadata: file });
        }
        (of_metadata, of_blobs) => {
            // Of an older version. A start must also succeed on a full disk, to serve and to delete.
            if let Err(error) = join(&blobs, of_blobs, &metadata, of_metadata) {
                tracing::warn!(target: "angos::storage", %error, "the store has no id yet; the next start tries again");
            }
        }
    }
    Ok((blobs, metadata))
}

/// Gives one id to both; the metadata comes first.
fn join(
    blobs: &FilesystemBlobs,
    of_blobs: Option<u64>,
    metadata: &RedbMetadata,
    of_metadata: Option<u64>,
) -> Result<(), Error> {
    let id = match of_metadata {
        Some(id) => id,
        None => metadata.make_store_id(of_blobs)?,
    };
    if of_blobs.is_none() {
        blobs.set_store_id(id)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
