//! Stage 7: what refers to a manifest.

use angos_oci::{Digest, MediaType, Name};
use angos_registry::{ReferrersPage, ReferrersRest, Registry};

use super::Context;
use crate::authorize::permit::{GetReferrers, Permit};
use crate::connection::body_memory::Lease;
use crate::limits::{BODY_BUFFER_FREE_BYTES, BODY_BUFFER_WEIGHT};
use crate::request::error::RequestError;
use crate::respond::body::ResponseBody;
use crate::respond::pieces::{Next, Pieces, Source};
use crate::respond::{Outcome, append_query};
use crate::route::RouteError;

pub(super) async fn list(cx: &Context<'_>, permit: Permit<GetReferrers>) -> Result<Outcome, RequestError> {
    let GetReferrers { name, digest, artifact_types, after, n } = permit.into_operation();
    let after: Option<Digest> =
        after.as_deref().map(str::parse).transpose().map_err(|_| RouteError::QueryInvalid)?;
    let registry = cx.registry();
    let mut found = registry
        .begin_referrers(&name, &digest, &artifact_types, after.as_ref(), n, BODY_BUFFER_FREE_BYTES)
        .await?;
    let next = found.next.map(|last| {
        let mut next = format!("/v2/{name}/referrers/{digest}");
        for artifact_type in &artifact_types {
            append_query(&mut next, "artifactType", artifact_type);
        }
        if let Some(n) = n {
            append_query(&mut next, "n", &n.to_string());
        }
        append_query(&mut next, "last", &last.to_string());
        next
    });
    let beginning = found.to_index();
    let filtered = !artifact_types.is_empty();
    let json = match found.rest.take() {
        None => ResponseBody::whole(beginning),
        Some(rest) => {
            let lease = workspace(cx, &rest)?;
            let rest = Rest {
                registry: registry.clone(),
                name,
                subject: digest,
                artifact_types,
                left: rest,
                is_first: found.descriptors.is_empty(),
                _lease: lease,
            };
            ResponseBody::pieces(Pieces::new(beginning, Box::new(rest), None))
        }
    };
    Ok(Outcome::Page { media_type: MediaType::OCI_INDEX, json, next, filtered })
}

/// Room for the largest of the manifests that have to be read to make their descriptors, one after the other.
fn workspace(cx: &Context<'_>, rest: &ReferrersRest) -> Result<Option<Lease>, RequestError> {
    let largest = usize::try_from(rest.largest()).unwrap_or(usize::MAX).saturating_mul(BODY_BUFFER_WEIGHT);
    if largest <= BODY_BUFFER_FREE_BYTES {
        return Ok(None);
    }
    cx.memory.take(largest).map(Some).ok_or(RequestError::NoMemory)
}

/// What is left of a list.
struct Rest {
    registry: Registry,
    name: Name,
    subject: Digest,
    artifact_types: Vec<String>,
    left: ReferrersRest,
    /// Whether no descriptor was sent yet.
    is_first: bool,
    _lease: Option<Lease>,
}

impl Source for Rest {
    fn next(mut self: Box<Self>) -> Next {
        Box::pin(async move {
            let Self { registry, name, subject, artifact_types, left, .. } = &*self;
            let more =
                registry.more_referrers(name, subject, artifact_types, left.clone(), BODY_BUFFER_FREE_BYTES);
            let (descriptors, left) = more.await?;
            let length: usize = descriptors.iter().map(|descriptor| descriptor.len() + 1).sum();
            let mut piece = Vec::with_capacity(length + ReferrersPage::TAIL.len());
            for descriptor in descriptors {
                if !std::mem::take(&mut self.is_first) {
                    piece.push(b',');
                }
                piece.extend_from_slice(&descriptor);
            }
            let Some(left) = left else {
                piece.extend_from_slice(ReferrersPage::TAIL);
                return Ok((piece.into(), None));
            };
            self.left = left;
            Ok((piece.into(), Some(self as Box<dyn Source>)))
        })
    }
}
