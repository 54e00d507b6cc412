//! The configurations of the pages users were given, each loaded as it stands there, with its certificates
//! in a folder of the test.

#![allow(clippy::expect_used, clippy::panic, reason = "outside a test function a test may fail no less")]

use std::os::unix::fs::PermissionsExt as _;

use angos_config::{Configuration, load};
use angos_test_ca::{Authority, Leaf};

/// Blocks of the two pages. Where the pages differ both spellings are here.
const BLOCKS: &[(&str, &str)] = &[
    (
        "required client certificates",
        r#"
[server]
bind_address = "0.0.0.0"
port = 8000

[server.tls]
server_certificate_bundle = "/tls/server-certificate.pem"
server_private_key = "/tls/server-private-key.pem"
client_ca_bundle = "/tls/client-ca-bundle.pem"

# Controls how the server treats client certificates when client_ca_bundle is set:
# "optional": clients may connect with or without a cert (cert identity is used in policy when present).
# "required": the TLS handshake fails unless the client presents a cert signed by client_ca_bundle.
client_auth = "required"
"#,
    ),
    (
        "client_auth left out",
        r#"
[server]
bind_address = "0.0.0.0"
port = 5000

[server.tls]
server_certificate_bundle = "/tls/server-certificate.pem"
server_private_key = "/tls/server-private-key.pem"
client_ca_bundle = "/tls/client-ca-bundle.pem"
"#,
    ),
    (
        "attributes",
        r#"
[global.access_policy]
default = "deny"
rules = [
  # Allow clients with specific organization
  "identity.certificate.organizations.contains('Infrastructure')",

  # Allow specific common name
  "'build-server' in identity.certificate.common_names",

  # Combine with other auth methods
  "identity.username == 'admin'"
]
"#,
    ),
    (
        "required at the handshake",
        r#"
[server.tls]
server_certificate_bundle = "/tls/server-certificate.pem"
server_private_key = "/tls/server-private-key.pem"
client_ca_bundle = "/tls/client-ca-bundle.pem"
client_auth = "required"
"#,
    ),
    (
        "any certificate",
        r#"
[global.access_policy]
default = "deny"
rules = [
  "size(identity.certificate.common_names) > 0"
]
"#,
    ),
    (
        "certificate or password",
        r#"
[global.access_policy]
default = "deny"
rules = [
  # Certificate grants full access
  "identity.certificate.organizations.contains('DevOps')",

  # Basic auth for read-only
  "identity.username != '' && request.action.startsWith('get-')"
]
"#,
    ),
    (
        "different organizations",
        r#"
# Developers can push to dev repo
[repository."dev".access_policy]
default = "deny"
rules = [
  "identity.certificate.organizations.contains('Developers')"
]

# Only platform team can push to production
[repository."prod".access_policy]
default = "deny"
rules = [
  "identity.certificate.organizations.contains('Platform')"
]
"#,
    ),
];

fn loaded(block: &str) -> Configuration {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let authority = Authority::new("Seed CA");
    let server = authority.issue(&Leaf::server(["registry.example.com"]));
    let tls = folder.path().display();
    std::fs::write(folder.path().join("server-certificate.pem"), server.certificate_pem).expect("a file");
    let key = folder.path().join("server-private-key.pem");
    std::fs::write(&key, server.key_pem).expect("a file");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("a private file");
    std::fs::write(folder.path().join("client-ca-bundle.pem"), authority.certificate_pem()).expect("a file");
    let file = folder.path().join("config.toml");
    std::fs::write(&file, block.replace("\"/tls/", &format!("\"{tls}/"))).expect("a file");
    load(&[file], std::iter::empty()).unwrap_or_else(|problems| panic!("{block}\n{problems}"))
}

#[test]
fn every_block_loads() {
    for (name, block) in BLOCKS {
        let configuration = loaded(block);
        assert_eq!(configuration.tls.is_some(), block.contains("[server.tls]"), "{name}");
        let has_policy = configuration.access.policies.global.is_some()
            || !configuration.access.policies.repositories.is_empty();
        assert_eq!(has_policy, block.contains("access_policy"), "{name}");
    }
}

#[test]
fn the_older_spelling_loads_with_one_warning() {
    for (name, block) in BLOCKS.iter().filter(|(_, block)| block.contains("access_policy")) {
        let configuration = loaded(&block.replace("default = \"deny\"", "default_allow = false"));
        let warnings: Vec<_> = configuration.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(warnings.len(), 1, "{name}: {warnings:?}");
        assert!(warnings[0].contains("`default_allow` is the older spelling"), "{name}: {warnings:?}");
    }
}

#[test]
fn all_blocks_together_load() {
    let all = [0, 2, 6].map(|index| BLOCKS[index].1).concat();
    let configuration = loaded(&all);
    assert!(configuration.tls.is_some() && configuration.access.policies.global.is_some());
    assert_eq!(configuration.access.policies.repositories.len(), 2);
    assert_eq!(configuration.server.listen.to_string(), "0.0.0.0:8000");
    assert!(configuration.warnings.is_empty(), "{:?}", configuration.warnings);
}
