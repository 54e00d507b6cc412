//! Stage 3: `text.format(list)`: a format written in the rule is held against its arguments.

use super::functions::called_on;
use super::{Checker, StaticType, Typed};
use crate::error::{Fault, quote};
use crate::format_spec::{Segment, Spec, SpecError, segment};
use crate::limits::FORMAT_PRECISION_MAX;
use crate::program::{Arguments, Op, Scalar};
use crate::syntax::{Expression, Form};

/// The static types of the arguments.
enum Known {
    /// Written one by one, each with its place and type.
    Written(Vec<(u32, StaticType)>),
    /// A list of unknown length: its offset and the type of its elements.
    List(u32, StaticType),
}

impl Checker<'_> {
    /// `text.format(list)`. The list holds arguments, so its elements need not be alike.
    pub(super) fn format(
        &mut self,
        offset: u32,
        target: &Expression,
        list: &Expression,
    ) -> Result<Typed, Fault> {
        let text = self.typed(target, Scalar::String, &called_on("format"))?;
        let (arguments, known) = if let Some(elements) = written(list) {
            let (mut nodes, mut known) = (Vec::with_capacity(elements.len()), Vec::new());
            for element in elements {
                let typed = self.expression(element)?;
                known.push((element.start(), typed.static_type));
                nodes.push(typed.node);
            }
            (Arguments::Written(nodes.into()), Known::Written(known))
        } else {
            let (typed, element) = self.list(list, "the argument of `format`")?;
            (Arguments::List(Box::new(typed.node)), Known::List(list.start(), element))
        };
        if let Some(format) = text.constant_text() {
            held_against(format, text.offset, &known)?;
        }
        Ok(Typed::one(offset, Scalar::String, Op::Format { text: Box::new(text), arguments }))
    }
}

/// The arguments, if it shows how many there are.
fn written(list: &Expression) -> Option<&[Expression]> {
    match &list.form {
        Form::List(elements) if elements.iter().all(|e| !matches!(e.form, Form::IfPresent(_))) => {
            Some(elements)
        }
        _ => None,
    }
}

/// Checks that each specifier has an argument of a type it takes, and each argument a specifier.
fn held_against(format: &str, literal: u32, arguments: &Known) -> Result<(), Fault> {
    let (mut from, mut count) = (0, 0);
    while let Some((segment, end)) = segment(format, from) {
        let start = std::mem::replace(&mut from, end);
        let segment = segment.map_err(|error| wrong(error).within(literal, start))?;
        let Segment::Spec(spec) = segment else { continue };
        let (at, static_type) = match arguments {
            Known::List(at, element) => (at, element),
            Known::Written(known) => {
                known.get(count).map(|(at, static_type)| (at, static_type)).ok_or_else(|| {
                    let message = format!("no argument for this specifier; the list has {}", known.len());
                    Fault::new(literal, message).within(literal, start)
                })?
            }
        };
        fits(spec, static_type, *at)?;
        count += 1;
    }
    match arguments {
        Known::Written(known) => match known.get(count) {
            Some((at, _)) => {
                Err(Fault::new(*at, format!("no specifier for this argument; the format has {count}")))
            }
            None => Ok(()),
        },
        Known::List(..) => Ok(()),
    }
}

fn fits(spec: Spec, static_type: &StaticType, at: u32) -> Result<(), Fault> {
    let takes = match spec {
        Spec::Text => !matches!(static_type, StaticType::Optional(_)),
        _ => static_type.may(|scalar| spec.takes(scalar)),
    };
    if takes {
        return Ok(());
    }
    let (name, takes) = spec.describe();
    Err(Fault::new(at, format!("`{name}` takes {takes}, this is {}", static_type.describe())))
}

fn wrong(error: SpecError) -> Fault {
    const KNOWN: &str = "known are %s, %d, %f, %e, %b, %o, %x, %X and %%";
    match error {
        SpecError::Unknown(letter) => {
            Fault::new(0usize, format!("unknown format specifier {}", quote(&format!("%{letter}"))))
                .help(KNOWN)
        }
        SpecError::Unfinished => {
            Fault::new(0usize, "the format ends within a specifier").help("write `%%` for a percent sign")
        }
        SpecError::NoPrecision => {
            Fault::new(0usize, "the precision has no digits").help("write `%.2f`, or `%f`")
        }
        SpecError::TooPrecise => {
            Fault::new(0usize, format!("at most {FORMAT_PRECISION_MAX} decimals can be written"))
        }
        SpecError::NeedlessPrecision(letter) => {
            Fault::new(0usize, format!("`%{letter}` has no decimals")).help(format!("write `%{letter}`"))
        }
    }
}
