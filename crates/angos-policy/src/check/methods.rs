//! Stage 3: methods, `value.name(…)`.

use super::functions::{FUNCTIONS, METHODS, address_property, called_on, network_property};
use super::loops::MACROS;
use super::operators::orderable;
use super::strings::is_string_method;
use super::timestamps::is_part;
use super::type_names::is_dynamic;
use super::{Checker, StaticType, Typed, enums, optionals};
use crate::error::{Fault, quote};
use crate::evaluate::convert_constant;
use crate::program::{ListMethod, Node, Op, Scalar, Search, StringMethod};
use crate::suggest::nearest;
use crate::syntax::Expression;
use crate::timestamp::TIME_FIELDS;

impl Checker<'_> {
    pub(super) fn method(
        &mut self,
        offset: u32,
        method: &str,
        target: &Expression,
        arguments: &[Expression],
    ) -> Result<Typed, Fault> {
        match (method, arguments) {
            ("size", []) => self.size(offset, target),
            ("startsWith", [part]) => self.search(offset, Search::StartsWith, target, part),
            ("endsWith", [part]) => self.search(offset, Search::EndsWith, target, part),
            ("contains", [part]) => self.contains(offset, target, part),
            ("matches", [pattern]) => self.matches(offset, target, pattern),
            ("lowerAscii" | "upperAscii", []) => {
                let text = Box::new(self.typed(target, Scalar::String, &called_on(method))?);
                let op = Op::Case { lower: method == "lowerAscii", text };
                Ok(Typed::one(offset, Scalar::String, op))
            }
            ("split", [separator]) => self.split(offset, target, separator, None),
            ("split", [separator, limit]) => self.split(offset, target, separator, Some(limit)),
            ("join", []) => self.join_strings(offset, target, None),
            ("join", [separator]) => self.join_strings(offset, target, Some(separator)),
            ("format", [list]) => self.format(offset, target, list),
            ("reverse", []) => self.reverse(offset, target),
            ("distinct", []) => self.list_method(offset, method, ListMethod::Distinct, target, &[]),
            ("sort", []) => self.list_method(offset, method, ListMethod::Sort, target, &[]),
            ("slice", [_, _]) => self.list_method(offset, method, ListMethod::Slice, target, arguments),
            ("flatten", [] | [_]) => self.list_method(offset, method, ListMethod::Flatten, target, arguments),
            _ if is_string_method(method) => self.string_method(offset, method, target, arguments),
            ("containsIP", [part]) => self.covers(offset, method, Scalar::Ip, target, part),
            ("containsCIDR", [part]) => self.covers(offset, method, Scalar::Cidr, target, part),
            (_, []) if let Some((property, scalar)) = address_property(method) => {
                let of = Box::new(self.typed(target, Scalar::Ip, &called_on(method))?);
                Ok(Typed::one(offset, scalar, Op::Address { property, of }))
            }
            (_, []) if let Some((property, scalar)) = network_property(method) => {
                let of = Box::new(self.typed(target, Scalar::Cidr, &called_on(method))?);
                Ok(Typed::one(offset, scalar, Op::Network { property, of }))
            }
            (_, [] | [_]) if is_part(method) => self.part(offset, method, target, arguments.first()),
            _ => Err(self.unknown_method(offset, method, target)),
        }
    }

    fn unknown_method(&mut self, offset: u32, method: &str, target: &Expression) -> Fault {
        let known = || {
            let parts = TIME_FIELDS.iter().map(|(name, _, _)| *name);
            METHODS.iter().chain(MACROS).chain(optionals::METHODS).copied().chain(parts)
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
        fault.did_you_mean(nearest(method, known()))
    }

    /// Of a string, or of a list as `in`.
    fn contains(&mut self, offset: u32, target: &Expression, part: &Expression) -> Result<Typed, Fault> {
        let whole = self.expression(target)?;
        if let StaticType::List(_) = whole.static_type {
            let needle = self.expression(part)?;
            return self.membership(offset, needle, whole, is_dynamic(part));
        }
        self.search_in(offset, Search::Contains, whole, target, part)
    }

    fn search(
        &mut self,
        offset: u32,
        search: Search,
        target: &Expression,
        part: &Expression,
    ) -> Result<Typed, Fault> {
        let text = self.expression(target)?;
        self.search_in(offset, search, text, target, part)
    }

    fn search_in(
        &mut self,
        offset: u32,
        search: Search,
        text: Typed,
        target: &Expression,
        part: &Expression,
    ) -> Result<Typed, Fault> {
        let what = match search {
            Search::StartsWith => "startsWith",
            Search::EndsWith => "endsWith",
            Search::Contains => "contains",
        };
        if let StaticType::List(_) = text.static_type {
            let message = format!("`{what}` is called on a string, this is a list");
            return Err(Fault::new(target.start(), message)
                .help(format!("ask about an element: `list.exists(e, e.{what}(…))`")));
        }
        if !text.static_type.may(|scalar| scalar == Scalar::String) {
            let message = format!("`{what}` is called on a string, this is {}", text.static_type.describe());
            return Err(Fault::new(target.start(), message));
        }
        let part = self.typed(part, Scalar::String, &format!("the argument of `{what}`"))?;
        enums::searched(&text, search, &part)?;
        Ok(Typed::boolean(offset, Op::Search { search, sides: Box::new([text.node, part]) }))
    }

    /// Of a string or of a list.
    fn reverse(&mut self, offset: u32, target: &Expression) -> Result<Typed, Fault> {
        let whole = self.expression(target)?;
        match whole.static_type {
            StaticType::List(_) | StaticType::Dyn => {
                let op = Op::ListMethod {
                    method: ListMethod::Reverse,
                    list: Box::new(whole.node),
                    arguments: Box::new([]),
                };
                Ok(Typed::new(offset, whole.static_type, op).among(whole.value_set))
            }
            static_type if static_type.may(|scalar| scalar == Scalar::String) => {
                let text = Box::new(whole.node);
                let op = Op::StringMethod { method: StringMethod::Reverse, text, arguments: Box::new([]) };
                Ok(Typed::one(offset, Scalar::String, op))
            }
            static_type => {
                let message =
                    format!("`reverse` is called on a string or a list, this is {}", static_type.describe());
                Err(Fault::new(target.start(), message))
            }
        }
    }

    fn list_method(
        &mut self,
        offset: u32,
        method: &str,
        list_method: ListMethod,
        target: &Expression,
        arguments: &[Expression],
    ) -> Result<Typed, Fault> {
        let (list, element) = self.list(target, &called_on(method))?;
        let what = format!("each argument of `{method}`");
        let nodes: Result<Vec<Node>, Fault> =
            arguments.iter().map(|argument| self.typed(argument, Scalar::Int, &what)).collect();
        let static_type = match list_method {
            ListMethod::Flatten => match (&element, arguments) {
                (StaticType::List(inner), []) => StaticType::list((**inner).clone()),
                (StaticType::List(_), _) => StaticType::list(StaticType::Dyn),
                _ => list.static_type.clone(),
            },
            _ => list.static_type.clone(),
        };
        if list_method == ListMethod::Sort && !element.may(|scalar| orderable(scalar, scalar)) {
            let message = format!("{} has no order", element.describe());
            return Err(Fault::new(target.start(), message));
        }
        let op = Op::ListMethod { method: list_method, list: Box::new(list.node), arguments: nodes?.into() };
        Ok(Typed::new(offset, static_type, op).among(list.value_set))
    }

    /// `cidr.containsIP(…)`, `cidr.containsCIDR(…)`: the argument may be given as text.
    fn covers(
        &mut self,
        offset: u32,
        method: &str,
        wanted: Scalar,
        target: &Expression,
        part: &Expression,
    ) -> Result<Typed, Fault> {
        let network = self.typed(target, Scalar::Cidr, &called_on(method))?;
        let typed = self.expression(part)?;
        let article = super::static_type::article(wanted);
        let mut node = typed.node;
        if typed.static_type.scalar() == Some(Scalar::String) {
            let place = node.offset;
            let op = match node.constant_text() {
                Some(text) => Op::Constant(
                    convert_constant(wanted, text)
                        .ok_or_else(|| Fault::new(place, format!("{} is not {article}", quote(text))))?,
                ),
                None => Op::Convert { to: wanted, value: Box::new(node) },
            };
            node = Node::new(place, op);
        } else if !typed.static_type.may(|scalar| scalar == wanted) {
            return Err(Fault::new(part.start(), format!("`{method}` takes {article} or a string")));
        }
        Ok(Typed::boolean(offset, Op::Covers(Box::new([network, node]))))
    }
}
