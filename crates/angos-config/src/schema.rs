//! Every configuration key there is: drives the checks, the suggestions, and the reference documentation.

pub(crate) mod kind;
pub(crate) mod lints;
pub(crate) mod quantity;

use std::time::Duration;

use crate::schema::kind::ValueKind;

/// One configuration key.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ConfigKey {
    /// Dotted path; a part in angle brackets is a name that the operator chooses, `[]` follows the name of a list of
    /// tables.
    pub path: &'static str,
    /// The kind of value it takes.
    pub kind: ValueKind,
    /// The default, as it would be written; empty when the key is required or has no default.
    pub default: &'static str,
    /// Whether a change takes effect on reload, without a restart.
    pub reload: bool,
    /// Description, one sentence.
    pub doc: &'static str,
}

const fn at_reload(
    path: &'static str,
    kind: ValueKind,
    default: &'static str,
    doc: &'static str,
) -> ConfigKey {
    ConfigKey { path, kind, default, reload: true, doc }
}

const fn at_restart(
    path: &'static str,
    kind: ValueKind,
    default: &'static str,
    doc: &'static str,
) -> ConfigKey {
    ConfigKey { path, kind, default, reload: false, doc }
}

const PORT: ValueKind = ValueKind::Integer { min: 0, max: 65_535 };
const TIMEOUT: ValueKind =
    ValueKind::Duration { min: Duration::from_millis(100), max: Duration::from_hours(24) };
const MODES: ValueKind = ValueKind::OneOf(&["deny", "allow"]);
const SURFACES: &[&str] = &["registry", "management"];
const LINTS: ValueKind = ValueKind::SetOf(lints::NAMES);
const RATE: ValueKind = ValueKind::Integer { min: 0, max: 1_000_000 };
const COUNT: ValueKind = ValueKind::Integer { min: 1, max: 1_000_000 };
const TIB: u64 = 1 << 40;

