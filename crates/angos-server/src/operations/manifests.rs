//! Stage 7: manifests.

use angos_oci::{Digest, MediaType, Name};
use angos_registry::{Error, StoredManifest};
use hyper::header::{CONTENT_TYPE, IF_NONE_MATCH};

use super::Context;
use crate::authorize::permit::{DeleteManifest, GetManifest, Permit, PutManifest};
use crate::request::body::{BufferError, RequestBody};
use crate::request::error::RequestError;
use crate::respond::Outcome;
use crate::respond::body::ResponseBody;
use crate::respond::pieces::{ManifestPieces, Pieces, piece};

pub(super) async fn pull(cx: &Context<'_>, permit: Permit<GetManifest>) -> Result<Outcome, RequestError> {
    let GetManifest { name, reference } = permit.into_operation();
    let manifest = cx.registry().manifest(&name, &reference).await?;
    if cx.header(&IF_NONE_MATCH).is_some_and(|known| names(known, &manifest.digest)) {
        return Ok(Outcome::ManifestUnchanged(manifest.digest));
    }
    let body = content(cx, &name, &manifest).await?;
    let StoredManifest { media_type, digest, size, .. } = manifest;
    Ok(Outcome::Manifest { media_type, digest, size, body })
}

/// The body with a manifest. Short ones share the bytes of the cache; long ones take memory of the budget, or are sent as
/// they are read. Empty for a HEAD.
async fn content(
    cx: &Context<'_>,
    name: &Name,
    manifest: &StoredManifest,
) -> Result<ResponseBody, RequestError> {
    if cx.head_only {
        return Ok(ResponseBody::empty());
    }
    let Some(bytes) = &manifest.bytes else {
        return Ok(ResponseBody::blob(cx.registry().read_large_manifest(manifest).await?, None));
    };
    if let Ok(body) = cx.whole(bytes.clone()) {
        return Ok(body);
    }
    let (first, sent) = piece(bytes, 0);
    let (registry, name, digest) = (cx.registry().clone(), name.clone(), manifest.digest);
    let rest = Box::new(ManifestPieces { registry, name, digest, sent });
    Ok(ResponseBody::pieces(Pieces::new(first, rest, Some(manifest.size))))
}

pub(super) async fn push(
    cx: &Context<'_>,
    permit: Permit<PutManifest>,
    body: &mut RequestBody,
) -> Result<Outcome, RequestError> {
    let PutManifest { name, reference, tags } = permit.into_operation();
    let media_type = match cx.single_header(&CONTENT_TYPE).map_err(|_| RequestError::MediaTypeInvalid)? {
        None => None,
        Some(value) => {
            let value = value.to_str().map_err(|_| RequestError::MediaTypeInvalid)?;
            Some(MediaType::from_content_type(value).map_err(|_| RequestError::MediaTypeInvalid)?)
        }
    };
    let limit = cx.registry().settings().max_manifest_size;
    // The body holds its memory until the manifest is stored.
    let buffered = body.buffer(limit).await.map_err(|reason| match reason {
        BufferError::TooLarge => Error::ManifestTooLarge { limit }.into(),
        BufferError::NoRoom => RequestError::NoMemory,
        BufferError::Body(error) => Error::Body(error).into(),
    })?;
    let put = angos_registry::PutManifest {
        reference: &reference,
        tags: &tags,
        media_type: media_type.as_ref(),
        bytes: buffered.bytes.clone(),
    };
    let receipt = cx.registry().put_manifest(&name, put).await?;
    Ok(Outcome::ManifestStored { name, receipt })
}

pub(super) async fn delete(
    cx: &Context<'_>,
    permit: Permit<DeleteManifest>,
) -> Result<Outcome, RequestError> {
    let DeleteManifest { name, reference, .. } = permit.into_operation();
    cx.registry().delete_manifest(&name, &reference).await?;
    Ok(Outcome::Deleted)
}

/// Whether an `If-None-Match` lists this digest. Tags are compared weakly (RFC 9110 §13.1.2).
fn names(known: &str, digest: &Digest) -> bool {
    let digest = digest.to_string();
    known.split(',').map(str::trim).any(|tag| {
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        tag == "*" || tag.trim_matches('"') == digest
    })
}

#[cfg(test)]
mod tests {
    use angos_oci::Algorithm;

    use super::*;

    #[test]
    fn recognises_what_the_client_has() {
        let digest = Digest::of(Algorithm::Sha256, b"{}");
        let check = |known: &str, expected: bool| assert_eq!(names(known, &digest), expected, "{known}");
        check(&format!("\"{digest}\""), true);
        check(&format!("\"sha256:0\", W/\"{digest}\""), true);
        check("*", true);
        check("\"sha256:0\"", false);
        check("", false);
    }
}
