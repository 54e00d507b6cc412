//! Stage 7: upload sessions.

use angos_oci::{ContentRange, Name, UploadId};
use angos_registry::Error;
use hyper::header::CONTENT_RANGE;

use super::Context;
use crate::authorize::permit::{CancelUpload, CompleteUpload, GetUpload, Permit, StartUpload, UpdateUpload};
use crate::request::body::RequestBody;
use crate::request::error::RequestError;
use crate::respond::Outcome;

pub(super) async fn start(cx: &Context<'_>, permit: Permit<StartUpload>) -> Result<Outcome, RequestError> {
    let StartUpload { name, algorithm } = permit.into_operation();
    let id = cx.registry().start_upload(&name, algorithm).await?;
    Ok(Outcome::UploadAccepted { name, id, offset: 0 })
}

pub(super) async fn status(cx: &Context<'_>, permit: Permit<GetUpload>) -> Result<Outcome, RequestError> {
    let GetUpload { name, id } = permit.into_operation();
    let offset = cx.registry().upload_progress(&name, &id).await?;
    Ok(Outcome::UploadStatus { name, id, offset })
}

pub(super) async fn update(
    cx: &Context<'_>,
    permit: Permit<UpdateUpload>,
    body: &mut RequestBody,
) -> Result<Outcome, RequestError> {
    let UpdateUpload { name, id } = permit.into_operation();
    let (range, announced) = (content_range(cx)?, body.announced());
    let updated = cx.registry().update_upload(&name, &id, range, announced, body).await;
    let offset = updated.map_err(|error| upload_error(error, &name, &id))?;
    Ok(Outcome::UploadAccepted { name, id, offset })
}

pub(super) async fn complete(
    cx: &Context<'_>,
    permit: Permit<CompleteUpload>,
    body: &mut RequestBody,
) -> Result<Outcome, RequestError> {
    let CompleteUpload { name, id, digest } = permit.into_operation();
    let (range, announced) = (content_range(cx)?, body.announced());
    let completed = cx.registry().complete_upload(&name, &id, &digest, range, announced, body).await;
    completed.map_err(|error| upload_error(error, &name, &id))?;
    Ok(Outcome::BlobStored { name, digest })
}

pub(super) async fn cancel(cx: &Context<'_>, permit: Permit<CancelUpload>) -> Result<Outcome, RequestError> {
    let CancelUpload { name, id } = permit.into_operation();
    cx.registry().cancel_upload(&name, &id).await?;
    Ok(Outcome::UploadCancelled)
}

fn content_range(cx: &Context<'_>) -> Result<Option<ContentRange>, RequestError> {
    let value = cx.single_header(&CONTENT_RANGE).map_err(|_| RequestError::ContentRangeInvalid)?;
    let Some(value) = value else { return Ok(None) };
    let value = value.to_str().map_err(|_| RequestError::ContentRangeInvalid)?;
    value.parse().map(Some).map_err(|_| RequestError::ContentRangeInvalid)
}

/// A chunk that does not continue the upload is answered with the offset of the upload, so that the client can go on from
/// there.
fn upload_error(error: Error, name: &Name, id: &UploadId) -> RequestError {
    match error {
        Error::RangeInvalid { offset } => RequestError::UploadRange { name: name.clone(), id: *id, offset },
        other => other.into(),
    }
}
