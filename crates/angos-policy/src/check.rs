//! Stage 3: tree → typed program, or what is wrong, where, and what was probably meant.

mod calls;
mod functions;
mod loops;
mod maps;
mod math;
mod names;
mod operators;
mod texts;
mod types;
mod words;

use crate::environment::Environment;
use crate::error::Fault;
use crate::program::{Constant, List, Node, Op, Program, Scalar};
use crate::syntax::{Expression, Form};
use crate::value::Type;
pub(crate) use functions::is_builtin;
use maps::TypedMap;

/// Checks and compiles one rule, which must be boolean.
pub(crate) fn check(environment: &Environment, rule: &Expression) -> Result<Program, Fault> {
    let mut checker = Checker { environment, scope: Vec::new(), builds_text: false };
    let root = match checker.expression(rule)? {
        Checked::Value(Typed { node, scalar: Scalar::Bool, .. }) => node,
        other => {
            let message = format!("a rule must be true or false, this is {}", other.describe());
            let fault = Fault::new(rule.start(), message);
            return Err(match other {
                Checked::Map(_) => fault.help("ask for one of its values: `map[key]`"),
                Checked::List(_) => fault.help("ask something about the list: `size(…) > 0`, `'x' in …`"),
                Checked::Value(_) => fault.help("compare it with something: `… == 'x'`"),
            });
        }
    };
    Ok(Program { root, builds_text: checker.builds_text })
}

/// Checks and compiles one expression that may have any type a [`Value`](crate::Value) can show.
pub(crate) fn check_value(
    environment: &Environment,
    expression: &Expression,
) -> Result<(Program, Type), Fault> {
    let mut checker = Checker { environment, scope: Vec::new(), builds_text: false };
    let Typed { node: root, scalar, words } = checker.value(expression)?;
    let ty = match (scalar, words) {
        (Scalar::Bool, _) => Type::Bool,
        (Scalar::Int, _) => Type::Int,
        (Scalar::Uint, _) => Type::Uint,
        (Scalar::Double, _) => Type::Double,
        (Scalar::String, Some(words)) => Type::Word(words),
        (Scalar::String, None) => Type::String,
        (Scalar::Bytes, _) => Type::Bytes,
        (Scalar::Timestamp, _) => Type::Timestamp,
        (Scalar::Duration, _) => Type::Duration,
        (Scalar::Null | Scalar::Ip | Scalar::Cidr | Scalar::Type, _) => {
            let message = format!("the value of an expression cannot be {}", article(scalar));
            return Err(Fault::new(expression.start(), message).help("compare it, or write `string(…)`"));
        }
    };
    Ok((Program { root, builds_text: checker.builds_text }, ty))
}

struct Checker<'e> {
    environment: &'e Environment,
    /// The variables of the loops around the expression, innermost last.
    scope: Vec<Bound>,
    builds_text: bool,
}

struct Bound {
    name: String,
    scalar: Scalar,
    words: Words,
}

/// The closed set a string belongs to, if any.
type Words = Option<&'static [&'static str]>;

/// An expression that passed.
enum Checked {
    Value(Typed),
    List(TypedList),
    Map(TypedMap),
}

struct Typed {
    node: Node,
    scalar: Scalar,
    words: Words,
}

struct TypedList {
    list: List,
    /// None for the empty list, whose elements have every type.
    element: Option<Scalar>,
    words: Words,
    offset: u32,
}

impl Typed {
    fn new(offset: u32, scalar: Scalar, op: Op) -> Self {
        Self { node: Node::new(offset, op), scalar, words: None }
    }
}

impl Checked {
    fn describe(&self) -> String {
        match self {
            Self::Value(value) => article(value.scalar),
            Self::List(TypedList { element: Some(element), .. }) => format!("a list of {}", element.name()),
            Self::List(TypedList { element: None, .. }) => "an empty list".to_owned(),
            Self::Map(map) => map.describe(),
        }
    }
}

