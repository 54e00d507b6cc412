//! Stage 5: `==`, `!=`, `<` and their like, absent values included.

use super::{EvalResult, Frame, RawValue};
use crate::limits::VALUE_DEPTH_MAX;
use crate::program::{Node, Op, Order};
use crate::value::{Type, Undecidable, Value};
use std::cmp::Ordering;

impl<'a> Frame<'a, '_> {
    /// `==` of two expressions.
    pub(super) fn equal_sides(&mut self, sides: &'a [Node; 2], at: &Node) -> EvalResult<bool> {
        let [left, right] = sides;
        // Fast path for the most frequent comparison.
        if let (Op::Read(origin, ty @ (Type::String | Type::Enum(_))), Some(constant)) =
            (&left.op, right.constant_text())
        {
            let (raw, equal) = match self.source(*origin) {
                Value::String(text) => {
                    if let Type::Enum(enum_values) = ty {
                        self.check_enum_value(text, enum_values, left)?;
                    }
                    (RawValue::String(text), text == constant)
                }
                Value::Absent => (RawValue::Absent, constant.is_empty()),
                _ => return Err(left.error(Undecidable::Mistyped)),
            };
            self.record(left, self.budget, Ok(raw));
            return Ok(equal);
        }
        let (left, right) = (self.value(left)?, self.value(right)?);
        self.equal(left, right, at)
    }

    /// `left == right`. An absent string equals `null` and `''` and nothing else; two absent values, and an
    /// absent value that is not a string, cannot be compared.
    pub(super) fn equal(&mut self, left: RawValue<'a>, right: RawValue<'a>, at: &Node) -> EvalResult<bool> {
        self.equal_within(left, right, 0, at)
    }

    fn equal_within(
        &mut self,
        left: RawValue<'a>,
        right: RawValue<'a>,
        depth: usize,
        at: &Node,
    ) -> EvalResult<bool> {
        match (left, right) {
            (RawValue::String(left), RawValue::String(right))
            | (RawValue::Type(left), RawValue::Type(right)) => Ok(left == right),
            (RawValue::Null | RawValue::Absent, RawValue::Null) | (RawValue::Null, RawValue::Absent) => {
                Ok(true)
            }
            (RawValue::Null, _) | (_, RawValue::Null) => Ok(false),
            (RawValue::Absent, other) | (other, RawValue::Absent) => match self.text(other) {
                Some(text) => Ok(text.is_empty()),
                None => Err(at.error(Undecidable::Absent)),
            },
            (RawValue::Ip(left), RawValue::Ip(right)) => Ok(left == right),
            (RawValue::Cidr(left), RawValue::Cidr(right)) => Ok(left == right),
            (RawValue::Optional(left), RawValue::Optional(right)) => {
                self.equal_lists(RawValue::List(left), RawValue::List(right), depth, at)
            }
            _ if left.is_list() && right.is_list() => self.equal_lists(left, right, depth, at),
            _ if left.is_map() && right.is_map() => self.equal_maps(left, right, depth, at),
            // Values of two types, one of them behind `dyn`, are not equal.
            _ => Ok(match ((self.text(left), self.text(right)), (self.bytes(left), self.bytes(right))) {
                ((Some(left), Some(right)), _) => left == right,
                (_, (Some(left), Some(right))) => left == right,
                _ => order_of(left, right) == Some(Ordering::Equal),
            }),
        }
    }

    /// Equal length and equal elements. One difference hides errors of other elements.
    fn equal_lists(
        &mut self,
        left: RawValue<'a>,
        right: RawValue<'a>,
        depth: usize,
        at: &Node,
    ) -> EvalResult<bool> {
        let count = left.count();
        if count != right.count() {
            return Ok(false);
        }
        let mut answer = Ok(true);
        for index in 0..count.unwrap_or(0) {
            self.descend(depth, at)?;
            let twins = self.item(left, index).zip(self.item(right, index));
            let (left, right) = twins.ok_or(at.error(Undecidable::Mistyped))?;
            match self.equal_within(left.value, right.value, depth + 1, at) {
                Ok(true) => {}
                Err(error) if error.cause != Undecidable::Cost => answer = Err(error),
                different => return different,
            }
        }
        answer
    }

    /// The same keys, with equal values.
    fn equal_maps(
        &mut self,
        left: RawValue<'a>,
        right: RawValue<'a>,
        depth: usize,
        at: &Node,
    ) -> EvalResult<bool> {
        let count = left.count();
        if count != right.count() {
            return Ok(false);
        }
        let mut answer = Ok(true);
        for index in 0..count.unwrap_or(0) {
            self.descend(depth, at)?;
            let entry = self.item(left, index).ok_or(at.error(Undecidable::Mistyped))?;
            let Some(twin) = self.find(right, entry.place, at)? else { return Ok(false) };
            match self.equal_within(entry.value, twin, depth + 1, at) {
                Ok(true) => {}
                Err(error) if error.cause != Undecidable::Cost => answer = Err(error),
                different => return different,
            }
        }
        answer
    }

    /// Values of a service may nest deeper than the stack allows.
    pub(super) fn descend(&mut self, depth: usize, at: &Node) -> EvalResult<()> {
        let too_deep = depth >= VALUE_DEPTH_MAX;
        self.charge(if too_deep { usize::MAX } else { 1 }, at)
    }

    pub(super) fn ordered(&mut self, order: Order, sides: &'a [Node; 2], at: &Node) -> EvalResult<bool> {
        let [left_node, right_node] = sides;
        let left = self.present(left_node)?;
        let right = self.present(right_node)?;
        let ordering = match ((self.text(left), self.text(right)), (self.bytes(left), self.bytes(right))) {
            ((Some(left), Some(right)), _) => Some(left.cmp(right)),
            (_, (Some(left), Some(right))) => Some(left.cmp(right)),
            _ if comparable(left, right) => order_of(left, right),
            _ => return Err(at.error(Undecidable::NoOverload)),
        };
        // Every comparison with NaN is false.
        Ok(ordering.is_some_and(|ordering| match order {
            Order::Less => ordering.is_lt(),
            Order::LessEqual => ordering.is_le(),
            Order::Greater => ordering.is_gt(),
            Order::GreaterEqual => ordering.is_ge(),
        }))
    }

    /// The order of two values that can be sorted: strings, bytes, and what [`order_of`] orders.
    pub(super) fn sorted(&self, left: RawValue<'a>, right: RawValue<'a>) -> Option<Ordering> {
        match ((self.text(left), self.text(right)), (self.bytes(left), self.bytes(right))) {
            ((Some(left), Some(right)), _) => Some(left.cmp(right)),
            (_, (Some(left), Some(right))) => Some(left.cmp(right)),
            _ => order_of(left, right),
        }
    }
}

