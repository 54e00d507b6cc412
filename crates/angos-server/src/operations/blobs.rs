//! Stage 7: blobs.

use std::sync::Arc;

use angos_oci::{ByteRange, Digest, Name};
use hyper::header::{IF_RANGE, RANGE};

use super::{Context, uploads};
use crate::authorize::permit::{DeleteBlob, GetBlob, MountBlob, Permit, PushBlob, StartUpload};
use crate::authorize::recheck::Recheck;
use crate::limits::{MOUNT_CANDIDATES_MAX, RECHECK_BLOB_BYTES};
use crate::request::body::RequestBody;
use crate::request::error::RequestError;
use crate::respond::Outcome;

pub(super) async fn pull(cx: &Context<'_>, permit: Permit<GetBlob>) -> Result<Outcome, RequestError> {
    let blob = permit.into_operation();
    let GetBlob { name, digest } = &blob;
    if cx.head_only {
        let size = cx.registry().blob(name, digest).await?;
        return Ok(Outcome::BlobFound { digest: *digest, size });
    }
    let reader = cx.registry().read_blob(name, digest, range(cx, digest)?).await?;
    let (digest, range) = (*digest, reader.range());
    let is_long = range.end.saturating_sub(range.start) > RECHECK_BLOB_BYTES;
    let recheck = is_long.then(|| Arc::new(Recheck::new(cx.connection, cx.authorizer, blob.into())));
    Ok(Outcome::BlobContent { digest, reader, recheck })
}

/// The requested range. `None`, which is the whole blob, for several ranges, another unit, or an `If-Range` that names
/// other content.
fn range(cx: &Context<'_>, digest: &Digest) -> Result<Option<ByteRange>, RequestError> {
    let Some(range) = cx.header(&RANGE) else { return Ok(None) };
    if cx.header(&IF_RANGE).is_some_and(|known| known.trim_matches('"') != digest.to_string()) {
        return Ok(None);
    }
    ByteRange::parse(range).map_err(|_| RequestError::RangeInvalid)
}

pub(super) async fn delete(cx: &Context<'_>, permit: Permit<DeleteBlob>) -> Result<Outcome, RequestError> {
    let DeleteBlob { name, digest } = permit.into_operation();
    cx.registry().delete_blob(&name, &digest).await?;
    Ok(Outcome::Deleted)
}

pub(super) async fn push(
    cx: &Context<'_>,
    permit: Permit<PushBlob>,
    body: &mut RequestBody,
) -> Result<Outcome, RequestError> {
    let PushBlob { name, digest } = permit.into_operation();
    let announced = body.announced();
    cx.registry().push_blob(&name, &digest, announced, body).await?;
    Ok(Outcome::BlobStored { name, digest })
}

/// Makes a blob of another repository one of this repository. Starts an upload instead when no repository that the caller
/// may read has the blob; the response does not say why.
///
/// Without a source, the first owner that the caller may read is the source.
pub(super) async fn mount(cx: &Context<'_>, permit: Permit<MountBlob>) -> Result<Outcome, RequestError> {
    let MountBlob { name, digest, from } = permit.operation();
    let (name, digest) = (name.clone(), *digest);
    let source = match from {
        Some(from) => Some(from.clone()),
        None => readable_owner(cx, &name, &digest).await?,
    };
    if let Some(source) = source
        && let Ok(source) = cx.authorize(GetBlob { name: source, digest }).await
        && mount_from(cx, permit, source).await?
    {
        return Ok(Outcome::BlobStored { name, digest });
    }
    let algorithm = Some(digest.algorithm());
    let upload = cx.authorize(StartUpload { name, algorithm }).await?;
    uploads::start(cx, upload).await
}

/// The first owner of a blob that the caller may read.
///
/// Always makes [`MOUNT_CANDIDATES_MAX`] decisions, however many repositories own the blob and whatever the decisions are,
/// so that the time of a mount does not reveal what others own. The decisions are not recorded, because a denial would name
/// an owner.
async fn readable_owner(
    cx: &Context<'_>,
    name: &Name,
    digest: &Digest,
) -> Result<Option<Name>, RequestError> {
    let owners = cx.registry().blob_owners(digest, None, MOUNT_CANDIDATES_MAX).await?;
    let mut readable = None;
    for position in 0..MOUNT_CANDIDATES_MAX {
        let owner = owners.get(position);
        let may_read = cx.authorizer.may_read(owner.unwrap_or(name), digest);
        if may_read && readable.is_none() {
            readable = owner.cloned();
        }
    }
    Ok(readable)
}

/// Returns false when the source does not have the blob. A mount reads in one repository and writes in another, so it
/// takes two permits.
async fn mount_from(
    cx: &Context<'_>,
    target: Permit<MountBlob>,
    source: Permit<GetBlob>,
) -> Result<bool, RequestError> {
    let MountBlob { name, .. } = target.into_operation();
    let GetBlob { name: from, digest } = source.into_operation();
    Ok(cx.registry().mount_blob(&from, &name, &digest).await?)
}
