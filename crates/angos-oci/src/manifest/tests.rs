//! Manifests as clients write them, and as nobody should.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::digest::{Algorithm, Digest};

fn descriptor(media_type: &str, size: u64) -> Value {
    json!({ "mediaType": media_type, "digest": Digest::of(Algorithm::Sha256, media_type.as_bytes()), "size": size })
}

fn image() -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_MANIFEST,
        "config": descriptor(MediaType::OCI_CONFIG, 7),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", 100), descriptor("text/x-unheard-of", 0)],
    })
}

fn index() -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_INDEX,
        "manifests": [descriptor(MediaType::OCI_MANIFEST, 500), descriptor(MediaType::OCI_INDEX, 600)],
    })
}

/// `base` with members put in place of its own; `Value::Null` stands for taking one away.
fn with(mut base: Value, members: Value) -> Value {
    let Value::Object(members) = members else { panic!("not an object") };
    for (key, value) in members {
        if value.is_null() {
            base.as_object_mut().unwrap().remove(&key);
        } else {
            base[key] = value;
        }
    }
    base
}

fn parse(content_type: &str, body: &Value) -> Result<Manifest, ManifestError> {
    parse_text(content_type, &body.to_string())
}

fn parse_text(content_type: &str, body: &str) -> Result<Manifest, ManifestError> {
    let content_type = (!content_type.is_empty()).then(|| content_type.parse().unwrap());
    Manifest::parse(content_type.as_ref(), body.as_bytes())
}

#[test]
fn reads_an_image() {
    let body = with(
        image(),
        json!({
            "subject": descriptor(MediaType::OCI_INDEX, 3),
            "annotations": { "a": "1", "A": "2" },
            "org.example": { "deep": [[[{}]]], "number": 1e300 },
        }),
    );
    let manifest = parse(MediaType::OCI_MANIFEST, &body).unwrap();
    assert_eq!(manifest.kind(), ManifestKind::Image);
    assert_eq!(manifest.media_type(), MediaType::OCI_MANIFEST);
    assert_eq!(manifest.config().unwrap().size, 7);
    assert_eq!(manifest.layers().iter().map(|layer| layer.size).collect::<Vec<_>>(), [100, 0]);
    assert!(manifest.manifests().is_empty());
    assert_eq!(manifest.subject().unwrap().media_type, MediaType::OCI_INDEX);
    assert_eq!(manifest.artifact_type().unwrap(), MediaType::OCI_CONFIG);
    assert_eq!(manifest.annotations().len(), 2);
}

#[test]
fn reads_an_index() {
    let mut body = with(index(), json!({ "artifactType": "application/x" }));
    body["manifests"][0]["platform"] = json!({ "os": "linux", "architecture": "arm64" });
    body["manifests"][0]["annotations"] = json!({ "a": "b" });
    body["manifests"][1]["artifactType"] = json!("application/y");
    let manifest = parse("", &body).unwrap();
    assert_eq!(manifest.kind(), ManifestKind::Index);
    assert_eq!(manifest.manifests()[0].annotations.as_ref().unwrap()["a"], "b");
    assert_eq!(manifest.manifests()[1].artifact_type.as_ref().unwrap(), "application/y");
    assert!(manifest.config().is_none() && manifest.layers().is_empty());
    assert_eq!(manifest.artifact_type().unwrap(), "application/x");
    assert_eq!(parse("", &index()).unwrap().artifact_type(), None);
}