/// Whether two values that are not text have an order, NaN aside.
fn comparable(left: RawValue<'_>, right: RawValue<'_>) -> bool {
    let number = |raw| matches!(raw, RawValue::Int(_) | RawValue::Uint(_) | RawValue::Double(_));
    (number(left) && number(right))
        || matches!(
            (left, right),
            (RawValue::Bool(_), RawValue::Bool(_))
                | (RawValue::Timestamp(_), RawValue::Timestamp(_))
                | (RawValue::Duration(_), RawValue::Duration(_))
        )
}

/// The order of two booleans, numbers of any type, timestamps or durations; none with NaN.
pub(super) fn order_of(left: RawValue<'_>, right: RawValue<'_>) -> Option<Ordering> {
    match (left, right) {
        (RawValue::Bool(left), RawValue::Bool(right)) => Some(left.cmp(&right)),
        (RawValue::Timestamp(left), RawValue::Timestamp(right)) => Some(left.cmp(&right)),
        (RawValue::Duration(left), RawValue::Duration(right)) => Some(left.cmp(&right)),
        (RawValue::Double(left), RawValue::Double(right)) => left.partial_cmp(&right),
        (RawValue::Double(left), right) => left.partial_cmp(&rounded(right)?),
        (left, RawValue::Double(right)) => rounded(left)?.partial_cmp(&right),
        (left, right) => Some(whole(left)?.cmp(&whole(right)?)),
    }
}

fn whole(raw: RawValue<'_>) -> Option<i128> {
    match raw {
        RawValue::Int(value) => Some(value.into()),
        RawValue::Uint(value) => Some(value.into()),
        _ => None,
    }
}

