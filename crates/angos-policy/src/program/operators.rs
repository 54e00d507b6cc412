//! Stage 4: the operators of operations that have several.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantifier {
    All,
    Exists,
    ExistsOne,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Search {
    StartsWith,
    EndsWith,
    Contains,
}

/// The functions of the math extension on one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Math {
    Abs,
    Ceil,
    Floor,
    IsFinite,
    IsInf,
    IsNaN,
    Round,
    Sign,
    Sqrt,
    Trunc,
    BitNot,
}

/// The functions of the math extension on the bits of two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bits {
    And,
    Or,
    Xor,
    ShiftLeft,
    ShiftRight,
}

/// The methods of the strings extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StringMethod {
    CharAt,
    IndexOf,
    LastIndexOf,
    Quote,
    Replace,
    Reverse,
    Substring,
    Trim,
}

/// The methods of the lists extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListMethod {
    Distinct,
    /// To a depth of one, or of a constant argument.
    Flatten,
    Reverse,
    Slice,
    Sort,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AddressProperty {
    Family,
    Unspecified,
    Loopback,
    LinkLocalMulticast,
    LinkLocalUnicast,
    GlobalUnicast,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NetworkProperty {
    Address,
    Masked,
    PrefixLength,
}
