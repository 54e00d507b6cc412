//! Stage 3: operators and the types they take.

use super::types::is_dynamic;
use super::{Checked, Checker, Typed, TypedList, article, words};
use crate::error::Fault;
use crate::program::{Arithmetic, List, Node, Op, Order, Scalar};
use crate::syntax::{Expression, Operator};

impl Checker<'_> {
    pub(super) fn operation(
        &mut self,
        offset: u32,
        operator: Operator,
        operands: &[Expression],
    ) -> Result<Checked, Fault> {
        match (operator, operands) {
            (Operator::Not, [operand]) => {
                let node = self.typed(operand, Scalar::Bool, "the operand of `!`")?;
                Ok(boolean(offset, Op::Not(Box::new(node))))
            }
            (Operator::Negate, [operand]) => self.negate(offset, operand),
            (Operator::And | Operator::Or, [left, right]) => {
                let what = format!("each side of `{}`", operator.symbol());
                let left = self.typed(left, Scalar::Bool, &what)?;
                let right = self.typed(right, Scalar::Bool, &what)?;
                let sides = Box::new([left, right]);
                Ok(boolean(offset, if operator == Operator::And { Op::And(sides) } else { Op::Or(sides) }))
            }
            (Operator::If, [condition, yes, no]) => self.conditional(offset, condition, yes, no),
            (Operator::Equal | Operator::NotEqual, [left, right]) => {
                self.equality(offset, operator, left, right)
            }
            (Operator::In, [needle, list]) => {
                let dynamic = is_dynamic(needle);
                let needle = self.value(needle)?;
                let list = self.list(list, "the right side of `in`")?;
                membership(offset, needle, list, dynamic)
            }
            (Operator::Index, [list, index]) => self.element(offset, list, index),
            (_, [left, right]) => match order(operator) {
                Some(order) => self.ordering(offset, order, operator, left, right),
                None => self.arithmetic(offset, operator, left, right),
            },
            _ => Err(Fault::new(offset, "not a CEL expression")),
        }
    }

    fn negate(&mut self, offset: u32, operand: &Expression) -> Result<Checked, Fault> {
        let typed = self.value(operand)?;
        if !matches!(typed.scalar, Scalar::Int | Scalar::Double) {
            return Err(Fault::new(offset, format!("{} cannot be negated", article(typed.scalar))));
        }
        Ok(Checked::Value(Typed::new(offset, typed.scalar, Op::Negate(Box::new(typed.node)))))
    }

    fn conditional(
        &mut self,
        offset: u32,
        condition: &Expression,
        yes: &Expression,
        no: &Expression,
    ) -> Result<Checked, Fault> {
        let condition = self.typed(condition, Scalar::Bool, "the condition of `?:`")?;
        match (self.expression(yes)?, self.expression(no)?) {
            (Checked::Value(yes), Checked::Value(no)) if yes.scalar == no.scalar => {
                let words = if yes.words == no.words { yes.words } else { None };
                let op = Op::If(Box::new([condition, yes.node, no.node]));
                Ok(Checked::Value(Typed { node: Node::new(offset, op), scalar: yes.scalar, words }))
            }
            (Checked::List(yes), Checked::List(no)) if alike(yes.element, no.element) => {
                let element = yes.element.or(no.element);
                let list = List::If(Box::new(condition), Box::new([yes.list, no.list]));
                Ok(Checked::List(TypedList { list, element, words: None, offset }))
            }
            (yes, no) => {
                let (yes, no) = (yes.describe(), no.describe());
                let message = format!("both results of `?:` must be alike; these are {yes} and {no}");
                Err(Fault::new(offset, message))
            }
        }
    }

    fn equality(
        &mut self,
        offset: u32,
        operator: Operator,
        left: &Expression,
        right: &Expression,
    ) -> Result<Checked, Fault> {
        let negated = operator == Operator::NotEqual;
        let dynamic = is_dynamic(left) || is_dynamic(right);
        match (self.expression(left)?, self.expression(right)?) {
            (Checked::Value(left), Checked::Value(right)) if dynamic || equatable(&left, &right) => {
                words::compared(&left, &right)?;
                Ok(boolean(offset, Op::Equal { negated, sides: Box::new([left.node, right.node]) }))
            }
            (Checked::List(left), Checked::List(right)) if alike(left.element, right.element) => {
                Ok(boolean(offset, Op::EqualLists { negated, sides: Box::new([left.list, right.list]) }))
            }
            (left, right) => Err(unlike(offset, operator, &left, &right)),
        }
    }

    fn ordering(
        &mut self,
        offset: u32,
        order: Order,
        operator: Operator,
        left: &Expression,
        right: &Expression,
    ) -> Result<Checked, Fault> {
        let (left, right) = (self.expression(left)?, self.expression(right)?);
        match (left, right) {
            (Checked::Value(left), Checked::Value(right)) if orderable(left.scalar, right.scalar) => {
                Ok(boolean(offset, Op::Ordered { order, sides: Box::new([left.node, right.node]) }))
            }
            (left, right) => Err(unlike(offset, operator, &left, &right)),
        }
    }

    fn arithmetic(
        &mut self,
        offset: u32,
        operator: Operator,
        left: &Expression,
        right: &Expression,
    ) -> Result<Checked, Fault> {
        let (left, right) = (self.expression(left)?, self.expression(right)?);
        match (left, right) {
            (Checked::List(left), Checked::List(right))
                if operator == Operator::Add && alike(left.element, right.element) =>
            {
                let element = left.element.or(right.element);
                let list = List::Join(Box::new([left.list, right.list]));
                Ok(Checked::List(TypedList { list, element, words: None, offset }))
            }
            (Checked::Value(left), Checked::Value(right))
                if let Some((operation, result)) = arithmetic(operator, left.scalar, right.scalar) =>
            {
                self.builds_text |= result == Scalar::String;
                let op = Op::Arithmetic { operation, sides: Box::new([left.node, right.node]) };
                Ok(Checked::Value(Typed::new(offset, result, op)))
            }
            (left, right) => Err(unlike(offset, operator, &left, &right)),
        }
    }

    fn element(&mut self, offset: u32, list: &Expression, index: &Expression) -> Result<Checked, Fault> {
        let list = match self.expression(list)? {
            Checked::List(list) => list,
            Checked::Map(map) => return map.lookup(offset, self.value(index)?),
            other @ Checked::Value(_) => {
                let message =
                    format!("what `[…]` is applied to must be a list or a map, this is {}", other.describe());
                return Err(Fault::new(list.start(), message));
            }
        };
        let index_typed = self.value(index)?;
        if !matches!(index_typed.scalar, Scalar::Int | Scalar::Uint) {
            let message = format!("a list index must be an int, this is {}", article(index_typed.scalar));
            return Err(Fault::new(index.start(), message));
        }
        let Some(scalar) = list.element else {
            return Err(Fault::new(offset, "the empty list has no elements"));
        };
        let op = Op::Element { list: Box::new(list.list), index: Box::new(index_typed.node) };
        Ok(Checked::Value(Typed { node: Node::new(offset, op), scalar, words: list.words }))
    }
}