/// Every key, grouped by section.
#[rustfmt::skip]
pub static SCHEMA: &[ConfigKey] = &[
    at_restart("server.bind_address", ValueKind::IpAddress, "\"0.0.0.0\"", "Address the registry listens on; when absent without [server.tls] and without server.insecure, 127.0.0.1."),
    at_restart("server.insecure", ValueKind::Boolean, "false", "Whether listeners without TLS may serve the registry to other machines; everything, passwords included, is then sent unencrypted."),
    at_restart("server.port", PORT, "8000", "Port the registry listens on; 0 lets the system choose one."),
    at_restart("server.request_head_timeout", TIMEOUT, "\"30s\"", "From a connection being open to its first complete request head."),
    at_restart("server.idle_timeout", TIMEOUT, "\"75s\"", "From the end of one request to the complete head of the next."),
    at_restart("server.body_progress_timeout", TIMEOUT, "\"1m\"", "Longest pause between two pieces of a request or response body."),
    at_restart("server.untrusted_drain_timeout", TIMEOUT, "\"10s\"", "How long requests in flight may continue when the certificate of their connection is no longer accepted; new requests are refused at once."),
    at_restart("server.shutdown_delay", ValueKind::Duration { min: Duration::ZERO, max: Duration::from_hours(1) }, "\"1s\"", "How long after SIGTERM connections are still accepted, while `/readyz` answers 503; SIGINT does not wait."),
    at_restart("server.drain_timeout", TIMEOUT, "\"20s\"", "How long a server that accepts no more connections lets requests in flight finish."),
    at_restart("server.max_connections", COUNT, "16384", "Most open connections; callers share them, and beyond it the oldest ones without a request are closed."),
    at_restart("server.max_requests", COUNT, "4096", "Most requests at the same time; callers share them, and a caller beyond its share gets 429."),
    at_restart("server.max_http2_streams", ValueKind::Integer { min: 1, max: 10_000 }, "128", "Most open streams of one HTTP/2 connection."),
    at_restart("server.body_memory", ValueKind::Size { min: 16 << 20, max: TIB }, "", "Memory for the bodies of requests and responses that clients have not finished; an eighth of the memory of the machine or its control group, 64MiB to 1GiB, when absent."),
    at_restart("server.decision_log", ValueKind::Path, "", "File that every decision is appended to, one JSON object per line; reopened at each reload and SIGHUP. When absent, decisions are only in the log."),
    at_reload("server.tls.server_certificate_bundle", ValueKind::Path, "", "PEM file: the server's certificate, then its intermediates; required with [server.tls]."),
    at_reload("server.tls.server_private_key", ValueKind::Path, "", "PEM file: the private key of that certificate; required with [server.tls]."),
    at_reload("server.tls.certificate[].names", ValueKind::Strings, "[]", "Server names (SNI) for which this certificate is used, `*.` for one label; its DNS names when absent. A name may be used once."),
    at_reload("server.tls.certificate[].server_certificate_bundle", ValueKind::Path, "", "PEM file: that certificate, then its intermediates; required."),
    at_reload("server.tls.certificate[].server_private_key", ValueKind::Path, "", "PEM file: its private key; required."),
    at_reload("server.tls.client_ca_bundle", ValueKind::Path, "", "PEM file: the CAs that may issue client certificates; without client CAs, clients are not asked for a certificate."),
    at_reload("server.tls.client_ca[].name", ValueKind::String, "", "Name of additional client CAs, `identity.certificate.ca` of the certificates they issued; required, unique; lower-case letters, digits and `-`."),
    at_reload("server.tls.client_ca[].bundle", ValueKind::Path, "", "PEM file: the CA certificates; required. A CA may be in one bundle only."),
    at_reload("server.tls.client_ca[].crls", ValueKind::Paths, "", "Their CRLs: files, PEM or DER, and folders that contain only such files. When absent, revocation is not checked; an empty array is an error."),
    at_reload("server.tls.client_ca[].spiffe_trust_domain", ValueKind::String, "", "Each certificate they issued must carry a SPIFFE id of this trust domain; no such condition when absent."),
    at_reload("server.tls.client_ca[].namespaces", ValueKind::RepositoryNames, "", "The only repositories, and those below them, that their clients may access, whatever the policies allow; no restriction when absent."),
    at_reload("server.tls.revocation.unknown_status", MODES, "\"deny\"", "Whether to accept a certificate without a usable CRL of its issuer, when its CA has `crls`."),
    at_reload("server.tls.revocation.expired_list", MODES, "\"deny\"", "Whether to accept a certificate when the CRL of its issuer is past its nextUpdate and does not list it."),
    at_reload("server.tls.revocation.depth", ValueKind::OneOf(&["chain", "leaf"]), "\"chain\"", "Which certificates are checked for revocation: `chain`, the client certificate and its intermediates; `leaf`, the client certificate only."),
    at_reload("server.tls.client_auth", ValueKind::OneOf(&["optional", "required"]), "\"optional\"", "Whether a client must present a certificate issued by a CA of client_ca_bundle or of a [[server.tls.client_ca]]."),
    at_reload("server.tls.resumption", ValueKind::Boolean, "true", "Whether a client may resume an earlier session instead of a full handshake; never after a change of CAs, CRLs or client_auth."),
    at_reload("server.tls.handshake_timeout", ValueKind::Duration { min: Duration::from_millis(100), max: Duration::from_mins(5) }, "\"10s\"", "Time a client has to finish the TLS handshake."),
    at_restart("server.tls.expiry_warning", ValueKind::Duration { min: Duration::ZERO, max: Duration::from_hours(366 * 24) }, "\"14d\"", "How long before the expiry of a certificate or CRL the log warns of it, and a client gets a Warning header about its certificate."),
    at_restart("server.listener[].name", ValueKind::String, "", "Name of an additional listener, in logs and metrics; required, unique."),
    at_restart("server.listener[].bind_address", ValueKind::IpAddress, "\"127.0.0.1\"", "Address this listener listens on."),
    at_restart("server.listener[].port", PORT, "", "Port this listener listens on; required, 0 lets the system choose one."),
    at_restart("server.listener[].tls", ValueKind::Boolean, "true", "Whether it uses TLS, with the certificates of [server.tls]."),
    at_restart("server.listener[].client_auth", ValueKind::OneOf(&["none", "optional", "required"]), "", "Whether its clients must present a certificate; `none`: they are not asked for one. When absent, server.tls.client_auth applies."),
    at_restart("server.listener[].serve", ValueKind::SetOf(SURFACES), "[\"registry\"]", "What it serves: `registry` (with the access policies), `management` (health and metrics, without a policy)."),
    at_restart("server.listener[].max_connections", COUNT, "1024", "Most open connections of this listener; see server.max_connections."),
    at_restart("server.management.bind_address", ValueKind::IpAddress, "\"127.0.0.1\"", "Address of the management listener: health and metrics over plain HTTP, without a policy."),
    at_restart("server.management.port", PORT, "", "Port of the management listener; required with [server.management]."),
    at_restart("global.max_manifest_size", ValueKind::Size { min: 1024, max: 4 << 20 }, "\"4MiB\"", "Largest manifest accepted."),
    at_restart("global.max_blob_size", ValueKind::Size { min: 1024, max: 1024 * TIB }, "", "Largest blob accepted; no limit when absent."),
    at_restart("global.trusted_proxies", ValueKind::Networks, "[]", "Addresses of proxies whose Forwarded and X-Forwarded-For headers are trusted."),
    at_restart("global.require_references", ValueKind::Boolean, "true", "Whether a manifest is refused if a blob or manifest that it references is missing."),
    at_restart("global.immutable_tags", ValueKind::Boolean, "false", "Whether an existing tag cannot be moved or deleted."),
    at_restart("global.immutable_tags_exclusions", ValueKind::Regexes, "[]", "Regular expressions that match whole tags: these may be moved and deleted in spite of immutable_tags."),
    at_restart("global.immutable_tags_deletable", ValueKind::Boolean, "false", "Whether an immutable tag may be deleted, by name or with its digest, and then pushed again."),
    at_restart("global.upload_expiry", ValueKind::Duration { min: Duration::from_mins(1), max: Duration::from_hours(30 * 24) }, "\"1d\"", "How long an unfinished upload is kept after it was started."),
    at_restart("global.manifest_cache_size", ValueKind::Size { min: 0, max: TIB }, "\"64MiB\"", "Memory for cached manifests and tags; 0 turns the cache off."),
    at_reload("global.access_policy.default", MODES, "\"deny\"", "The decision when no rule is true: `deny` (rules allow) or `allow` (rules deny)."),
    at_reload("global.access_policy.default_allow", ValueKind::Boolean, "false", "Older spelling of default; deprecated."),
    at_reload("global.access_policy.rules", ValueKind::Rules, "[]", "CEL rules, as strings or as tables { name = \"...\", when = \"...\" }; their order never matters."),
    at_reload("global.access_policy.shadow_rules", ValueKind::Rules, "[]", "Rules that are evaluated, counted and logged as if they were among the rules, but never enforced."),
    at_reload("global.access_policy.allowed_lints", LINTS, "[]", "Lints that `angos check` does not report for this policy."),
    at_reload("repository.<name>.access_policy.default", MODES, "\"deny\"", "As in [global.access_policy], for this repository and those below it."),
    at_reload("repository.<name>.access_policy.default_allow", ValueKind::Boolean, "false", "Older spelling of default; deprecated."),
    at_reload("repository.<name>.access_policy.rules", ValueKind::Rules, "[]", "As in [global.access_policy], for this repository and those below it."),
    at_reload("repository.<name>.access_policy.shadow_rules", ValueKind::Rules, "[]", "As in [global.access_policy], for this repository and those below it."),
    at_reload("repository.<name>.access_policy.allowed_lints", LINTS, "[]", "As in [global.access_policy], for this policy."),
    at_reload("auth.identity.<id>.username", ValueKind::String, "", "User name of a Basic credential; required, unique."),
    at_reload("auth.identity.<id>.password", ValueKind::Secret, "", "argon2id or bcrypt hash of the password, made with `angos hash-password`."),
    at_reload("auth.identity.<id>.password_file", ValueKind::Path, "", "File that contains the hash, instead of `password`."),
    at_restart("blob_store.fs.root_dir", ValueKind::Path, "\"angos-data\"", "Folder of the blobs; the default is in the folder of the first configuration file."),
    at_restart("metadata_store.fs.root_dir", ValueKind::Path, "\"<blob store>/metadata\"", "Folder of the metadata database."),
    at_restart("metadata_store.fs.cache_size", ValueKind::Size { min: 1 << 20, max: TIB }, "\"8MiB\"", "Memory for cached pages of the metadata database."),
    at_restart("garbage_collection.grace", ValueKind::Duration { min: Duration::from_secs(1), max: Duration::from_hours(30 * 24) }, "\"1h\"", "How long a blob is kept that no manifest references. It must be longer than a client takes between a blob and its manifest."),
    at_restart("garbage_collection.interval", ValueKind::Duration { min: Duration::from_secs(1), max: Duration::from_hours(30 * 24) }, "\"15m\"", "Time between two rounds of the garbage collector."),
    at_restart("garbage_collection.sweep_interval", ValueKind::Duration { min: Duration::from_secs(1), max: Duration::from_hours(366 * 24) }, "\"7d\"", "Time between two sweeps, which look at every blob of the store."),
    at_restart("garbage_collection.rate", RATE, "0", "Blobs that the garbage collector looks at in a second; 0 sets no limit."),
    at_restart("storage.sync", ValueKind::Boolean, "true", "Whether acknowledged writes survive a power failure; false is faster and may lose the last seconds."),
];

