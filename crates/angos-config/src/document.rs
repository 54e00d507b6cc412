//! The values of a valid configuration as they are written: one field per key of the schema.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

use crate::schema::quantity::{ByteSize, TimeSpan};

/// The whole configuration. An element of a list that was found wrong before is `None`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Document {
    pub(crate) server: Server,
    pub(crate) global: Global,
    pub(crate) repository: BTreeMap<String, Repository>,
    pub(crate) auth: Auth,
    pub(crate) blob_store: BlobStore,
    pub(crate) metadata_store: MetadataStore,
    pub(crate) storage: Storage,
    pub(crate) garbage_collection: GarbageCollection,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Server {
    pub(crate) bind_address: Option<IpAddr>,
    pub(crate) insecure: Option<bool>,
    pub(crate) port: Option<u16>,
    pub(crate) request_head_timeout: Option<TimeSpan>,
    pub(crate) idle_timeout: Option<TimeSpan>,
    pub(crate) body_progress_timeout: Option<TimeSpan>,
    pub(crate) untrusted_drain_timeout: Option<TimeSpan>,
    pub(crate) shutdown_delay: Option<TimeSpan>,
    pub(crate) drain_timeout: Option<TimeSpan>,
    pub(crate) max_connections: Option<usize>,
    pub(crate) max_requests: Option<usize>,
    pub(crate) max_http2_streams: Option<u32>,
    pub(crate) body_memory: Option<ByteSize>,
    pub(crate) decision_log: Option<PathBuf>,
    pub(crate) tls: Option<Tls>,
    pub(crate) management: Option<Management>,
    pub(crate) listener: Vec<Option<Listener>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Tls {
    pub(crate) server_certificate_bundle: Option<PathBuf>,
    pub(crate) server_private_key: Option<PathBuf>,
    pub(crate) certificate: Vec<Option<Certificate>>,
    pub(crate) client_ca_bundle: Option<PathBuf>,
    pub(crate) client_ca: Vec<Option<ClientCa>>,
    pub(crate) revocation: Revocation,
    pub(crate) resumption: Option<bool>,
    pub(crate) client_auth: Option<ClientAuth>,
    pub(crate) handshake_timeout: Option<TimeSpan>,
    pub(crate) expiry_warning: Option<TimeSpan>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Certificate {
    pub(crate) names: Vec<Option<String>>,
    pub(crate) server_certificate_bundle: Option<PathBuf>,
    pub(crate) server_private_key: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ClientCa {
    pub(crate) name: Option<String>,
    pub(crate) bundle: Option<PathBuf>,
    pub(crate) crls: Option<Vec<Option<PathBuf>>>,
    pub(crate) spiffe_trust_domain: Option<String>,
    pub(crate) namespaces: Option<Vec<Option<String>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Revocation {
    pub(crate) unknown_status: Option<Mode>,
    pub(crate) expired_list: Option<Mode>,
    pub(crate) depth: Option<Depth>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Depth {
    Chain,
    Leaf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ClientAuth {
    Optional,
    Required,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Management {
    pub(crate) bind_address: Option<IpAddr>,
    pub(crate) port: Option<u16>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Listener {
    pub(crate) name: Option<String>,
    pub(crate) bind_address: Option<IpAddr>,
    pub(crate) port: Option<u16>,
    pub(crate) tls: Option<bool>,
    pub(crate) client_auth: Option<ListenerClientAuth>,
    pub(crate) serve: Option<Vec<Option<Surface>>>,
    pub(crate) max_connections: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ListenerClientAuth {
    None,
    Optional,
    Required,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Surface {
    Registry,
    Management,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Global {
    pub(crate) max_manifest_size: Option<ByteSize>,
    pub(crate) max_blob_size: Option<ByteSize>,
    pub(crate) trusted_proxies: Vec<Option<String>>,
    pub(crate) require_references: Option<bool>,
    pub(crate) immutable_tags: Option<bool>,
    pub(crate) immutable_tags_exclusions: Vec<Option<String>>,
    pub(crate) immutable_tags_deletable: Option<bool>,
    pub(crate) upload_expiry: Option<TimeSpan>,
    pub(crate) manifest_cache_size: Option<ByteSize>,
    pub(crate) access_policy: Option<AccessPolicy>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Repository {
    pub(crate) access_policy: Option<AccessPolicy>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AccessPolicy {
    pub(crate) default: Option<Mode>,
    pub(crate) default_allow: Option<bool>,
    pub(crate) rules: Vec<Option<Rule>>,
    pub(crate) shadow_rules: Vec<Option<Rule>>,
    pub(crate) allowed_lints: Vec<Option<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    Deny,
    Allow,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Rule {
    Bare(String),
    Named { name: Option<String>, when: String },
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Auth {
    pub(crate) identity: BTreeMap<String, Identity>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Identity {
    pub(crate) username: Option<String>,
    pub(crate) password: Option<SecretString>,
    pub(crate) password_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BlobStore {
    pub(crate) fs: BlobStoreFs,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BlobStoreFs {
    pub(crate) root_dir: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MetadataStore {
    pub(crate) fs: MetadataStoreFs,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MetadataStoreFs {
    pub(crate) root_dir: Option<PathBuf>,
    pub(crate) cache_size: Option<ByteSize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct GarbageCollection {
    pub(crate) grace: Option<TimeSpan>,
    pub(crate) interval: Option<TimeSpan>,
    pub(crate) sweep_interval: Option<TimeSpan>,
    pub(crate) rate: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Storage {
    pub(crate) sync: Option<bool>,
}

#[cfg(test)]
mod tests;
