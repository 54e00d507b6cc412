//! Stage 5: the `ip` and `cidr` functions of Kubernetes' CEL library.

use super::convert::parse_ip;
use super::{Datum, Frame, Outcome};
use crate::program::{AddressProperty, NetworkProperty, Node};
use crate::value::Undecidable;
use ipnet::IpNet;
use std::net::IpAddr;

impl<'a> Frame<'a, '_> {
    pub(super) fn address_property(&mut self, property: AddressProperty, of: &'a Node) -> Outcome<Datum<'a>> {
        let address = match self.value(of)? {
            Datum::Ip(address) => address,
            other => return Err(of.unfit(other)),
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
        Ok(Datum::Bool(match property {
            AddressProperty::Family => return Ok(Datum::Int(if address.is_ipv4() { 4 } else { 6 })),
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

    pub(super) fn network_property(&mut self, property: NetworkProperty, of: &'a Node) -> Outcome<Datum<'a>> {
        match self.value(of)? {
            Datum::Cidr(network) => Ok(match property {
                NetworkProperty::Address => Datum::Ip(network.addr()),
                NetworkProperty::Masked => Datum::Cidr(network.trunc()),
                NetworkProperty::PrefixLength => Datum::Int(network.prefix_len().into()),
            }),
            other => Err(of.unfit(other)),
        }
    }

    /// Whether a network holds an address or another network, given as itself or as text.
    pub(super) fn covers(&mut self, sides: &'a [Node; 2]) -> Outcome<bool> {
        let [network_node, part_node] = sides;
        let network = match self.value(network_node)? {
            Datum::Cidr(network) => network,
            other => return Err(network_node.unfit(other)),
        };
        let part = self.value(part_node)?;
        match part {
            Datum::Ip(address) => return Ok(network.contains(&address)),
            Datum::Cidr(part) => return Ok(network.contains(&part)),
            _ => {}
        }
        let text = self.text(part).ok_or(part_node.unfit(part))?;
        if text.contains('/') {
            let part: Option<IpNet> = text.parse().ok();
            return part
                .map(|part| network.contains(&part))
                .ok_or(part_node.trouble(Undecidable::Conversion));
        }
        parse_ip(text)
            .map(|address| network.contains(&address))
            .ok_or(part_node.trouble(Undecidable::Conversion))
    }
}
