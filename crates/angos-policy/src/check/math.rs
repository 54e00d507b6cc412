//! Stage 3: the functions of CEL's math extension, called as `math.name(…)`.

use super::names::listed;
use super::{Checker, Shape, Typed};
use crate::error::{Fault, quote};
use crate::program::{Bits, Math, Op, Scalar};
use crate::suggest::nearest;
use crate::syntax::Expression;

/// The functions of one number.
const FUNCTIONS: &[(&str, Math)] = &[
    ("abs", Math::Abs),
    ("bitNot", Math::BitNot),
    ("ceil", Math::Ceil),
    ("floor", Math::Floor),
    ("isFinite", Math::IsFinite),
    ("isInf", Math::IsInf),
    ("isNaN", Math::IsNaN),
    ("round", Math::Round),
    ("sign", Math::Sign),
    ("sqrt", Math::Sqrt),
    ("trunc", Math::Trunc),
];

/// The functions of the bits of two numbers.
const BITS: &[(&str, Bits)] = &[
    ("bitAnd", Bits::And),
    ("bitOr", Bits::Or),
    ("bitShiftLeft", Bits::ShiftLeft),
    ("bitShiftRight", Bits::ShiftRight),
    ("bitXor", Bits::Xor),
];

impl Checker<'_> {
    pub(super) fn math(
        &mut self,
        offset: u32,
        function: &str,
        arguments: &[Expression],
    ) -> Result<Typed, Fault> {
        if matches!(function, "greatest" | "least") {
            return self.extreme(offset, function, arguments);
        }
        if let Some((_, bits)) = BITS.iter().find(|(name, _)| *name == function) {
            return self.bits(offset, function, *bits, arguments);
        }
        let Some((_, math)) = FUNCTIONS.iter().find(|(name, _)| *name == function) else {
            let names = FUNCTIONS.iter().map(|(name, _)| *name).chain(BITS.iter().map(|(name, _)| *name));
            let known: Vec<&str> = names.chain(["greatest", "least"]).collect();
            let fault = Fault::new(offset, format!("unknown function {}", quote(function)));
            return Err(match nearest(function, known.iter().copied()) {
                None => fault.help(format!("functions of `math` are {}", listed(known))),
                near => fault.meant(near),
            });
        };
        let [argument] = arguments else {
            return Err(Fault::new(offset, format!("`math.{function}` takes one argument")));
        };
        let of = self.expression(argument)?;
        let takes = |scalar: Scalar| match math {
            Math::Abs | Math::Sign | Math::Sqrt => scalar.is_number(),
            Math::BitNot => matches!(scalar, Scalar::Int | Scalar::Uint),
            _ => scalar == Scalar::Double,
        };
        if !of.shape.may(takes) {
            let message = format!("`math.{function}` cannot take {}", of.shape.describe());
            return Err(Fault::new(argument.start(), message));
        }
        let result = match math {
            Math::IsFinite | Math::IsInf | Math::IsNaN => Shape::BOOL,
            Math::Sqrt => Shape::DOUBLE,
            _ => of.shape,
        };
        Ok(Typed::new(offset, result, Op::Math { math: *math, of: Box::new(of.node) }))
    }

    fn bits(
        &mut self,
        offset: u32,
        function: &str,
        bits: Bits,
        arguments: &[Expression],
    ) -> Result<Typed, Fault> {
        let [left_side, right_side] = arguments else {
            return Err(Fault::new(offset, format!("`math.{function}` takes two arguments")));
        };
        let (left, right) = (self.expression(left_side)?, self.expression(right_side)?);
        let whole = |scalar| matches!(scalar, Scalar::Int | Scalar::Uint);
        let shifts = matches!(bits, Bits::ShiftLeft | Bits::ShiftRight);
        let wanted = if shifts { &Shape::INT } else { &left.shape };
        if !left.shape.may(whole) || !right.shape.may(whole) || !right.shape.fits(wanted) {
            let (left, right) = (left.shape.describe(), right.shape.describe());
            return Err(Fault::new(offset, format!("`math.{function}` cannot take {left} and {right}")));
        }
        let op = Op::Bits { bits, sides: Box::new([left.node, right.node]) };
        Ok(Typed::new(offset, left.shape, op))
    }

    /// `math.greatest(a, b, …)`, `math.least(list)`
    fn extreme(&mut self, offset: u32, function: &str, arguments: &[Expression]) -> Result<Typed, Fault> {
        let among = match arguments {
            [one] => match self.expression(one)? {
                list @ Typed { shape: Shape::List(_) | Shape::Dyn, .. } => list,
                one => {
                    let shape = Shape::list(one.shape);
                    Typed::new(offset, shape, Op::List(Box::new([one.node])))
                }
            },
            _ => self.numbers(offset, function, arguments)?,
        };
        let element = match &among.shape {
            Shape::List(element) if **element != Shape::Never && element.may(Scalar::is_number) => {
                (**element).clone()
            }
            Shape::Dyn => Shape::Dyn,
            _ => {
                let message = format!("`math.{function}` takes numbers or a list of them");
                return Err(Fault::new(offset, message));
            }
        };
        let op = Op::Extreme { greatest: function == "greatest", among: Box::new(among.node) };
        Ok(Typed::new(offset, element, op))
    }

    /// Numbers of one type, or of several, of which the result then is any.
    fn numbers(&mut self, offset: u32, function: &str, arguments: &[Expression]) -> Result<Typed, Fault> {
        let mut nodes = Vec::with_capacity(arguments.len());
        let mut element = Shape::Never;
        for argument in arguments {
            let typed = self.expression(argument)?;
            if !typed.shape.may(Scalar::is_number) {
                let message = format!("`math.{function}` takes numbers, this is {}", typed.shape.describe());
                return Err(Fault::new(argument.start(), message));
            }
            element = element.join(&typed.shape).unwrap_or(Shape::Dyn);
            nodes.push(typed.node);
        }
        Ok(Typed::new(offset, Shape::list(element), Op::List(nodes.into())))
    }
}
