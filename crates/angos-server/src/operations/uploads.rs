//! Stage 7: upload sessions.

use angos_oci::UploadId;
use angos_oci::{Algorithm, ContentRange, Digest, Name};
use angos_registry::Error;
use hyper::header::CONTENT_RANGE;

use super::Context;
use crate::request::body::RequestBody;
use crate::respond::Outcome;
use crate::respond::error::RequestError;

pub(super) async fn start(
    cx: &Context<'_>,
    name: &Name,
    algorithm: Option<Algorithm>,
) -> Result<Outcome, RequestError> {
    let id = cx.registry().start_upload(name, algorithm).await?;
    Ok(Outcome::UploadAccepted { name: name.clone(), id, offset: 0 })
}

pub(super) async fn status(cx: &Context<'_>, name: &Name, id: &UploadId) -> Result<Outcome, RequestError> {
    let offset = cx.registry().upload_progress(name, id).await?;
    Ok(Outcome::UploadStatus { name: name.clone(), id: *id, offset })
}

pub(super) async fn update(
    cx: &Context<'_>,
    name: &Name,
    id: &UploadId,
    body: &mut RequestBody,
) -> Result<Outcome, RequestError> {
    let (range, announced) = (content_range(cx)?, body.announced());
    let updated = cx.registry().update_upload(name, id, range, announced, body).await;
    let offset = updated.map_err(|error| refusal(error, name, id))?;
    Ok(Outcome::UploadAccepted { name: name.clone(), id: *id, offset })
}

pub(super) async fn complete(
    cx: &Context<'_>,
    name: &Name,
    id: &UploadId,
    digest: &Digest,
    body: &mut RequestBody,
) -> Result<Outcome, RequestError> {
    let (range, announced) = (content_range(cx)?, body.announced());
    let completed = cx.registry().complete_upload(name, id, digest, range, announced, body).await;
    completed.map_err(|error| refusal(error, name, id))?;
    Ok(Outcome::BlobStored { name: name.clone(), digest: *digest })
}

pub(super) async fn cancel(cx: &Context<'_>, name: &Name, id: &UploadId) -> Result<Outcome, RequestError> {
    cx.registry().cancel_upload(name, id).await?;
    Ok(Outcome::UploadCancelled)
}

fn content_range(cx: &Context<'_>) -> Result<Option<ContentRange>, RequestError> {
    let value = cx.single_header(&CONTENT_RANGE).map_err(|_| RequestError::ContentRangeInvalid)?;
    let Some(value) = value else { return Ok(None) };
    let value = value.to_str().map_err(|_| RequestError::ContentRangeInvalid)?;
    value.parse().map(Some).map_err(|_| RequestError::ContentRangeInvalid)
}

/// A chunk that does not fit is told where the upload stands, so that the client can go on from there.
fn refusal(error: Error, name: &Name, id: &UploadId) -> RequestError {
    match error {
        Error::RangeInvalid { offset } => RequestError::UploadRange { name: name.clone(), id: *id, offset },
        other => other.into(),
    }
}
