//! Stage 1: why a declaration is refused.

use crate::limits::{FUNCTION_PARAMETERS_MAX, VARIABLES_MAX};

/// An error in the declaration of an [`Environment`](super::Environment), made by the embedding program and not by the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvironmentError {
    /// Not identifiers joined by dots, or a reserved word.
    #[error("`{0}` is not a valid name")]
    Name(String),
    /// Declared before, or both a variable that is no map and a group of variables.
    #[error("`{0}` is declared twice")]
    Duplicate(String),
    /// `identity` belongs to this crate, and built-in functions keep their meaning.
    #[error("`{0}` is reserved")]
    Reserved(String),
    /// The target of an alias is not declared, or that of a form is no declared string or list of strings.
    #[error("`{0}` is not declared, so it cannot have an alias or a form")]
    UnknownTarget(String),
    /// A [`Type::Enum`](crate::Type::Enum) without values.
    #[error("`{0}` is an enum without values")]
    EmptyEnum(String),
    /// A variable or function result declared as optional; any variable may be absent, and rules read it with
    /// `?`.
    #[error("`{0}` cannot be optional; use `Value::Absent` for an absent value")]
    Optional(String),
    /// A function with no parameters, more than [`limits::FUNCTION_PARAMETERS_MAX`](crate::limits::FUNCTION_PARAMETERS_MAX),
    /// or a result that is a list, a map or bytes.
    #[error(
        "`{0}` must take 1 to {FUNCTION_PARAMETERS_MAX} arguments and must not return a list, a map or bytes"
    )]
    Signature(String),
    /// More than [`limits::VARIABLES_MAX`](crate::limits::VARIABLES_MAX).
    #[error("more than {VARIABLES_MAX} variables and functions")]
    TooMany,
}
