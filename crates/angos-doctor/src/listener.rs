//! The listeners of a configured server: which of them an address selects, and which are worth a handshake.

use std::net::IpAddr;

use angos_server::Listener;
use angos_tls::{Acceptor, ClientAuth};

use crate::target::Target;

/// A listener that is not open.
#[derive(Debug)]
pub(crate) struct SimulatedListener {
    pub(crate) listener: Listener,
    /// `None`: it speaks plain HTTP.
    pub(crate) acceptor: Option<Acceptor>,
}

/// The listeners to examine.
#[derive(Debug)]
pub(crate) enum Selected<'a> {
    /// Those with the given address; if no listener has it, as behind a load balancer, the registry's own.
    Addressed(Vec<&'a SimulatedListener>),
    /// No address was given.
    All(&'a [SimulatedListener]),
}

impl SimulatedListener {
    pub(crate) fn new(listener: Listener, of_server: &Acceptor) -> Self {
        Self { acceptor: listener.acceptor(of_server), listener }
    }

    /// The name that findings use.
    pub(crate) fn name(&self) -> String {
        format!("listener {} ({})", self.listener.name, self.listener.address)
    }

    /// Why a handshake with this listener says nothing about a client certificate, unless the listener was selected by
    /// its address; `None` if it does.
    pub(crate) fn skip_reason(&self) -> Option<&'static str> {
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

/// The listeners that `target` selects. The first of `listeners` is the registry's own.
pub(crate) fn select<'a>(listeners: &'a [SimulatedListener], target: Option<&Target>) -> Selected<'a> {
    let Some(target) = target else { return Selected::All(listeners) };
    let at: Vec<_> = listeners.iter().filter(|listener| listener.is_at(target)).collect();
    Selected::Addressed(if at.is_empty() { listeners.iter().take(1).collect() } else { at })
}
