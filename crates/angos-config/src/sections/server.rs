//! `[server]`, `[server.management]` and `[global]`: addresses, limits, and what the registry allows.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use angos_registry::{Settings as RegistrySettings, TagPatterns};
use angos_server::Settings;
use ipnet::IpNet;

use crate::context::Context;
use crate::document::{Document, GarbageCollection, Global, Server};
use crate::key_path::KeyPath;
use crate::layers::Part;
use crate::schema::kind::network;
use crate::sections::listeners::{listeners, overlap};
use crate::sections::memory;
use crate::sections::plaintext;

pub(crate) fn settings(document: &Document, context: &mut Context<'_>) -> Settings {
    let written = &document.server;
    let mut settings = Settings::default();
    set(&mut settings.timeouts.request_head, written.request_head_timeout.map(|span| span.0));
    set(&mut settings.timeouts.idle, written.idle_timeout.map(|span| span.0));
    set(&mut settings.timeouts.body_progress, written.body_progress_timeout.map(|span| span.0));
    set(&mut settings.timeouts.untrusted_drain, written.untrusted_drain_timeout.map(|span| span.0));
    set(&mut settings.timeouts.shutdown_delay, written.shutdown_delay.map(|span| span.0));
    set(&mut settings.timeouts.drain, written.drain_timeout.map(|span| span.0));
    let tls = written.tls.as_ref();
    set(&mut settings.expiry_warning, tls.and_then(|tls| tls.expiry_warning).map(|span| span.0));
    set(&mut settings.limits.max_connections, written.max_connections);
    set(&mut settings.limits.max_requests, written.max_requests);
    set(&mut settings.limits.max_http2_streams, written.max_http2_streams);
    let bytes = |size: u64| usize::try_from(size).unwrap_or(usize::MAX);
    let share = || memory::available().map(|memory| bytes(memory::body_memory(memory)));
    set(&mut settings.limits.body_memory, written.body_memory.map(|size| bytes(size.0)).or_else(share));
    let has_tls = context.layers.has(&KeyPath::of(&["server", "tls"]));
    // Without TLS nothing but this machine is served unless it is asked for.
    let default = if has_tls || written.insecure == Some(true) {
        settings.listen.ip()
    } else {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    };
    settings.listen = SocketAddr::new(
        written.bind_address.unwrap_or(default),
        written.port.unwrap_or(settings.listen.port()),
    );
    settings.management = management(written, settings.listen, context);
    settings.listeners = listeners(written, &settings, context);
    plaintext::check(written, &settings, has_tls, context);
    settings.trusted_proxies = networks(&document.global);
    settings.registry = registry(&document.global, context);
    garbage_collection(&document.garbage_collection, &mut settings.registry);
    settings
}

fn set<T>(field: &mut T, written: Option<T>) {
    if let Some(written) = written {
        *field = written;
    }
}

fn management(server: &Server, listen: SocketAddr, context: &mut Context<'_>) -> Option<SocketAddr> {
    let written = server.management.as_ref()?;
    let section = KeyPath::of(&["server", "management"]);
    let Some(port) = written.port else {
        if !context.layers.has(&section.key("port")) {
            context.error_with_help(
                &section,
                Part::Key,
                "`server.management` has no `port`",
                "write port = 9090, or leave the section out",
            );
        }
        return None;
    };
    let address = SocketAddr::new(written.bind_address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), port);
    if overlap(address, listen) {
        let message = format!("the management listener and the registry cannot both listen on port {port}");
        context.error(&section.key("port"), Part::Value, message);
    }
    Some(address)
}

fn networks(global: &Global) -> Vec<IpNet> {
    global.trusted_proxies.iter().flatten().filter_map(|text| network(text)).collect()
}

fn registry(global: &Global, context: &mut Context<'_>) -> RegistrySettings {
    let mut settings = RegistrySettings::default();
    let bytes = |size: u64| usize::try_from(size).unwrap_or(usize::MAX);
    set(&mut settings.max_manifest_size, global.max_manifest_size.map(|size| bytes(size.0)));
    settings.max_blob_size = global.max_blob_size.map(|size| size.0);
    set(&mut settings.require_references, global.require_references);
    set(&mut settings.immutable_tags, global.immutable_tags);
    set(&mut settings.immutable_tags_deletable, global.immutable_tags_deletable);
    set(&mut settings.upload_expiry, global.upload_expiry.map(|span| span.0));
    set(&mut settings.manifest_cache_bytes, global.manifest_cache_size.map(|size| size.0));
    settings.immutable_tags_exclusions = exclusions(global, context);
    settings
}

fn garbage_collection(written: &GarbageCollection, settings: &mut RegistrySettings) {
    set(&mut settings.gc_grace, written.grace.map(|span| span.0));
    set(&mut settings.gc_interval, written.interval.map(|span| span.0));
    set(&mut settings.gc_sweep_interval, written.sweep_interval.map(|span| span.0));
    set(&mut settings.gc_rate, written.rate.map(|rate| u32::try_from(rate).unwrap_or(u32::MAX)));
}

fn exclusions(global: &Global, context: &mut Context<'_>) -> TagPatterns {
    let list = KeyPath::of(&["global", "immutable_tags_exclusions"]);
    let mut valid = Vec::new();
    for (index, pattern) in global.immutable_tags_exclusions.iter().enumerate() {
        let Some(pattern) = pattern else { continue };
        match TagPatterns::new([pattern]) {
            Ok(_) => valid.push(pattern),
            Err(error) => {
                let reason = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                let reason =
                    reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                let message = format!("not a usable regular expression: {reason}");
                context.error(&list.index(index), Part::Value, message);
            }
        }
    }
    let excludes = !global.immutable_tags_exclusions.is_empty();
    if excludes && global.immutable_tags != Some(true) && !context.layers.has(&list_switch()) {
        context.warning(
            &list,
            "`global.immutable_tags_exclusions` has no effect: immutable_tags is not set",
            "write immutable_tags = true, or leave the exclusions out",
        );
    }
    TagPatterns::new(valid).unwrap_or_default()
}

fn list_switch() -> KeyPath {
    KeyPath::of(&["global", "immutable_tags"])
}
