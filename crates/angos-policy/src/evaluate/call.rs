//! Stage 5: calls of functions the service declared.

use super::{EvalResult, Frame, Memory, Range, RawValue};
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
    ) -> EvalResult<RawValue<'a>> {
        let start = self.used.text;
        let mut data = [RawValue::Null; FUNCTION_PARAMETERS_MAX];
        for ((raw, node), ty) in data.iter_mut().zip(nodes).zip(function.parameters()) {
            *raw = self.present(node)?;
            self.conforms(*raw, *ty, node)?;
            let length = self.text(*raw).map_or(0, str::len);
            self.charge(length / 64, at)?;
        }
        // Values built by the arguments lie below `used`; a string in the result is copied above it.
        let mistyped = at.error(Undecidable::Mistyped);
        let (text, free) = self.text.split_at_mut_checked(self.used.text).ok_or(mistyped)?;
        let memory = Memory { text, slots: self.slots };
        let mut values = [Value::Absent; FUNCTION_PARAMETERS_MAX];
        for (value, raw) in values.iter_mut().zip(data).take(nodes.len()) {
            *value = raw.shown(&memory).ok_or(mistyped)?;
        }
        let arguments = values.get(..nodes.len()).ok_or(mistyped)?;
        let value = (function.body)(arguments).map_err(|cause| at.error(cause))?;
        let answer = RawValue::of(value).filter(|raw| raw.fits(function.result)).ok_or(mistyped)?;
        if let (RawValue::String(text), Type::Enum(enum_values)) = (answer, function.result)
            && !enum_values.contains(&text)
        {
            return Err(at.error(Undecidable::UnknownEnumValue));
        }
        Ok(match answer {
            RawValue::String(text) => {
                let room = free.get_mut(..text.len()).ok_or(at.error(Undecidable::TextTooLong))?;
                room.copy_from_slice(text.as_bytes());
                // The result moves to the start of the memory of its arguments, which are no longer needed.
                let (from, end) = (self.used.text, self.used.text + text.len());
                self.text.copy_within(from..end, start);
                self.used.text = start + (end - from);
                RawValue::Built(Range::new(start, self.used.text))
            }
            RawValue::Absent => RawValue::Absent,
            RawValue::Null => RawValue::Null,
            RawValue::Bool(value) => RawValue::Bool(value),
            RawValue::Int(value) => RawValue::Int(value),
            RawValue::Uint(value) => RawValue::Uint(value),
            RawValue::Double(value) => RawValue::Double(value),
            RawValue::Timestamp(value) => RawValue::Timestamp(value),
            RawValue::Duration(value) => RawValue::Duration(value),
            RawValue::Ip(value) => RawValue::Ip(value),
            RawValue::Cidr(value) => RawValue::Cidr(value),
            RawValue::Type(value) => RawValue::Type(value),
            _ => return Err(mistyped),
        })
    }
}
