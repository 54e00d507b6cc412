//! Stage 5: `+ - * / %` and unary minus; leaving a type's range is an error, never a wrong number.

use super::walk::Next;
use super::{Datum, Frame, Outcome};
use crate::program::{Arithmetic, Node};
use crate::value::Undecidable;

impl<'a> Frame<'a, '_> {
    pub(super) fn arithmetic(
        &mut self,
        operation: Arithmetic,
        sides: &'a [Node; 2],
        at: &'a Node,
    ) -> Outcome<Datum<'a>> {
        let [left_node, right_node] = sides;
        let left = self.present(left_node)?;
        match left {
            Datum::String(_) | Datum::Built(_) | Datum::Bytes(_) | Datum::BuiltBytes(_)
                if operation == Arithmetic::Add =>
            {
                return self.concatenate(left, right_node, at);
            }
            _ => {}
        }
        let right = self.present(right_node)?;
        let result = match (left, right) {
            (Datum::Int(left), Datum::Int(right)) => integers(operation, left, right).map(Datum::Int),
            (Datum::Uint(left), Datum::Uint(right)) => naturals(operation, left, right).map(Datum::Uint),
            (Datum::Double(left), Datum::Double(right)) => doubles(operation, left, right).map(Datum::Double),
            _ if operation == Arithmetic::Add && left.is_list() && right.is_list() => {
                return self.join_whole([left, right], at);
            }
            _ => instants(operation, left, right),
        };
        result.map_err(|cause| at.trouble(cause))
    }

    /// `+` of two lists that only turned out to be lists.
    fn join_whole(&mut self, sides: [Datum<'a>; 2], at: &'a Node) -> Outcome<Datum<'a>> {
        let range = self.build_from(at, |frame| {
            sides.into_iter().try_for_each(|side| {
                frame.walk_whole(side, at, &mut |frame, item| {
                    frame.hold(item.value, at)?;
                    Ok(Next::More)
                })
            })
        })?;
        Ok(Datum::List(range))
    }

    pub(super) fn negate(&mut self, operand: &'a Node, at: &Node) -> Outcome<Datum<'a>> {
        match self.value(operand)? {
            Datum::Int(value) => value.checked_neg().map(Datum::Int).ok_or(at.trouble(Undecidable::Overflow)),
            Datum::Double(value) => Ok(Datum::Double(-value)),
            Datum::Duration(value) => {
                value.checked_neg().map(Datum::Duration).ok_or(at.trouble(Undecidable::Overflow))
            }
            other => Err(operand.unfit(other)),
        }
    }
}

fn integers(operation: Arithmetic, left: i64, right: i64) -> Result<i64, Undecidable> {
    match operation {
        Arithmetic::Divide | Arithmetic::Remainder if right == 0 => return Err(Undecidable::DivisionByZero),
        Arithmetic::Add => left.checked_add(right),
        Arithmetic::Subtract => left.checked_sub(right),
        Arithmetic::Multiply => left.checked_mul(right),
        Arithmetic::Divide => left.checked_div(right),
        Arithmetic::Remainder => left.checked_rem(right),
    }
    .ok_or(Undecidable::Overflow)
}

fn naturals(operation: Arithmetic, left: u64, right: u64) -> Result<u64, Undecidable> {
    match operation {
        Arithmetic::Divide | Arithmetic::Remainder if right == 0 => return Err(Undecidable::DivisionByZero),
        Arithmetic::Add => left.checked_add(right),
        Arithmetic::Subtract => left.checked_sub(right),
        Arithmetic::Multiply => left.checked_mul(right),
        Arithmetic::Divide => left.checked_div(right),
        Arithmetic::Remainder => left.checked_rem(right),
    }
    .ok_or(Undecidable::Overflow)
}

fn doubles(operation: Arithmetic, left: f64, right: f64) -> Result<f64, Undecidable> {
    Ok(match operation {
        Arithmetic::Add => left + right,
        Arithmetic::Subtract => left - right,
        Arithmetic::Multiply => left * right,
        Arithmetic::Divide => left / right,
        Arithmetic::Remainder => return Err(Undecidable::NoOverload),
    })
}

/// Timestamps and durations.
fn instants<'a>(operation: Arithmetic, left: Datum<'a>, right: Datum<'a>) -> Result<Datum<'a>, Undecidable> {
    match (operation, left, right) {
        (Arithmetic::Add, Datum::Timestamp(moment), Datum::Duration(by))
        | (Arithmetic::Add, Datum::Duration(by), Datum::Timestamp(moment)) => {
            moment.plus(by).map(Datum::Timestamp)
        }
        (Arithmetic::Subtract, Datum::Timestamp(moment), Datum::Duration(by)) => {
            moment.minus(by).map(Datum::Timestamp)
        }
        (Arithmetic::Subtract, Datum::Timestamp(later), Datum::Timestamp(earlier)) => {
            later.since(earlier).map(Datum::Duration)
        }
        (Arithmetic::Add, Datum::Duration(left), Datum::Duration(right)) => {
            left.checked_add(right).map(Datum::Duration)
        }
        (Arithmetic::Subtract, Datum::Duration(left), Datum::Duration(right)) => {
            left.checked_sub(right).map(Datum::Duration)
        }
        _ => return Err(Undecidable::NoOverload),
    }
    .ok_or(Undecidable::Overflow)
}
