//! Stage 5: the functions of CEL's math extension.

use super::compare::order_of;
use super::iterate::Next;
use super::{EvalResult, Frame, RawValue};
use crate::program::{Bits, Math, Node};
use crate::value::Undecidable;

impl<'a> Frame<'a, '_> {
    pub(super) fn math(&mut self, math: Math, of: &'a Node, at: &Node) -> EvalResult<RawValue<'a>> {
        Ok(match (math, self.value(of)?) {
            (Math::Abs, RawValue::Int(value)) => {
                RawValue::Int(value.checked_abs().ok_or(at.error(Undecidable::Overflow))?)
            }
            (Math::Abs, RawValue::Uint(value)) => RawValue::Uint(value),
            (Math::Abs, RawValue::Double(value)) => RawValue::Double(value.abs()),
            (Math::Sign, RawValue::Int(value)) => RawValue::Int(value.signum()),
            (Math::Sign, RawValue::Uint(value)) => RawValue::Uint(value.min(1)),
            // Zero and NaN have no sign but themselves.
            (Math::Sign, RawValue::Double(value)) => {
                RawValue::Double(if value == 0.0 || value.is_nan() { value } else { value.signum() })
            }
            (Math::Ceil, RawValue::Double(value)) => RawValue::Double(value.ceil()),
            (Math::Floor, RawValue::Double(value)) => RawValue::Double(value.floor()),
            (Math::Round, RawValue::Double(value)) => RawValue::Double(value.round()),
            (Math::Trunc, RawValue::Double(value)) => RawValue::Double(value.trunc()),
            (Math::IsFinite, RawValue::Double(value)) => RawValue::Bool(value.is_finite()),
            (Math::IsInf, RawValue::Double(value)) => RawValue::Bool(value.is_infinite()),
            (Math::IsNaN, RawValue::Double(value)) => RawValue::Bool(value.is_nan()),
            (Math::Sqrt, number) => RawValue::Double(double(number).ok_or(of.type_error(number))?.sqrt()),
            (Math::BitNot, RawValue::Int(value)) => RawValue::Int(!value),
            (Math::BitNot, RawValue::Uint(value)) => RawValue::Uint(!value),
            (_, other) => return Err(of.type_error(other)),
        })
    }

    /// The bits of two ints or two uints; a shift takes an int, which must not be negative.
    pub(super) fn bits(&mut self, bits: Bits, sides: &'a [Node; 2], at: &Node) -> EvalResult<RawValue<'a>> {
        let [left, right] = sides;
        let (left, right) = (self.present(left)?, self.present(right)?);
        Ok(match (bits, left, right) {
            (Bits::And, RawValue::Int(left), RawValue::Int(right)) => RawValue::Int(left & right),
            (Bits::And, RawValue::Uint(left), RawValue::Uint(right)) => RawValue::Uint(left & right),
            (Bits::Or, RawValue::Int(left), RawValue::Int(right)) => RawValue::Int(left | right),
            (Bits::Or, RawValue::Uint(left), RawValue::Uint(right)) => RawValue::Uint(left | right),
            (Bits::Xor, RawValue::Int(left), RawValue::Int(right)) => RawValue::Int(left ^ right),
            (Bits::Xor, RawValue::Uint(left), RawValue::Uint(right)) => RawValue::Uint(left ^ right),
            (Bits::ShiftLeft | Bits::ShiftRight, _, RawValue::Int(by)) => {
                let by = u32::try_from(by).or(if by < 0 { Err(()) } else { Ok(u32::MAX) });
                let by = by.map_err(|()| at.error(Undecidable::Overflow))?;
                shifted(bits, left, by).ok_or(at.error(Undecidable::NoOverload))?
            }
            _ => return Err(at.error(Undecidable::NoOverload)),
        })
    }

    /// The greatest or least of numbers; an empty list is an error.
    pub(super) fn extreme(
        &mut self,
        greatest: bool,
        among: &'a Node,
        at: &'a Node,
    ) -> EvalResult<RawValue<'a>> {
        let mut best: Option<RawValue<'a>> = None;
        self.iterate(among, &mut |_, item| {
            let number = item.value;
            if double(number).is_none() {
                return Err(at.type_error(number));
            }
            let better = |best| {
                order_of(number, best)
                    .is_some_and(|order| if greatest { order.is_gt() } else { order.is_lt() })
            };
            if best.is_none_or(better) {
                best = Some(number);
            }
            Ok(Next::More)
        })?;
        best.ok_or(at.error(Undecidable::Index))
    }
}

/// Bits shifted out are lost, and none come in.
fn shifted(bits: Bits, number: RawValue<'_>, by: u32) -> Option<RawValue<'static>> {
    let shift = |number: u64| match bits {
        Bits::ShiftLeft => number.checked_shl(by).unwrap_or(0),
        _ => number.checked_shr(by).unwrap_or(0),
    };
    match number {
        RawValue::Int(value) => Some(RawValue::Int(shift(value.cast_unsigned()).cast_signed())),
        RawValue::Uint(value) => Some(RawValue::Uint(shift(value))),
        _ => None,
    }
}

#[allow(clippy::cast_precision_loss, reason = "doubles are approximations by nature")]
fn double(number: RawValue<'_>) -> Option<f64> {
    match number {
        RawValue::Int(value) => Some(value as f64),
        RawValue::Uint(value) => Some(value as f64),
        RawValue::Double(value) => Some(value),
        _ => None,
    }
}
