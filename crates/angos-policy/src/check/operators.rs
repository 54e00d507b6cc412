//! Stage 3: operators and the types they take.

use super::optionals::optional_select;
use super::type_names::is_dynamic;
use super::{Checker, StaticType, Typed, enums};
use crate::error::Fault;
use crate::program::{Arithmetic, Constant, MemoryNeeds, Op, Order, Scalar};
use crate::syntax::{Expression, Operator};

impl Checker<'_> {
    pub(super) fn operation(
        &mut self,
        offset: u32,
        operator: Operator,
        operands: &[Expression],
    ) -> Result<Typed, Fault> {
        match (operator, operands) {
            (Operator::Not, [operand]) => {
                let node = self.typed(operand, Scalar::Bool, "the operand of `!`")?;
                Ok(Typed::boolean(offset, Op::Not(Box::new(node))))
            }
            (Operator::Negate, [operand]) => self.negate(offset, operand),
            (Operator::And | Operator::Or, [left, right]) => {
                let what = format!("each side of `{}`", operator.symbol());
                let left = self.typed(left, Scalar::Bool, &what)?;
                let right = self.typed(right, Scalar::Bool, &what)?;
                let sides = Box::new([left, right]);
                let op = if operator == Operator::And { Op::And(sides) } else { Op::Or(sides) };
                Ok(Typed::boolean(offset, op))
            }
            (Operator::If, [condition, yes, no]) => self.conditional(offset, condition, yes, no),
            (Operator::Equal | Operator::NotEqual, [left, right]) => {
                self.equality(offset, operator, left, right)
            }
            (Operator::In, [needle, container]) => self.containment(offset, needle, container),
            (Operator::Index, [of, key]) => self.index(offset, of, key, false),
            (Operator::OptionalIndex, [of, key]) => self.index(offset, of, key, true),
            (_, [left, right]) => match order(operator) {
                Some(order) => self.ordering(offset, order, operator, left, right),
                None => self.arithmetic(offset, operator, left, right),
            },
            _ => Err(Fault::new(offset, "not a CEL expression")),
        }
    }

    fn negate(&mut self, offset: u32, operand: &Expression) -> Result<Typed, Fault> {
        let typed = self.expression(operand)?;
        let takes = |scalar| matches!(scalar, Scalar::Int | Scalar::Double | Scalar::Duration);
        if !typed.static_type.may(takes) {
            return Err(Fault::new(offset, format!("{} cannot be negated", typed.static_type.describe())));
        }
        Ok(Typed::new(offset, typed.static_type, Op::Negate(Box::new(typed.node))))
    }

    fn conditional(
        &mut self,
        offset: u32,
        condition: &Expression,
        yes: &Expression,
        no: &Expression,
    ) -> Result<Typed, Fault> {
        let condition = self.typed(condition, Scalar::Bool, "the condition of `?:`")?;
        let (yes, no) = (self.expression(yes)?, self.expression(no)?);
        let static_type = match yes.static_type.join(&no.static_type) {
            Some(static_type) => static_type,
            None if self.environment.mixes_types() => StaticType::Dyn,
            None => {
                let (yes, no) = (yes.static_type.describe(), no.static_type.describe());
                let message = format!("both results of `?:` must be alike; these are {yes} and {no}");
                return Err(Fault::new(offset, message));
            }
        };
        let value_set = if yes.value_set == no.value_set { yes.value_set } else { None };
        let op = Op::If(Box::new([condition, yes.node, no.node]));
        Ok(Typed::new(offset, static_type, op).among(value_set))
    }

    fn equality(
        &mut self,
        offset: u32,
        operator: Operator,
        left: &Expression,
        right: &Expression,
    ) -> Result<Typed, Fault> {
        let negated = operator == Operator::NotEqual;
        let dynamic = is_dynamic(left) || is_dynamic(right) || self.environment.mixes_types();
        let (left, right) = (self.expression(left)?, self.expression(right)?);
        if !dynamic && !equatable(&left, &right) {
            return Err(unlike(offset, operator, &left, &right));
        }
        enums::compared(&left, &right)?;
        Ok(Typed::boolean(offset, Op::Equal { negated, sides: Box::new([left.node, right.node]) }))
    }

    fn ordering(
        &mut self,
        offset: u32,
        order: Order,
        operator: Operator,
        left: &Expression,
        right: &Expression,
    ) -> Result<Typed, Fault> {
        let (left, right) = (self.expression(left)?, self.expression(right)?);
        let ordered = match (left.static_type.scalar(), right.static_type.scalar()) {
            (Some(left), Some(right)) => orderable(left, right),
            _ => [&left, &right].iter().all(|side| side.static_type.may(|scalar| orderable(scalar, scalar))),
        };
        if !ordered {
            return Err(unlike(offset, operator, &left, &right));
        }
        Ok(Typed::boolean(offset, Op::Ordered { order, sides: Box::new([left.node, right.node]) }))
    }

    fn arithmetic(
        &mut self,
        offset: u32,
        operator: Operator,
        left: &Expression,
        right: &Expression,
    ) -> Result<Typed, Fault> {
        let (left, right) = (self.expression(left)?, self.expression(right)?);
        if let (StaticType::List(_), StaticType::List(_), Operator::Add) =
            (&left.static_type, &right.static_type, operator)
        {
            let static_type = match left.static_type.join(&right.static_type) {
                Some(static_type) => static_type,
                None if self.environment.mixes_types() => StaticType::list(StaticType::Dyn),
                None => return Err(unlike(offset, operator, &left, &right)),
            };
            return Ok(Typed::new(offset, static_type, Op::Join(Box::new([left.node, right.node]))));
        }
        let open = left.static_type.is_open() || right.static_type.is_open();
        let found = match (left.static_type.scalar(), right.static_type.scalar()) {
            (Some(left), Some(right)) => arithmetic(operator, left, right)
                .map(|(operation, result)| (operation, StaticType::One(result))),
            _ if open => operation(operator).map(|operation| (operation, StaticType::Dyn)),
            _ => None,
        };
        let Some((operation, static_type)) = found else {
            return Err(unlike(offset, operator, &left, &right));
        };
        let adds = operation == Arithmetic::Add;
        let text = matches!(static_type, StaticType::One(Scalar::String | Scalar::Bytes));
        let builds = MemoryNeeds { text: text || (adds && open), slots: adds && open };
        let op = Op::Arithmetic { operation, sides: Box::new([left.node, right.node]), builds };
        Ok(Typed::new(offset, static_type, op))
    }

    /// `list[index]`, `map[key]`; `of[?key]` when it may be missing.
    fn index(
        &mut self,
        offset: u32,
        of: &Expression,
        key: &Expression,
        lenient: bool,
    ) -> Result<Typed, Fault> {
        let container = self.expression(of)?;
        let key_typed = self.expression(key)?;
        let optional = lenient || matches!(container.static_type, StaticType::Optional(_));
        let empty = !optional && matches!(container.node.op, Op::Constant(_));
        let (static_type, value_set) = match container.static_type.unwrapped() {
            StaticType::List(element) => {
                if empty && **element == StaticType::Never {
                    return Err(Fault::new(offset, "the empty list has no elements"));
                }
                if !key_typed.static_type.may(|scalar| matches!(scalar, Scalar::Int | Scalar::Uint)) {
                    let this = key_typed.static_type.describe();
                    return Err(Fault::new(
                        key.start(),
                        format!("a list index must be an int, this is {this}"),
                    ));
                }
                ((**element).clone(), container.value_set)
            }
            StaticType::Map(entry) => {
                if empty && entry.0 == StaticType::Never {
                    return Err(Fault::new(offset, "the empty map has no keys"));
                }
                if !key_typed.static_type.comparable(&entry.0) {
                    let message = format!(
                        "the keys of this map are of type {}, this is {}",
                        entry.0.name(3),
                        key_typed.static_type.describe()
                    );
                    return Err(Fault::new(key_typed.node.offset, message));
                }
                if !optional {
                    enums::looked_for(&key_typed, &container)?;
                }
                (entry.1.clone(), None)
            }
            StaticType::Dyn | StaticType::Never => (StaticType::Dyn, None),
            StaticType::One(_) | StaticType::Optional(_) => {
                let this = container.static_type.describe();
                let message = format!("what `[…]` is applied to must be a list or a map, this is {this}");
                return Err(Fault::new(of.start(), message));
            }
        };
        if optional {
            return Ok(optional_select(container, offset, key_typed.node, static_type));
        }
        let op = Op::Index(Box::new([container.node, key_typed.node]));
        Ok(Typed::new(offset, static_type, op).among(value_set))
    }

    fn containment(
        &mut self,
        offset: u32,
        needle: &Expression,
        container: &Expression,
    ) -> Result<Typed, Fault> {
        let dynamic = is_dynamic(needle);
        let needle = self.expression(needle)?;
        let typed = self.expression(container)?;
        if let StaticType::One(_) | StaticType::Optional(_) = typed.static_type {
            let message =
                format!("the right side of `in` must be a list, this is {}", typed.static_type.describe());
            return Err(Fault::new(container.start(), message));
        }
        self.membership(offset, needle, typed, dynamic)
    }

    /// `needle in container`, `list.contains(needle)`
    pub(super) fn membership(
        &self,
        offset: u32,
        needle: Typed,
        container: Typed,
        dynamic: bool,
    ) -> Result<Typed, Fault> {
        let among = match &container.static_type {
            StaticType::List(element) => (**element).clone(),
            StaticType::Map(entry) => entry.0.clone(),
            _ => StaticType::Dyn,
        };
        let null = needle.static_type == StaticType::NULL || among == StaticType::NULL;
        if !(dynamic || null || self.environment.mixes_types() || needle.static_type.comparable(&among)) {
            let (needle, container) = (needle.static_type.describe(), container.static_type.describe());
            return Err(Fault::new(offset, format!("{needle} is never in {container}")));
        }
        enums::looked_for(&needle, &container)?;
        Ok(Typed::boolean(offset, Op::In(Box::new([needle.node, container.node]))))
    }
}

