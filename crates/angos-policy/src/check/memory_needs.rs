//! Stage 3: the memory an expression needs: text for strings, slots for lists and maps.

use crate::program::{Arguments, MemoryNeeds, Node, Op, Optional, OptionalQuery, Scalar, StringMethod};
use crate::value::Type;

const NOTHING: MemoryNeeds = MemoryNeeds { text: false, slots: false };
const TEXT: MemoryNeeds = MemoryNeeds { text: true, slots: false };
const SLOTS: MemoryNeeds = MemoryNeeds { text: false, slots: true };

impl Node {
    /// The needs if the value is stored: a list that could be iterated is built.
    pub(crate) fn stored(&self) -> MemoryNeeds {
        if self.streams() || self.is_optional() { SLOTS.or(self.needs()) } else { self.needs() }
    }

    /// The needs if a list is iterated.
    pub(crate) fn needs(&self) -> MemoryNeeds {
        match &self.op {
            Op::Constant(_) | Op::Read(..) | Op::Bound(_) | Op::Has(..) => NOTHING,
            // These iterate lists and query optionals without building them.
            Op::Size(of)
            | Op::Extreme { among: of, .. }
            | Op::Range(of)
            | Op::Present(of)
            | Op::IfPresent(of) => of.needs(),
            Op::Index(sides) | Op::Join(sides) => each(&**sides),
            Op::In(sides) => contained(sides),
            Op::OptionalQuery(query) => query.needs(),
            Op::Optional(optional) => optional.needs(),
            Op::Quantified { over, test, .. } => over.source.needs().or(test.needs()),
            Op::Transform { over, condition, body } | Op::TransformMap { over, condition, body } => {
                let builds = if self.streams() { NOTHING } else { SLOTS };
                builds.or(over.source.needs()).or(optional(condition.as_deref())).or(body.stored())
            }
            Op::SortBy { over, key } => SLOTS.or(over.source.needs()).or(key.stored()),
            Op::List(elements) => all(elements),
            Op::Map(entries) => {
                entries.iter().fold(SLOTS, |needs, (key, value)| needs.or(key.stored()).or(value.stored()))
            }
            Op::If(parts) => each(&**parts),
            Op::Bind { value, body, .. } => value.stored().or(body.stored()),
            Op::Not(of)
            | Op::Negate(of)
            | Op::TypeOf(of)
            | Op::IsCanonical(of)
            | Op::HasKey { map: of, .. }
            | Op::Matches { text: of, .. }
            | Op::Parses { text: of, .. }
            | Op::TimeField { of, .. }
            | Op::Address { of, .. }
            | Op::Network { of, .. }
            | Op::Math { of, .. } => of.stored(),
            Op::And(sides)
            | Op::Or(sides)
            | Op::Equal { sides, .. }
            | Op::Ordered { sides, .. }
            | Op::Bits { sides, .. }
            | Op::Search { sides, .. }
            | Op::Covers(sides) => all(&**sides),
            Op::Arithmetic { sides, builds, .. } => builds.or(all(&**sides)),
            Op::Encode(of) | Op::Decode(of) => TEXT.or(of.stored()),
            Op::Case { text, .. } => TEXT.or(text.stored()),
            Op::Convert { to, value } => {
                let needs = value.stored();
                if *to == Scalar::String { TEXT.or(needs) } else { needs }
            }
            Op::StringMethod { method, text, arguments } => {
                needs_of_string_method(*method).or(text.stored()).or(all(arguments))
            }
            Op::Split { text, separator, limit } => {
                text.needs().or(separator.needs()).or(optional(limit.as_deref()))
            }
            Op::Format { text, arguments } => TEXT.or(text.stored()).or(arguments.needs()),
            Op::JoinStrings { list, separator } => TEXT.or(list.stored()).or(optional(separator.as_deref())),
            Op::ListMethod { list, arguments, .. } => SLOTS.or(list.stored()).or(all(arguments)),
            Op::Call { function, arguments } => called(function.result).or(all(arguments)),
        }
    }
}

fn needs_of_string_method(method: StringMethod) -> MemoryNeeds {
    match method {
        StringMethod::Quote | StringMethod::Replace | StringMethod::Reverse => TEXT,
        StringMethod::CharAt
        | StringMethod::IndexOf
        | StringMethod::LastIndexOf
        | StringMethod::Substring
        | StringMethod::Trim => NOTHING,
    }
}

fn contained([needle, list]: &[Node; 2]) -> MemoryNeeds {
    needle.stored().or(list.needs())
}

fn called(result: Type) -> MemoryNeeds {
    if matches!(result, Type::String | Type::Enum(_) | Type::Dyn) { TEXT } else { NOTHING }
}

impl OptionalQuery {
    fn needs(&self) -> MemoryNeeds {
        match self {
            Self::HasValue(of) | Self::Value(of) => of.needs(),
            Self::OrValue(sides) => {
                let [of, other] = &**sides;
                of.needs().or(other.stored())
            }
        }
    }
}

impl Optional {
    fn needs(&self) -> MemoryNeeds {
        match self {
            Self::None | Self::Read(..) => NOTHING,
            Self::Of(of) | Self::OfNonZero(of) => of.stored(),
            Self::Select { chained, sides, .. } => {
                let [of, key] = &**sides;
                key.stored().or(if *chained { of.needs() } else { of.stored() })
            }
            Self::Either(sides) => each(&**sides),
            Self::Map { flat, of, body, .. } => {
                of.needs().or(if *flat { body.needs() } else { body.stored() })
            }
        }
    }
}

impl Arguments {
    fn needs(&self) -> MemoryNeeds {
        match self {
            Self::Written(nodes) => all(nodes),
            Self::List(list) => list.stored(),
        }
    }
}

fn each(nodes: &[Node]) -> MemoryNeeds {
    nodes.iter().fold(NOTHING, |needs, node| needs.or(node.needs()))
}

fn all(nodes: &[Node]) -> MemoryNeeds {
    nodes.iter().fold(NOTHING, |needs, node| needs.or(node.stored()))
}

fn optional(node: Option<&Node>) -> MemoryNeeds {
    node.map_or(NOTHING, Node::stored)
}
