//! Stage 3: functions and methods.

use super::functions::{
    FUNCTIONS, METHODS, address_property, called_on, conversion, convertible, example, is_builtin,
    network_property, regex,
};
use super::loops::MACROS;
use super::names::{listed, read, scalar_of};
use super::operators::{boolean, membership};
use super::texts::is_edit;
use super::types::is_dynamic;
use super::{Checked, Checker, Typed, article, words};
use crate::error::{Fault, quote};
use crate::evaluate::convert_constant;
use crate::function::Function;
use crate::moment::{PARTS, parse_zone};
use crate::program::{Constant, Node, Op, Scalar, Search};
use crate::suggest::nearest;
use crate::syntax::Expression;

impl Checker<'_> {
    pub(super) fn call(
        &mut self,
        offset: u32,
        function: &str,
        target: Option<&Expression>,
        arguments: &[Expression],
    ) -> Result<Checked, Fault> {
        match target {
            Some(target) if self.is_math(target) => self.math(offset, function, arguments),
            Some(target) if MACROS.contains(&function) => {
                self.macro_call(offset, function, target, arguments)
            }
            Some(target) => self.method(offset, function, target, arguments),
            None => self.function(offset, function.trim_start_matches('.'), arguments),
        }
    }

    fn function(&mut self, offset: u32, function: &str, arguments: &[Expression]) -> Result<Checked, Fault> {
        match (function, arguments) {
            ("has", [argument]) => self.presence(argument),
            ("size", [argument]) => self.size(offset, argument),
            ("matches", [text, pattern]) => self.matches(offset, text, pattern),
            ("type", [argument]) => self.type_of(offset, argument),
            ("dyn", [argument]) => self.expression(argument),
            ("isIP", [text]) => self.parses(offset, Scalar::Ip, text),
            ("isCIDR", [text]) => self.parses(offset, Scalar::Cidr, text),
            (_, [argument]) if let Some(to) = conversion(function) => self.convert(offset, to, argument),
            (_, []) if let Some((index, ty)) = self.environment.nullary(function) => {
                Ok(read(offset, crate::environment::Origin::Fact(index), ty))
            }
            _ if let Some(declared) = self.environment.function(function).copied() => {
                self.declared(offset, function, &declared, arguments)
            }
            _ if self.environment.nullary(function).is_some() => {
                Err(Fault::new(offset, format!("`{function}` takes no arguments")))
            }
            _ if is_builtin(function) => {
                let wanted = if function == "matches" { "two arguments" } else { "one argument" };
                Err(Fault::new(offset, format!("`{function}` takes {wanted}")))
            }
            _ => Err(self.unknown_function(offset, function)),
        }
    }

    /// A call of a function the service declared.
    fn declared(
        &mut self,
        offset: u32,
        name: &str,
        function: &Function,
        arguments: &[Expression],
    ) -> Result<Checked, Fault> {
        let parameters = function.parameters();
        if arguments.len() != parameters.len() {
            let plural = if parameters.len() == 1 { "" } else { "s" };
            return Err(Fault::new(offset, format!("`{name}` takes {} argument{plural}", parameters.len())));
        }
        let mut nodes = Vec::with_capacity(arguments.len());
        for (position, (argument, ty)) in arguments.iter().zip(parameters).enumerate() {
            let what = format!("argument {} of `{name}`", position + 1);
            let Some((scalar, words)) = scalar_of(*ty) else { continue };
            let node = self.typed(argument, scalar, &what)?;
            words::one_of(words, &node)?;
            nodes.push(node);
        }
        let Some((result, words)) = scalar_of(function.result) else {
            return Err(Fault::new(offset, format!("`{name}` has no value")));
        };
        self.builds_text |= result == Scalar::String;
        let op = Op::Call { body: function.body, result, arguments: nodes.into() };
        Ok(Checked::Value(Typed { node: Node::new(offset, op), scalar: result, words }))
    }

    fn unknown_function(&self, offset: u32, function: &str) -> Fault {
        let fault = Fault::new(offset, format!("unknown function {}", quote(function)));
        if METHODS.contains(&function) || MACROS.contains(&function) {
            return fault.help(format!("it is called on a value: `value.{function}(…)`"));
        }
        let known: Vec<&str> = FUNCTIONS.iter().copied().chain(self.environment.functions()).collect();
        match nearest(function, known.iter().copied()) {
            None => fault.help(format!("functions are {}", listed(known))),
            near => fault.meant(near),
        }
    }

    fn method(
        &mut self,
        offset: u32,
        method: &str,
        target: &Expression,
        arguments: &[Expression],
    ) -> Result<Checked, Fault> {
        match (method, arguments) {
            ("size", []) => self.size(offset, target),
            ("startsWith", [part]) => self.search(offset, Search::StartsWith, target, part),
            ("endsWith", [part]) => self.search(offset, Search::EndsWith, target, part),
            ("contains", [part]) => match self.expression(target)? {
                Checked::List(list) => {
                    let needle = self.value(part)?;
                    membership(offset, needle, list, is_dynamic(part))
                }
                Checked::Value(_) | Checked::Map(_) => self.search(offset, Search::Contains, target, part),
            },
            ("matches", [pattern]) => self.matches(offset, target, pattern),
            ("lowerAscii" | "upperAscii", []) => {
                let text = Box::new(self.typed(target, Scalar::String, &called_on(method))?);
                self.builds_text = true;
                let op = Op::Case { lower: method == "lowerAscii", text };
                Ok(Checked::Value(Typed::new(offset, Scalar::String, op)))
            }
            ("split", [separator]) => self.split(offset, target, separator, None),
            ("split", [separator, limit]) => self.split(offset, target, separator, Some(limit)),
            _ if is_edit(method) => self.edit(offset, method, target, arguments),
            ("containsIP", [part]) => self.covers(offset, method, Scalar::Ip, target, part),
            ("containsCIDR", [part]) => self.covers(offset, method, Scalar::Cidr, target, part),
            (_, []) if let Some((property, scalar)) = address_property(method) => {
                let of = Box::new(self.typed(target, Scalar::Ip, &called_on(method))?);
                Ok(Checked::Value(Typed::new(offset, scalar, Op::Address { property, of })))
            }
            (_, []) if let Some((property, scalar)) = network_property(method) => {
                let of = Box::new(self.typed(target, Scalar::Cidr, &called_on(method))?);
                Ok(Checked::Value(Typed::new(offset, scalar, Op::Network { property, of })))
            }
            (_, [] | [_]) if PARTS.iter().any(|(name, _, _)| *name == method) => {
                self.part(offset, method, target, arguments.first())
            }
            _ => Err(self.unknown_method(offset, method, target)),
        }
    }

    fn unknown_method(&mut self, offset: u32, method: &str, target: &Expression) -> Fault {
        let known = || {
            let parts = PARTS.iter().map(|(name, _, _)| *name);
            METHODS.iter().chain(MACROS).copied().chain(parts)
        };
        if known().any(|name| name == method) {
            return Fault::new(offset, format!("wrong number of arguments for `{method}`"));
        }
        if let Err(fault) = self.expression(target) {
            return fault;
        }
        let fault = Fault::new(offset, format!("unknown function {}", quote(method)));
        if FUNCTIONS.contains(&method) {
            return fault.help(format!("write `{method}(…)`"));
        }
        fault.meant(nearest(method, known()))
    }

    fn size(&mut self, offset: u32, argument: &Expression) -> Result<Checked, Fault> {
        let op = match self.expression(argument)? {
            Checked::List(list) => Op::Count(Box::new(list.list)),
            Checked::Map(map) => Op::Constant(Constant::Int(i64::try_from(map.len()).unwrap_or(i64::MAX))),
            Checked::Value(Typed { node, scalar: Scalar::String | Scalar::Bytes, .. }) => {
                Op::Length(Box::new(node))
            }
            other @ Checked::Value(_) => {
                return Err(Fault::new(argument.start(), format!("{} has no size", other.describe())));
            }
        };
        Ok(Checked::Value(Typed::new(offset, Scalar::Int, op)))
    }

    fn search(
        &mut self,
        offset: u32,
        search: Search,
        target: &Expression,
        part: &Expression,
    ) -> Result<Checked, Fault> {
        let what = match search {
            Search::StartsWith => "startsWith",
            Search::EndsWith => "endsWith",
            Search::Contains => "contains",
        };
        let text = match self.expression(target)? {
            Checked::Value(text) if text.scalar == Scalar::String => text,
            Checked::List(list) => {
                return Err(Fault::new(
                    list.offset,
                    format!("`{what}` is called on a string, this is a list"),
                )
                .help(format!("ask about an element: `list.exists(e, e.{what}(…))`")));
            }
            other => {
                let message = format!("`{what}` is called on a string, this is {}", other.describe());
                return Err(Fault::new(target.start(), message));
            }
        };
        let part = self.typed(part, Scalar::String, &format!("the argument of `{what}`"))?;
        words::searched(&text, search, &part)?;
        Ok(boolean(offset, Op::Search { search, sides: Box::new([text.node, part]) }))
    }

    fn matches(&mut self, offset: u32, target: &Expression, pattern: &Expression) -> Result<Checked, Fault> {
        let text = self.value(target)?;
        if text.scalar != Scalar::String {
            let message = format!("`matches` is called on a string, this is {}", article(text.scalar));
            return Err(Fault::new(target.start(), message));
        }
        let pattern = self.typed(pattern, Scalar::String, "the pattern of `matches`")?;
        let Some(source) = pattern.constant_text() else {
            return Err(Fault::new(pattern.offset, "the pattern of `matches` must be written in the rule"));
        };
        let regex = regex(source).map_err(|message| Fault::new(pattern.offset, message))?;
        words::matched(&text, &regex, &pattern)?;
        let op = Op::Matches { text: Box::new(text.node), pattern: Box::new(regex) };
        Ok(boolean(offset, op))
    }

    fn parses(&mut self, offset: u32, to: Scalar, text: &Expression) -> Result<Checked, Fault> {
        let text = Box::new(self.typed(text, Scalar::String, "the argument")?);
        Ok(boolean(offset, Op::Parses { to, text }))
    }

    fn convert(&mut self, offset: u32, to: Scalar, argument: &Expression) -> Result<Checked, Fault> {
        let value = self.value(argument)?;
        if !convertible(value.scalar, to) {
            let message = format!("{} cannot become {}", article(value.scalar), article(to));
            return Err(Fault::new(offset, message));
        }
        if let Some(text) = value.node.constant_text()
            && !matches!(to, Scalar::String | Scalar::Bytes)
        {
            let constant = convert_constant(to, text).ok_or_else(|| {
                Fault::new(value.node.offset, format!("{} is not {}", quote(text), article(to)))
                    .help(format!("write it like {}", example(to)))
            })?;
            return Ok(Checked::Value(Typed::new(offset, to, Op::Constant(constant))));
        }
        self.builds_text |= to == Scalar::String && value.scalar != Scalar::String;
        let op = Op::Convert { to, value: Box::new(value.node) };
        Ok(Checked::Value(Typed::new(offset, to, op)))
    }

    /// `getHours()` and its siblings, with a constant time zone or in UTC.
    fn part(
        &mut self,
        offset: u32,
        method: &str,
        target: &Expression,
        zone: Option<&Expression>,
    ) -> Result<Checked, Fault> {
        let of = self.value(target)?;
        let found = PARTS.iter().find(|(name, _, of_durations)| {
            *name == method
                && (of.scalar == Scalar::Timestamp || (of.scalar == Scalar::Duration && *of_durations))
        });
        let Some((_, part, _)) = found else {
            return Err(Fault::new(offset, format!("{} has no `{method}`", article(of.scalar))));
        };
        let east = match zone {
            None => 0,
            Some(zone) if of.scalar == Scalar::Duration => {
                return Err(Fault::new(zone.start(), "a duration has no time zone"));
            }
            Some(zone) => {
                let node = self.typed(zone, Scalar::String, "the time zone")?;
                node.constant_text().and_then(parse_zone).ok_or_else(|| {
                    Fault::new(zone.start(), "the time zone must be 'UTC' or a fixed offset like '+02:00'")
                })?
            }
        };
        let op = Op::Part { part: *part, east, of: Box::new(of.node) };
        Ok(Checked::Value(Typed::new(offset, Scalar::Int, op)))
    }

    /// `cidr.containsIP(…)`, `cidr.containsCIDR(…)`: the argument may be given as text.
    fn covers(
        &mut self,
        offset: u32,
        method: &str,
        wanted: Scalar,
        target: &Expression,
        part: &Expression,
    ) -> Result<Checked, Fault> {
        let network = self.typed(target, Scalar::Cidr, &called_on(method))?;
        let part_typed = self.value(part)?;
        let mut part_node = part_typed.node;
        if part_typed.scalar == Scalar::String {
            let place = part_node.offset;
            let op = match part_node.constant_text() {
                Some(text) => Op::Constant(convert_constant(wanted, text).ok_or_else(|| {
                    Fault::new(place, format!("{} is not {}", quote(text), article(wanted)))
                })?),
                None => Op::Convert { to: wanted, value: Box::new(part_node) },
            };
            part_node = Node::new(place, op);
        } else if part_typed.scalar != wanted {
            let message = format!("`{method}` takes {} or a string", article(wanted));
            return Err(Fault::new(part.start(), message));
        }
        Ok(boolean(offset, Op::Covers(Box::new([network, part_node]))))
    }
}
