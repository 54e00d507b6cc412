//! Stage 5: the `ip` and `cidr` functions of Kubernetes' CEL library.

use super::{EvalResult, Frame, RawValue};
use crate::program::{AddressProperty, NetworkProperty, Node};
use crate::value::Undecidable;
use ipnet::IpNet;
use std::fmt::{self, Write as _};
use std::net::IpAddr;

impl<'a> Frame<'a, '_> {
    pub(super) fn address_property(
        &mut self,
        property: AddressProperty,
        of: &'a Node,
    ) -> EvalResult<RawValue<'a>> {
        let address = match self.value(of)? {
            RawValue::Ip(address) => address,
            other => return Err(of.type_error(other)),
        };
        let loopback = address.is_loopback();
        let link_local_unicast = match address {
            IpAddr::V4(v4) => v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        };
        let link_local_multicast = match address {
            IpAddr::V4(v4) => v4.octets().starts_with(&[224, 0, 0]),
            IpAddr::V6(v6) => v6.segments().first().is_some_and(|first| first & 0xff0f == 0xff02),
        };
        Ok(RawValue::Bool(match property {
            AddressProperty::Family => return Ok(RawValue::Int(if address.is_ipv4() { 4 } else { 6 })),
            AddressProperty::Unspecified => address.is_unspecified(),
            AddressProperty::Loopback => loopback,
            AddressProperty::LinkLocalMulticast => link_local_multicast,
            AddressProperty::LinkLocalUnicast => link_local_unicast,
            AddressProperty::GlobalUnicast => {
                let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
                !(broadcast
                    || loopback
                    || link_local_unicast
                    || address.is_unspecified()
                    || address.is_multicast())
            }
        }))
    }

    pub(super) fn network_property(
        &mut self,
        property: NetworkProperty,
        of: &'a Node,
    ) -> EvalResult<RawValue<'a>> {
        match self.value(of)? {
            RawValue::Cidr(network) => Ok(match property {
                NetworkProperty::Address => RawValue::Ip(network.addr()),
                NetworkProperty::Masked => RawValue::Cidr(network.trunc()),
                NetworkProperty::PrefixLength => RawValue::Int(network.prefix_len().into()),
            }),
            other => Err(of.type_error(other)),
        }
    }

    /// Whether a network holds an address or another network, given as itself or as text.
    pub(super) fn covers(&mut self, sides: &'a [Node; 2]) -> EvalResult<bool> {
        let [network_node, part_node] = sides;
        let network = match self.value(network_node)? {
            RawValue::Cidr(network) => network,
            other => return Err(network_node.type_error(other)),
        };
        let part = self.value(part_node)?;
        match part {
            RawValue::Ip(address) => return Ok(network.contains(&address)),
            RawValue::Cidr(part) => return Ok(network.contains(&part)),
            _ => {}
        }
        let text = self.text(part).ok_or(part_node.type_error(part))?;
        if text.contains('/') {
            return parse_cidr(text)
                .map(|part| network.contains(&part))
                .ok_or(part_node.error(Undecidable::Conversion));
        }
        parse_ip(text)
            .map(|address| network.contains(&address))
            .ok_or(part_node.error(Undecidable::Conversion))
    }

    /// `ip.isCanonical(text)`: whether an address is written as `string(ip(text))` writes it.
    pub(super) fn is_canonical(&mut self, text_node: &'a Node) -> EvalResult<bool> {
        let raw = self.value(text_node)?;
        let text = self.text(raw).ok_or(text_node.type_error(raw))?;
        let address = parse_ip(text).ok_or(text_node.error(Undecidable::Conversion))?;
        let mut rest = Rest(text);
        Ok(write!(rest, "{address}").is_ok() && rest.0.is_empty())
    }
}

/// The rest of an expected text; writing anything else fails.
struct Rest<'t>(&'t str);

impl fmt::Write for Rest<'_> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        self.0 = self.0.strip_prefix(piece).ok_or(fmt::Error)?;
        Ok(())
    }
}

/// An address. An IPv4 address in the sixteen bytes of IPv6 is the IPv4 address, so that rules about networks
/// see it however the socket was opened; the mixed form (`::ffff:192.0.2.1`) is not an address, as in
/// Kubernetes.
pub(super) fn parse_ip(text: &str) -> Option<IpAddr> {
    let address: IpAddr = text.parse().ok()?;
    let mixed = address.to_canonical() != address && text.contains('.');
    (!mixed).then(|| address.to_canonical())
}

/// A network. IPv4 in the bytes of IPv6 is not a network: its prefix would count bits that the address does
/// not have.
pub(super) fn parse_cidr(text: &str) -> Option<IpNet> {
    let network: IpNet = text.parse().ok()?;
    (network.addr().to_canonical() == network.addr()).then_some(network)
}
