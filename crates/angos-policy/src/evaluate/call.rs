//! Stage 5: calls of functions the service declared.

use super::{Datum, Frame, Memory, Outcome, Range};
use crate::function::Function;
use crate::limits::FUNCTION_PARAMETERS_MAX;
use crate::program::Node;
use crate::value::{Type, Undecidable, Value};

impl<'a> Frame<'a, '_> {
    pub(super) fn call(
        &mut self,
        function: &Function,
        nodes: &'a [Node],
        at: &'a Node,
    ) -> Outcome<Datum<'a>> {
        let start = self.used.text;
        let mut data = [Datum::Null; FUNCTION_PARAMETERS_MAX];
        for ((datum, node), ty) in data.iter_mut().zip(nodes).zip(function.parameters()) {
            *datum = self.present(node)?;
            self.conforms(*datum, *ty, node)?;
            let length = self.text(*datum).map_or(0, str::len);
            self.spend(length / 64, at)?;
        }
        // What the arguments built lies below `used`; a string in the result is copied above it.
        let mistyped = at.trouble(Undecidable::Mistyped);
        let (text, free) = self.text.split_at_mut_checked(self.used.text).ok_or(mistyped)?;
        let memory = Memory { text, slots: self.slots };
        let mut values = [Value::Absent; FUNCTION_PARAMETERS_MAX];
        for (value, datum) in values.iter_mut().zip(data).take(nodes.len()) {
            *value = datum.shown(&memory).ok_or(mistyped)?;
        }
        let arguments = values.get(..nodes.len()).ok_or(mistyped)?;
        let value = (function.body)(arguments).map_err(|cause| at.trouble(cause))?;
        let answer = Datum::of(value).filter(|datum| datum.fits(function.result)).ok_or(mistyped)?;
        if let (Datum::String(text), Type::Word(words)) = (answer, function.result)
            && !words.contains(&text)
        {
            return Err(at.trouble(Undecidable::UnknownWord));
        }
        Ok(match answer {
            Datum::String(text) => {
                let room = free.get_mut(..text.len()).ok_or(at.trouble(Undecidable::TextTooLong))?;
                room.copy_from_slice(text.as_bytes());
                // A built string begins where its memory began, over what its arguments left there.
                let (from, end) = (self.used.text, self.used.text + text.len());
                self.text.copy_within(from..end, start);
                self.used.text = start + (end - from);
                Datum::Built(Range::new(start, self.used.text))
            }
            Datum::Absent => Datum::Absent,
            Datum::Null => Datum::Null,
            Datum::Bool(value) => Datum::Bool(value),
            Datum::Int(value) => Datum::Int(value),
            Datum::Uint(value) => Datum::Uint(value),
            Datum::Double(value) => Datum::Double(value),
            Datum::Timestamp(value) => Datum::Timestamp(value),
            Datum::Duration(value) => Datum::Duration(value),
            Datum::Ip(value) => Datum::Ip(value),
            Datum::Cidr(value) => Datum::Cidr(value),
            Datum::Type(value) => Datum::Type(value),
            _ => return Err(mistyped),
        })
    }
}
