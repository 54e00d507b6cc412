//! Whatever parses as a manifest says the same to a reader that knows nothing of our rules.
#![no_main]

use angos_oci::{Descriptor, Manifest, ManifestKind, MediaType, limits};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const CONTENT_TYPES: [&str; 5] = [
    MediaType::OCI_MANIFEST,
    MediaType::OCI_INDEX,
    MediaType::DOCKER_MANIFEST,
    MediaType::DOCKER_LIST,
    "application/json",
];

// The first byte chooses the Content-Type beside the body; '0' to '4' one of the above, anything else none.
fuzz_target!(|input: &[u8]| {
    let Some((choice, body)) = input.split_first() else { return };
    let content_type = CONTENT_TYPES.get(usize::from(choice.wrapping_sub(b'0')));
    let content_type: Option<MediaType> = content_type.map(|text| text.parse().unwrap());
    match Manifest::parse(content_type.as_ref(), body) {
        Ok(manifest) => check(&manifest, content_type.as_ref(), body),
        Err(error) => {
            let text = error.to_string();
            assert!(text.chars().count() < 300 && !text.contains(char::is_control), "{text}");
        }
    }
});

fn check(manifest: &Manifest, content_type: Option<&MediaType>, body: &[u8]) {
    // This reader takes the last of equal keys.
    let value: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(value["schemaVersion"], 2);
    assert!(content_type.is_none_or(|content_type| content_type == manifest.media_type()));
    if let Some(written) = value["mediaType"].as_str().filter(|written| !written.is_empty()) {
        assert_eq!(manifest.media_type(), written);
    }
    let has = |key: &str| value.get(key).is_some();
    match manifest.kind() {
        ManifestKind::Image => assert!(manifest.config().is_some() && has("layers") && !has("manifests")),
        ManifestKind::Index => {
            assert!(manifest.config().is_none() && has("manifests") && !has("layers") && !has("config"))
        }
        _ => unreachable!(),
    }
    same(manifest.layers(), &value["layers"]);
    same(manifest.manifests(), &value["manifests"]);
    let single = manifest.config().into_iter().zip([&value["config"]]);
    for (descriptor, written) in single.chain(manifest.subject().into_iter().zip([&value["subject"]])) {
        same(std::slice::from_ref(descriptor), &Value::Array(vec![written.clone()]));
    }
    assert_eq!(
        manifest.annotations().len(),
        value["annotations"].as_object().map_or(0, serde_json::Map::len)
    );
}

fn same(descriptors: &[Descriptor], written: &Value) {
    let written = written.as_array().map_or(&[][..], Vec::as_slice);
    assert_eq!(descriptors.len(), written.len());
    for (descriptor, written) in descriptors.iter().zip(written) {
        assert_eq!(written["digest"].as_str(), Some(&*descriptor.digest.to_string()));
        assert_eq!(written["size"].as_u64(), Some(descriptor.size));
        assert_eq!(written["mediaType"].as_str(), Some(descriptor.media_type.as_str()));
        assert!(descriptor.size <= limits::SIZE_MAX);
        let again = serde_json::to_vec(descriptor).unwrap();
        assert_eq!(serde_json::from_slice::<Descriptor>(&again).unwrap(), *descriptor);
    }
}
