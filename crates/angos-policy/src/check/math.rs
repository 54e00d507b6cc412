//! Stage 3: the functions of CEL's math extension, called as `math.name(…)`.

use super::names::listed;
use super::{Checker, StaticType, Typed};
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
                near => fault.did_you_mean(near),
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
        if !of.static_type.may(takes) {
            let message = format!("`math.{function}` cannot take {}", of.static_type.describe());
            return Err(Fault::new(argument.start(), message));
        }
        let result = match math {
            Math::IsFinite | Math::IsInf | Math::IsNaN => StaticType::BOOL,
            Math::Sqrt => StaticType::DOUBLE,
            _ => of.static_type,
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
        let wanted = if shifts { &StaticType::INT } else { &left.static_type };
        if !left.static_type.may(whole) || !right.static_type.may(whole) || !right.static_type.fits(wanted) {
            let (left, right) = (left.static_type.describe(), right.static_type.describe());
            return Err(Fault::new(offset, format!("`math.{function}` cannot take {left} and {right}")));
        }
        let op = Op::Bits { bits, sides: Box::new([left.node, right.node]) };
        Ok(Typed::new(offset, left.static_type, op))
    }

    /// `math.greatest(a, b, …)`, `math.least(list)`
    fn extreme(&mut self, offset: u32, function: &str, arguments: &[Expression]) -> Result<Typed, Fault> {
        let among = match arguments {
            [one] => match self.expression(one)? {
                list @ Typed { static_type: StaticType::List(_) | StaticType::Dyn, .. } => list,
                one => {
                    let static_type = StaticType::list(one.static_type);
                    Typed::new(offset, static_type, Op::List(Box::new([one.node])))
                }
            },
            _ => self.numbers(offset, function, arguments)?,
        };
        let element = match &among.static_type {
            StaticType::List(element) if **element != StaticType::Never && element.may(Scalar::is_number) => {
                (**element).clone()
            }
            StaticType::Dyn => StaticType::Dyn,
            _ => {
                let message = format!("`math.{function}` takes numbers or a list of them");
                return Err(Fault::new(offset, message));
            }
        };
        let op = Op::Extreme { greatest: function == "greatest", among: Box::new(among.node) };
        Ok(Typed::new(offset, element, op))
    }

    /// Numbers of one type, or of several; the result then has any of these types.
    fn numbers(&mut self, offset: u32, function: &str, arguments: &[Expression]) -> Result<Typed, Fault> {
        let mut nodes = Vec::with_capacity(arguments.len());
        let mut element = StaticType::Never;
        for argument in arguments {
            let typed = self.expression(argument)?;
            if !typed.static_type.may(Scalar::is_number) {
                let message =
                    format!("`math.{function}` takes numbers, this is {}", typed.static_type.describe());
                return Err(Fault::new(argument.start(), message));
            }
            element = element.join(&typed.static_type).unwrap_or(StaticType::Dyn);
            nodes.push(typed.node);
        }
        Ok(Typed::new(offset, StaticType::list(element), Op::List(nodes.into())))
    }
}
