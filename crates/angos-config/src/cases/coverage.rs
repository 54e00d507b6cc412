//! Counts how often the requests of a policy test made each rule true, false or undecidable.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use angos_access::{AccessPolicies, AccessRequests};
use angos_identity::Identity;
use angos_policy::RuleOutcome;
use serde_json::{Value, json};

/// The results of one rule.
#[derive(Debug, Default, Clone, Copy)]
struct Results {
    trues: u64,
    falses: u64,
    undecidables: u64,
}

/// The results of every rule, by policy and position.
#[derive(Debug)]
pub(super) struct Coverage<'a> {
    access: &'a AccessPolicies,
    seen: BTreeMap<(String, usize), Results>,
}

impl<'a> Coverage<'a> {
    pub(super) fn new(access: &'a AccessPolicies) -> Self {
        Self { access, seen: BTreeMap::new() }
    }

    /// Counts the result of each rule that is evaluated for a request.
    pub(super) fn count(&mut self, identity: &Identity, request: &AccessRequests) {
        for each in request.required().iter().chain(request.alternatives()) {
            self.access.evaluate_all(identity, each, &mut |scope, rule, outcome| {
                let seen = self.seen.entry((scope.to_owned(), rule)).or_default();
                match outcome {
                    RuleOutcome::True => seen.trues += 1,
                    RuleOutcome::False => seen.falses += 1,
                    RuleOutcome::Undecidable(_) => seen.undecidables += 1,
                }
            });
        }
    }

    fn rules(&self) -> impl Iterator<Item = (&str, &str, Results)> {
        self.access.scopes().into_iter().flat_map(move |(scope, policy)| {
            (0..policy.len()).map(move |rule| {
                let seen = self.seen.get(&(scope.to_owned(), rule)).copied().unwrap_or_default();
                (scope, policy.rule_name(rule), seen)
            })
        })
    }

    /// Whether every rule was true at least once and false at least once.
    pub(super) fn is_complete(&self) -> bool {
        self.rules().all(|(_, _, seen)| seen.missing().is_empty())
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::from("coverage:\n");
        for (scope, rule, seen) in self.rules() {
            let Results { trues, falses, undecidables } = seen;
            let (scope, rule) = (scope.escape_debug(), rule.escape_debug());
            let _ = write!(text, "  {scope} {rule}: true {trues}, false {falses}");
            if undecidables > 0 {
                let _ = write!(text, ", undecidable {undecidables}");
            }
            match seen.missing() {
                [] => text.push('\n'),
                [_, _] => text.push_str(" - never decided\n"),
                [missing, ..] => {
                    let _ = writeln!(text, " - never {missing}");
                }
            }
        }
        text
    }

    pub(super) fn json(&self) -> Value {
        let row = |(scope, rule, seen): (&str, &str, Results)| {
            json!({
                "policy": scope,
                "rule": rule,
                "true": seen.trues,
                "false": seen.falses,
                "undecidable": seen.undecidables,
            })
        };
        self.rules().map(row).collect()
    }
}

impl Results {
    /// The values it never had.
    fn missing(self) -> &'static [&'static str] {
        match (self.trues, self.falses) {
            (0, 0) => &["true", "false"],
            (0, _) => &["true"],
            (_, 0) => &["false"],
            _ => &[],
        }
    }
}
