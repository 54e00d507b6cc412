//! The path of a value in the configuration: `server.tls.client_auth`, `global.access_policy.rules[2]`.

use std::fmt;

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Segment {
    Key(String),
    Index(usize),
}

/// The steps from the top of the configuration to a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct KeyPath(Vec<Segment>);

impl KeyPath {
    pub(crate) fn of(keys: &[&str]) -> KeyPath {
        KeyPath(keys.iter().map(|key| Segment::Key((*key).to_owned())).collect())
    }

    pub(crate) fn key(&self, key: &str) -> KeyPath {
        self.join(Segment::Key(key.to_owned()))
    }

    pub(crate) fn index(&self, index: usize) -> KeyPath {
        self.join(Segment::Index(index))
    }

    fn join(&self, segment: Segment) -> KeyPath {
        let mut segments = self.0.clone();
        segments.push(segment);
        KeyPath(segments)
    }

    pub(crate) fn parent(&self) -> Option<KeyPath> {
        let (_, above) = self.0.split_last()?;
        Some(KeyPath(above.to_vec()))
    }

    /// The list that this is an element of, or below an element of; the outermost one.
    pub(crate) fn list(&self) -> Option<KeyPath> {
        let length = self.0.iter().position(|segment| matches!(segment, Segment::Index(_)))?;
        Some(KeyPath(self.0.iter().take(length).cloned().collect()))
    }

    pub(crate) fn segments(&self) -> &[Segment] {
        &self.0
    }

    pub(crate) fn starts_with(&self, prefix: &KeyPath) -> bool {
        self.0.starts_with(&prefix.0)
    }

    /// Whether values here may be secret, so that nothing but keys may be quoted.
    pub(crate) fn is_confidential(&self) -> bool {
        matches!(self.0.first(), Some(Segment::Key(key)) if key == "auth")
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Key(key) => {
                    let dot = if position == 0 { "" } else { "." };
                    if is_bare(key) {
                        write!(out, "{dot}{key}")?;
                    } else {
                        let short: String = key.chars().take(64).flat_map(char::escape_debug).collect();
                        write!(out, "{dot}\"{short}\"")?;
                    }
                }
                Segment::Index(index) => write!(out, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// Whether TOML accepts `key` without quotes.
fn is_bare(key: &str) -> bool {
    (1..=64).contains(&key.len())
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}
