//! Stage 3: the parts of timestamps and durations.

use super::{Checker, Typed};
use crate::error::{Fault, quote};
use crate::program::{Op, Scalar};
use crate::syntax::Expression;
use crate::timestamp::{TIME_FIELDS, Zone};

/// Whether a method asks for a part.
pub(super) fn is_part(method: &str) -> bool {
    TIME_FIELDS.iter().any(|(name, ..)| *name == method)
}

impl Checker<'_> {
    /// `getHours()` and similar methods, with a constant time zone or in UTC.
    pub(super) fn part(
        &mut self,
        offset: u32,
        method: &str,
        target: &Expression,
        zone: Option<&Expression>,
    ) -> Result<Typed, Fault> {
        let of = self.expression(target)?;
        let found = TIME_FIELDS.iter().find(|(name, _, of_durations)| {
            *name == method
                && of.static_type.may(|scalar| {
                    scalar == Scalar::Timestamp || (scalar == Scalar::Duration && *of_durations)
                })
        });
        let Some((_, part, _)) = found else {
            return Err(Fault::new(offset, format!("{} has no `{method}`", of.static_type.describe())));
        };
        let zone = match zone {
            None => Zone::UTC,
            Some(zone) if of.static_type.scalar() == Some(Scalar::Duration) => {
                return Err(Fault::new(zone.start(), "a duration has no time zone"));
            }
            Some(zone) => self.zone(zone)?,
        };
        let op = Op::TimeField { part: *part, zone, of: Box::new(of.node) };
        Ok(Typed::one(offset, Scalar::Int, op))
    }

    fn zone(&mut self, zone: &Expression) -> Result<Zone, Fault> {
        let node = self.typed(zone, Scalar::String, "the time zone")?;
        let Some(name) = node.constant_text() else {
            return Err(Fault::new(zone.start(), "the time zone must be written in the rule")
                .help("'UTC', a fixed offset as '+02:00', or a name as 'Europe/Paris'"));
        };
        Zone::parse(name).ok_or_else(|| {
            let fault = Fault::new(zone.start(), format!("{} is no time zone", quote(name)));
            match Zone::nearest(name) {
                None => fault.help("write 'UTC', a fixed offset as '+02:00', or a name as 'Europe/Paris'"),
                near => fault.did_you_mean(near),
            }
        })
    }
}