#[test]
fn media_type_and_fields_must_agree() {
    use ManifestError::{Confused, Undecidable};
    use ManifestKind::{Image, Index};
    let mismatch = |content_type: &str, media_type: &str| ManifestError::MediaTypeMismatch {
        content_type: Excerpt::of(content_type),
        media_type: Excerpt::of(media_type),
    };
    let bare = |body: Value| with(body, json!({ "mediaType": null }));
    let typed = |body: Value, media_type: &str| with(body, json!({ "mediaType": media_type }));
    let check = |content_type: &str, body: Value, expected: Result<(ManifestKind, &str), ManifestError>| {
        let found = parse(content_type, &body).map(|found| (found.kind(), found.media_type().to_string()));
        assert_eq!(
            found,
            expected.map(|(kind, media_type)| (kind, media_type.to_owned())),
            "{content_type} {body}"
        );
    };
    let (oci, list) = (MediaType::OCI_MANIFEST, MediaType::OCI_INDEX);
    let (docker, docker_list) = (MediaType::DOCKER_MANIFEST, MediaType::DOCKER_LIST);
    check(oci, image(), Ok((Image, oci)));
    check("", image(), Ok((Image, oci)));
    check(oci, bare(image()), Ok((Image, oci)));
    check("", bare(image()), Ok((Image, oci)));
    check(oci, typed(image(), ""), Ok((Image, oci)));
    check(docker, typed(image(), docker), Ok((Image, docker)));
    check(list, index(), Ok((Index, list)));
    check("", bare(index()), Ok((Index, list)));
    check(docker_list, typed(index(), docker_list), Ok((Index, docker_list)));
    check("application/x", bare(image()), Ok((Image, "application/x")));
    check("", typed(index(), "application/x"), Ok((Index, "application/x")));

    check(list, image(), Err(mismatch(list, oci)));
    check("application/json", image(), Err(mismatch("application/json", oci)));
    check(docker, image(), Err(mismatch(docker, oci)));
    check(list, bare(image()), Err(Confused));
    check("", typed(image(), list), Err(Confused));
    check(oci, bare(index()), Err(Confused));
    check("", typed(index(), docker), Err(Confused));
    for manifests in [json!([]), json!([descriptor(list, 1)])] {
        check("", with(image(), json!({ "manifests": manifests })), Err(Confused));
        check("application/x", bare(with(image(), json!({ "manifests": manifests }))), Err(Confused));
    }
    check("", with(index(), json!({ "layers": [] })), Err(Confused));
    check("", with(index(), json!({ "config": descriptor("a/b", 1) })), Err(Confused));
    check("", with(image(), json!({ "fsLayers": [] })), Err(Confused));
    check("", with(index(), json!({ "fsLayers": [] })), Err(Confused));
    check("", json!({ "schemaVersion": 2 }), Err(Undecidable));
    check("application/x", json!({ "schemaVersion": 2, "mediaType": "application/x" }), Err(Undecidable));
}

#[test]
fn a_null_list_is_empty_but_still_there() {
    let nulled = |text: &str, key: &str| text.replacen('{', &format!("{{\"{key}\":null,"), 1);
    let check = |text: String, expected: Result<(), ManifestError>| {
        assert_eq!(parse_text("", &text).map(drop), expected, "{text}");
    };
    let without = |body: Value, key: &str| with(body, json!({ key: null })).to_string();
    check(nulled(&without(image(), "layers"), "layers"), Ok(()));
    check(nulled(&without(index(), "manifests"), "manifests"), Ok(()));
    check(nulled(&image().to_string(), "subject"), Ok(()));
    check(nulled(&image().to_string(), "annotations"), Ok(()));
    check(nulled(&image().to_string(), "manifests"), Err(ManifestError::Confused));
    check(nulled(&index().to_string(), "layers"), Err(ManifestError::Confused));
    check(nulled(&index().to_string(), "config"), Err(ManifestError::Confused));
    check(nulled(&without(image(), "config"), "config"), Err(ManifestError::Missing("config")));
    check(without(image(), "config"), Err(ManifestError::Missing("config")));
    check(without(image(), "layers"), Err(ManifestError::Missing("layers")));
    check(without(index(), "manifests"), Err(ManifestError::Missing("manifests")));
}

