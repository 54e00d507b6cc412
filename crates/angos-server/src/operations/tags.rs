//! Stage 7: the tags of a repository.

use angos_oci::{Name, Tag};
use angos_registry::limits::PAGE_MAX;
use angos_registry::{Registry, Span};
use serde::Serialize;

use super::{Context, json, page};
use crate::authorize::permit::{ListTags, Permit};
use crate::limits::{BODY_BUFFER_FREE_BYTES, PAGE_ENTRIES};
use crate::request::error::RequestError;
use crate::respond::body::ResponseBody;
use crate::respond::pieces::{Next, Pieces, Source};
use crate::respond::{Outcome, append_query};

#[derive(Serialize)]
struct Tags<'a> {
    name: &'a str,
    tags: Vec<&'a str>,
}

const END: &[u8] = b"]}";

pub(super) async fn list(cx: &Context<'_>, permit: Permit<ListTags>) -> Result<Outcome, RequestError> {
    let ListTags { name, n, last } = permit.into_operation();
    // A client that names no number may not know of pages; it gets as many as one answer holds.
    let wanted = n.map_or(PAGE_MAX, |n| n.min(PAGE_ENTRIES));
    let found =
        cx.registry().begin_tags(&name, Some(wanted), last.as_deref(), BODY_BUFFER_FREE_BYTES / 2).await?;
    let next = found.next.map(|last| {
        let mut next = format!("/v2/{name}/tags/list");
        append_query(&mut next, "n", &wanted.to_string());
        append_query(&mut next, "last", last.as_ref());
        next
    });
    let mut beginning =
        json(&Tags { name: name.as_ref(), tags: found.items.iter().map(AsRef::as_ref).collect() });
    let Some(span) = found.rest else { return Ok(page(ResponseBody::whole(beginning.into()), next)) };
    beginning.truncate(beginning.len().saturating_sub(END.len()));
    let rest = Rest { registry: cx.registry().clone(), name, span };
    Ok(page(ResponseBody::pieces(Pieces::new(beginning.into(), Box::new(rest), None)), next))
}

/// What is left of a list.
struct Rest {
    registry: Registry,
    name: Name,
    span: Span<Tag>,
}

impl Source for Rest {
    fn next(self: Box<Self>) -> Next {
        Box::pin(async move {
            let Self { registry, name, span } = *self;
            let (tags, rest) = registry.more_tags(&name, span, BODY_BUFFER_FREE_BYTES / 2).await?;
            let mut piece = Vec::new();
            for tag in tags {
                piece.push(b',');
                piece.extend(json(&tag.as_ref()));
            }
            if rest.is_none() {
                piece.extend_from_slice(END);
            }
            let rest = rest.map(|span| Box::new(Self { registry, name, span }) as Box<dyn Source>);
            Ok((piece.into(), rest))
        })
    }
}
