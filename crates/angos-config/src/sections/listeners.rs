//! `[[server.listener]]`: additional listeners, each with its own address and its own choice of what it serves.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use angos_server::{Listener, Settings, Surfaces};
use angos_tls::ClientAuth;

use crate::context::Context;
use crate::document::{self, ListenerClientAuth, Server, Surface};
use crate::key_path::KeyPath;
use crate::layers::Part;
use crate::limits::LISTENER_NAME_MAX_BYTES;
use crate::sections::plaintext;

/// Names of the listeners of `[server]` and `[server.management]` in logs and metrics.
const RESERVED_NAMES: [&str; 2] = [Listener::REGISTRY, Listener::MANAGEMENT];

/// The listeners of all sections that are sound.
pub(crate) fn listeners(written: &Server, settings: &Settings, context: &mut Context<'_>) -> Vec<Listener> {
    let mut set = ListenerSet {
        taken: vec![("server".to_owned(), settings.listen)],
        names: Vec::new(),
        insecure: written.insecure == Some(true),
    };
    set.taken.extend(settings.management.map(|address| ("server.management".to_owned(), address)));
    let list = KeyPath::of(&["server", "listener"]);
    let mut valid = Vec::new();
    for (index, section) in written.listener.iter().enumerate() {
        let Some(section) = section else { continue };
        valid.extend(set.listener(section, &list.index(index), context));
    }
    valid
}

/// The listeners so far: their names and addresses must differ.
struct ListenerSet {
    taken: Vec<(String, SocketAddr)>,
    names: Vec<String>,
    /// Whether they may serve the registry to other machines without TLS.
    insecure: bool,
}

impl ListenerSet {
    fn listener(
        &mut self,
        written: &document::Listener,
        section: &KeyPath,
        context: &mut Context<'_>,
    ) -> Option<Listener> {
        let name = self.name(written, section, context);
        let address = self.address(written, section, context);
        let surfaces = surfaces(written, section, context);
        let tls = written.tls.unwrap_or(true);
        if tls && !context.layers.has(&KeyPath::of(&["server", "tls"])) {
            let message = format!("`{section}` speaks TLS, and there is no [server.tls]");
            let help = "add [server.tls], or write tls = false if everything, passwords included, may be sent in the clear";
            context.error_with_help(&section.key("tls"), Part::Key, message, help);
        }
        let mut listener = Listener::new(name?, address?);
        listener.tls = tls;
        listener.client_auth = client_auth(written, tls, section, context);
        listener.surfaces = surfaces?;
        if let Some(connections) = written.max_connections {
            listener.max_connections = connections;
        }
        in_the_clear(&listener, section, self.insecure, context);
        Some(listener)
    }

    fn name(
        &mut self,
        written: &document::Listener,
        section: &KeyPath,
        context: &mut Context<'_>,
    ) -> Option<String> {
        let path = section.key("name");
        let Some(name) = &written.name else {
            missing(&path, section, "name = \"probes\"", context);
            return None;
        };
        let problem = if !is_name(name) {
            format!(
                "the name of a listener has 1 to {LISTENER_NAME_MAX_BYTES} of the characters a-z, 0-9 and -"
            )
        } else if RESERVED_NAMES.contains(&name.as_str()) {
            format!("\"{name}\" is the name of a listener that has a section of its own; choose another")
        } else if self.names.contains(name) {
            format!("another listener is named \"{name}\" already")
        } else {
            self.names.push(name.clone());
            return Some(name.clone());
        };
        context.error(&path, Part::Value, problem);
        None
    }

    fn address(
        &mut self,
        written: &document::Listener,
        section: &KeyPath,
        context: &mut Context<'_>,
    ) -> Option<SocketAddr> {
        let path = section.key("port");
        let Some(port) = written.port else {
            missing(&path, section, "port = 9000", context);
            return None;
        };
        let address = SocketAddr::new(written.bind_address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), port);
        if let Some((other, _)) = self.taken.iter().find(|(_, other)| overlap(address, *other)) {
            let message = format!("`{section}` and `{other}` cannot both listen on port {port}");
            context.error(&path, Part::Value, message);
        }
        self.taken.push((section.to_string(), address));
        Some(address)
    }
}

/// A key that must be there, unless what is there was reported already.
fn missing(path: &KeyPath, section: &KeyPath, example: &str, context: &mut Context<'_>) {
    if !context.layers.has(path) {
        let key = example.split(' ').next().unwrap_or_default();
        let message = format!("`{section}` has no `{key}`");
        context.error_with_help(section, Part::Key, message, format!("write {example}"));
    }
}

fn is_name(name: &str) -> bool {
    (1..=LISTENER_NAME_MAX_BYTES).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Its own client authentication, if the section sets one; otherwise that of [server.tls] applies.
fn client_auth(
    written: &document::Listener,
    tls: bool,
    section: &KeyPath,
    context: &mut Context<'_>,
) -> Option<ClientAuth> {
    let path = section.key("client_auth");
    let wanted = match written.client_auth? {
        ListenerClientAuth::None => ClientAuth::None,
        ListenerClientAuth::Optional => ClientAuth::Optional,
        ListenerClientAuth::Required => ClientAuth::Required,
    };
    if !tls {
        context.error(
            &path,
            Part::Value,
            format!("`{section}` does not speak TLS, so it cannot ask for certificates"),
        );
        return None;
    }
    let section = KeyPath::of(&["server", "tls"]);
    let has_authorities =
        ["client_ca_bundle", "client_ca"].iter().any(|key| context.layers.has(&section.key(key)));
    if wanted != ClientAuth::None && !has_authorities {
        let help = "set server.tls.client_ca_bundle to the PEM file of the authorities that sign client certificates";
        context.error_with_help(&path, Part::Value, "no authority may sign client certificates", help);
    }
    Some(wanted)
}

/// Reads `serve`: at least one value, each at most once.
fn surfaces(written: &document::Listener, section: &KeyPath, context: &mut Context<'_>) -> Option<Surfaces> {
    let path = section.key("serve");
    let Some(written) = &written.serve else { return Some(Surfaces::REGISTRY) };
    if written.is_empty() {
        let help = "write [\"registry\"], [\"management\"] or both";
        context.error_with_help(&path, Part::Value, format!("`{section}` serves nothing"), help);
        return None;
    }
    let mut surfaces = Surfaces { registry: false, management: false };
    for (index, surface) in written.iter().enumerate() {
        let (here, name) = match surface {
            Some(Surface::Registry) => (&mut surfaces.registry, "registry"),
            Some(Surface::Management) => (&mut surfaces.management, "management"),
            None => return None,
        };
        if std::mem::replace(here, true) {
            context.error(&path.index(index), Part::Value, format!("\"{name}\" is there twice"));
        }
    }
    Some(surfaces)
}

/// Refuses or warns about a listener without TLS that other machines can reach.
fn in_the_clear(listener: &Listener, section: &KeyPath, insecure: bool, context: &mut Context<'_>) {
    if listener.tls || plaintext::is_local(listener.address) {
        return;
    }
    let name = &listener.name;
    if listener.surfaces.registry {
        let who = format!("listener \"{name}\"");
        plaintext::report(&who, listener.address, &section.key("tls"), insecure, context);
    }
    if listener.surfaces.management {
        context.warning(
            &section.key("serve"),
            format!(
                "listener \"{name}\" serves health and metrics, without a policy, to every client that can reach {}",
                listener.address
            ),
            "bind it where only probes and scrapers reach it",
        );
    }
}

/// Whether the system would refuse to listen on both.
pub(crate) fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let same_place = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && same_place
}
