//! Small images with unique content.

use sha2::Digest as _;

/// `sha256:…` of these bytes.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    let hash = sha2::Sha256::digest(bytes);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// A configuration, one layer, and the manifest that names them.
#[derive(Clone)]
pub(crate) struct Image {
    pub(crate) config: Vec<u8>,
    pub(crate) layer: Vec<u8>,
    pub(crate) manifest: Vec<u8>,
}

impl Image {
    pub(crate) const MEDIA_TYPE: &'static str = "application/vnd.oci.image.manifest.v1+json";

    /// An image whose every byte follows from `seed`; the layer has `size` bytes.
    pub(crate) fn new(seed: &str, size: usize) -> Self {
        let config =
            format!("{{\"architecture\":\"amd64\",\"os\":\"linux\",\"seed\":\"{seed}\"}}").into_bytes();
        let layer: Vec<u8> = seed.bytes().cycle().take(size).collect();
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": Self::MEDIA_TYPE,
            "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", &layer)],
        });
        Image { config, layer, manifest: serde_json::to_vec(&manifest).unwrap() }
    }

    pub(crate) fn digest(&self) -> String {
        digest_of(&self.manifest)
    }
}

fn descriptor(media_type: &str, bytes: &[u8]) -> serde_json::Value {
    serde_json::json!({ "mediaType": media_type, "digest": digest_of(bytes), "size": bytes.len() })
}