/// The type with its article.
fn article(scalar: Scalar) -> String {
    match scalar {
        Scalar::Null => "null".to_owned(),
        Scalar::Bytes => "bytes".to_owned(),
        Scalar::Int | Scalar::Ip => format!("an {}", scalar.name()),
        _ => format!("a {}", scalar.name()),
    }
}

impl Checker<'_> {
    fn expression(&mut self, expression: &Expression) -> Result<Checked, Fault> {
        let constant = |scalar, constant| {
            Ok(Checked::Value(Typed::new(expression.offset, scalar, Op::Constant(constant))))
        };
        match &expression.form {
            Form::Null => constant(Scalar::Null, Constant::Null),
            Form::Bool(value) => constant(Scalar::Bool, Constant::Bool(*value)),
            Form::Int(value) => constant(Scalar::Int, Constant::Int(*value)),
            Form::Uint(value) => constant(Scalar::Uint, Constant::Uint(*value)),
            Form::Double(value) => constant(Scalar::Double, Constant::Double(*value)),
            Form::String(value) => constant(Scalar::String, Constant::String(value.as_str().into())),
            Form::Bytes(value) => constant(Scalar::Bytes, Constant::Bytes(value.as_slice().into())),
            Form::Name(_) | Form::Field { .. } => self.name(expression),
            Form::Call { function, target, arguments } => {
                self.call(expression.offset, function, target.as_deref(), arguments)
            }
            Form::Operation { operator, operands } => self.operation(expression.offset, *operator, operands),
            Form::List(elements) => self.literal(expression.offset, elements),
            Form::Map(entries) => self.table(expression.offset, entries),
        }
    }

    /// An expression that must not be a list.
    fn value(&mut self, expression: &Expression) -> Result<Typed, Fault> {
        match self.expression(expression)? {
            Checked::Value(value) => Ok(value),
            Checked::List(list) => Err(Fault::new(list.offset, "a list cannot be used here")
                .help("ask for one of its elements: `'x' in list`, `list.exists(e, …)`, `list[0]`")),
            Checked::Map(map) => Err(Fault::new(map.offset(), "a map cannot be used here")
                .help("ask for one of its values: `map[key]`, or whether it has a key: `key in map`")),
        }
    }

    /// An expression that must be of one type.
    fn typed(&mut self, expression: &Expression, wanted: Scalar, what: &str) -> Result<Node, Fault> {
        let checked = self.expression(expression)?;
        match checked {
            Checked::Value(Typed { node, scalar, .. }) if scalar == wanted => Ok(node),
            other => {
                let message = format!("{what} must be {}, this is {}", article(wanted), other.describe());
                Err(Fault::new(expression.start(), message))
            }
        }
    }

    /// An expression that must be a list, or a map, of which it is the keys.
    fn list(&mut self, expression: &Expression, what: &str) -> Result<TypedList, Fault> {
        match self.expression(expression)? {
            Checked::List(list) => Ok(list),
            Checked::Map(map) => Ok(map.keys()),
            other @ Checked::Value(_) => {
                let message = format!("{what} must be a list, this is {}", other.describe());
                Err(Fault::new(expression.start(), message))
            }
        }
    }

    /// `[a, b, …]`: elements of one type, `null` beside strings allowed.
    fn literal(&mut self, offset: u32, elements: &[Expression]) -> Result<Checked, Fault> {
        let mut nodes = Vec::with_capacity(elements.len());
        let mut common: Option<Scalar> = None;
        for element in elements {
            let Checked::Value(typed) = self.expression(element)? else {
                return Err(Fault::new(element.start(), "a list of lists cannot be written in rules"));
            };
            common = Some(match common {
                None | Some(Scalar::Null) => typed.scalar,
                Some(first) if typed.scalar == Scalar::Null || typed.scalar == first => first,
                Some(first) => {
                    let (this, first) = (article(typed.scalar), first.name());
                    let message = format!("this element is {this}, the ones before it are of type {first}");
                    return Err(Fault::new(element.start(), message));
                }
            });
            nodes.push(typed.node);
        }
        Ok(Checked::List(TypedList { list: List::Literal(nodes), element: common, words: None, offset }))
    }
}
