//! Stage 3: syntax tree → typed program, or an error with position and suggestion.

mod calls;
mod enums;
mod format;
mod functions;
mod literals;
mod loops;
mod math;
mod memory_needs;
mod methods;
mod names;
mod operators;
mod optionals;
mod patterns;
mod static_type;
mod strings;
mod timestamps;
mod type_names;

use crate::environment::Environment;
use crate::error::Fault;
use crate::limits::TREE_DEPTH_MAX;
use crate::program::{Constant, Node, Op, Program, Scalar};
use crate::string_form::StringForm;
use crate::syntax::{Expression, Form};
use crate::value::Type;
pub(crate) use functions::is_builtin;
pub(crate) use loops::is_binding;
use static_type::StaticType;

/// Checks and compiles one rule, which must be boolean.
pub(crate) fn check(environment: &Environment, rule: &Expression) -> Result<Program, Fault> {
    let Typed { node: root, static_type, .. } = Checker::new(environment).expression(rule)?;
    if !static_type.may(|scalar| scalar == Scalar::Bool) {
        let message = format!("a rule must be true or false, this is {}", static_type.describe());
        let fault = Fault::new(rule.start(), message);
        return Err(match static_type {
            StaticType::Map(_) => fault.help("ask for one of its values: `map[key]`"),
            StaticType::List(_) => fault.help("ask something about the list: `size(…) > 0`, `'x' in …`"),
            _ => fault.help("compare it with something: `… == 'x'`"),
        });
    }
    Ok(Program { needs: root.needs(), root })
}

/// Checks and compiles one expression of any type.
pub(crate) fn check_value(
    environment: &Environment,
    expression: &Expression,
) -> Result<(Program, Type, String), Fault> {
    let Typed { node: root, static_type, value_set, .. } =
        Checker::new(environment).expression(expression)?;
    let ty = match (value_set, static_type.declared()) {
        (Some(ValueSet::Enum(values)), Type::String) => Type::Enum(values),
        (_, ty) => ty,
    };
    Ok((Program { needs: root.stored(), root }, ty, static_type.name(TREE_DEPTH_MAX)))
}

struct Checker<'e> {
    environment: &'e Environment,
    /// The names of the loops around the expression, innermost last.
    scope: Vec<Bound>,
}

struct Bound {
    name: String,
    static_type: StaticType,
    value_set: Option<ValueSet>,
}

/// The values that a string, or each element of a list, may have.
#[derive(Debug, Clone, Copy, PartialEq)]
enum ValueSet {
    Enum(&'static [&'static str]),
    Form(&'static StringForm),
}

/// An expression that passed.
struct Typed {
    node: Node,
    static_type: StaticType,
    value_set: Option<ValueSet>,
    /// The offset of each element of a list literal, or key of a map literal.
    places: Vec<u32>,
}

impl Typed {
    fn new(offset: u32, static_type: StaticType, op: Op) -> Self {
        Self { node: Node::new(offset, op), static_type, value_set: None, places: Vec::new() }
    }

    fn one(offset: u32, scalar: Scalar, op: Op) -> Self {
        Self::new(offset, StaticType::One(scalar), op)
    }

    fn boolean(offset: u32, op: Op) -> Self {
        Self::new(offset, StaticType::BOOL, op)
    }

    fn among(mut self, value_set: Option<ValueSet>) -> Self {
        self.value_set = value_set;
        self
    }
}

impl<'e> Checker<'e> {
    fn new(environment: &'e Environment) -> Self {
        Self { environment, scope: Vec::new() }
    }

    fn expression(&mut self, expression: &Expression) -> Result<Typed, Fault> {
        let offset = expression.offset;
        let constant = |scalar, constant| Ok(Typed::one(expression.offset, scalar, Op::Constant(constant)));
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
                self.call(offset, function, target.as_deref(), arguments)
            }
            Form::Operation { operator, operands } => self.operation(offset, *operator, operands),
            Form::List(elements) => self.list_literal(offset, elements),
            Form::Map(entries) => self.map_literal(offset, entries),
            Form::IfPresent(_) => Err(Fault::new(offset, "only an element or an entry can be optional")),
        }
    }

    /// An expression that must be of one type.
    fn typed(&mut self, expression: &Expression, wanted: Scalar, what: &str) -> Result<Node, Fault> {
        let Typed { node, static_type, .. } = self.expression(expression)?;
        if static_type.may(|scalar| scalar == wanted) {
            return Ok(node);
        }
        let message =
            format!("{what} must be {}, this is {}", static_type::article(wanted), static_type.describe());
        Err(Fault::new(expression.start(), message))
    }

    /// An expression that must be a list, and the type of its elements.
    fn list(&mut self, expression: &Expression, what: &str) -> Result<(Typed, StaticType), Fault> {
        let typed = self.expression(expression)?;
        let element = match &typed.static_type {
            StaticType::List(element) => (**element).clone(),
            StaticType::Dyn | StaticType::Never => StaticType::Dyn,
            other => {
                let message = format!("{what} must be a list, this is {}", other.describe());
                return Err(Fault::new(expression.start(), message));
            }
        };
        Ok((typed, element))
    }
}
