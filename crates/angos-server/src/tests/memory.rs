//! Bodies within their budget, and what still works without it.

use std::sync::Arc;

use super::*;
use crate::connection::body_memory::{BodyMemory, ConnectionMemory, Lease};
use crate::limits::{BODY_MEMORY_BYTES, CONNECTION_SHARE};

/// Large manifests share a bounded memory; small ones get in beside whoever fills it.
#[tokio::test]
async fn collected_bodies_share_a_bounded_memory() {
    let server = start(settings(), open());
    let memory = &server.handle.server.memory;
    let large = vec![b' '; 200 * 1024];
    let (layer, kind) = (server.push_blob("a", b"x").await, [("content-type", OCI_MANIFEST)]);
    let refused = server.send("PUT", "/v2/a/manifests/v1", &kind, large.clone()).await;
    assert_eq!(refused.status, 400, "taken in whole, and no manifest");
    assert_eq!(memory.taken(), 0, "given back");
    let held = fill(memory);
    let refused = server.send("PUT", "/v2/a/manifests/v1", &kind, large).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    assert_eq!(refused.code(), "TOOMANYREQUESTS");
    assert_eq!(server.push_manifest("a", "v1", &layer, 1).await.0.status, 201);
    drop(held);
}

/// Takes all of it.
fn fill(memory: &Arc<BodyMemory>) -> Vec<Lease> {
    let share = BODY_MEMORY_BYTES / CONNECTION_SHARE;
    let leases = (0..CONNECTION_SHARE).map(|_| ConnectionMemory::new(memory).take(share));
    leases.map(|lease| lease.expect("nothing is taken")).collect()
}

/// What is read does not need the budget: it is sent in small pieces.
#[tokio::test]
async fn a_full_memory_keeps_nobody_from_reading() {
    let server = start(settings(), open());
    let layer = server.push_blob("a", b"x").await;
    let blob = b"0123456789".repeat(50_000);
    let digest = server.push_blob("a", &blob).await;
    let mut manifests = Vec::new();
    for length in [100, 20_000, 100_000, 300_000] {
        let note = "n".repeat(length);
        let (layers, subject) = (descriptor(&layer, 1), descriptor(&layer, 7));
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","config":{layers},"layers":[],"subject":{subject},"annotations":{{"n":"{note}"}}}}"#
        );
        let target = format!("/v2/a/manifests/t{length}");
        let pushed = server.send("PUT", &target, &[("content-type", OCI_MANIFEST)], text.clone()).await;
        assert_eq!(pushed.status, 201, "{pushed:?}");
        manifests.push((target, text));
    }
    let targets = ["/v2/a/tags/list", "/v2/_catalog", "/metrics"];
    let held = fill(&server.handle.server.memory);
    let pulled = server.get(&format!("/v2/a/blobs/{digest}")).await;
    assert_eq!((pulled.status, pulled.header("content-length")), (200, "500000"));
    assert!(pulled.body == blob);
    let part = [("range", "bytes=10-399999")];
    let pulled = server.send("GET", &format!("/v2/a/blobs/{digest}"), &part, "").await;
    assert!(pulled.status == 206 && pulled.body == blob[10..400_000]);
    for (target, text) in &manifests {
        let pulled = server.get(target).await;
        assert_eq!((pulled.status, pulled.header("content-length")), (200, &*text.len().to_string()));
        assert!(pulled.body == text.as_bytes(), "{target}");
        let described = server.send("HEAD", target, &[], "").await;
        assert_eq!((described.status, described.header("content-length")), (200, &*text.len().to_string()));
    }
    for target in targets {
        assert_eq!(server.get(target).await.status, 200, "{target}");
    }
    // Of these one has to be read as a whole.
    let refused = server.get(&format!("/v2/a/referrers/{layer}")).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    drop(held);
    let listed = server.get(&format!("/v2/a/referrers/{layer}")).await;
    let index: serde_json::Value = serde_json::from_slice(&listed.body).expect("JSON");
    assert_eq!(index["manifests"].as_array().map(Vec::len), Some(4), "{}", listed.status);
    for of in index["manifests"].as_array().expect("a list") {
        let size = of["size"].as_u64().expect("a size");
        assert!(manifests.iter().any(|(_, text)| text.len() as u64 == size));
    }
    assert_eq!(server.handle.server.memory.taken(), 0, "given back");
}

fn descriptor(digest: &Digest, size: usize) -> String {
    format!(r#"{{"mediaType":"{OCI_MANIFEST}","digest":"{digest}","size":{size}}}"#)
}

/// A list that is longer than a piece arrives whole, with its link.
#[tokio::test]
async fn long_lists_arrive_in_pieces() {
    let server = start(settings(), open());
    let layer = server.push_blob("a", b"x").await;
    let (_, manifest) = server.push_manifest("a", "0", &layer, 1).await;
    let digest = Digest::of(Algorithm::Sha256, &manifest);
    let all: Vec<String> = (0..1500).map(|n| format!("{n:04}{}", "x".repeat(60))).collect();
    for tags in all.chunks(50) {
        let query: Vec<String> = tags.iter().map(|tag| format!("tag={tag}")).collect();
        let target = format!("/v2/a/manifests/{digest}?{}", query.join("&"));
        let kind = [("content-type", OCI_MANIFEST)];
        assert_eq!(server.send("PUT", &target, &kind, manifest.clone()).await.status, 201);
    }
    assert_eq!(server.send("DELETE", "/v2/a/manifests/0", &[], "").await.status, 202);
    let check = async |query: &str, expected: &[String], next: &str| {
        let reply = server.get(&format!("/v2/a/tags/list{query}")).await;
        let list: serde_json::Value = serde_json::from_slice(&reply.body).expect("JSON");
        assert_eq!((&list["name"], &list["tags"]), (&"a".into(), &expected.into()), "{query}");
        assert_eq!(reply.header("link"), next, "{query}");
    };
    check("", &all, "").await;
    check("?n=3", &all[..3], &format!("</v2/a/tags/list?n=3&last={}>; rel=\"next\"", all[2])).await;
    let link = format!("</v2/a/tags/list?n=1000&last={}>; rel=\"next\"", all[999]);
    check("?n=1200", &all[..1000], &link).await;
    check(&format!("?n=1000&last={}", all[999]), &all[1000..], "").await;
}
