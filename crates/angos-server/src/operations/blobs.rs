//! Stage 7: blobs.

use std::sync::Arc;

use angos_access::Operation;
use angos_oci::{ByteRange, Digest, Name};
use hyper::header::{IF_RANGE, RANGE};

use super::{Context, uploads};
use crate::authorize::Permit;
use crate::authorize::recheck::Recheck;
use crate::limits::{MOUNT_CANDIDATES_MAX, RECHECK_BLOB_BYTES};
use crate::request::body::RequestBody;
use crate::respond::Outcome;
use crate::respond::error::RequestError;

pub(super) async fn pull(
    cx: &Context<'_>,
    permit: &Permit,
    name: &Name,
    digest: &Digest,
) -> Result<Outcome, RequestError> {
    if cx.head_only {
        let size = cx.registry().blob(name, digest).await?;
        return Ok(Outcome::BlobFound { digest: *digest, size });
    }
    let reader = cx.registry().read_blob(name, digest, range(cx, digest)?).await?;
    let range = reader.range();
    let is_long = range.end.saturating_sub(range.start) > RECHECK_BLOB_BYTES;
    let recheck = is_long.then(|| Arc::new(Recheck::new(cx.connection, cx.gate, cx.challenge, permit)));
    Ok(Outcome::BlobContent { digest: *digest, reader, recheck })
}

/// The range asked for. Several ranges, another unit, or an `If-Range` that names other content: all of it.
fn range(cx: &Context<'_>, digest: &Digest) -> Result<Option<ByteRange>, RequestError> {
    let Some(range) = cx.header(&RANGE) else { return Ok(None) };
    if cx.header(&IF_RANGE).is_some_and(|known| known.trim_matches('"') != digest.to_string()) {
        return Ok(None);
    }
    ByteRange::parse(range).map_err(|_| RequestError::RangeInvalid)
}

pub(super) async fn delete(cx: &Context<'_>, name: &Name, digest: &Digest) -> Result<Outcome, RequestError> {
    cx.registry().delete_blob(name, digest).await?;
    Ok(Outcome::Deleted)
}

pub(super) async fn push(
    cx: &Context<'_>,
    name: &Name,
    digest: &Digest,
    body: &mut RequestBody,
) -> Result<Outcome, RequestError> {
    let announced = body.announced();
    cx.registry().push_blob(name, digest, announced, body).await?;
    Ok(Outcome::BlobStored { name: name.clone(), digest: *digest })
}

/// Makes a blob of another repository one of this repository, or starts an upload when there is none the caller may
/// read; which of the two was the case is not told.
///
/// Without a source, the first owner that the caller may read is the source.
pub(super) async fn mount(
    cx: &Context<'_>,
    name: &Name,
    digest: &Digest,
    from: Option<&Name>,
) -> Result<Outcome, RequestError> {
    let source = match from {
        Some(from) => Some(from.clone()),
        None => readable_owner(cx, name, digest).await?,
    };
    if let Some(source) = source
        && let Ok(permit) = cx.admit(Operation::GetBlob { name: source, digest: *digest })
        && mount_from(cx, &permit, name).await?
    {
        return Ok(Outcome::BlobStored { name: name.clone(), digest: *digest });
    }
    let algorithm = Some(digest.algorithm());
    cx.admit(Operation::StartUpload { name: name.clone(), algorithm })?;
    uploads::start(cx, name, algorithm).await
}

/// The first owner of a blob that the caller may read.
///
/// It always makes [`MOUNT_CANDIDATES_MAX`] decisions, however many repositories own the blob and whatever the answers are, so
/// that the time of a mount does not depend on what others own. They are not recorded: a refusal would name owners.
async fn readable_owner(
    cx: &Context<'_>,
    name: &Name,
    digest: &Digest,
) -> Result<Option<Name>, RequestError> {
    let owners = cx.registry().blob_owners(digest, None, MOUNT_CANDIDATES_MAX).await?;
    let mut readable = None;
    for position in 0..MOUNT_CANDIDATES_MAX {
        let owner = owners.get(position);
        let may_read = cx.gate.may_read(owner.unwrap_or(name), digest);
        if may_read && readable.is_none() {
            readable = owner.cloned();
        }
    }
    Ok(readable)
}

/// `source` is the permit to read the blob where it is; the one to mount it was given before.
async fn mount_from(cx: &Context<'_>, source: &Permit, name: &Name) -> Result<bool, RequestError> {
    let Operation::GetBlob { name: from, digest } = source.operation() else { return Ok(false) };
    Ok(cx.registry().mount_blob(from, name, digest).await?)
}
