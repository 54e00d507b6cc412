//! Settings per repository: the longest configured name that is the repository or above it applies.

use std::collections::HashMap;

use crate::Name;

/// Values for repositories and everything below them.
///
/// Guarantee: a lookup finds the value of the longest name that is the repository itself or a path prefix of it by whole
/// components: `team/app` is found for `team/app` and `team/app/web`, never for `team/app2`. It costs one hash per
/// component, whatever the number of entries, and does not allocate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryMap<T> {
    entries: HashMap<Name, T>,
}

impl<T> RepositoryMap<T> {
    /// A map without entries.
    pub fn new() -> Self {
        Self { entries: HashMap::new() }
    }

    /// Sets the value of a name and returns the one it had before.
    pub fn insert(&mut self, name: Name, value: T) -> Option<T> {
        self.entries.insert(name, value)
    }

    /// The value that applies to `repository`, with the name it was set for.
    pub fn applicable(&self, repository: &Name) -> Option<(&Name, &T)> {
        let mut prefix = repository.as_str();
        loop {
            if let Some(entry) = self.entries.get_key_value(prefix) {
                return Some(entry);
            }
            prefix = prefix.rsplit_once('/')?.0;
        }
    }

    /// The value set for exactly this name.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.entries.get(name)
    }

    /// Every name with its value, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &T)> {
        self.entries.iter()
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl<T> Default for RepositoryMap<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> FromIterator<(Name, T)> for RepositoryMap<T> {
    fn from_iter<I: IntoIterator<Item = (Name, T)>>(entries: I) -> Self {
        Self { entries: entries.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn the_longest_name_by_whole_components_applies() {
        let map: RepositoryMap<_> =
            ["team", "team/app", "team/app/web/x", "other"].map(|it| (name(it), it)).into_iter().collect();
        let check = |repository: &str, expected: Option<&str>| {
            let found = map.applicable(&name(repository));
            assert_eq!(found.map(|(_, value)| *value), expected, "{repository}");
            assert!(found.is_none_or(|(set_for, value)| set_for == value));
        };
        check("team", Some("team"));
        check("team/app", Some("team/app"));
        check("team/app/web", Some("team/app"));
        check("team/app/web/x/y/z", Some("team/app/web/x"));
        check("team/app2", Some("team"));
        check("team2", None);
        check("tea", None);
        check("x/team", None);
        check("other/team/app", Some("other"));
    }

    #[test]
    fn a_map_without_entries_applies_to_nothing() {
        assert_eq!(RepositoryMap::<()>::default().applicable(&name("a/b")), None);
    }
}
