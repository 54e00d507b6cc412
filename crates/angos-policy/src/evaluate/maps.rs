//! Stage 5: looking a key up in a table the rule contains.

use super::{Datum, Frame, Outcome};
use crate::program::Node;
use crate::value::Undecidable;

impl<'a> Frame<'a, '_> {
    /// The entry of a table whose key is equal to `key`. A string built for the key is given up.
    pub(super) fn lookup<T>(
        &mut self,
        key: &'a Node,
        table: &'a [(Node, T)],
        at: &'a Node,
    ) -> Outcome<&'a T> {
        let used = self.used;
        let wanted = self.present(key)?;
        self.spend(table.len(), at)?;
        for (key, value) in table {
            let Some(constant) = key.constant() else { continue };
            if self.equal(wanted, Datum::from(constant), at)? {
                self.used = used;
                return Ok(value);
            }
        }
        Err(at.trouble(Undecidable::Key))
    }
}