/// An integer as the nearest double: beside a double it is compared as one. A double outside the integer's
/// range stays outside, as the ends of the range are doubles themselves.
#[allow(clippy::cast_precision_loss, reason = "that is the comparison CEL defines")]
fn rounded(raw: RawValue<'_>) -> Option<f64> {
    whole(raw).map(|value| value as f64)
}

/// Whether two keys of a map are the same. Unlike in a comparison no integer is rounded: a double finds the key
/// that is exactly as great.
pub(super) fn same_number(left: RawValue<'_>, right: RawValue<'_>) -> bool {
    if let (RawValue::Double(left), RawValue::Double(right)) = (left, right) {
        return left.partial_cmp(&right) == Some(Ordering::Equal);
    }
    #[allow(clippy::cast_possible_truncation, reason = "saturates far outside the range of integers")]
    let exact = |raw| match raw {
        RawValue::Double(value) => (value.fract() == 0.0).then_some(value as i128),
        other => whole(other),
    };
    exact(left).is_some_and(|value| exact(right) == Some(value))
}

#[cfg(test)]
mod tests {
    use super::{RawValue, order_of, same_number};
    use std::cmp::Ordering::{Equal, Greater, Less};

    #[test]
    fn numbers_compare_across_types() {
        const TWO_TO_53: i64 = 1 << 53;
        for (left, right, expected) in [
            (RawValue::Int(1), RawValue::Double(1.0), Some(Equal)),
            (RawValue::Int(1), RawValue::Double(1.5), Some(Less)),
            (RawValue::Double(-0.5), RawValue::Int(0), Some(Less)),
            (RawValue::Double(-0.5), RawValue::Int(-1), Some(Greater)),
            (RawValue::Int(TWO_TO_53 + 1), RawValue::Double(9_007_199_254_740_992.0), Some(Equal)),
            (RawValue::Int(TWO_TO_53 + 2), RawValue::Double(9_007_199_254_740_992.0), Some(Greater)),
            (RawValue::Int(i64::MAX), RawValue::Double(9_223_372_036_854_775_808.0), Some(Equal)),
            (RawValue::Int(i64::MAX), RawValue::Double(9_223_372_036_854_777_857.0), Some(Less)),
            (RawValue::Int(i64::MIN), RawValue::Double(-9_223_372_036_854_777_857.0), Some(Greater)),
            (RawValue::Uint(u64::MAX), RawValue::Double(18_446_744_073_709_551_616.0), Some(Equal)),
            (RawValue::Double(18_446_744_073_709_555_712.0), RawValue::Uint(u64::MAX), Some(Greater)),
            (RawValue::Uint(u64::MAX), RawValue::Int(-1), Some(Greater)),
            (RawValue::Uint(u64::MAX), RawValue::Double(f64::INFINITY), Some(Less)),
            (RawValue::Int(i64::MIN), RawValue::Double(f64::NEG_INFINITY), Some(Greater)),
            (RawValue::Int(0), RawValue::Double(f64::NAN), None),
            (RawValue::Double(f64::NAN), RawValue::Double(f64::NAN), None),
            (RawValue::Double(-0.0), RawValue::Uint(0), Some(Equal)),
            (RawValue::Bool(true), RawValue::Int(1), None),
        ] {
            assert_eq!(order_of(left, right), expected, "{left:?} {right:?}");
        }
    }

    #[test]
    fn keys_are_the_same_when_no_rounding_is_needed() {
        for (left, right, expected) in [
            (RawValue::Int(1), RawValue::Double(1.0), true),
            (RawValue::Double(-0.0), RawValue::Uint(0), true),
            (RawValue::Uint(1), RawValue::Int(1), true),
            (RawValue::Int(1), RawValue::Double(1.5), false),
            (RawValue::Int((1 << 53) + 1), RawValue::Double(9_007_199_254_740_992.0), false),
            (RawValue::Int(i64::MAX), RawValue::Double(9_223_372_036_854_775_808.0), false),
            (RawValue::Uint(u64::MAX), RawValue::Double(f64::INFINITY), false),
            (RawValue::Int(0), RawValue::Double(f64::NAN), false),
            (RawValue::Bool(true), RawValue::Int(1), false),
        ] {
            assert_eq!(same_number(left, right), expected, "{left:?} {right:?}");
            assert_eq!(same_number(right, left), expected, "{right:?} {left:?}");
        }
    }
}
