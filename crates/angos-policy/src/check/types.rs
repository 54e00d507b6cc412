//! Stage 3: types as values, and `dyn`. Every type is known when a rule is loaded.

use super::{Checked, Checker, Typed};
use crate::error::Fault;
use crate::program::{Constant, Op, Scalar};
use crate::syntax::{Expression, Form};

/// The types a rule can name.
const TYPES: &[&str] = &[
    "bool",
    "bytes",
    "double",
    "google.protobuf.Duration",
    "google.protobuf.Timestamp",
    "int",
    "list",
    "map",
    "null_type",
    "string",
    "type",
    "uint",
];

/// The type of this name.
pub(super) fn type_named(offset: u32, name: &str) -> Option<Checked> {
    TYPES.iter().find(|known| **known == name).map(|name| constant(offset, name))
}

fn constant(offset: u32, name: &'static str) -> Checked {
    Checked::Value(Typed::new(offset, Scalar::Type, Op::Constant(Constant::Type(name))))
}

/// Whether an expression is `dyn(…)`, which may be equal to a value of another type.
pub(super) fn is_dynamic(expression: &Expression) -> bool {
    matches!(&expression.form, Form::Call { function, target: None, .. } if function == "dyn")
}

impl Checker<'_> {
    /// `type(…)`
    pub(super) fn type_of(&mut self, offset: u32, argument: &Expression) -> Result<Checked, Fault> {
        Ok(match self.expression(argument)? {
            Checked::List(_) => constant(offset, "list"),
            Checked::Map(_) => constant(offset, "map"),
            Checked::Value(Typed { node, scalar, .. }) => {
                let name = match scalar {
                    Scalar::Null => "null_type",
                    Scalar::Timestamp => "google.protobuf.Timestamp",
                    Scalar::Duration => "google.protobuf.Duration",
                    other => other.name(),
                };
                Checked::Value(Typed::new(offset, Scalar::Type, Op::TypeOf(Box::new(node), name)))
            }
        })
    }
}