/// Why two operands do not go together.
fn unlike(offset: u32, operator: Operator, left: &Typed, right: &Typed) -> Fault {
    let symbol = operator.symbol();
    let (left, right) = (&left.static_type, &right.static_type);
    let message = format!("`{symbol}` cannot take {} and {}", left.describe(), right.describe());
    let fault = Fault::new(offset, message);
    match (left, right) {
        (StaticType::List(_), StaticType::One(_)) | (StaticType::One(_), StaticType::List(_)) => {
            fault.help("look for a value in a list with `in`: `'x' in list`")
        }
        (StaticType::One(Scalar::Null), _) | (_, StaticType::One(Scalar::Null)) if left != right => {
            fault.help("only a variable can be null")
        }
        _ => fault,
    }
}

/// Whether `==` may compare two values: of one type, both numbers, or a variable with null.
fn equatable(left: &Typed, right: &Typed) -> bool {
    let nullable = |typed: &Typed| {
        let written = matches!(typed.node.op, Op::Constant(_) | Op::List(_) | Op::Map(_));
        !written || matches!(typed.node.op, Op::Constant(Constant::Null))
    };
    if left.static_type == StaticType::NULL {
        return nullable(right);
    }
    if right.static_type == StaticType::NULL {
        return nullable(left);
    }
    left.static_type.comparable(&right.static_type)
}

