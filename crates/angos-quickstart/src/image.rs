//! A tiny image to push, as an OCI layout: one layer with one text file.

use sha2::{Digest as _, Sha256};

const LAYER: &[u8] = include_bytes!("templates/hello.tar");

/// The files of the layout: paths in the folder, and contents.
pub(super) fn layout() -> Vec<(String, Vec<u8>)> {
    let layer = digest(LAYER);
    let architecture = architecture();
    let config = format!(
        r#"{{"architecture":"{architecture}","os":"linux","config":{{}},"rootfs":{{"type":"layers","diff_ids":["sha256:{layer}"]}}}}"#
    );
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:{}","size":{}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:{layer}","size":{}}}]}}"#,
        digest(config.as_bytes()),
        config.len(),
        LAYER.len(),
    );
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:{}","size":{},"annotations":{{"org.opencontainers.image.ref.name":"1"}},"platform":{{"architecture":"{architecture}","os":"linux"}}}}]}}"#,
        digest(manifest.as_bytes()),
        manifest.len(),
    );
    let blob = |content: &[u8]| (format!("blobs/sha256/{}", digest(content)), content.to_vec());
    vec![
        ("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
        ("index.json".to_owned(), index.into_bytes()),
        blob(manifest.as_bytes()),
        blob(config.as_bytes()),
        blob(LAYER),
    ]
}

fn digest(content: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digits = |byte: &u8| [byte >> 4, byte & 0xf].map(|half| DIGITS.get(usize::from(half)).copied());
    Sha256::digest(content).iter().flat_map(digits).flatten().collect()
}

/// The OCI name of this machine's architecture.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    }
}
