//! Stages 3 and 5: `int(…)`, `timestamp(…)`, `cidr(…)` and the other conversions.

use super::network::{parse_cidr, parse_ip};
use super::{Datum, Frame, Outcome};
use crate::moment::{Moment, Seconds, parse_duration};
use crate::program::{Constant, Node, Scalar};
use crate::value::Undecidable;
use std::fmt;

impl<'a> Frame<'a, '_> {
    pub(super) fn convert(&mut self, to: Scalar, value_node: &'a Node, at: &Node) -> Outcome<Datum<'a>> {
        let datum = self.present(value_node)?;
        if to == Scalar::String {
            return self.write(datum, at);
        }
        match (to, datum) {
            (Scalar::Bytes, Datum::String(text)) => return Ok(Datum::Bytes(text.as_bytes())),
            (Scalar::Bytes, Datum::Built(range)) => return Ok(Datum::BuiltBytes(range)),
            (Scalar::Bytes, Datum::Bytes(_) | Datum::BuiltBytes(_)) => return Ok(datum),
            _ => {}
        }
        let converted = match self.text(datum) {
            Some(text) => from_text(to, text).ok_or(Undecidable::Conversion),
            None => from_value(to, datum),
        };
        converted.map_err(|cause| at.trouble(cause))
    }

    /// `string(…)`
    pub(super) fn write(&mut self, datum: Datum<'a>, at: &Node) -> Outcome<Datum<'a>> {
        match datum {
            Datum::String(_) | Datum::Built(_) => Ok(datum),
            Datum::Bool(value) => Ok(Datum::String(if value { "true" } else { "false" })),
            Datum::Bytes(bytes) => {
                std::str::from_utf8(bytes).map(Datum::String).map_err(|_| at.trouble(Undecidable::Conversion))
            }
            Datum::BuiltBytes(range) => match self.text(Datum::Built(range)) {
                Some(_) => Ok(Datum::Built(range)),
                None => Err(at.trouble(Undecidable::Conversion)),
            },
            Datum::Int(value) => self.build(&value, at),
            Datum::Uint(value) => self.build(&value, at),
            Datum::Double(value) => self.build(&Decimal(value), at),
            Datum::Timestamp(value) => self.build(&value, at),
            Datum::Duration(value) => self.build(&Seconds(value), at),
            Datum::Ip(value) => self.build(&value, at),
            Datum::Cidr(value) => self.build(&value, at),
            Datum::Type(name) => Ok(Datum::String(name)),
            other => Err(at.unfit(other)),
        }
    }

    /// `isIP(text)`, `isCIDR(text)`
    pub(super) fn parses(&mut self, to: Scalar, text_node: &'a Node) -> Outcome<bool> {
        let datum = self.value(text_node)?;
        let text = self.text(datum).ok_or(text_node.unfit(datum))?;
        Ok(from_text(to, text).is_some())
    }
}

/// The value of a conversion of a constant string, for errors when the rule is loaded.
pub(crate) fn convert_constant(to: Scalar, text: &str) -> Option<Constant> {
    Some(match from_text(to, text)? {
        Datum::Bool(value) => Constant::Bool(value),
        Datum::Int(value) => Constant::Int(value),
        Datum::Uint(value) => Constant::Uint(value),
        Datum::Double(value) => Constant::Double(value),
        Datum::Timestamp(value) => Constant::Timestamp(value),
        Datum::Duration(value) => Constant::Duration(value),
        Datum::Ip(value) => Constant::Ip(value),
        Datum::Cidr(value) => Constant::Cidr(value),
        _ => return None,
    })
}

fn from_text(to: Scalar, text: &str) -> Option<Datum<'static>> {
    Some(match to {
        Scalar::Bool => Datum::Bool(match text {
            "true" | "True" | "TRUE" | "t" | "1" => true,
            "false" | "False" | "FALSE" | "f" | "0" => false,
            _ => return None,
        }),
        Scalar::Int => Datum::Int(text.parse().ok()?),
        Scalar::Uint => Datum::Uint(text.parse().ok()?),
        Scalar::Double => Datum::Double(text.parse().ok()?),
        Scalar::Timestamp => Datum::Timestamp(Moment::parse(text)?),
        Scalar::Duration => Datum::Duration(parse_duration(text)?),
        Scalar::Ip => Datum::Ip(parse_ip(text)?),
        Scalar::Cidr => Datum::Cidr(parse_cidr(text)?),
        Scalar::Null | Scalar::String | Scalar::Bytes | Scalar::Type => return None,
    })
}

#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ranges are checked before, and doubles are approximations by nature"
)]
fn from_value(to: Scalar, datum: Datum<'_>) -> Result<Datum<'_>, Undecidable> {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;
    match (to, datum) {
        (Scalar::Bool, Datum::Bool(_))
        | (Scalar::Int, Datum::Int(_))
        | (Scalar::Uint, Datum::Uint(_))
        | (Scalar::Double, Datum::Double(_))
        | (Scalar::Timestamp, Datum::Timestamp(_))
        | (Scalar::Duration, Datum::Duration(_))
        | (Scalar::Ip, Datum::Ip(_))
        | (Scalar::Cidr, Datum::Cidr(_)) => Some(datum),
        (Scalar::Int, Datum::Uint(value)) => i64::try_from(value).ok().map(Datum::Int),
        (Scalar::Int, Datum::Double(value)) => {
            (value > -TWO_TO_63 && value < TWO_TO_63).then_some(Datum::Int(value as i64))
        }
        (Scalar::Int, Datum::Timestamp(value)) => Some(Datum::Int(value.seconds)),
        (Scalar::Uint, Datum::Int(value)) => u64::try_from(value).ok().map(Datum::Uint),
        (Scalar::Uint, Datum::Double(value)) => {
            (value > -1.0 && value < TWO_TO_64).then_some(Datum::Uint(value as u64))
        }
        (Scalar::Double, Datum::Int(value)) => Some(Datum::Double(value as f64)),
        (Scalar::Double, Datum::Uint(value)) => Some(Datum::Double(value as f64)),
        (Scalar::Timestamp, Datum::Int(value)) => Moment::new(value, 0).map(Datum::Timestamp),
        _ => return Err(Undecidable::NoOverload),
    }
    .ok_or(Undecidable::Conversion)
}

/// A double as Go writes it.
struct Decimal(f64);

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            f64::INFINITY => f.write_str("+Inf"),
            f64::NEG_INFINITY => f.write_str("-Inf"),
            value => write!(f, "{value}"),
        }
    }
}
