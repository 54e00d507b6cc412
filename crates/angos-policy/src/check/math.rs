//! Stage 3: the functions of CEL's math extension, called as `math.name(…)`.

use super::names::listed;
use super::{Checked, Checker, Typed, TypedList, article};
use crate::error::{Fault, quote};
use crate::program::{List, Math, Op, Scalar};
use crate::suggest::nearest;
use crate::syntax::{Expression, Form};

/// The functions of one number.
const FUNCTIONS: &[(&str, Math)] = &[
    ("abs", Math::Abs),
    ("ceil", Math::Ceil),
    ("floor", Math::Floor),
    ("isFinite", Math::IsFinite),
    ("isInf", Math::IsInf),
    ("isNaN", Math::IsNaN),
    ("round", Math::Round),
    ("sign", Math::Sign),
    ("trunc", Math::Trunc),
];

impl Checker<'_> {
    /// Whether an expression is the namespace of these functions and nothing of the rule or the service.
    pub(super) fn is_math(&self, expression: &Expression) -> bool {
        let named = matches!(&expression.form, Form::Name(name) if name == "math");
        named
            && self.scope.iter().all(|bound| bound.name != "math")
            && self.environment.variable("math").is_none()
            && !self.environment.is_group("math")
    }

    pub(super) fn math(
        &mut self,
        offset: u32,
        function: &str,
        arguments: &[Expression],
    ) -> Result<Checked, Fault> {
        if matches!(function, "greatest" | "least") {
            return self.extreme(offset, function, arguments);
        }
        let Some((_, math)) = FUNCTIONS.iter().find(|(name, _)| *name == function) else {
            let known = || FUNCTIONS.iter().map(|(name, _)| *name).chain(["greatest", "least"]);
            let fault = Fault::new(offset, format!("unknown function {}", quote(function)));
            return Err(match nearest(function, known()) {
                None => fault.help(format!("functions of `math` are {}", listed(known()))),
                near => fault.meant(near),
            });
        };
        let [argument] = arguments else {
            return Err(Fault::new(offset, format!("`math.{function}` takes one argument")));
        };
        let of = self.value(argument)?;
        let whole = matches!(math, Math::Abs | Math::Sign) && of.scalar.is_number();
        if of.scalar != Scalar::Double && !whole {
            let message = format!("`math.{function}` cannot take {}", article(of.scalar));
            return Err(Fault::new(argument.start(), message));
        }
        let result = match math {
            Math::IsFinite | Math::IsInf | Math::IsNaN => Scalar::Bool,
            _ => of.scalar,
        };
        let op = Op::Math { math: *math, of: Box::new(of.node) };
        Ok(Checked::Value(Typed::new(offset, result, op)))
    }

    /// `math.greatest(a, b, …)`, `math.least(list)`
    fn extreme(&mut self, offset: u32, function: &str, arguments: &[Expression]) -> Result<Checked, Fault> {
        let among = match arguments {
            [one] => match self.expression(one)? {
                Checked::List(list) => list,
                _ => self.numbers(offset, function, arguments)?,
            },
            _ => self.numbers(offset, function, arguments)?,
        };
        let Some(element) = among.element.filter(|element| element.is_number()) else {
            let message = format!("`math.{function}` takes numbers or a list of them");
            return Err(Fault::new(offset, message));
        };
        let op = Op::Extreme { greatest: function == "greatest", among: Box::new(among.list) };
        Ok(Checked::Value(Typed::new(offset, element, op)))
    }

    fn numbers(&mut self, offset: u32, function: &str, arguments: &[Expression]) -> Result<TypedList, Fault> {
        let mut nodes = Vec::with_capacity(arguments.len());
        let mut element = None;
        for argument in arguments {
            let typed = self.value(argument)?;
            if element.is_some_and(|first| first != typed.scalar) {
                let message = format!("the arguments of `math.{function}` must be of one type");
                return Err(Fault::new(argument.start(), message));
            }
            element = Some(typed.scalar);
            nodes.push(typed.node);
        }
        Ok(TypedList { list: List::Literal(nodes), element, words: None, offset })
    }
}
