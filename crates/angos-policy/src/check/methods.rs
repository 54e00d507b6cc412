//! Stage 3: methods, `value.name(…)`.

use super::functions::{FUNCTIONS, METHODS, address_property, called_on, network_property};
use super::loops::MACROS;
use super::operators::orderable;
use super::texts::is_edit;
use super::times::is_part;
use super::types::is_dynamic;
use super::{Checker, Shape, Typed, optionals, words};
use crate::error::{Fault, quote};
use crate::evaluate::convert_constant;
use crate::moment::PARTS;
use crate::program::{Arrange, Edit, Node, Op, Scalar, Search};
use crate::suggest::nearest;
use crate::syntax::Expression;

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
            ("join", []) => self.glue(offset, target, None),
            ("join", [separator]) => self.glue(offset, target, Some(separator)),
            ("format", [list]) => self.format(offset, target, list),
            ("reverse", []) => self.reverse(offset, target),
            ("distinct", []) => self.arrange(offset, method, Arrange::Distinct, target, &[]),
            ("sort", []) => self.arrange(offset, method, Arrange::Sort, target, &[]),
            ("slice", [_, _]) => self.arrange(offset, method, Arrange::Slice, target, arguments),
            ("flatten", [] | [_]) => self.arrange(offset, method, Arrange::Flatten, target, arguments),
            _ if is_edit(method) => self.edit(offset, method, target, arguments),
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
            let parts = PARTS.iter().map(|(name, _, _)| *name);
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
        fault.meant(nearest(method, known()))
    }

    /// Of a string, or of a list as `in`.
    fn contains(&mut self, offset: u32, target: &Expression, part: &Expression) -> Result<Typed, Fault> {
        let whole = self.expression(target)?;
        if let Shape::List(_) = whole.shape {
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
        if let Shape::List(_) = text.shape {
            let message = format!("`{what}` is called on a string, this is a list");
            return Err(Fault::new(target.start(), message)
                .help(format!("ask about an element: `list.exists(e, e.{what}(…))`")));
        }
        if !text.shape.may(|scalar| scalar == Scalar::String) {
            let message = format!("`{what}` is called on a string, this is {}", text.shape.describe());
            return Err(Fault::new(target.start(), message));
        }
        let part = self.typed(part, Scalar::String, &format!("the argument of `{what}`"))?;
        words::searched(&text, search, &part)?;
        Ok(Typed::boolean(offset, Op::Search { search, sides: Box::new([text.node, part]) }))
    }

    /// Of a string or of a list.
    fn reverse(&mut self, offset: u32, target: &Expression) -> Result<Typed, Fault> {
        let whole = self.expression(target)?;
        match whole.shape {
            Shape::List(_) | Shape::Dyn => {
                let op = Op::Arrange {
                    arrange: Arrange::Reverse,
                    list: Box::new(whole.node),
                    arguments: Box::new([]),
                };
                Ok(Typed::new(offset, whole.shape, op).among(whole.words))
            }
            shape if shape.may(|scalar| scalar == Scalar::String) => {
                let text = Box::new(whole.node);
                let op = Op::Edit { edit: Edit::Reverse, text, arguments: Box::new([]) };
                Ok(Typed::one(offset, Scalar::String, op))
            }
            shape => {
                let message =
                    format!("`reverse` is called on a string or a list, this is {}", shape.describe());
                Err(Fault::new(target.start(), message))
            }
        }
    }

    fn arrange(
        &mut self,
        offset: u32,
        method: &str,
        arrange: Arrange,
        target: &Expression,
        arguments: &[Expression],
    ) -> Result<Typed, Fault> {
        let (list, element) = self.list(target, &called_on(method))?;
        let what = format!("each argument of `{method}`");
        let nodes: Result<Vec<Node>, Fault> =
            arguments.iter().map(|argument| self.typed(argument, Scalar::Int, &what)).collect();
        let shape = match arrange {
            Arrange::Flatten => match (&element, arguments) {
                (Shape::List(inner), []) => Shape::list((**inner).clone()),
                (Shape::List(_), _) => Shape::list(Shape::Dyn),
                _ => list.shape.clone(),
            },
            _ => list.shape.clone(),
        };
        if arrange == Arrange::Sort && !element.may(|scalar| orderable(scalar, scalar)) {
            let message = format!("{} has no order", element.describe());
            return Err(Fault::new(target.start(), message));
        }
        let op = Op::Arrange { arrange, list: Box::new(list.node), arguments: nodes?.into() };
        Ok(Typed::new(offset, shape, op).among(list.words))
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
        let article = super::shape::article(wanted);
        let mut node = typed.node;
        if typed.shape.scalar() == Some(Scalar::String) {
            let place = node.offset;
            let op = match node.constant_text() {
                Some(text) => Op::Constant(
                    convert_constant(wanted, text)
                        .ok_or_else(|| Fault::new(place, format!("{} is not {article}", quote(text))))?,
                ),
                None => Op::Convert { to: wanted, value: Box::new(node) },
            };
            node = Node::new(place, op);
        } else if !typed.shape.may(|scalar| scalar == wanted) {
            return Err(Fault::new(part.start(), format!("`{method}` takes {article} or a string")));
        }
        Ok(Typed::boolean(offset, Op::Covers(Box::new([network, node]))))
    }
}
