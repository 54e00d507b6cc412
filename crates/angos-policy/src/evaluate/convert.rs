//! Stages 3 and 5: `int(…)`, `timestamp(…)`, `cidr(…)` and the other conversions.

use super::network::{parse_cidr, parse_ip};
use super::{EvalResult, Frame, RawValue};
use crate::program::{Constant, Node, Scalar};
use crate::timestamp::{Seconds, Timestamp, parse_duration};
use crate::value::Undecidable;
use std::fmt;

impl<'a> Frame<'a, '_> {
    pub(super) fn convert(
        &mut self,
        to: Scalar,
        value_node: &'a Node,
        at: &Node,
    ) -> EvalResult<RawValue<'a>> {
        let raw = self.present(value_node)?;
        if to == Scalar::String {
            return self.write(raw, at);
        }
        match (to, raw) {
            (Scalar::Bytes, RawValue::String(text)) => return Ok(RawValue::Bytes(text.as_bytes())),
            (Scalar::Bytes, RawValue::Built(range)) => return Ok(RawValue::BuiltBytes(range)),
            (Scalar::Bytes, RawValue::Bytes(_) | RawValue::BuiltBytes(_)) => return Ok(raw),
            _ => {}
        }
        let converted = match self.text(raw) {
            Some(text) => from_text(to, text).ok_or(Undecidable::Conversion),
            None => from_value(to, raw),
        };
        converted.map_err(|cause| at.error(cause))
    }

    /// `string(…)`
    pub(super) fn write(&mut self, raw: RawValue<'a>, at: &Node) -> EvalResult<RawValue<'a>> {
        match raw {
            RawValue::String(_) | RawValue::Built(_) => Ok(raw),
            RawValue::Bool(value) => Ok(RawValue::String(if value { "true" } else { "false" })),
            RawValue::Bytes(bytes) => std::str::from_utf8(bytes)
                .map(RawValue::String)
                .map_err(|_| at.error(Undecidable::Conversion)),
            RawValue::BuiltBytes(range) => match self.text(RawValue::Built(range)) {
                Some(_) => Ok(RawValue::Built(range)),
                None => Err(at.error(Undecidable::Conversion)),
            },
            RawValue::Int(value) => self.build(&value, at),
            RawValue::Uint(value) => self.build(&value, at),
            RawValue::Double(value) => self.build(&Decimal(value), at),
            RawValue::Timestamp(value) => self.build(&value, at),
            RawValue::Duration(value) => self.build(&Seconds(value), at),
            RawValue::Ip(value) => self.build(&value, at),
            RawValue::Cidr(value) => self.build(&value, at),
            RawValue::Type(name) => Ok(RawValue::String(name)),
            other => Err(at.type_error(other)),
        }
    }

    /// `isIP(text)`, `isCIDR(text)`
    pub(super) fn parses(&mut self, to: Scalar, text_node: &'a Node) -> EvalResult<bool> {
        let raw = self.value(text_node)?;
        let text = self.text(raw).ok_or(text_node.type_error(raw))?;
        Ok(from_text(to, text).is_some())
    }
}

/// The value of a conversion of a constant string, for errors when the rule is loaded.
pub(crate) fn convert_constant(to: Scalar, text: &str) -> Option<Constant> {
    Some(match from_text(to, text)? {
        RawValue::Bool(value) => Constant::Bool(value),
        RawValue::Int(value) => Constant::Int(value),
        RawValue::Uint(value) => Constant::Uint(value),
        RawValue::Double(value) => Constant::Double(value),
        RawValue::Timestamp(value) => Constant::Timestamp(value),
        RawValue::Duration(value) => Constant::Duration(value),
        RawValue::Ip(value) => Constant::Ip(value),
        RawValue::Cidr(value) => Constant::Cidr(value),
        _ => return None,
    })
}

fn from_text(to: Scalar, text: &str) -> Option<RawValue<'static>> {
    Some(match to {
        Scalar::Bool => RawValue::Bool(match text {
            "true" | "True" | "TRUE" | "t" | "1" => true,
            "false" | "False" | "FALSE" | "f" | "0" => false,
            _ => return None,
        }),
        Scalar::Int => RawValue::Int(text.parse().ok()?),
        Scalar::Uint => RawValue::Uint(text.parse().ok()?),
        Scalar::Double => RawValue::Double(text.parse().ok()?),
        Scalar::Timestamp => RawValue::Timestamp(Timestamp::parse(text)?),
        Scalar::Duration => RawValue::Duration(parse_duration(text)?),
        Scalar::Ip => RawValue::Ip(parse_ip(text)?),
        Scalar::Cidr => RawValue::Cidr(parse_cidr(text)?),
        Scalar::Null | Scalar::String | Scalar::Bytes | Scalar::Type => return None,
    })
}

#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ranges are checked before, and doubles are approximations by nature"
)]
fn from_value(to: Scalar, raw: RawValue<'_>) -> Result<RawValue<'_>, Undecidable> {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;
    match (to, raw) {
        (Scalar::Bool, RawValue::Bool(_))
        | (Scalar::Int, RawValue::Int(_))
        | (Scalar::Uint, RawValue::Uint(_))
        | (Scalar::Double, RawValue::Double(_))
        | (Scalar::Timestamp, RawValue::Timestamp(_))
        | (Scalar::Duration, RawValue::Duration(_))
        | (Scalar::Ip, RawValue::Ip(_))
        | (Scalar::Cidr, RawValue::Cidr(_)) => Some(raw),
        (Scalar::Int, RawValue::Uint(value)) => i64::try_from(value).ok().map(RawValue::Int),
        (Scalar::Int, RawValue::Double(value)) => {
            (value > -TWO_TO_63 && value < TWO_TO_63).then_some(RawValue::Int(value as i64))
        }
        (Scalar::Int, RawValue::Timestamp(value)) => Some(RawValue::Int(value.seconds)),
        (Scalar::Uint, RawValue::Int(value)) => u64::try_from(value).ok().map(RawValue::Uint),
        (Scalar::Uint, RawValue::Double(value)) => {
            (value > -1.0 && value < TWO_TO_64).then_some(RawValue::Uint(value as u64))
        }
        (Scalar::Double, RawValue::Int(value)) => Some(RawValue::Double(value as f64)),
        (Scalar::Double, RawValue::Uint(value)) => Some(RawValue::Double(value as f64)),
        (Scalar::Timestamp, RawValue::Int(value)) => Timestamp::new(value, 0).map(RawValue::Timestamp),
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
