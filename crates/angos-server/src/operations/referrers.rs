//! Stage 7: what refers to a manifest.

use angos_oci::{Digest, MediaType, Name};

use super::Context;
use crate::refuse::Refusal;
use crate::respond::{Outcome, append_query};
use crate::route::RouteError;

pub(super) async fn list(
    cx: &Context<'_>,
    name: &Name,
    digest: &Digest,
    artifact_types: &[String],
    after: Option<&str>,
    n: Option<usize>,
) -> Result<Outcome, Refusal> {
    let after: Option<Digest> = after.map(str::parse).transpose().map_err(|_| RouteError::QueryInvalid)?;
    let found = cx.registry().referrers(name, digest, artifact_types, after.as_ref(), n).await?;
    let next = found.next.map(|last| {
        let mut next = format!("/v2/{name}/referrers/{digest}");
        for artifact_type in artifact_types {
            append_query(&mut next, "artifactType", artifact_type);
        }
        if let Some(n) = n {
            append_query(&mut next, "n", &n.to_string());
        }
        append_query(&mut next, "last", &last.to_string());
        next
    });
    Ok(Outcome::Page {
        media_type: MediaType::OCI_INDEX,
        json: found.to_index(),
        next,
        filtered: !artifact_types.is_empty(),
    })
}
