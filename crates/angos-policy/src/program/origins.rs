//! Stage 4: the parts of a program, and the variables it reads.

use super::{Arguments, Node, Op, Optional, OptionalQuery};
use crate::environment::Origin;

impl Node {
    /// Shows `visit` each variable that is read, in the loops' bodies too.
    pub(crate) fn each_origin(&self, visit: &mut dyn FnMut(Origin)) {
        match &self.op {
            Op::Read(origin, _) | Op::Has(origin, _) | Op::Optional(Optional::Read(origin, _)) => {
                visit(*origin);
            }
            _ => self.each_part(&mut |part| part.each_origin(visit)),
        }
    }

    /// Shows `visit` each expression this one is directly made of, in the order they are evaluated.
    pub(crate) fn each_part<'a>(&'a self, visit: &mut dyn FnMut(&'a Node)) {
        match &self.op {
            Op::Constant(_) | Op::Bound(_) | Op::Read(..) | Op::Has(..) => {}
            Op::Not(of)
            | Op::Negate(of)
            | Op::Size(of)
            | Op::TypeOf(of)
            | Op::Range(of)
            | Op::IfPresent(of)
            | Op::Present(of)
            | Op::Encode(of)
            | Op::Decode(of)
            | Op::IsCanonical(of)
            | Op::HasKey { map: of, .. }
            | Op::Matches { text: of, .. }
            | Op::Case { text: of, .. }
            | Op::Convert { value: of, .. }
            | Op::Parses { text: of, .. }
            | Op::TimeField { of, .. }
            | Op::Address { of, .. }
            | Op::Network { of, .. }
            | Op::Math { of, .. }
            | Op::Extreme { among: of, .. } => visit(of),
            Op::And(sides)
            | Op::Or(sides)
            | Op::In(sides)
            | Op::Index(sides)
            | Op::Join(sides)
            | Op::Covers(sides)
            | Op::Equal { sides, .. }
            | Op::Ordered { sides, .. }
            | Op::Arithmetic { sides, .. }
            | Op::Bits { sides, .. }
            | Op::Search { sides, .. } => each(&**sides, visit),
            Op::Optional(optional) => optional.each_part(visit),
            Op::OptionalQuery(query) => query.each_part(visit),
            Op::If(parts) => each(&**parts, visit),
            Op::List(nodes) | Op::Call { arguments: nodes, .. } => each(nodes, visit),
            Op::Map(entries) => entries.iter().for_each(|(key, value)| pair(key, value, visit)),
            Op::Quantified { over, test, .. } => pair(&over.source, test, visit),
            Op::SortBy { over, key } => pair(&over.source, key, visit),
            Op::Bind { value, body, .. } => pair(value, body, visit),
            Op::Transform { over, condition, body } | Op::TransformMap { over, condition, body } => {
                visit(&over.source);
                each(optional(condition.as_deref()), visit);
                visit(body);
            }
            Op::StringMethod { text: of, arguments, .. } | Op::ListMethod { list: of, arguments, .. } => {
                led(of, arguments, visit);
            }
            Op::Format { text, arguments } => led(text, arguments.nodes(), visit),
            Op::Split { text, separator, limit } => {
                pair(text, separator, visit);
                each(optional(limit.as_deref()), visit);
            }
            Op::JoinStrings { list, separator } => led(list, optional(separator.as_deref()), visit),
        }
    }
}

impl OptionalQuery {
    fn each_part<'a>(&'a self, visit: &mut dyn FnMut(&'a Node)) {
        match self {
            Self::HasValue(of) | Self::Value(of) => visit(of),
            Self::OrValue(sides) => each(&**sides, visit),
        }
    }
}

impl Arguments {
    fn nodes(&self) -> &[Node] {
        match self {
            Self::Written(nodes) => nodes,
            Self::List(list) => std::slice::from_ref(list),
        }
    }
}

impl Optional {
    fn each_part<'a>(&'a self, visit: &mut dyn FnMut(&'a Node)) {
        match self {
            Self::None | Self::Read(..) => {}
            Self::Of(of) | Self::OfNonZero(of) => visit(of),
            Self::Select { sides, .. } | Self::Either(sides) => each(&**sides, visit),
            Self::Map { of, body, .. } => pair(of, body, visit),
        }
    }
}

fn each<'a>(nodes: &'a [Node], visit: &mut dyn FnMut(&'a Node)) {
    nodes.iter().for_each(visit);
}

/// The first, and then the others.
fn led<'a>(first: &'a Node, rest: &'a [Node], visit: &mut dyn FnMut(&'a Node)) {
    visit(first);
    each(rest, visit);
}

fn pair<'a>(first: &'a Node, second: &'a Node, visit: &mut dyn FnMut(&'a Node)) {
    visit(first);
    visit(second);
}

fn optional(node: Option<&Node>) -> &[Node] {
    node.map_or(&[], std::slice::from_ref)
}
