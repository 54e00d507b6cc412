//! A change of the metadata: ordered, and all or nothing.

use std::collections::HashMap;

use bytes::Bytes;

use crate::{Error, Version};

/// An ordered list of operations that [`MetadataStore::apply`](crate::MetadataStore::apply) applies whole
/// or not at all.
///
/// Each operation sees the effect of those before it: creating a key after deleting it in the same batch
/// holds. A value written earlier in the same batch has no version yet, so replacing it conflicts.
///
/// ```
/// use angos_storage::Batch;
///
/// let batch = Batch::new().put("revision", "…").create("tag", "…").delete("candidate");
/// assert_eq!(batch.len(), 3);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "a batch does nothing until it is applied"]
pub struct Batch {
    operations: Vec<Operation>,
}

/// One change of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Writes the value, whatever was there.
    Put {
        /// The key.
        key: Bytes,
        /// The new value.
        value: Bytes,
    },
    /// Writes the value if the key does not exist; otherwise the batch conflicts.
    Create {
        /// The key.
        key: Bytes,
        /// The first value.
        value: Bytes,
    },
    /// Writes the value if the key still has this version; otherwise the batch conflicts.
    Replace {
        /// The key.
        key: Bytes,
        /// The version read before.
        version: Version,
        /// The new value.
        value: Bytes,
    },
    /// Removes the key, which need not exist.
    Delete {
        /// The key.
        key: Bytes,
    },
    /// Changes nothing; the batch conflicts if the key exists.
    RequireAbsent {
        /// The key.
        key: Bytes,
    },
    /// Changes nothing; the batch conflicts if the key does not exist.
    RequirePresent {
        /// The key.
        key: Bytes,
    },
}

impl Operation {
    /// The key it changes or requires something of.
    pub fn key(&self) -> &Bytes {
        match self {
            Operation::Put { key, .. }
            | Operation::Create { key, .. }
            | Operation::Replace { key, .. }
            | Operation::Delete { key }
            | Operation::RequireAbsent { key }
            | Operation::RequirePresent { key } => key,
        }
    }

    /// Whether it changes the key.
    pub fn is_write(&self) -> bool {
        !matches!(self, Operation::RequireAbsent { .. } | Operation::RequirePresent { .. })
    }

    /// The value it writes; none for a delete and a requirement.
    pub fn value(&self) -> Option<&Bytes> {
        match self {
            Operation::Put { value, .. }
            | Operation::Create { value, .. }
            | Operation::Replace { value, .. } => Some(value),
            Operation::Delete { .. } | Operation::RequireAbsent { .. } | Operation::RequirePresent { .. } => {
                None
            }
        }
    }
}

impl Batch {
    /// A batch without operations. Applying it does nothing.
    pub fn new() -> Batch {
        Batch::default()
    }

    /// Appends [`Operation::Put`].
    pub fn put(self, key: impl Into<Bytes>, value: impl Into<Bytes>) -> Batch {
        self.with(Operation::Put { key: key.into(), value: value.into() })
    }

    /// Appends [`Operation::Create`].
    pub fn create(self, key: impl Into<Bytes>, value: impl Into<Bytes>) -> Batch {
        self.with(Operation::Create { key: key.into(), value: value.into() })
    }

    /// Appends [`Operation::Replace`].
    pub fn replace(self, key: impl Into<Bytes>, version: Version, value: impl Into<Bytes>) -> Batch {
        self.with(Operation::Replace { key: key.into(), version, value: value.into() })
    }

    /// Appends [`Operation::Delete`].
    pub fn delete(self, key: impl Into<Bytes>) -> Batch {
        self.with(Operation::Delete { key: key.into() })
    }

    /// Appends [`Operation::RequireAbsent`].
    pub fn require_absent(self, key: impl Into<Bytes>) -> Batch {
        self.with(Operation::RequireAbsent { key: key.into() })
    }

    /// Appends [`Operation::RequirePresent`].
    pub fn require_present(self, key: impl Into<Bytes>) -> Batch {
        self.with(Operation::RequirePresent { key: key.into() })
    }

    /// Appends an operation.
    pub fn with(mut self, operation: Operation) -> Batch {
        self.operations.push(operation);
        self
    }

    /// The operations, in order.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The number of operations.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Checks the conditions of all operations against what `stored` says and what precedes them.
    pub(crate) fn check(
        &self,
        mut stored: impl FnMut(&Bytes) -> Result<Option<Version>, Error>,
    ) -> Result<(), Error> {
        // Keys written so far, and whether each has a value then.
        let mut written: HashMap<&Bytes, bool> = HashMap::new();
        for operation in &self.operations {
            let key = operation.key();
            let earlier = || written.get(key).copied();
            let mut exists = || match earlier() {
                Some(has_value) => Ok(has_value),
                None => stored(key).map(|found| found.is_some()),
            };
            let holds = match operation {
                Operation::Put { .. } | Operation::Delete { .. } => true,
                Operation::Create { .. } | Operation::RequireAbsent { .. } => !exists()?,
                Operation::RequirePresent { .. } => exists()?,
                Operation::Replace { version, .. } => earlier().is_none() && stored(key)? == Some(*version),
            };
            if !holds {
                return Err(Error::Conflict { key: key.clone() });
            }
            if operation.is_write() {
                written.insert(key, operation.value().is_some());
            }
        }
        Ok(())
    }

    /// The bytes of all keys and values.
    pub(crate) fn weight(&self) -> usize {
        self.operations.iter().map(|o| o.key().len() + o.value().map_or(0, Bytes::len)).sum()
    }
}
