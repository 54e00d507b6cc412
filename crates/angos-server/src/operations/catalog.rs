//! Stage 7: the repositories a caller may see.

use angos_oci::Name;
use serde::Serialize;

use super::{Context, page};
use crate::limits::PAGE_ENTRIES;
use crate::refuse::Refusal;
use crate::respond::{Outcome, append_query};

#[derive(Serialize)]
struct Repositories<'a> {
    repositories: Vec<&'a str>,
}

/// Each name is shown to those alone who may list its tags. Nothing else tells that there are others: the next page
/// starts after a name the caller has seen.
pub(super) async fn list(cx: &Context<'_>, n: Option<usize>, last: Option<&str>) -> Result<Outcome, Refusal> {
    let wanted = n.unwrap_or(PAGE_ENTRIES).min(PAGE_ENTRIES);
    let (names, more) = if wanted == 0 { (Vec::new(), false) } else { visible(cx, wanted, last).await? };
    let next = names.last().filter(|_| more).map(|last: &Name| {
        let mut next = String::from("/v2/_catalog");
        append_query(&mut next, "n", &wanted.to_string());
        append_query(&mut next, "last", last.as_ref());
        next
    });
    Ok(page(&Repositories { repositories: names.iter().map(AsRef::as_ref).collect() }, next))
}

/// Up to `wanted` names the caller may see, and whether there is one more.
async fn visible(cx: &Context<'_>, wanted: usize, last: Option<&str>) -> Result<(Vec<Name>, bool), Refusal> {
    let mut names = Vec::new();
    let mut after = last.map(str::to_owned);
    loop {
        let scanned = cx.registry().catalog(after.as_deref(), PAGE_ENTRIES).await?;
        let is_last = scanned.len() < PAGE_ENTRIES;
        after = scanned.last().map(|name| name.as_ref().to_owned());
        for name in scanned {
            if !cx.gate.may_list(&name) {
                continue;
            }
            if names.len() == wanted {
                return Ok((names, true));
            }
            names.push(name);
        }
        if is_last {
            return Ok((names, false));
        }
        // A thousand decisions are enough of a worker's time at once.
        tokio::task::yield_now().await;
    }
}
