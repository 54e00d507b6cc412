//! Manifests whose parts are missing.

use angos_oci::MediaType;
use angos_registry::Settings;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::harness::*;

fn image_of(config: &[u8], layers: &[(&str, &[u8])]) -> Bytes {
    let layers: Vec<Value> = layers.iter().map(|(kind, layer)| descriptor(kind, layer)).collect();
    let config = descriptor(MediaType::OCI_CONFIG, config);
    json!({ "schemaVersion": 2, "config": config, "layers": layers }).to_string().into()
}

fn index_of(members: &[&[u8]]) -> Bytes {
    let members: Vec<Value> =
        members.iter().map(|member| descriptor(MediaType::OCI_MANIFEST, member)).collect();
    json!({ "schemaVersion": 2, "manifests": members }).to_string().into()
}

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

#[tokio::test]
async fn a_manifest_needs_what_it_is_made_of_unless_configured() {
    let (here, elsewhere) = (name("here"), name("elsewhere"));
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let undistributed = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    let child = image_of(b"config", &[(LAYER, b"layer")]);
    let other_child = image("in another repository");
    let rows = [
        ("complete image", image_of(b"config", &[(LAYER, b"layer")]), None),
        ("no config", image_of(b"nowhere", &[]), Some(sha256(b"nowhere"))),
        ("no layer", image_of(b"config", &[(LAYER, b"nowhere")]), Some(sha256(b"nowhere"))),
        ("other's layer", image_of(b"config", &[(LAYER, b"other")]), Some(sha256(b"other"))),
        ("foreign layer", image_of(b"config", &[(foreign, b"nowhere")]), None),
        ("undistributed", image_of(b"config", &[(undistributed, b"nowhere")]), None),
        ("complete index", index_of(&[&child]), None),
        ("index of a blob", index_of(&[b"layer"]), None),
        ("empty index", index_of(&[]), None),
        ("sparse index", index_of(&[&child, b"nowhere"]), Some(sha256(b"nowhere"))),
        ("other's member", index_of(&[&other_child]), Some(sha256(&other_child))),
        ("missing subject", artifact("a/b", "1", b"nowhere"), None),
    ];
    for require_references in [true, false] {
        let mut settings = Settings::default();
        settings.require_references = require_references;
        let bench = Bench::memory(settings);
        let registry = &bench.registry;
        for content in [b"config".as_slice(), b"layer", b"{}"] {
            push_blob(registry, &here, content).await;
            push_blob(registry, &elsewhere, content).await;
        }
        push_blob(registry, &elsewhere, b"other").await;
        put(registry, &here, &reference("child"), &child).await.unwrap();
        put(registry, &elsewhere, &reference("child"), &other_child).await.unwrap();
        for (row, bytes, missing) in &rows {
            let outcome = put(registry, &here, &reference("v1"), bytes).await;
            match missing.filter(|_| require_references) {
                None => assert!(outcome.is_ok(), "{row}: {outcome:?}"),
                Some(missing) => {
                    let error = outcome.unwrap_err();
                    assert!(error.to_string().contains(&missing.to_string()), "{row}: {error}");
                    assert_eq!(error.code().unwrap().as_str(), "MANIFEST_BLOB_UNKNOWN", "{row}");
                }
            }
        }
    }
}
