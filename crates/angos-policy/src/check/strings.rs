//! Stage 3: the string functions of CEL's strings extension.

use super::functions::called_on;
use super::names::listed;
use super::{Checker, StaticType, Typed};
use crate::error::Fault;
use crate::program::{Op, Scalar, StringMethod};
use crate::syntax::Expression;

/// The methods on strings: the operation, the types of their arguments, how many are required, and the type
/// of the result.
const STRING_METHODS: &[(&str, StringMethod, &[Scalar], usize, Scalar)] = &[
    ("charAt", StringMethod::CharAt, &[Scalar::Int], 1, Scalar::String),
    ("indexOf", StringMethod::IndexOf, &[Scalar::String, Scalar::Int], 1, Scalar::Int),
    ("lastIndexOf", StringMethod::LastIndexOf, &[Scalar::String, Scalar::Int], 1, Scalar::Int),
    ("replace", StringMethod::Replace, &[Scalar::String, Scalar::String, Scalar::Int], 2, Scalar::String),
    ("substring", StringMethod::Substring, &[Scalar::Int, Scalar::Int], 1, Scalar::String),
    ("trim", StringMethod::Trim, &[], 0, Scalar::String),
];

/// Whether a method is one of these.
pub(super) fn is_string_method(method: &str) -> bool {
    STRING_METHODS.iter().any(|(name, ..)| *name == method)
}

impl Checker<'_> {
    /// A call of one of [`EDITS`].
    pub(super) fn string_method(
        &mut self,
        offset: u32,
        method: &str,
        target: &Expression,
        arguments: &[Expression],
    ) -> Result<Typed, Fault> {
        let Some((_, string_method, types, needed, result)) =
            STRING_METHODS.iter().find(|(name, ..)| *name == method)
        else {
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
        let op = Op::StringMethod { method: *string_method, text, arguments: nodes.into() };
        Ok(Typed::one(offset, *result, op))
    }

    /// `text.split(separator)`, `text.split(separator, limit)`
    pub(super) fn split(
        &mut self,
        offset: u32,
        target: &Expression,
        separator: &Expression,
        limit: Option<&Expression>,
    ) -> Result<Typed, Fault> {
        let text = self.typed(target, Scalar::String, &called_on("split"))?;
        let separator = self.typed(separator, Scalar::String, "the separator of `split`")?;
        let limit = match limit {
            Some(limit) => Some(self.typed(limit, Scalar::Int, "the limit of `split`")?),
            None => None,
        };
        let op =
            Op::Split { text: Box::new(text), separator: Box::new(separator), limit: limit.map(Box::new) };
        Ok(Typed::new(offset, StaticType::list(StaticType::STRING), op))
    }

    /// `list.join()`, `list.join(separator)`
    pub(super) fn join_strings(
        &mut self,
        offset: u32,
        target: &Expression,
        separator: Option<&Expression>,
    ) -> Result<Typed, Fault> {
        let (list, element) = self.list(target, &called_on("join"))?;
        if !element.may(|scalar| scalar == Scalar::String) {
            let message =
                format!("`join` is called on a list of string, this is {}", list.static_type.describe());
            return Err(Fault::new(target.start(), message).help("make them strings: `.map(x, string(x))`"));
        }
        let separator = match separator {
            Some(separator) => Some(self.typed(separator, Scalar::String, "the separator of `join`")?),
            None => None,
        };
        let op = Op::JoinStrings { list: Box::new(list.node), separator: separator.map(Box::new) };
        Ok(Typed::one(offset, Scalar::String, op))
    }

    /// `strings.quote(text)`
    pub(super) fn quote(&mut self, offset: u32, text: &Expression) -> Result<Typed, Fault> {
        let text = Box::new(self.typed(text, Scalar::String, "the argument of `strings.quote`")?);
        let op = Op::StringMethod { method: StringMethod::Quote, text, arguments: Box::new([]) };
        Ok(Typed::one(offset, Scalar::String, op))
    }
}
