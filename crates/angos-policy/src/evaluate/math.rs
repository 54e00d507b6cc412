//! Stage 5: the functions of CEL's math extension.

use super::compare::order_of;
use super::walk::Next;
use super::{Datum, Frame, Outcome};
use crate::program::{Bits, Math, Node};
use crate::value::Undecidable;

impl<'a> Frame<'a, '_> {
    pub(super) fn math(&mut self, math: Math, of: &'a Node, at: &Node) -> Outcome<Datum<'a>> {
        Ok(match (math, self.value(of)?) {
            (Math::Abs, Datum::Int(value)) => {
                Datum::Int(value.checked_abs().ok_or(at.trouble(Undecidable::Overflow))?)
            }
            (Math::Abs, Datum::Uint(value)) => Datum::Uint(value),
            (Math::Abs, Datum::Double(value)) => Datum::Double(value.abs()),
            (Math::Sign, Datum::Int(value)) => Datum::Int(value.signum()),
            (Math::Sign, Datum::Uint(value)) => Datum::Uint(value.min(1)),
            // Zero and NaN have no sign but themselves.
            (Math::Sign, Datum::Double(value)) => {
                Datum::Double(if value == 0.0 || value.is_nan() { value } else { value.signum() })
            }
            (Math::Ceil, Datum::Double(value)) => Datum::Double(value.ceil()),
            (Math::Floor, Datum::Double(value)) => Datum::Double(value.floor()),
            (Math::Round, Datum::Double(value)) => Datum::Double(value.round()),
            (Math::Trunc, Datum::Double(value)) => Datum::Double(value.trunc()),
            (Math::IsFinite, Datum::Double(value)) => Datum::Bool(value.is_finite()),
            (Math::IsInf, Datum::Double(value)) => Datum::Bool(value.is_infinite()),
            (Math::IsNaN, Datum::Double(value)) => Datum::Bool(value.is_nan()),
            (Math::Sqrt, number) => Datum::Double(double(number).ok_or(of.unfit(number))?.sqrt()),
            (Math::BitNot, Datum::Int(value)) => Datum::Int(!value),
            (Math::BitNot, Datum::Uint(value)) => Datum::Uint(!value),
            (_, other) => return Err(of.unfit(other)),
        })
    }

    /// The bits of two ints or two uints; a shift takes an int, which must not be negative.
    pub(super) fn bits(&mut self, bits: Bits, sides: &'a [Node; 2], at: &Node) -> Outcome<Datum<'a>> {
        let [left, right] = sides;
        let (left, right) = (self.present(left)?, self.present(right)?);
        Ok(match (bits, left, right) {
            (Bits::And, Datum::Int(left), Datum::Int(right)) => Datum::Int(left & right),
            (Bits::And, Datum::Uint(left), Datum::Uint(right)) => Datum::Uint(left & right),
            (Bits::Or, Datum::Int(left), Datum::Int(right)) => Datum::Int(left | right),
            (Bits::Or, Datum::Uint(left), Datum::Uint(right)) => Datum::Uint(left | right),
            (Bits::Xor, Datum::Int(left), Datum::Int(right)) => Datum::Int(left ^ right),
            (Bits::Xor, Datum::Uint(left), Datum::Uint(right)) => Datum::Uint(left ^ right),
            (Bits::ShiftLeft | Bits::ShiftRight, _, Datum::Int(by)) => {
                let by = u32::try_from(by).or(if by < 0 { Err(()) } else { Ok(u32::MAX) });
                let by = by.map_err(|()| at.trouble(Undecidable::Overflow))?;
                shifted(bits, left, by).ok_or(at.trouble(Undecidable::NoOverload))?
            }
            _ => return Err(at.trouble(Undecidable::NoOverload)),
        })
    }

    /// The greatest or least of numbers; of none, there is none.
    pub(super) fn extreme(&mut self, greatest: bool, among: &'a Node, at: &'a Node) -> Outcome<Datum<'a>> {
        let mut best: Option<Datum<'a>> = None;
        self.walk(among, &mut |_, item| {
            let number = item.value;
            if double(number).is_none() {
                return Err(at.unfit(number));
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
        best.ok_or(at.trouble(Undecidable::Index))
    }
}

/// Bits shifted out are lost, and none come in.
fn shifted(bits: Bits, number: Datum<'_>, by: u32) -> Option<Datum<'static>> {
    let shift = |number: u64| match bits {
        Bits::ShiftLeft => number.checked_shl(by).unwrap_or(0),
        _ => number.checked_shr(by).unwrap_or(0),
    };
    match number {
        Datum::Int(value) => Some(Datum::Int(shift(value.cast_unsigned()).cast_signed())),
        Datum::Uint(value) => Some(Datum::Uint(shift(value))),
        _ => None,
    }
}

#[allow(clippy::cast_precision_loss, reason = "doubles are approximations by nature")]
fn double(number: Datum<'_>) -> Option<f64> {
    match number {
        Datum::Int(value) => Some(value as f64),
        Datum::Uint(value) => Some(value as f64),
        Datum::Double(value) => Some(value),
        _ => None,
    }
}
