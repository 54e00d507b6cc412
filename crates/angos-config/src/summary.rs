//! The parts of a configuration and the differences between two: for the log line of a reload, and to detect a
//! truncated file.

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

/// The parts of a configuration: their names, and a fingerprint of each. Holds no secret.
#[derive(Clone, Default)]
pub struct ConfigSummary {
    items: BTreeMap<(Group, String), Item>,
    has_global_policy: bool,
    has_policy: bool,
    /// The files that set something.
    files: Vec<PathBuf>,
}

/// Parts that are counted together.
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
    fingerprint: u64,
}

/// How one configuration differs from another, in one line: `policies: 1 changed (global); users: 1 removed (ci)`, or
/// `nothing changed`.
///
/// Bounded: of each group at most [`CHANGES_NAMED_MAX`] names are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigChanges {
    groups: Vec<(&'static str, [Vec<String>; 3])>,
}

/// Distinguishes values within this process. It is not stored, and no secret can be recovered from it in practice: 64 bits of
/// something much longer.
pub(crate) fn fingerprint(value: &impl Hash) -> u64 {
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

impl ConfigSummary {
    pub(crate) fn of(
        document: &Document,
        users: Vec<(String, u64)>,
        tls: Option<&Material>,
        reloadable: BTreeMap<&'static str, String>,
        layers: &Layers,
    ) -> ConfigSummary {
        let files = layers.files().filter(|(_, is_empty)| !is_empty).map(|(file, _)| file.to_owned());
        let mut summary = ConfigSummary { files: files.collect(), ..ConfigSummary::default() };
        if let Some(policy) = &document.global.access_policy {
            summary.has_global_policy = true;
            summary.policy("global", policy);
        }
        for (name, repository) in &document.repository {
            if let Some(policy) = &repository.access_policy {
                summary.policy(&format!("repository {name}"), policy);
            }
        }
        for (id, fingerprint) in users {
            summary.add(Group::Users, id.clone(), id, fingerprint);
        }
        for expiry in tls.map(Material::expiries).unwrap_or_default() {
            let group = match expiry.kind() {
                ExpiryKind::ClientCa => Group::ClientAuthorities,
                ExpiryKind::Crl => Group::RevocationLists,
                _ => Group::Certificates,
            };
            summary.add(
                group,
                expiry.subject().to_owned(),
                expiry.subject().to_owned(),
                fingerprint(expiry.fingerprint()),
            );
        }
        for (key, value) in reloadable {
            summary.add(Group::Settings, key.to_owned(), key.to_owned(), fingerprint(&value));
        }
        summary
    }

    fn policy(&mut self, scope: &str, policy: &AccessPolicy) {
        self.has_policy = true;
        self.add(Group::Policies, scope.to_owned(), scope.to_owned(), fingerprint(&format!("{policy:?}")));
        for (list, rules) in [("rules", &policy.rules), ("shadow_rules", &policy.shadow_rules)] {
            for (index, rule) in rules.iter().enumerate() {
                // A rule without a name is identified by its text, so inserting one does not change the others.
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
                    fingerprint(when),
                );
            }
        }
    }

    /// Parts with the same name, such as two certificates with one subject, are distinguished by their order.
    fn add(&mut self, group: Group, mut known: String, name: String, fingerprint: u64) {
        while self.items.contains_key(&(group, known.clone())) {
            known.push('\n');
        }
        self.items.insert((group, known), Item { name, fingerprint });
    }

    pub(crate) fn changes(&self, before: &ConfigSummary) -> ConfigChanges {
        let mut groups: BTreeMap<Group, [Vec<String>; 3]> = BTreeMap::new();
        for (key, item) in &self.items {
            let [added, _, changed] = groups.entry(key.0).or_default();
            match before.items.get(key) {
                None => added.push(item.name.clone()),
                Some(earlier) if earlier.fingerprint != item.fingerprint => changed.push(item.name.clone()),
                Some(_) => {}
            }
        }
        for (key, item) in before.items.iter().filter(|(key, _)| !self.items.contains_key(*key)) {
            let [_, removed, _] = groups.entry(key.0).or_default();
            removed.push(item.name.clone());
        }
        let is_any = |lists: &[Vec<String>; 3]| lists.iter().any(|list| !list.is_empty());
        let groups = groups.into_iter().filter(|(_, lists)| is_any(lists));
        ConfigChanges { groups: groups.map(|(group, lists)| (group.name(), lists)).collect() }
    }

    /// The parts that a running server must not lose and that this configuration no longer has.
    pub(crate) fn lost(&self, before: &ConfigSummary, has_lost_tls: bool) -> Vec<Problem> {
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
            report(Origin::Configuration, "[server.tls] is missing, and the server runs with it");
        }
        if before.has_policy && !self.has_policy {
            report(Origin::Configuration, "every access policy is missing, and there was at least one");
        } else if before.has_global_policy && !self.has_global_policy {
            report(Origin::Configuration, "[global.access_policy] is missing, and it is in force");
        }
        lost
    }
}

impl fmt::Debug for ConfigSummary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ConfigSummary").field("items", &self.items.len()).finish_non_exhaustive()
    }
}

impl fmt::Display for ConfigChanges {
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
