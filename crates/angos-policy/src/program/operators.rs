//! Stage 4: what the operations of a program do, where one operation does several.

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

/// What a function of the math extension does to a number.
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

/// What a function of the math extension does to the bits of two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bits {
    And,
    Or,
    Xor,
    ShiftLeft,
    ShiftRight,
}

/// What a method of the strings extension does.
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

/// What a method of the lists extension does.
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
