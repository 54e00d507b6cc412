//! Stage 5: `==`, `!=`, `<` and their like, absent values included.

use super::{Datum, Frame, Outcome};
use crate::program::{Node, Op, Order, Scalar};
use crate::value::{Undecidable, Value};
use std::cmp::Ordering;

impl<'a> Frame<'a, '_> {
    /// `==` of two expressions.
    pub(super) fn equal_sides(&mut self, sides: &'a [Node; 2], at: &Node) -> Outcome<bool> {
        let [left, right] = sides;
        // What most rules ask, answered without a detour.
        if let (Op::Read(origin, Scalar::String), Some(constant)) = (&left.op, right.constant_text()) {
            match self.source(*origin) {
                Value::String(text) => return Ok(text == constant),
                Value::Absent => return Ok(constant.is_empty()),
                _ => return Err(left.trouble(Undecidable::Mistyped)),
            }
        }
        let (left, right) = (self.value(left)?, self.value(right)?);
        self.equal(left, right, at)
    }

    /// `left == right`. An absent string equals `null` and `''` and nothing else; two absent values, and an
    /// absent value that is not a string, cannot be compared.
    pub(super) fn equal(&self, left: Datum<'a>, right: Datum<'a>, at: &Node) -> Outcome<bool> {
        if let (Datum::String(left), Datum::String(right)) = (left, right) {
            return Ok(left == right);
        }
        match (left, right) {
            (Datum::Null | Datum::Absent, Datum::Null) | (Datum::Null, Datum::Absent) => Ok(true),
            (Datum::Null, _) | (_, Datum::Null) => Ok(false),
            (Datum::Absent, other) | (other, Datum::Absent) => match self.text(other) {
                Some(text) => Ok(text.is_empty()),
                None => Err(at.trouble(Undecidable::Absent)),
            },
            (Datum::Bytes(left), Datum::Bytes(right)) => Ok(left == right),
            (Datum::Ip(left), Datum::Ip(right)) => Ok(left == right),
            (Datum::Cidr(left), Datum::Cidr(right)) => Ok(left == right),
            (Datum::Type(left), Datum::Type(right)) => Ok(left == right),
            _ => match (self.text(left), self.text(right)) {
                (Some(left), Some(right)) => Ok(left == right),
                (None, None) => Ok(order_of(left, right) == Some(Ordering::Equal)),
                // Values of two types, one of them behind `dyn`.
                _ => Ok(false),
            },
        }
    }

    pub(super) fn ordered(&mut self, order: Order, sides: &'a [Node; 2], at: &Node) -> Outcome<bool> {
        let [left_node, right_node] = sides;
        let left = self.present(left_node)?;
        let right = self.present(right_node)?;
        let ordering = match (left, right) {
            (Datum::Bytes(left), Datum::Bytes(right)) => Some(left.cmp(right)),
            _ => match (self.text(left), self.text(right)) {
                (Some(left), Some(right)) => Some(left.cmp(right)),
                (None, None) => order_of(left, right),
                _ => return Err(at.trouble(Undecidable::Mistyped)),
            },
        };
        // A comparison with NaN is false whichever way it is asked.
        Ok(ordering.is_some_and(|ordering| match order {
            Order::Less => ordering.is_lt(),
            Order::LessEqual => ordering.is_le(),
            Order::Greater => ordering.is_gt(),
            Order::GreaterEqual => ordering.is_ge(),
        }))
    }

    /// Evaluates an expression whose value must not be absent.
    pub(super) fn present(&mut self, node: &'a Node) -> Outcome<Datum<'a>> {
        match self.value(node)? {
            Datum::Absent => Err(node.trouble(Undecidable::Absent)),
            datum => Ok(datum),
        }
    }
}

/// The order of two booleans, numbers of any type, timestamps or durations; none with NaN.
pub(super) fn order_of(left: Datum<'_>, right: Datum<'_>) -> Option<Ordering> {
    match (left, right) {
        (Datum::Bool(left), Datum::Bool(right)) => Some(left.cmp(&right)),
        (Datum::Timestamp(left), Datum::Timestamp(right)) => Some(left.cmp(&right)),
        (Datum::Duration(left), Datum::Duration(right)) => Some(left.cmp(&right)),
        (Datum::Double(left), Datum::Double(right)) => left.partial_cmp(&right),
        (Datum::Double(left), right) => order_of_double(left, whole(right)?),
        (left, Datum::Double(right)) => order_of_double(right, whole(left)?).map(Ordering::reverse),
        (left, right) => Some(whole(left)?.cmp(&whole(right)?)),
    }
}

fn whole(datum: Datum<'_>) -> Option<i128> {
    match datum {
        Datum::Int(value) => Some(value.into()),
        Datum::Uint(value) => Some(value.into()),
        _ => None,
    }
}

/// Exact: no integer is rounded to a double. `other` is within ±2^64.
fn order_of_double(double: f64, other: i128) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, reason = "saturates far outside the range of `other`")]
    let floor = double.floor() as i128;
    Some(match floor.cmp(&other) {
        Ordering::Equal if double > double.floor() => Ordering::Greater,
        ordering => ordering,
    })
}

#[cfg(test)]
mod tests {
    use super::{Datum, order_of};
    use std::cmp::Ordering::{Equal, Greater, Less};

    #[test]
    fn numbers_compare_exactly_across_types() {
        const TWO_TO_53: i64 = 1 << 53;
        for (left, right, expected) in [
            (Datum::Int(1), Datum::Double(1.0), Some(Equal)),
            (Datum::Int(1), Datum::Double(1.5), Some(Less)),
            (Datum::Double(-0.5), Datum::Int(0), Some(Less)),
            (Datum::Double(-0.5), Datum::Int(-1), Some(Greater)),
            (Datum::Int(TWO_TO_53 + 1), Datum::Double(9_007_199_254_740_992.0), Some(Greater)),
            (Datum::Uint(u64::MAX), Datum::Int(-1), Some(Greater)),
            (Datum::Uint(u64::MAX), Datum::Double(f64::INFINITY), Some(Less)),
            (Datum::Int(i64::MIN), Datum::Double(f64::NEG_INFINITY), Some(Greater)),
            (Datum::Int(0), Datum::Double(f64::NAN), None),
            (Datum::Double(f64::NAN), Datum::Double(f64::NAN), None),
            (Datum::Double(-0.0), Datum::Uint(0), Some(Equal)),
            (Datum::Bool(true), Datum::Int(1), None),
        ] {
            assert_eq!(order_of(left, right), expected, "{left:?} {right:?}");
        }
    }
}