/// Keys of earlier versions whose name changed: the path, and the last part of its new name.
const RENAMED_KEYS: &[(&str, &str)] = &[
    ("server.distrust_timeout", "untrusted_drain_timeout"),
    ("server.listener[].surfaces", "serve"),
    ("global.access_policy.silenced_lints", "allowed_lints"),
    ("repository.<name>.access_policy.silenced_lints", "allowed_lints"),
];

/// The new name of a key that had another one in an earlier version.
pub(crate) fn renamed(path: &[&str]) -> Option<&'static str> {
    let renamed = RENAMED_KEYS.iter().find(|(key, _)| matched(key, path) == Some(0));
    renamed.map(|(_, name)| *name)
}

/// What the schema has at a path: a key, a table, or nothing.
pub(crate) enum Found {
    Key(&'static ConfigKey),
    Table,
    /// A list of tables, all with the same keys.
    Tables,
    Unknown,
}

/// Looks up `path`.
pub(crate) fn find(path: &[&str]) -> Found {
    let mut found = if path.is_empty() { Found::Table } else { Found::Unknown };
    for key in SCHEMA {
        match matched(key.path, path) {
            Some(0) => return Found::Key(key),
            Some(_) => {
                let last = key.path.split('.').nth(path.len().wrapping_sub(1)).unwrap_or_default();
                found = if last.ends_with(LIST) { Found::Tables } else { Found::Table };
            }
            None => {}
        }
    }
    found
}

/// The names known directly below the table at `path`, each once; not those the operator chooses.
pub(crate) fn names_below(path: &[&str]) -> Vec<&'static str> {
    let mut names: Vec<&str> = SCHEMA
        .iter()
        .filter(|key| matched(key.path, path).is_some_and(|left| left > 0))
        .filter_map(|key| key.path.split('.').nth(path.len()))
        .filter(|name| !is_chosen(name))
        .map(|name| name.trim_end_matches(LIST))
        .collect();
    names.dedup();
    names
}

