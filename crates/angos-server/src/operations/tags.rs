//! Stage 7: the tags of a repository.

use angos_oci::Name;
use serde::Serialize;

use super::{Context, page};
use crate::limits::PAGE_ENTRIES;
use crate::refuse::Refusal;
use crate::respond::{Outcome, append_query};

#[derive(Serialize)]
struct Tags<'a> {
    name: &'a str,
    tags: Vec<&'a str>,
}

pub(super) async fn list(
    cx: &Context<'_>,
    name: &Name,
    n: Option<usize>,
    last: Option<&str>,
) -> Result<Outcome, Refusal> {
    // A client that names no number may not know of pages; it gets as many as one answer holds.
    let wanted = n.map(|n| n.min(PAGE_ENTRIES));
    let found = cx.registry().list_tags(name, wanted, last).await?;
    let next = found.next.map(|last| {
        let mut next = format!("/v2/{name}/tags/list");
        append_query(&mut next, "n", &found.items.len().to_string());
        append_query(&mut next, "last", last.as_ref());
        next
    });
    Ok(page(&Tags { name: name.as_ref(), tags: found.items.iter().map(AsRef::as_ref).collect() }, next))
}