/// Why two operands do not go together.
fn unlike(offset: u32, operator: Operator, left: &Checked, right: &Checked) -> Fault {
    let symbol = operator.symbol();
    let message = format!("`{symbol}` cannot take {} and {}", left.describe(), right.describe());
    let fault = Fault::new(offset, message);
    match (left, right) {
        (Checked::List(_), Checked::Value(_)) | (Checked::Value(_), Checked::List(_)) => {
            fault.help("look for a value in a list with `in`: `'x' in list`")
        }
        (Checked::Value(value), Checked::Value(Typed { scalar: Scalar::Null, .. }))
        | (Checked::Value(Typed { scalar: Scalar::Null, .. }), Checked::Value(value))
            if value.scalar != Scalar::Null =>
        {
            fault.help("only a variable can be null")
        }
        _ => fault,
    }
}

/// `needle in list`, `list.contains(needle)`
pub(super) fn membership(
    offset: u32,
    needle: Typed,
    list: TypedList,
    dynamic: bool,
) -> Result<Checked, Fault> {
    let fits = list.element.is_none_or(|element| {
        dynamic
            || element == needle.scalar
            || (element.is_number() && needle.scalar.is_number())
            || needle.scalar == Scalar::Null
            || element == Scalar::Null
    });
    if !fits {
        let (needle, list) = (article(needle.scalar), Checked::List(list).describe());
        return Err(Fault::new(offset, format!("{needle} is never in {list}")));
    }
    words::looked_for(&needle, &list)?;
    Ok(boolean(offset, Op::In { needle: Box::new(needle.node), list: Box::new(list.list) }))
}

