//! Stage 4: what a program reads.

use super::{List, Node, Op};
use crate::environment::Origin;

impl Node {
    /// Shows `visit` each variable that is read, in the loops' bodies too.
    pub(crate) fn each_origin(&self, visit: &mut dyn FnMut(Origin)) {
        match &self.op {
            Op::Constant(_) | Op::Bound(_) => {}
            Op::Read(origin, _) | Op::Has(origin) => visit(*origin),
            Op::Not(of)
            | Op::Negate(of)
            | Op::Length(of)
            | Op::Matches { text: of, .. }
            | Op::Case { text: of, .. }
            | Op::Convert { value: of, .. }
            | Op::TypeOf(of, _)
            | Op::Parses { text: of, .. }
            | Op::Part { of, .. }
            | Op::Address { of, .. }
            | Op::Network { of, .. }
            | Op::Math { of, .. } => of.each_origin(visit),
            Op::And(sides)
            | Op::Or(sides)
            | Op::Equal { sides, .. }
            | Op::Ordered { sides, .. }
            | Op::Arithmetic { sides, .. }
            | Op::Search { sides, .. }
            | Op::Covers(sides) => each(&**sides, visit),
            Op::If(parts) => each(&**parts, visit),
            Op::EqualLists { sides, .. } => sides.iter().for_each(|side| side.each_origin(visit)),
            Op::In { needle: node, list }
            | Op::Element { list, index: node }
            | Op::Quantified { list, test: node, .. } => {
                node.each_origin(visit);
                list.each_origin(visit);
            }
            Op::Count(list) | Op::Extreme { among: list, .. } => list.each_origin(visit),
            // Values are constants.
            Op::Lookup { key, table: _ } => key.each_origin(visit),
            Op::Edit { text, arguments, .. } => {
                text.each_origin(visit);
                each(arguments, visit);
            }
            Op::Call { arguments, .. } => each(arguments, visit),
        }
    }
}

impl List {
    /// Shows `visit` each variable that is read.
    pub(crate) fn each_origin(&self, visit: &mut dyn FnMut(Origin)) {
        match self {
            Self::Read(origin, _) => visit(*origin),
            Self::Literal(elements) => each(elements, visit),
            Self::Join(sides) => sides.iter().for_each(|side| side.each_origin(visit)),
            Self::Split { text, separator, limit } => {
                [text, separator].into_iter().chain(limit).for_each(|node| node.each_origin(visit));
            }
            Self::Lookup { key, table: _ } => key.each_origin(visit),
            Self::If(condition, sides) => {
                condition.each_origin(visit);
                sides.iter().for_each(|side| side.each_origin(visit));
            }
            Self::Map { source, condition, body, .. } => {
                source.each_origin(visit);
                if let Some(condition) = condition {
                    condition.each_origin(visit);
                }
                body.each_origin(visit);
            }
            Self::Filter { source, condition, .. } => {
                source.each_origin(visit);
                condition.each_origin(visit);
            }
        }
    }
}

fn each(nodes: &[Node], visit: &mut dyn FnMut(Origin)) {
    for node in nodes {
        node.each_origin(visit);
    }
}
