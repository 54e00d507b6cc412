//! Stores a blob and a record of it in a folder, and reads both back.

use angos_oci::{Algorithm, Digest};
use angos_storage::{Batch, Error, Settings, Storage};
use bytes::Bytes;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("angos-storage-example-{}", std::process::id()));
    let storage = Storage::open(&Settings::in_folder(&folder))?;

    // Content arrives in pieces, also over several requests and restarts.
    let content = Bytes::from_static(b"the content of a layer");
    let digest = Digest::of(Algorithm::Sha256, &content);
    let session = storage.blobs.begin(Algorithm::Sha256).await?;
    let mut writer = storage.blobs.append(&session, 0).await?;
    writer.write(content.slice(..10)).await?;
    let progress = writer.finish().await?;
    let mut writer = storage.blobs.append(&session, progress.offset).await?;
    writer.write(content.slice(10..)).await?;
    writer.commit(&digest).await?;

    // Then what it is, so that no record ever names content that is not there.
    let tag = Batch::new().create("tag/latest", digest.to_string());
    storage.metadata.apply(tag.clone()).await?;
    assert!(matches!(storage.metadata.apply(tag).await, Err(Error::Conflict { .. })));

    let mut reader = storage.blobs.read(&digest, Some(4..11)).await?.ok_or("lost")?;
    while let Some(chunk) = reader.next().await {
        assert_eq!(chunk?, "content");
    }
    drop(reader);
    drop(storage);
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
