//! Stage 5: the functions of CEL's math extension.

use super::compare::order_of;
use super::lists::Next;
use super::{Datum, Frame, Outcome};
use crate::program::{List, Math, Node};
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
            (_, other) => return Err(of.unfit(other)),
        })
    }

    /// The greatest or least of numbers of one type; of none, there is none.
    pub(super) fn extreme(&mut self, greatest: bool, among: &'a List, at: &'a Node) -> Outcome<Datum<'a>> {
        let mut best: Option<Datum<'a>> = None;
        self.each(among, at, &mut |_, number| {
            if matches!(number, Datum::Absent) {
                return Err(at.trouble(Undecidable::Absent));
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
