//! What a configuration consists of, and how one differs from another: for the line that a reload writes, and to tell a
//! file that lost its end.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;

use angos_tls::{ExpiryKind, Material};

use crate::document::{AccessPolicy, Document, Rule};
use crate::layers::Layers;
use crate::limits::CHANGES_NAMED_MAX;
use crate::problem::{Origin, Problem, escape};

/// What a configuration consists of: names, and what tells one content from another. Holds no secret.
#[derive(Clone, Default)]
pub struct Summary {
    items: BTreeMap<(Group, String), Item>,
    has_global_policy: bool,
    has_policy: bool,
    /// The files that set something.
    files: Vec<PathBuf>,
}

/// What is counted together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Policies,
    Rules,
    ClientAuthorities,
    Certificates,
    RevocationLists,
    Users,
    Settings,
}

#[derive(Clone)]
struct Item {
    name: String,
    trace: u64,
}

/// How one configuration differs from another, in one line: `policies: 1 changed (global); users: 1 removed (ci)`, or
/// `nothing changed`.
///
/// Bounded: of each group at most [`CHANGES_NAMED_MAX`] names are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    groups: Vec<(&'static str, [Vec<String>; 3])>,
}

/// Tells one value from another within this process. Not kept, and no secret can be had from it in practice: 64 bits of
/// something much longer.
pub(crate) fn trace(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

impl Group {
    fn name(self) -> &'static str {
        match self {
            Self::Policies => "policies",
            Self::Rules => "rules",
            Self::ClientAuthorities => "client CAs",
            Self::Certificates => "certificates",
            Self::RevocationLists => "CRLs",
            Self::Users => "users",
            Self::Settings => "settings",
        }
    }
}

impl Summary {
    pub(crate) fn of(
        document: &Document,
        users: Vec<(String, u64)>,
        tls: Option<&Material>,
        live: BTreeMap<&'static str, String>,
        layers: &Layers,
    ) -> Summary {
        let files = layers.files().filter(|(_, is_empty)| !is_empty).map(|(file, _)| file.to_owned());
        let mut summary = Summary { files: files.collect(), ..Summary::default() };
        if let Some(policy) = &document.global.access_policy {
            summary.has_global_policy = true;
            summary.policy("global", policy);
        }
        for (name, repository) in &document.repository {
            if let Some(policy) = &repository.access_policy {
                summary.policy(&format!("repository {name}"), policy);
            }
        }
        for (id, trace) in users {
            summary.add(Group::Users, id.clone(), id, trace);
        }
        for expiry in tls.map(Material::expiries).unwrap_or_default() {
            let group = match expiry.kind() {
                ExpiryKind::ClientAuthority => Group::ClientAuthorities,
                ExpiryKind::RevocationList => Group::RevocationLists,
                _ => Group::Certificates,
            };
            summary.add(
                group,
                expiry.subject().to_owned(),
                expiry.subject().to_owned(),
                trace(expiry.fingerprint()),
            );
        }
        for (key, value) in live {
            summary.add(Group::Settings, key.to_owned(), key.to_owned(), trace(&value));
        }
        summary
    }

    fn policy(&mut self, scope: &str, policy: &AccessPolicy) {
        self.has_policy = true;
        self.add(Group::Policies, scope.to_owned(), scope.to_owned(), trace(&format!("{policy:?}")));
        for (list, rules) in [("rules", &policy.rules), ("shadow_rules", &policy.shadow_rules)] {
            for (index, rule) in rules.iter().enumerate() {
                // Without a name a rule is known by its text: one that is put before others changes none of them.
                let (known, name, when) = match rule {
                    Some(Rule::Named { name: Some(name), when }) => (name, name.clone(), when),
                    Some(Rule::Bare(when) | Rule::Named { name: None, when }) => {
                        (when, format!("{list}[{index}]"), when)
                    }
                    None => continue,
                };
                self.add(
                    Group::Rules,
                    format!("{scope} {list} {known}"),
                    format!("{scope}: {name}"),
                    trace(when),
                );
            }
        }
    }

    /// Several of one name, two certificates with the same subject say, are told apart by their order.
    fn add(&mut self, group: Group, mut known: String, name: String, trace: u64) {
        while self.items.contains_key(&(group, known.clone())) {
            known.push('\n');
        }
        self.items.insert((group, known), Item { name, trace });
    }

    pub(crate) fn changes(&self, before: &Summary) -> Changes {
        let mut groups: BTreeMap<Group, [Vec<String>; 3]> = BTreeMap::new();
        for (key, item) in &self.items {
            let [added, _, changed] = groups.entry(key.0).or_default();
            match before.items.get(key) {
                None => added.push(item.name.clone()),
                Some(earlier) if earlier.trace != item.trace => changed.push(item.name.clone()),
                Some(_) => {}
            }
        }
        for (key, item) in before.items.iter().filter(|(key, _)| !self.items.contains_key(*key)) {
            let [_, removed, _] = groups.entry(key.0).or_default();
            removed.push(item.name.clone());
        }
        let is_any = |lists: &[Vec<String>; 3]| lists.iter().any(|list| !list.is_empty());
        let groups = groups.into_iter().filter(|(_, lists)| is_any(lists));
        Changes { groups: groups.map(|(group, lists)| (group.name(), lists)).collect() }
    }

    /// What a running server does not give up, and this configuration no longer has.
    pub(crate) fn lost(&self, before: &Summary, has_lost_tls: bool) -> Vec<Problem> {
        let mut lost = Vec::new();
        let mut report = |origin: Origin, message: &str| {
            let help = "if it is meant, restart the server; if not, the end of a file is missing";
            lost.push(Problem::error(origin, message).with_help(help));
        };
        for file in before.files.iter().filter(|file| !self.files.contains(file)) {
            report(
                Origin::WholeFile(file.as_path().into()),
                "the file set something before and is empty now",
            );
        }
        if has_lost_tls {
            report(Origin::Nowhere, "[server.tls] is missing, and the server runs with it");
        }
        if before.has_policy && !self.has_policy {
            report(Origin::Nowhere, "every access policy is missing, and there was at least one");
        } else if before.has_global_policy && !self.has_global_policy {
            report(Origin::Nowhere, "[global.access_policy] is missing, and it is in force");
        }
        lost
    }
}

impl fmt::Debug for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Summary").field("items", &self.items.len()).finish_non_exhaustive()
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.groups.is_empty() {
            return out.write_str("nothing changed");
        }
        for (place, (group, lists)) in self.groups.iter().enumerate() {
            write!(out, "{}{group}: ", if place == 0 { "" } else { "; " })?;
            let lists = ["added", "removed", "changed"].into_iter().zip(lists);
            for (place, (word, names)) in lists.filter(|(_, names)| !names.is_empty()).enumerate() {
                let comma = if place == 0 { "" } else { ", " };
                let shown: Vec<String> =
                    names.iter().take(CHANGES_NAMED_MAX).map(|name| shortened(name)).collect();
                let more = if names.len() > CHANGES_NAMED_MAX { ", …" } else { "" };
                write!(out, "{comma}{} {word} ({}{more})", names.len(), shown.join(", "))?;
            }
        }
        Ok(())
    }
}

fn shortened(name: &str) -> String {
    let short: String = name.chars().take(crate::limits::EXCERPT_MAX_CHARS).collect();
    let dots = if short.len() < name.len() { "…" } else { "" };
    escape(&short) + dots
}

#[cfg(test)]
mod tests;
