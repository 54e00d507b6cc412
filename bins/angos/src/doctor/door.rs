//! The listeners of a configured server: which of them are meant by an address, and which is worth a handshake.

use std::net::IpAddr;

use angos_config::{Acceptor, ClientAuth};
use angos_server::Listener;

use crate::doctor::target::Target;

/// A listener, not open.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) listener: Listener,
    /// None: it speaks plain HTTP.
    pub(crate) acceptor: Option<Acceptor>,
}

/// Those to look at.
#[derive(Debug)]
pub(crate) enum Meant<'a> {
    /// The address is theirs; or nobody's, as behind a balancer, and then it stands for the registry's own.
    Chosen(Vec<&'a Door>),
    /// No address was given.
    All(&'a [Door]),
}

impl Door {
    pub(crate) fn new(listener: Listener, of_server: &Acceptor) -> Self {
        Self { acceptor: listener.acceptor(of_server), listener }
    }

    /// As findings name it.
    pub(crate) fn name(&self) -> String {
        format!("listener {} ({})", self.listener.name, self.listener.address)
    }

    /// Why a client's certificate has nothing to do here unless the listener is chosen. None: it has.
    pub(crate) fn is_beside_the_point(&self) -> Option<&'static str> {
        let Self { listener, acceptor } = self;
        match acceptor {
            None => Some("it speaks plain HTTP"),
            Some(_) if !listener.surfaces.registry => Some("it serves no registry"),
            Some(acceptor) if listener.is_further() && acceptor.client_auth() == ClientAuth::None => {
                Some("it asks for no client certificate")
            }
            Some(_) => None,
        }
    }

    fn is_at(&self, target: &Target) -> bool {
        let here = self.listener.address.ip();
        let is_host = match target.host.parse::<IpAddr>() {
            Ok(address) => here == address,
            Err(_) if target.host.eq_ignore_ascii_case("localhost") => here.is_loopback(),
            Err(_) => true,
        };
        self.listener.address.port() == target.port && (is_host || here.is_unspecified())
    }
}

/// The listeners that are meant by an address, or by none. `doors` begins with the registry's own.
pub(crate) fn meant<'a>(doors: &'a [Door], target: Option<&Target>) -> Meant<'a> {
    let Some(target) = target else { return Meant::All(doors) };
    let at: Vec<_> = doors.iter().filter(|door| door.is_at(target)).collect();
    Meant::Chosen(if at.is_empty() { doors.iter().take(1).collect() } else { at })
}