#[test]
fn no_key_is_read_twice() {
    let duplicate = |key: &str| Err(ManifestError::DuplicateKey(Excerpt::of(key)));
    let ambiguous = |key: &str| Err(ManifestError::AmbiguousKey(Excerpt::of(key)));
    let digest = Digest::of(Algorithm::Sha256, b"").to_string();
    let check = |member: &str, expected: Result<(), ManifestError>| {
        let config = format!(r#""config":{{"mediaType":"a/b","digest":"{digest}","size":0{{}}}}"#);
        let (inner, outer) =
            if let Some(inner) = member.strip_prefix('>') { (inner, "") } else { ("", member) };
        let body = format!(r#"{{"schemaVersion":2,"layers":[],{}{outer}}}"#, config.replace("{}", inner));
        assert_eq!(parse_text(MediaType::OCI_MANIFEST, &body).map(drop), expected, "{body}");
    };
    check("", Ok(()));
    check(r#","layers":[]"#, duplicate("layers"));
    check(r#","schemaVersion":2"#, duplicate("schemaVersion"));
    check(r#","l\u0061yers":[]"#, duplicate("layers"));
    check(r#","x":1,"x":1"#, duplicate("x"));
    check(r#","x":[{"y":1,"y":2}]"#, duplicate("y"));
    check(r#","annotations":{"a":"1","a":"1"}"#, duplicate("a"));
    check(r#">,"digest":"x""#, duplicate("digest"));
    check(r#">,"annotations":{"a":"1","a":"2"}"#, duplicate("a"));
    check(r#">,"platform":{"os":"a","os":"b"}"#, duplicate("os"));
    check(r#","Manifests":[]"#, ambiguous("Manifests"));
    check(r#","LAYERS":[]"#, ambiguous("LAYERS"));
    check(r#","layerſ":[]"#, ambiguous("layerſ"));
    check(r#","mediatype":"a/b""#, ambiguous("mediatype"));
    check(r#">,"Digest":"x""#, ambiguous("Digest"));
    check(r#">,"\u017fize":1"#, ambiguous("ſize"));
    // Where keys are free, case makes them differ; and a manifest's keys mean nothing in a descriptor.
    check(r#","annotations":{"a":"1","A":"1","Layers":"x"}"#, Ok(()));
    check(r#","x":{"Layers":1,"layers":2}"#, Ok(()));
    check(r#">,"Layers":1"#, Ok(()));
}

#[test]
fn artifact_types_follow_the_specification() {
    let empty = with(image(), json!({ "config": descriptor(MediaType::EMPTY, 2) }));
    let check = |body: Value, expected: Result<Option<&str>, ManifestError>| {
        let found = parse("", &body).map(|found| found.artifact_type().map(|found| found.to_string()));
        assert_eq!(found, expected.map(|expected| expected.map(str::to_owned)), "{body}");
    };
    check(image(), Ok(Some(MediaType::OCI_CONFIG)));
    check(with(image(), json!({ "artifactType": "application/x" })), Ok(Some("application/x")));
    check(with(image(), json!({ "artifactType": "" })), Ok(Some(MediaType::OCI_CONFIG)));
    check(with(empty.clone(), json!({ "artifactType": "application/x" })), Ok(Some("application/x")));
    check(empty.clone(), Err(ManifestError::ArtifactTypeMissing));
    check(with(empty, json!({ "artifactType": "" })), Err(ManifestError::ArtifactTypeMissing));
    check(with(index(), json!({ "artifactType": "" })), Ok(None));
}

#[test]
fn fields_have_their_types() {
    let wrong = |body: &Value, part: &str| match parse("", body) {
        Err(ManifestError::Field { problem, .. }) => {
            assert!(problem.as_str().contains(part), "{problem} / {part}");
        }
        other => panic!("{body}: {other:?}"),
    };
    let layer = |members: Value| with(image(), json!({ "layers": [with(descriptor("a/b", 1), members)] }));
    let digest = Digest::of(Algorithm::Sha256, b"").to_string();
    wrong(&json!([]), "expected");
    wrong(&json!("x"), "expected");
    wrong(&json!({}), "schemaVersion");
    wrong(&with(image(), json!({ "schemaVersion": "2" })), "expected u64");
    wrong(&with(image(), json!({ "schemaVersion": 2.0 })), "expected u64");
    wrong(&with(image(), json!({ "layers": {} })), "expected a sequence");
    wrong(&with(image(), json!({ "artifactType": "x" })), "type/subtype");
    wrong(&with(image(), json!({ "mediaType": 1 })), "expected a string");
    wrong(&with(image(), json!({ "annotations": { "a": 1 } })), "expected a string");
    wrong(&with(image(), json!({ "subject": { "digest": digest } })), "mediaType");
    wrong(&layer(json!({ "size": -1 })), "expected u64");
    wrong(&layer(json!({ "size": 1.5 })), "expected u64");
    wrong(&layer(json!({ "size": u64::MAX })), "63 bits");
    wrong(&layer(json!({ "size": SIZE_MAX + 1 })), "63 bits");
    wrong(&layer(json!({ "digest": "sha1:abc" })), "unsupported digest");
    wrong(&layer(json!({ "digest": digest.to_uppercase() })), "unsupported digest");
    wrong(&layer(json!({ "digest": "" })), "algorithm:hex");
    wrong(&layer(json!({ "mediaType": "" })), "type/subtype");
    wrong(&layer(json!({ "mediaType": "x".repeat(9999) })), "type/subtype");
    for version in [json!(1), json!(3), json!(0)] {
        let body = with(image(), json!({ "schemaVersion": version }));
        assert_eq!(parse("", &body), Err(ManifestError::SchemaVersion));
    }
}

#[test]
fn sizes_do_not_overflow() {
    let check = |sizes: &[u64], expected: Result<(), ManifestError>| {
        let layers: Vec<_> = sizes.iter().map(|size| descriptor("a/b", *size)).collect();
        let body = with(image(), json!({ "layers": layers, "config": descriptor("a/b", 0) }));
        assert_eq!(parse("", &body).map(drop), expected, "{sizes:?}");
    };
    check(&[SIZE_MAX], Ok(()));
    check(&[SIZE_MAX - 1, 1], Ok(()));
    check(&[SIZE_MAX, 1], Err(ManifestError::SizeOverflow));
    check(&[SIZE_MAX; 9], Err(ManifestError::SizeOverflow));
}

#[test]
fn bodies_are_bounded() {
    let check = |extra: String, expected: Result<(), ManifestError>| {
        let body = image().to_string().replacen('{', &format!("{{{extra},"), 1);
        assert_eq!(parse_text("", &body).map(drop), expected, "{}", Excerpt::of(&extra));
    };
    let nested = |levels: usize| format!(r#""x":{}{}"#, "[".repeat(levels), "]".repeat(levels));
    check(nested(JSON_DEPTH_MAX - 1), Ok(()));
    check(nested(JSON_DEPTH_MAX), Err(ManifestError::TooDeep));
    check(nested(1_000_000), Err(ManifestError::TooDeep));
    check(format!(r#""x":{}1"#, r#"{"y":"#.repeat(1_000_000)), Err(ManifestError::TooDeep));
    check(format!(r#""x":[{}0]"#, "0,".repeat(JSON_VALUES_MAX)), Err(ManifestError::TooManyValues));
    let members = |count: usize| (0..count).map(|n| format!(r#""{n}":"""#)).collect::<Vec<_>>().join(",");
    check(format!(r#""annotations":{{{}}}"#, members(JSON_MEMBERS_MAX)), Ok(()));
    check(
        format!(r#""annotations":{{{}}}"#, members(JSON_MEMBERS_MAX + 1)),
        Err(ManifestError::TooManyMembers),
    );
}

#[test]
fn lists_of_descriptors_are_bounded() {
    let check = |count: usize, expected: Result<(), ManifestError>| {
        let entries = vec![descriptor(MediaType::OCI_MANIFEST, 1); count];
        assert_eq!(parse("", &with(index(), json!({ "manifests": entries }))).map(drop), expected);
        assert_eq!(parse("", &with(image(), json!({ "layers": entries }))).map(drop), expected);
    };
    check(0, Ok(()));
    check(DESCRIPTORS_MAX, Ok(()));
    check(DESCRIPTORS_MAX + 1, Err(ManifestError::TooManyDescriptors));
}

#[test]
fn a_large_manifest_of_long_annotations_is_fine() {
    let annotations: BTreeMap<_, _> =
        (0..390).map(|n| (format!("large-annotation-{n}"), "A".repeat(10_000))).collect();
    let manifest = parse("", &with(image(), json!({ "annotations": annotations }))).unwrap();
    assert_eq!(*manifest.annotations(), annotations);
}

#[test]
fn what_is_not_json_is_refused() {
    for body in [
        "",
        " ",
        "{",
        "}",
        "{}}",
        "nul",
        "{\"a\":}",
        "{\"a\":1,}",
        "\u{feff}{}",
        "{} x",
        "{\"a\":NaN}",
        "{\"\\ud800\":1}",
    ] {
        let found = parse_text("", body);
        assert!(matches!(found, Err(ManifestError::Syntax { .. })), "{body:?} {found:?}");
    }
    for bytes in [&b"\xff"[..], b"{\"\xff\":1}", b"{\"a\":\"\xc3\x28\"}", b"{\"a\":\"\0\"}"] {
        assert!(matches!(Manifest::parse(None, bytes), Err(ManifestError::Syntax { .. })), "{bytes:?}");
    }
}

#[test]
fn errors_quote_little() {
    let long = "\n\u{1b}".repeat(5000);
    for body in [
        with(image(), json!({ "mediaType": long })),
        with(image(), json!({ "schemaVersion": long })),
        with(image(), json!({ "subject": descriptor("a/b", 0), "config": long })),
    ] {
        let text = parse("", &body).unwrap_err().to_string();
        assert!(text.chars().count() < 150 && !text.contains(char::is_control), "{text}");
    }
    let text = parse_text("", &format!("{{{0}:1,{0}:1}}", json!(long))).unwrap_err().to_string();
    assert!(text.starts_with("the key \"\\n\\u{1b}") && text.chars().count() < 150, "{text}");
}

#[test]
fn a_descriptor_is_written_as_it_was_read() {
    let mut value = descriptor("a/b", 5);
    assert_eq!(
        serde_json::to_value(serde_json::from_value::<Descriptor>(value.clone()).unwrap()).unwrap(),
        value
    );
    value["artifactType"] = json!("c/d");
    value["annotations"] = json!({ "k": "v" });
    assert_eq!(
        serde_json::to_value(serde_json::from_value::<Descriptor>(value.clone()).unwrap()).unwrap(),
        value
    );
}

fn descriptors() -> impl Strategy<Value = Descriptor> {
    let annotations = proptest::option::of(proptest::collection::btree_map(".{0,9}", ".{0,9}", 0..4));
    ("[a-z]{1,9}/[a-z]{1,9}", any::<Vec<u8>>(), 0..1_u64 << 40, annotations).prop_map(
        |(media_type, content, size, annotations)| {
            let media_type = media_type.parse().unwrap();
            Descriptor {
                annotations,
                ..Descriptor::new(media_type, Digest::of(Algorithm::Sha512, &content), size)
            }
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read(config in descriptors(), layers in proptest::collection::vec(descriptors(), 0..5)) {
        let body = with(image(), json!({ "config": config, "layers": layers }));
        let manifest = parse(MediaType::OCI_MANIFEST, &body).unwrap();
        prop_assert_eq!(manifest.config(), Some(&config));
        prop_assert_eq!(manifest.layers(), layers);
    }

    #[test]
    fn any_bytes_may_be_tried(bytes: Vec<u8>) {
        let _: Result<Manifest, ManifestError> = Manifest::parse(None, &bytes);
    }

    #[test]
    fn any_damage_may_be_tried(at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
        let mut bytes = image().to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _: Result<Manifest, ManifestError> = Manifest::parse(None, &bytes);
        prop_assert!(Manifest::parse(None, &bytes[..cut.index(bytes.len())]).is_err());
    }
}
