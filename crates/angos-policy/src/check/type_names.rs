//! Stage 3: types as values, and `dyn`.

use super::{Checker, StaticType, Typed};
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
    "net.CIDR",
    "net.IP",
    "null_type",
    "optional_type",
    "string",
    "type",
    "uint",
];

/// The type of this name.
pub(super) fn type_named(offset: u32, name: &str) -> Option<Typed> {
    let constant = |name| Typed::one(offset, Scalar::Type, Op::Constant(Constant::Type(name)));
    TYPES.iter().find(|known| **known == name).map(|name| constant(name))
}

/// Whether an expression is `dyn(…)`, which may be equal to a value of another type.
pub(super) fn is_dynamic(expression: &Expression) -> bool {
    matches!(&expression.form, Form::Call { function, target: None, .. } if function == "dyn")
}

impl Checker<'_> {
    /// `type(…)`
    pub(super) fn type_of(&mut self, offset: u32, argument: &Expression) -> Result<Typed, Fault> {
        let of = self.expression(argument)?;
        Ok(Typed::one(offset, Scalar::Type, Op::TypeOf(Box::new(of.node))))
    }

    /// `dyn(…)`: drops the static type.
    pub(super) fn forget(&mut self, argument: &Expression) -> Result<Typed, Fault> {
        let typed = self.expression(argument)?;
        Ok(Typed { static_type: StaticType::Dyn, value_set: None, places: Vec::new(), node: typed.node })
    }
}
