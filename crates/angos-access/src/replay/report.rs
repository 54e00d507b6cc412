//! The report of a replay, as text and as JSON.

use std::io::{self, Write};

use serde_json::json;

use super::changes::{Change, Changes, Times};

pub(super) fn text(changes: &Changes, out: &mut impl Write) -> io::Result<()> {
    for (change, times) in changes.groups() {
        let Change { caller, action, namespace, old, new, .. } = change;
        let (from, to) = direction(change);
        let namespace = namespace.as_deref().map(|name| format!(" {name}")).unwrap_or_default();
        let why =
            change.undecidable.as_ref().map(|cause| format!(" (undecidable: {cause})")).unwrap_or_default();
        writeln!(out, "{from} → {to}  {}×  {caller}: {action}{namespace}", times.count)?;
        writeln!(out, "    was:      {}: {}", old.0, old.1)?;
        writeln!(out, "    would be: {}: {}{why}", new.0, new.1)?;
        match times {
            Times { count: 1, .. } => writeln!(out, "    at {}", times.first())?,
            _ => writeln!(out, "    from {} to {}", times.first(), times.last())?,
        }
    }
    if changes.ungrouped > 0 {
        writeln!(out, "… and {} more changes, of too many kinds to list", changes.ungrouped)?;
    }
    if changes.changed() > 0 {
        writeln!(out)?;
    }
    let Changes { decisions, denied, allowed, unreadable, .. } = changes;
    writeln!(out, "decisions read        {decisions}")?;
    writeln!(out, "would change          {}", changes.changed())?;
    writeln!(out, "  from allow to deny  {denied}")?;
    writeln!(out, "  from deny to allow  {allowed}")?;
    writeln!(out, "lines not readable    {unreadable}")
}

pub(super) fn json(changes: &Changes, out: &mut impl Write) -> io::Result<()> {
    let group = |(change, times): (&Change, &Times)| {
        let (from, to) = direction(change);
        json!({
            "from": from,
            "to": to,
            "caller": change.caller,
            "action": change.action,
            "namespace": change.namespace,
            "old": { "policy": change.old.0, "rule": change.old.1 },
            "new": { "policy": change.new.0, "rule": change.new.1, "undecidable": change.undecidable },
            "count": times.count,
            "first": times.first(),
            "last": times.last(),
        })
    };
    let report = json!({
        "decisions": changes.decisions,
        "changed": changes.changed(),
        "allow_to_deny": changes.denied,
        "deny_to_allow": changes.allowed,
        "unreadable": changes.unreadable,
        "ungrouped": changes.ungrouped,
        "interrupted": changes.is_interrupted,
        "changes": changes.groups().into_iter().map(group).collect::<Vec<_>>(),
    });
    serde_json::to_writer_pretty(&mut *out, &report)?;
    writeln!(out)
}

fn direction(change: &Change) -> (&'static str, &'static str) {
    if change.is_denied { ("allow", "deny") } else { ("deny", "allow") }
}
