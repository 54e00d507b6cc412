//! Stage 7: the repositories a caller may see.

use angos_oci::Name;
use angos_registry::Registry;
use serde::Serialize;
use tokio::time::timeout;

use super::{Context, json, page};
use crate::authorize::permit::{ListCatalog, Permit};
use crate::limits::{CATALOG_QUEUE_TIMEOUT, CATALOG_SCAN_MAX, CATALOG_SCAN_MIN, PAGE_ENTRIES};
use crate::request::error::RequestError;
use crate::respond::{Outcome, append_query};
use crate::route::RouteError;

#[derive(Serialize)]
struct Repositories<'a> {
    repositories: Vec<&'a str>,
}

/// Each name is shown to those alone who may list its tags.
///
/// The cost of a page is bounded: it decides about ten names for each that is wanted, [`CATALOG_SCAN_MIN`] at least
/// and [`CATALOG_SCAN_MAX`] at most. So it may show fewer names than asked for, even none, and still link to the next
/// page. A link that starts after a name the caller may not see does not tell the name.
pub(super) async fn list(cx: &Context<'_>, permit: Permit<ListCatalog>) -> Result<Outcome, RequestError> {
    let ListCatalog { n, last } = permit.into_operation();
    let wanted = n.unwrap_or(PAGE_ENTRIES).min(PAGE_ENTRIES);
    if wanted == 0 {
        return answer(cx, &[], None);
    }
    let after = match last.as_deref() {
        Some(position) if Registry::is_position(position) => {
            let name = cx.registry().open_position(position).await?.ok_or(RouteError::QueryInvalid)?;
            Some(name.as_ref().to_owned())
        }
        last => last.map(str::to_owned),
    };
    // Each page may take tens of milliseconds of a processor, which others need, too.
    let turn = timeout(CATALOG_QUEUE_TIMEOUT, cx.server.catalog_turns.acquire()).await;
    let Ok(Ok(_turn)) = turn else { return Err(RequestError::Busy) };
    let (names, next) = visible(cx, wanted, after).await?;
    let next = next.map(|last| {
        let mut next = String::from("/v2/_catalog");
        append_query(&mut next, "n", &wanted.to_string());
        append_query(&mut next, "last", &last);
        next
    });
    answer(cx, &names, next)
}

fn answer(cx: &Context<'_>, names: &[Name], next: Option<String>) -> Result<Outcome, RequestError> {
    let repositories = json(&Repositories { repositories: names.iter().map(AsRef::as_ref).collect() });
    Ok(page(cx.whole(repositories.into())?, next))
}

/// Up to `wanted` names the caller may see, and where the next page starts after, if there may be more.
async fn visible(
    cx: &Context<'_>,
    wanted: usize,
    mut after: Option<String>,
) -> Result<(Vec<Name>, Option<String>), RequestError> {
    let mut names: Vec<Name> = Vec::new();
    let mut left = look_ahead(wanted);
    // One more than wanted tells whether there is a next page; where all is visible, no more are read.
    let mut limit = (wanted + 1).min(left);
    loop {
        let scanned = cx.registry().catalog(after.as_deref(), limit).await?;
        let is_last = scanned.len() < limit;
        let end = scanned.last().cloned();
        for name in scanned {
            if !cx.authorizer.may_list(&name) {
                continue;
            }
            if names.len() == wanted {
                let next = names.last().map(ToString::to_string);
                return Ok((names, next));
            }
            names.push(name);
        }
        let Some(end) = end.filter(|_| !is_last) else { return Ok((names, None)) };
        left = left.saturating_sub(limit);
        if left == 0 {
            let is_shown = names.last() == Some(&end);
            let next = if is_shown { end.to_string() } else { cx.registry().seal_position(&end).await? };
            return Ok((names, Some(next)));
        }
        after = Some(end.as_ref().to_owned());
        limit = left.min(PAGE_ENTRIES);
        // A thousand decisions are enough of a worker's time at once.
        tokio::task::yield_now().await;
    }
}

/// How many names one page decides about. Where a page ends would otherwise tell how many names there are between two
/// that the caller knows, and so bit by bit their names; chance takes that away.
fn look_ahead(wanted: usize) -> usize {
    let most = wanted.saturating_mul(10).clamp(CATALOG_SCAN_MIN, CATALOG_SCAN_MAX);
    let mut chance = [0; 4];
    // Without randomness it is the most.
    let _ = getrandom::fill(&mut chance);
    let less = usize::try_from(u32::from_ne_bytes(chance)).unwrap_or_default() % (most / 2);
    most - less
}