pub(super) fn boolean(offset: u32, op: Op) -> Checked {
    Checked::Value(Typed::new(offset, Scalar::Bool, op))
}

fn alike(left: Option<Scalar>, right: Option<Scalar>) -> bool {
    left.is_none() || right.is_none() || left == right
}

/// Whether `==` may compare two values: of one type, both numbers, or a variable with null.
fn equatable(left: &Typed, right: &Typed) -> bool {
    let nullable = |typed: &Typed| !matches!(typed.node.op, Op::Constant(_));
    match (left.scalar, right.scalar) {
        (Scalar::Null, Scalar::Null) => true,
        (Scalar::Null, _) => nullable(right),
        (_, Scalar::Null) => nullable(left),
        (left, right) => left == right || (left.is_number() && right.is_number()),
    }
}

fn orderable(left: Scalar, right: Scalar) -> bool {
    (left.is_number() && right.is_number())
        || (left == right
            && matches!(
                left,
                Scalar::Bool | Scalar::String | Scalar::Bytes | Scalar::Timestamp | Scalar::Duration
            ))
}

fn order(operator: Operator) -> Option<Order> {
    Some(match operator {
        Operator::Less => Order::Less,
        Operator::LessEqual => Order::LessEqual,
        Operator::Greater => Order::Greater,
        Operator::GreaterEqual => Order::GreaterEqual,
        _ => return None,
    })
}

/// The operation, and the type of its result, of an arithmetic operator on two types.
fn arithmetic(operator: Operator, left: Scalar, right: Scalar) -> Option<(Arithmetic, Scalar)> {
    let operation = match operator {
        Operator::Add => Arithmetic::Add,
        Operator::Subtract => Arithmetic::Subtract,
        Operator::Multiply => Arithmetic::Multiply,
        Operator::Divide => Arithmetic::Divide,
        Operator::Remainder => Arithmetic::Remainder,
        _ => return None,
    };
    let result = match (operation, left, right) {
        (_, Scalar::Int, Scalar::Int) => Scalar::Int,
        (_, Scalar::Uint, Scalar::Uint) => Scalar::Uint,
        (Arithmetic::Remainder, _, _) => return None,
        (_, Scalar::Double, Scalar::Double) => Scalar::Double,
        (Arithmetic::Add, Scalar::String, Scalar::String) => Scalar::String,
        (Arithmetic::Add | Arithmetic::Subtract, Scalar::Timestamp, Scalar::Duration)
        | (Arithmetic::Add, Scalar::Duration, Scalar::Timestamp) => Scalar::Timestamp,
        (Arithmetic::Subtract, Scalar::Timestamp, Scalar::Timestamp)
        | (Arithmetic::Add | Arithmetic::Subtract, Scalar::Duration, Scalar::Duration) => Scalar::Duration,
        _ => return None,
    };
    Some((operation, result))
}
