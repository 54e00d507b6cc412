//! Changed decisions in groups: one group holds those that differ only in time.

use std::collections::HashMap;
use std::time::SystemTime;

use crate::decide::Decision;
use crate::escape::escape;
use crate::limits::{REPLAY_GROUPS_MAX, REPLAY_TEXT_MAX_CHARS};
use crate::record::RecordedDecision;

/// Counters and groups of a replay.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Lines that are decisions.
    pub(super) decisions: u64,
    /// Lines that are not.
    pub(super) unreadable: u64,
    /// Changes from allow to deny.
    pub(super) denied: u64,
    /// Changes from deny to allow.
    pub(super) allowed: u64,
    /// Changes beyond the largest number of groups.
    pub(super) ungrouped: u64,
    pub(super) is_interrupted: bool,
    groups: HashMap<Change, Times>,
}

/// The common fields of one group. All texts are escaped and short.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Change {
    pub(super) is_denied: bool,
    pub(super) caller: String,
    pub(super) action: &'static str,
    pub(super) namespace: Option<String>,
    /// Policy and rule that decided.
    pub(super) old: (String, String),
    /// Policy and rule that would decide.
    pub(super) new: (String, String),
    /// Why the rule that would decide has no value.
    pub(super) undecidable: Option<String>,
}

/// How often, and the first and last time.
#[derive(Debug)]
pub(super) struct Times {
    pub(super) count: u64,
    first: (SystemTime, String),
    last: (SystemTime, String),
}

impl Times {
    pub(super) fn first(&self) -> &str {
        &self.first.1
    }

    pub(super) fn last(&self) -> &str {
        &self.last.1
    }

    fn add(&mut self, time: SystemTime, text: &str) {
        self.count += 1;
        if time < self.first.0 {
            self.first = (time, text.to_owned());
        }
        if time >= self.last.0 {
            self.last = (time, text.to_owned());
        }
    }
}

impl Changes {
    /// Counts one decision, and adds it to a group if it changed.
    pub(super) fn add(&mut self, recorded: &RecordedDecision, decision: &Decision<'_>) {
        self.decisions += 1;
        let is_denied = !decision.is_allowed();
        if recorded.is_allowed() == decision.is_allowed() {
            return;
        }
        *(if is_denied { &mut self.denied } else { &mut self.allowed }) += 1;
        let shown = |text: &str| escape(text, REPLAY_TEXT_MAX_CHARS);
        let change = Change {
            is_denied,
            caller: shown(recorded.caller()),
            action: recorded.request().action().as_str(),
            namespace: recorded.request().namespace().map(|name| shown(name.as_ref())),
            old: (shown(recorded.policy()), shown(recorded.rule())),
            new: (shown(decision.scope()), shown(decision.rule())),
            undecidable: decision.undecidable().map(|cause| shown(cause.as_str())),
        };
        let time = recorded.timestamp();
        if let Some(times) = self.groups.get_mut(&change) {
            times.add(time, recorded.time());
        } else if self.groups.len() < REPLAY_GROUPS_MAX {
            let at = (time, recorded.time().to_owned());
            self.groups.insert(change, Times { count: 1, first: at.clone(), last: at });
        } else {
            self.ungrouped += 1;
        }
    }

    /// The number of changed decisions.
    pub(super) fn changed(&self) -> u64 {
        self.denied + self.allowed
    }

    /// The groups, ordered: newly denied requests first, then the largest.
    pub(super) fn groups(&self) -> Vec<(&Change, &Times)> {
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.sort_by(|(a, a_times), (b, b_times)| {
            let by_weight = b.is_denied.cmp(&a.is_denied).then(b_times.count.cmp(&a_times.count));
            let key = |change: &'_ Change| {
                (change.caller.clone(), change.action, change.namespace.clone(), change.new.clone())
            };
            by_weight.then_with(|| key(a).cmp(&key(b))).then_with(|| a.old.cmp(&b.old))
        });
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An allowed request for a repository, as the server would have recorded it.
    fn recorded(namespace: &str, second: u32) -> RecordedDecision {
        let line = format!(
            r#"{{"time":"2026-01-01T00:00:{second:02}Z","generation":1,"request_id":"0","outcome":"allow","policy":"global","reason":"rule","rule":"old","identity":{{"method":"anonymous","client_ip":"127.0.0.1"}},"request":{{"action":"list-tags","method":"GET","namespace":"{namespace}"}}}}"#
        );
        RecordedDecision::parse(line.as_bytes()).expect("a decision")
    }

    fn replayed(decisions: impl Iterator<Item = RecordedDecision>) -> Changes {
        let access = crate::AccessPolicies::default();
        let mut changes = Changes::default();
        for recorded in decisions {
            changes.add(&recorded, &access.decide(recorded.identity(), recorded.request()));
        }
        changes
    }

    #[test]
    fn one_group_knows_its_first_and_last_time_in_any_order() {
        let changes = replayed([30, 10, 20].into_iter().map(|second| recorded("a", second)));
        let groups = changes.groups();
        let [(change, times)] = groups[..] else { panic!("{groups:?}") };
        assert_eq!((change.is_denied, change.new.1.as_str(), times.count), (true, "unconfigured", 3));
        assert_eq!((times.first(), times.last()), ("2026-01-01T00:00:10Z", "2026-01-01T00:00:30Z"));
    }

    #[test]
    fn the_number_of_groups_is_bounded() {
        let names = (0..REPLAY_GROUPS_MAX + 5).map(|number| recorded(&format!("a/{number}"), 0));
        let changes = replayed(names.chain([recorded("a/0", 1)]));
        assert_eq!((changes.groups().len(), changes.ungrouped), (REPLAY_GROUPS_MAX, 5));
        assert_eq!((changes.denied, changes.allowed), (REPLAY_GROUPS_MAX as u64 + 6, 0));
    }
}
