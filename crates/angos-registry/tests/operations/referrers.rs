//! Manifests that refer to others.

use angos_oci::MediaType;
use angos_registry::ReferrersPage;
use serde_json::{Value, json};

use crate::harness::*;

fn parse(page: &ReferrersPage) -> Vec<Value> {
    let index: Value = serde_json::from_slice(&page.to_index()).unwrap();
    assert_eq!(index["schemaVersion"], 2);
    assert_eq!(index["mediaType"], MediaType::OCI_INDEX);
    index["manifests"].as_array().unwrap().clone()
}

#[tokio::test]
async fn referrers_are_listed_before_and_after_their_subject_exists() {
    for bench in engines(&sparse()) {
        let (registry, name) = (&bench.registry, name("a"));
        let subject = image("subject");
        let digest = sha256(&subject);
        let none = registry.referrers(&name, &digest, &[], None, None).await.unwrap();
        assert_eq!(parse(&none), Vec::<Value>::new());
        let signature = artifact("sig/x", "s", &subject);
        let by_digest = sha256(&signature).to_string().parse().unwrap();
        let receipt = put(registry, &name, &by_digest, &signature).await.unwrap();
        assert_eq!(receipt.subject, Some(digest));
        let expected = json!({
            "mediaType": MediaType::OCI_MANIFEST,
            "digest": sha256(&signature).to_string(),
            "size": signature.len(),
            "artifactType": "sig/x",
            "annotations": { "note": "s" },
        });
        for _before_then_after in 0..2 {
            let page = registry.referrers(&name, &digest, &[], None, None).await.unwrap();
            assert_eq!(parse(&page), std::slice::from_ref(&expected));
            put(registry, &name, &reference("subject"), &subject).await.unwrap();
        }
        let elsewhere = crate::harness::name("b");
        let page = registry.referrers(&elsewhere, &digest, &[], None, None).await.unwrap();
        assert_eq!(parse(&page), Vec::<Value>::new(), "another repository's referrers");
        // Deleting the subject leaves them, deleting one removes it.
        let by_subject = digest.to_string().parse().unwrap();
        registry.delete_manifest(&name, &by_subject).await.unwrap();
        let page = registry.referrers(&name, &digest, &[], None, None).await.unwrap();
        assert_eq!(parse(&page), [expected]);
        registry.delete_manifest(&name, &by_digest).await.unwrap();
        let page = registry.referrers(&name, &digest, &[], None, None).await.unwrap();
        assert_eq!(parse(&page), Vec::<Value>::new());
        check_rules(&bench.storage).await;
    }
}

#[tokio::test]
async fn filters_and_pages() {
    let bench = Bench::memory(sparse());
    let (registry, name) = (&bench.registry, name("a"));
    let subject = sha256(b"subject");
    let mut expected: Vec<(String, &str)> = Vec::new();
    for number in 0..250 {
        let artifact_type = if number % 5 == 0 { "sig/x" } else { "sbom/y" };
        let bytes = artifact(artifact_type, &number.to_string(), b"subject");
        put(registry, &name, &sha256(&bytes).to_string().parse().unwrap(), &bytes).await.unwrap();
        expected.push((sha256(&bytes).to_string(), artifact_type));
    }
    expected.sort();
    let check = async |types: &[&str], n: Option<usize>| {
        let filter: Vec<String> = types.iter().map(|text| (*text).to_owned()).collect();
        let expected: Vec<_> = expected
            .iter()
            .filter(|(_, artifact_type)| types.is_empty() || types.contains(artifact_type))
            .map(|(digest, _)| digest.clone())
            .collect();
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = registry.referrers(&name, &subject, &filter, after.as_ref(), n).await.unwrap();
            assert!(n.is_none_or(|n| page.descriptors.len() <= n));
            let digest = |entry: &Value| entry["digest"].as_str().unwrap().to_owned();
            found.extend(parse(&page).iter().map(digest));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "{types:?} {n:?}");
    };
    for n in [None, Some(1), Some(7), Some(100), Some(250), Some(usize::MAX)] {
        check(&[], n).await;
        check(&["sig/x"], n).await;
        check(&["sig/x", "sbom/y"], n).await;
        check(&["unknown/z"], n).await;
    }
    let page = registry.referrers(&name, &subject, &[], None, Some(0)).await.unwrap();
    assert_eq!((page.descriptors.len(), page.next), (0, None));
}

