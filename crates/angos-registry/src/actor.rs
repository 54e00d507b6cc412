//! Who makes a change.

use std::sync::Arc;

use crate::limits::PUSHED_BY_MAX_BYTES;

/// Who makes a change, and by which method that was established. Clone is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    name: Arc<str>,
    method: &'static str,
}

impl Actor {
    /// A caller. The name is cut to 256 bytes; `method` is a word such as `certificate`, `basic` or `anonymous`.
    pub fn new(name: &str, method: &'static str) -> Self {
        let (kept, _) = name.split_at(name.floor_char_boundary(PUSHED_BY_MAX_BYTES));
        Self { name: kept.into(), method }
    }

    /// The registry itself, for a background job and for embedders that do not tell callers apart.
    pub fn system() -> Self {
        Self::new("system", "internal")
    }

    /// The name, as it is recorded with a tag.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How the name was established.
    pub fn method(&self) -> &'static str {
        self.method
    }
}
