//! Stage 5: `+ - * / %` and unary minus; leaving a type's range is an error, never a wrong number.

use super::iterate::Next;
use super::{EvalResult, Frame, RawValue};
use crate::program::{Arithmetic, Node};
use crate::value::Undecidable;

impl<'a> Frame<'a, '_> {
    pub(super) fn arithmetic(
        &mut self,
        operation: Arithmetic,
        sides: &'a [Node; 2],
        at: &'a Node,
    ) -> EvalResult<RawValue<'a>> {
        let [left_node, right_node] = sides;
        let left = self.present(left_node)?;
        match left {
            RawValue::String(_) | RawValue::Built(_) | RawValue::Bytes(_) | RawValue::BuiltBytes(_)
                if operation == Arithmetic::Add =>
            {
                return self.concatenate(left, right_node, at);
            }
            _ => {}
        }
        let right = self.present(right_node)?;
        let result = match (left, right) {
            (RawValue::Int(left), RawValue::Int(right)) => {
                integers(operation, left, right).map(RawValue::Int)
            }
            (RawValue::Uint(left), RawValue::Uint(right)) => {
                naturals(operation, left, right).map(RawValue::Uint)
            }
            (RawValue::Double(left), RawValue::Double(right)) => {
                doubles(operation, left, right).map(RawValue::Double)
            }
            _ if operation == Arithmetic::Add && left.is_list() && right.is_list() => {
                return self.join_whole([left, right], at);
            }
            _ => instants(operation, left, right),
        };
        result.map_err(|cause| at.error(cause))
    }

    /// `+` of two lists that only turned out to be lists.
    fn join_whole(&mut self, sides: [RawValue<'a>; 2], at: &'a Node) -> EvalResult<RawValue<'a>> {
        let range = self.build_from(at, |frame| {
            sides.into_iter().try_for_each(|side| {
                frame.iterate_whole(side, at, &mut |frame, item| {
                    frame.hold(item.value, at)?;
                    Ok(Next::More)
                })
            })
        })?;
        Ok(RawValue::List(range))
    }

    pub(super) fn negate(&mut self, operand: &'a Node, at: &Node) -> EvalResult<RawValue<'a>> {
        match self.value(operand)? {
            RawValue::Int(value) => {
                value.checked_neg().map(RawValue::Int).ok_or(at.error(Undecidable::Overflow))
            }
            RawValue::Double(value) => Ok(RawValue::Double(-value)),
            RawValue::Duration(value) => {
                value.checked_neg().map(RawValue::Duration).ok_or(at.error(Undecidable::Overflow))
            }
            other => Err(operand.type_error(other)),
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
fn instants<'a>(
    operation: Arithmetic,
    left: RawValue<'a>,
    right: RawValue<'a>,
) -> Result<RawValue<'a>, Undecidable> {
    match (operation, left, right) {
        (Arithmetic::Add, RawValue::Timestamp(timestamp), RawValue::Duration(by))
        | (Arithmetic::Add, RawValue::Duration(by), RawValue::Timestamp(timestamp)) => {
            timestamp.plus(by).map(RawValue::Timestamp)
        }
        (Arithmetic::Subtract, RawValue::Timestamp(timestamp), RawValue::Duration(by)) => {
            timestamp.minus(by).map(RawValue::Timestamp)
        }
        (Arithmetic::Subtract, RawValue::Timestamp(later), RawValue::Timestamp(earlier)) => {
            later.since(earlier).map(RawValue::Duration)
        }
        (Arithmetic::Add, RawValue::Duration(left), RawValue::Duration(right)) => {
            left.checked_add(right).map(RawValue::Duration)
        }
        (Arithmetic::Subtract, RawValue::Duration(left), RawValue::Duration(right)) => {
            left.checked_sub(right).map(RawValue::Duration)
        }
        _ => return Err(Undecidable::NoOverload),
    }
    .ok_or(Undecidable::Overflow)
}