#[tokio::test]
async fn a_page_stays_below_what_clients_take() {
    let bench = Bench::memory(sparse());
    let (registry, name) = (&bench.registry, name("a"));
    for number in 0..3 {
        let note = format!("{number}{}", "x".repeat(2 << 20));
        let bytes = artifact("a/b", &note, b"subject");
        put(registry, &name, &sha256(&bytes).to_string().parse().unwrap(), &bytes).await.unwrap();
    }
    let mut pages = 0;
    let mut after = None;
    loop {
        let subject = sha256(b"subject");
        let page = registry.referrers(&name, &subject, &[], after.as_ref(), None).await.unwrap();
        assert!(page.to_index().len() <= angos_oci::limits::MANIFEST_MAX_BYTES);
        assert_eq!(page.descriptors.len(), 1);
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(pages, 3);
}

#[tokio::test]
async fn the_configuration_names_the_type_where_nothing_else_does() {
    let bench = Bench::memory(sparse());
    let (registry, name) = (&bench.registry, name("a"));
    let bytes = json!({
        "schemaVersion": 2,
        "config": descriptor("application/vnd.example+type", b"{}"),
        "layers": [],
        "subject": descriptor(MediaType::OCI_MANIFEST, b"subject"),
    })
    .to_string()
    .into();
    put(registry, &name, &reference("v"), &bytes).await.unwrap();
    let page = registry.referrers(&name, &sha256(b"subject"), &[], None, None).await.unwrap();
    let [only] = parse(&page).try_into().unwrap();
    let only: Value = only;
    assert_eq!(only["artifactType"], "application/vnd.example+type");
    assert_eq!(only.get("annotations"), None);
}

#[tokio::test]
async fn a_page_is_read_in_pieces() {
    for bench in engines(&sparse()) {
        let (registry, name, subject) = (&bench.registry, name("a"), sha256(b"subject"));
        // Every third has a descriptor too large for the list itself, which is made from its manifest.
        for number in 0..60 {
            let note = if number % 3 == 0 { "x".repeat(20_000) } else { String::new() };
            let kind = if number % 2 == 0 { "a/b" } else { "a/c" };
            let bytes = artifact(kind, &format!("{number}{note}"), b"subject");
            put(registry, &name, &sha256(&bytes).to_string().parse().unwrap(), &bytes).await.unwrap();
        }
        for (types, expected) in [(vec![], 60), (vec!["a/b".to_owned()], 30)] {
            let whole = registry.referrers(&name, &subject, &types, None, None).await.unwrap();
            assert_eq!((parse(&whole).len(), whole.next), (expected, None));
            for (n, bytes) in [(60, 0), (60, 2000), (20, 2000), (60, 100_000)] {
                let mut page =
                    registry.begin_referrers(&name, &subject, &types, None, Some(n), bytes).await.unwrap();
                let n = n.min(expected);
                let held: usize = page.descriptors.iter().map(bytes::Bytes::len).sum();
                assert!(held <= bytes && page.rest.is_some(), "{n} {bytes}");
                assert!(page.rest.as_ref().unwrap().largest() > 20_000, "{n} {bytes}");
                while let Some(rest) = page.rest.take() {
                    let (more, rest) =
                        registry.more_referrers(&name, &subject, &types, rest, bytes).await.unwrap();
                    let held: usize = more.iter().map(bytes::Bytes::len).sum();
                    assert!(held <= bytes || more.len() == 1, "{n} {bytes}: {held}");
                    page.descriptors.extend(more);
                    page.rest = rest;
                }
                assert_eq!(page.descriptors, whole.descriptors[..n], "{n} {bytes}");
                assert_eq!(page.next.is_some(), n < expected, "{n} {bytes}");
            }
        }
    }
}