/// Whether a part of a key's path is a name that the operator chooses.
pub(crate) fn is_chosen(part: &str) -> bool {
    part.starts_with('<')
}

/// The suffix of the name of a list of tables in a key's path.
pub(crate) const LIST: &str = "[]";

/// How many parts `pattern` has beyond `path`, if it starts with it.
fn matched(pattern: &str, path: &[&str]) -> Option<usize> {
    let mut parts = pattern.split('.');
    for name in path {
        let part = parts.next()?;
        if !is_chosen(part) && part.trim_end_matches(LIST) != *name {
            return None;
        }
    }
    Some(parts.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_keys_tables_and_nothing_else() {
        assert!(matches!(find(&["server", "port"]), Found::Key(key) if key.path == "server.port"));
        assert!(matches!(find(&["repository", "a/b", "access_policy", "rules"]), Found::Key(_)));
        assert!(matches!(find(&["server", "tls"]), Found::Table));
        assert!(matches!(find(&["auth", "identity", "anything"]), Found::Table));
        assert!(matches!(find(&[]), Found::Table));
        assert!(matches!(find(&["server", "listener"]), Found::Tables));
        assert!(matches!(find(&["server", "listener", "port"]), Found::Key(_)));
        assert!(matches!(find(&["server", "prot"]), Found::Unknown));
        assert!(matches!(find(&["server", "port", "x"]), Found::Unknown));
        assert_eq!(names_below(&["server", "management"]), ["bind_address", "port"]);
        assert!(names_below(&["repository"]).is_empty());
    }

    #[test]
    fn every_default_suits_its_own_key() {
        for key in SCHEMA.iter().filter(|key| !key.default.is_empty()) {
            let document: toml::Table =
                format!("value = {}", key.default).parse().expect("a default is TOML");
            let value = figment::value::Value::serialize(&document["value"]).expect("a plain value");
            assert!(key.kind.mismatch(&value).is_none(), "{}: {}", key.path, key.default);
        }
    }

    #[test]
    fn every_key_is_described_once() {
        for (index, key) in SCHEMA.iter().enumerate() {
            assert!(key.doc.ends_with('.'), "{}", key.path);
            assert!(SCHEMA[..index].iter().all(|other| other.path != key.path), "{} twice", key.path);
        }
    }
}
