//! Plain HTTP beyond this machine: only where `server.insecure` asks for it, never because `[server.tls]` is missing.

use std::net::SocketAddr;

use angos_server::Settings;

use crate::context::Context;
use crate::document::Server;
use crate::key_path::KeyPath;
use crate::layers::Part;

/// Reports a registry without TLS that other machines can reach, and a permission that nothing needs.
pub(crate) fn check(written: &Server, settings: &Settings, has_tls: bool, context: &mut Context<'_>) {
    let server = KeyPath::of(&["server"]);
    let insecure = written.insecure == Some(true);
    let is_exposed = !has_tls && !is_local(settings.listen);
    if is_exposed {
        report("the server", settings.listen, &server.key("bind_address"), insecure, context);
    }
    let listeners = &settings.listeners;
    let others = listeners.iter().any(|it| !it.tls && it.surfaces.registry && !is_local(it.address));
    if insecure && !is_exposed && !others {
        context.warning(
            &server.key("insecure"),
            "`server.insecure` has no effect: no listener serves the registry to other machines without TLS",
            "leave it out, so that [server.tls] cannot be lost without notice",
        );
    }
}

/// An error about a listener without TLS, or a warning where it is permitted.
pub(crate) fn report(
    who: &str,
    address: SocketAddr,
    key: &KeyPath,
    insecure: bool,
    context: &mut Context<'_>,
) {
    let message = format!(
        "{who} serves the registry at {address} without TLS: everything, passwords included, is sent in the clear"
    );
    if insecure {
        context.warning(key, message, "use TLS, or bind it to a loopback address");
    } else {
        let help =
            "use TLS ([server.tls]), bind it to a loopback address, or write insecure = true below [server]";
        context.error_with_help(key, Part::Key, message, help);
    }
}

/// Whether only this machine can reach the address.
pub(crate) fn is_local(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}
