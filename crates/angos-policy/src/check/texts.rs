//! Stage 3: the string functions of CEL's strings extension.

use super::functions::called_on;
use super::names::listed;
use super::{Checked, Checker, Typed, TypedList};
use crate::error::Fault;
use crate::program::{Edit, List, Op, Scalar};
use crate::syntax::Expression;

/// The methods on strings: what they do, the types of their arguments, how many must be there, and the type
/// of the result.
const EDITS: &[(&str, Edit, &[Scalar], usize, Scalar)] = &[
    ("charAt", Edit::CharAt, &[Scalar::Int], 1, Scalar::String),
    ("indexOf", Edit::IndexOf, &[Scalar::String, Scalar::Int], 1, Scalar::Int),
    ("lastIndexOf", Edit::LastIndexOf, &[Scalar::String, Scalar::Int], 1, Scalar::Int),
    ("replace", Edit::Replace, &[Scalar::String, Scalar::String, Scalar::Int], 2, Scalar::String),
    ("substring", Edit::Substring, &[Scalar::Int, Scalar::Int], 1, Scalar::String),
    ("trim", Edit::Trim, &[], 0, Scalar::String),
];

/// Whether a method is one of these.
pub(super) fn is_edit(method: &str) -> bool {
    EDITS.iter().any(|(name, ..)| *name == method)
}

impl Checker<'_> {
    /// A call of one of [`EDITS`].
    pub(super) fn edit(
        &mut self,
        offset: u32,
        method: &str,
        target: &Expression,
        arguments: &[Expression],
    ) -> Result<Checked, Fault> {
        let Some((_, edit, types, needed, result)) = EDITS.iter().find(|(name, ..)| *name == method) else {
            return Err(Fault::new(offset, "not a function on strings"));
        };
        let text = Box::new(self.typed(target, Scalar::String, &called_on(method))?);
        if !(*needed..=types.len()).contains(&arguments.len()) {
            let wanted = listed(types.iter().map(|scalar| scalar.name()));
            let fault = Fault::new(offset, format!("wrong number of arguments for `{method}`"));
            return Err(if wanted.is_empty() { fault } else { fault.help(format!("it takes {wanted}")) });
        }
        let mut nodes = Vec::with_capacity(arguments.len());
        for (argument, scalar) in arguments.iter().zip(*types) {
            nodes.push(self.typed(argument, *scalar, &format!("this argument of `{method}`"))?);
        }
        self.builds_text |= *edit == Edit::Replace;
        let op = Op::Edit { edit: *edit, text, arguments: nodes.into() };
        Ok(Checked::Value(Typed::new(offset, *result, op)))
    }

    /// `text.split(separator)`, `text.split(separator, limit)`
    pub(super) fn split(
        &mut self,
        offset: u32,
        target: &Expression,
        separator: &Expression,
        limit: Option<&Expression>,
    ) -> Result<Checked, Fault> {
        let text = self.typed(target, Scalar::String, &called_on("split"))?;
        let separator = self.typed(separator, Scalar::String, "the separator of `split`")?;
        let limit = match limit {
            Some(limit) => Some(self.typed(limit, Scalar::Int, "the limit of `split`")?),
            None => None,
        };
        let list =
            List::Split { text: Box::new(text), separator: Box::new(separator), limit: limit.map(Box::new) };
        Ok(Checked::List(TypedList { list, element: Some(Scalar::String), words: None, offset }))
    }
}
