//! Stage 3: the names of the built-in functions and the types they take.

use crate::program::{AddressProperty, NetworkProperty, Scalar};
use std::net::Ipv4Addr;

/// Functions called as `name(…)`.
pub(super) const FUNCTIONS: &[&str] = &[
    "bool",
    "bytes",
    "cidr",
    "double",
    "duration",
    "dyn",
    "has",
    "int",
    "ip",
    "isCIDR",
    "isIP",
    "matches",
    "size",
    "string",
    "timestamp",
    "type",
    "uint",
];

/// Methods called as `value.name(…)`, besides the macros and the parts of timestamps.
pub(super) const METHODS: &[&str] = &[
    "charAt",
    "contains",
    "containsCIDR",
    "containsIP",
    "distinct",
    "endsWith",
    "family",
    "flatten",
    "format",
    "indexOf",
    "ip",
    "isGlobalUnicast",
    "isLinkLocalMulticast",
    "isLinkLocalUnicast",
    "isLoopback",
    "isUnspecified",
    "join",
    "lastIndexOf",
    "lowerAscii",
    "masked",
    "matches",
    "prefixLength",
    "replace",
    "reverse",
    "size",
    "slice",
    "sort",
    "split",
    "startsWith",
    "substring",
    "trim",
    "upperAscii",
];

/// Whether a function of this name exists without being declared.
pub(crate) fn is_builtin(name: &str) -> bool {
    FUNCTIONS.contains(&name)
}

/// The type a function converts to, if it is a conversion.
pub(super) fn conversion(function: &str) -> Option<Scalar> {
    Some(match function {
        "bool" => Scalar::Bool,
        "int" => Scalar::Int,
        "uint" => Scalar::Uint,
        "double" => Scalar::Double,
        "string" => Scalar::String,
        "bytes" => Scalar::Bytes,
        "timestamp" => Scalar::Timestamp,
        "duration" => Scalar::Duration,
        "ip" => Scalar::Ip,
        "cidr" => Scalar::Cidr,
        _ => return None,
    })
}

/// Whether values of a type can become another's; whether each of them does shows when it is done.
pub(super) fn convertible(from: Scalar, to: Scalar) -> bool {
    if from == to {
        return true;
    }
    match to {
        Scalar::Null | Scalar::Type => false,
        Scalar::Int => from.is_number() || matches!(from, Scalar::String | Scalar::Timestamp),
        Scalar::Uint | Scalar::Double => from.is_number() || from == Scalar::String,
        Scalar::String => from != Scalar::Null,
        Scalar::Timestamp => matches!(from, Scalar::String | Scalar::Int),
        Scalar::Bool | Scalar::Bytes | Scalar::Duration | Scalar::Ip | Scalar::Cidr => from == Scalar::String,
    }
}

/// The suggestion for a text that does not convert to the type.
pub(super) fn instead(to: Scalar, text: &str) -> String {
    let inner = text.rsplit_once(':').and_then(|(_, last)| last.parse::<Ipv4Addr>().ok());
    match inner {
        Some(address) if to == Scalar::Ip => format!("write it as IPv4: '{address}'"),
        _ => format!("write it like {}", example(to)),
    }
}

/// Text that converts to the type.
fn example(to: Scalar) -> &'static str {
    match to {
        Scalar::Bool => "'true'",
        Scalar::Int | Scalar::Uint => "'42'",
        Scalar::Double => "'4.2'",
        Scalar::Timestamp => "'2030-01-31T00:00:00Z'",
        Scalar::Duration => "'1h30m'",
        Scalar::Ip => "'192.0.2.1'",
        Scalar::Cidr => "'10.0.0.0/8'",
        Scalar::Null | Scalar::String | Scalar::Bytes | Scalar::Type => "'text'",
    }
}

/// "what `size` is called on"
pub(super) fn called_on(method: &str) -> String {
    format!("what `{method}` is called on")
}

pub(super) fn address_property(method: &str) -> Option<(AddressProperty, Scalar)> {
    Some(match method {
        "family" => (AddressProperty::Family, Scalar::Int),
        "isUnspecified" => (AddressProperty::Unspecified, Scalar::Bool),
        "isLoopback" => (AddressProperty::Loopback, Scalar::Bool),
        "isLinkLocalMulticast" => (AddressProperty::LinkLocalMulticast, Scalar::Bool),
        "isLinkLocalUnicast" => (AddressProperty::LinkLocalUnicast, Scalar::Bool),
        "isGlobalUnicast" => (AddressProperty::GlobalUnicast, Scalar::Bool),
        _ => return None,
    })
}

pub(super) fn network_property(method: &str) -> Option<(NetworkProperty, Scalar)> {
    Some(match method {
        "ip" => (NetworkProperty::Address, Scalar::Ip),
        "masked" => (NetworkProperty::Masked, Scalar::Cidr),
        "prefixLength" => (NetworkProperty::PrefixLength, Scalar::Int),
        _ => return None,
    })
}
