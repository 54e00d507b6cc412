//! Stage 3: the types of expressions.

use crate::program::Scalar;
use crate::value::Type;
use std::sync::Arc;

/// The type of an expression, as far as it is known when the rule is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StaticType {
    /// Any type, known at evaluation only.
    Dyn,
    /// The element type of an empty list: compatible with every type.
    Never,
    One(Scalar),
    List(Arc<StaticType>),
    Map(Arc<(StaticType, StaticType)>),
    Optional(Arc<StaticType>),
}

impl StaticType {
    pub(super) const BOOL: Self = Self::One(Scalar::Bool);
    pub(super) const INT: Self = Self::One(Scalar::Int);
    pub(super) const DOUBLE: Self = Self::One(Scalar::Double);
    pub(super) const STRING: Self = Self::One(Scalar::String);
    pub(super) const NULL: Self = Self::One(Scalar::Null);

    pub(super) fn list(element: Self) -> Self {
        Self::List(Arc::new(element))
    }

    pub(super) fn map(key: Self, value: Self) -> Self {
        Self::Map(Arc::new((key, value)))
    }

    pub(super) fn optional(value: Self) -> Self {
        Self::Optional(Arc::new(value))
    }

    /// Of a declared type.
    pub(super) fn of(ty: Type) -> Self {
        Self::One(match ty {
            Type::Bool => Scalar::Bool,
            Type::Int => Scalar::Int,
            Type::Uint => Scalar::Uint,
            Type::Double => Scalar::Double,
            Type::String | Type::Enum(_) => Scalar::String,
            Type::Bytes => Scalar::Bytes,
            Type::Timestamp => Scalar::Timestamp,
            Type::Duration => Scalar::Duration,
            Type::Null => Scalar::Null,
            Type::Ip => Scalar::Ip,
            Type::Cidr => Scalar::Cidr,
            Type::Type => Scalar::Type,
            Type::StringList => return Self::list(Self::STRING),
            Type::List(element) => return Self::list(Self::of(*element)),
            Type::Map(key, value) => return Self::map(Self::of(*key), Self::of(*value)),
            Type::Optional(value) => return Self::optional(Self::of(*value)),
            Type::Dyn => return Self::Dyn,
        })
    }

    /// The type reported to the service; types inside lists and maps are reported one level deep.
    pub(super) fn declared(&self) -> Type {
        match self {
            Self::Dyn | Self::Never => Type::Dyn,
            Self::One(scalar) => *of_scalar(*scalar),
            Self::List(element) => Type::List(element.within()),
            Self::Map(entry) => Type::Map(entry.0.within(), entry.1.within()),
            Self::Optional(value) => Type::Optional(value.within()),
        }
    }

    fn within(&self) -> &'static Type {
        match self {
            Self::One(scalar) => of_scalar(*scalar),
            _ => &Type::Dyn,
        }
    }

    pub(super) fn scalar(&self) -> Option<Scalar> {
        match self {
            Self::One(scalar) => Some(*scalar),
            _ => None,
        }
    }

    /// Whether it is one of these, or may turn out to be.
    pub(super) fn may(&self, test: impl Fn(Scalar) -> bool) -> bool {
        match self {
            Self::Dyn | Self::Never => true,
            Self::One(scalar) => test(*scalar),
            Self::List(_) | Self::Map(_) | Self::Optional(_) => false,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::Dyn | Self::Never)
    }

    /// Whether a value of this type is accepted where `wanted` is required.
    pub(super) fn fits(&self, wanted: &Self) -> bool {
        match (self, wanted) {
            (Self::Dyn | Self::Never, _) | (_, Self::Dyn | Self::Never) => true,
            (Self::List(left), Self::List(right)) | (Self::Optional(left), Self::Optional(right)) => {
                left.fits(right)
            }
            (Self::Map(left), Self::Map(right)) => left.0.fits(&right.0) && left.1.fits(&right.1),
            (left, right) => left == right,
        }
    }

    /// Whether values of the two types may be equal; numbers are equal across types.
    pub(super) fn comparable(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::One(left), Self::One(right)) => left == right || (left.is_number() && right.is_number()),
            (Self::List(left), Self::List(right)) | (Self::Optional(left), Self::Optional(right)) => {
                left.comparable_within(right)
            }
            (Self::Map(left), Self::Map(right)) => {
                left.0.comparable(&right.0) && left.1.comparable_within(&right.1)
            }
            _ => self.is_open() || other.is_open(),
        }
    }

    /// Null is allowed among the elements of any list.
    fn comparable_within(&self, other: &Self) -> bool {
        self == &Self::NULL || other == &Self::NULL || self.comparable(other)
    }

    /// The type of either, if there is one.
    pub(super) fn join(&self, other: &Self) -> Option<Self> {
        Some(match (self, other) {
            (left, right) if left == right => left.clone(),
            (Self::Never, known) | (known, Self::Never) => known.clone(),
            (Self::Dyn, _) | (_, Self::Dyn) => Self::Dyn,
            (Self::List(left), Self::List(right)) => Self::list(left.join(right)?),
            (Self::Optional(left), Self::Optional(right)) => Self::optional(left.join(right)?),
            (Self::Map(left), Self::Map(right)) => Self::map(left.0.join(&right.0)?, left.1.join(&right.1)?),
            _ => return None,
        })
    }

    /// The type with its article.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Dyn => "a value of any type".to_owned(),
            Self::Never => "an element of an empty list".to_owned(),
            Self::One(scalar) => article(*scalar),
            Self::List(element) if **element == Self::Never => "an empty list".to_owned(),
            Self::List(element) => format!("a list of {}", element.name(3)),
            Self::Map(entry) if entry.0 == Self::Never => "an empty map".to_owned(),
            Self::Map(entry) => format!("a map of {} to {}", entry.0.name(3), entry.1.name(3)),
            Self::Optional(value) => format!("an optional {}", value.name(3)),
        }
    }

    /// The type as CEL writes it, as deep as a message needs it.
    pub(super) fn name(&self, depth: usize) -> String {
        match self {
            Self::Dyn | Self::Never => "dyn".to_owned(),
            Self::One(scalar) => scalar.name().to_owned(),
            _ if depth == 0 => "…".to_owned(),
            Self::List(element) => format!("list({})", element.name(depth - 1)),
            Self::Map(entry) => format!("map({}, {})", entry.0.name(depth - 1), entry.1.name(depth - 1)),
            Self::Optional(value) => format!("optional_type({})", value.name(depth - 1)),
        }
    }
}

fn of_scalar(scalar: Scalar) -> &'static Type {
    match scalar {
        Scalar::Null => &Type::Null,
        Scalar::Bool => &Type::Bool,
        Scalar::Int => &Type::Int,
        Scalar::Uint => &Type::Uint,
        Scalar::Double => &Type::Double,
        Scalar::String => &Type::String,
        Scalar::Bytes => &Type::Bytes,
        Scalar::Timestamp => &Type::Timestamp,
        Scalar::Duration => &Type::Duration,
        Scalar::Ip => &Type::Ip,
        Scalar::Cidr => &Type::Cidr,
        Scalar::Type => &Type::Type,
    }
}

/// The type with its article.
pub(super) fn article(scalar: Scalar) -> String {
    match scalar {
        Scalar::Null => "null".to_owned(),
        Scalar::Bytes => "bytes".to_owned(),
        Scalar::Int | Scalar::Ip => format!("an {}", scalar.name()),
        _ => format!("a {}", scalar.name()),
    }
}
