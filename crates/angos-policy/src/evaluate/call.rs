//! Stage 5: calls of functions the service declared.

use super::{Datum, Frame, Outcome, admit, shown};
use crate::function::Body;
use crate::limits::FUNCTION_PARAMETERS_MAX;
use crate::program::{Node, Scalar};
use crate::value::{Undecidable, Value};

impl<'a> Frame<'a, '_> {
    pub(super) fn call(
        &mut self,
        body: Body,
        result: Scalar,
        nodes: &'a [Node],
        at: &'a Node,
    ) -> Outcome<Datum<'a>> {
        let start = self.used;
        let mut data = [Datum::Null; FUNCTION_PARAMETERS_MAX];
        for (datum, node) in data.iter_mut().zip(nodes) {
            *datum = self.present(node)?;
            let length = self.text(*datum).map_or(0, str::len);
            self.spend(length / 64, at)?;
        }
        // What the arguments built lies below `used`; a string in the result is copied above it.
        let mistyped = at.trouble(Undecidable::Mistyped);
        let (built, free) = self.memory.split_at_mut_checked(self.used).ok_or(mistyped)?;
        let mut values = [Value::Absent; FUNCTION_PARAMETERS_MAX];
        for (value, datum) in values.iter_mut().zip(data).take(nodes.len()) {
            *value = shown(datum, built).ok_or(mistyped)?;
        }
        let value = body(values.get(..nodes.len()).ok_or(mistyped)?).map_err(|cause| at.trouble(cause))?;
        Ok(match admit(value, result).ok_or(mistyped)? {
            Datum::String(text) => {
                let room = free.get_mut(..text.len()).ok_or(at.trouble(Undecidable::TextTooLong))?;
                room.copy_from_slice(text.as_bytes());
                // A built string begins where its memory began, over what its arguments left there.
                let end = self.used + text.len();
                self.memory.copy_within(self.used..end, start);
                self.used = start + (end - self.used);
                Datum::Built { start, end: self.used }
            }
            Datum::Absent => Datum::Absent,
            Datum::Bool(value) => Datum::Bool(value),
            Datum::Int(value) => Datum::Int(value),
            Datum::Uint(value) => Datum::Uint(value),
            Datum::Double(value) => Datum::Double(value),
            Datum::Timestamp(value) => Datum::Timestamp(value),
            Datum::Duration(value) => Datum::Duration(value),
            _ => return Err(mistyped),
        })
    }
}