/// Whether `<` takes values of the two types.
pub(super) fn orderable(left: Scalar, right: Scalar) -> bool {
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

fn operation(operator: Operator) -> Option<Arithmetic> {
    Some(match operator {
        Operator::Add => Arithmetic::Add,
        Operator::Subtract => Arithmetic::Subtract,
        Operator::Multiply => Arithmetic::Multiply,
        Operator::Divide => Arithmetic::Divide,
        Operator::Remainder => Arithmetic::Remainder,
        _ => return None,
    })
}

/// The operation, and the type of its result, of an arithmetic operator on two types.
fn arithmetic(operator: Operator, left: Scalar, right: Scalar) -> Option<(Arithmetic, Scalar)> {
    let operation = operation(operator)?;
    let result = match (operation, left, right) {
        (_, Scalar::Int, Scalar::Int) => Scalar::Int,
        (_, Scalar::Uint, Scalar::Uint) => Scalar::Uint,
        (Arithmetic::Remainder, _, _) => return None,
        (_, Scalar::Double, Scalar::Double) => Scalar::Double,
        (Arithmetic::Add, Scalar::String, Scalar::String) => Scalar::String,
        (Arithmetic::Add, Scalar::Bytes, Scalar::Bytes) => Scalar::Bytes,
        (Arithmetic::Add | Arithmetic::Subtract, Scalar::Timestamp, Scalar::Duration)
        | (Arithmetic::Add, Scalar::Duration, Scalar::Timestamp) => Scalar::Timestamp,
        (Arithmetic::Subtract, Scalar::Timestamp, Scalar::Timestamp)
        | (Arithmetic::Add | Arithmetic::Subtract, Scalar::Duration, Scalar::Duration) => Scalar::Duration,
        _ => return None,
    };
    Some((operation, result))
}
