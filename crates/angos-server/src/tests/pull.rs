//! Pulling: manifests, blobs and their ranges, listings, deletions.

use super::*;

#[tokio::test]
async fn a_manifest_is_pulled_by_tag_and_digest() {
    let server = start(settings(), open());
    let layer = server.push_blob("a", b"layer").await;
    let (_, manifest) = server.push_manifest("a", "v1", &layer, 5).await;
    let digest = Digest::of(Algorithm::Sha256, &manifest);
    for reference in ["v1".to_owned(), digest.to_string()] {
        let target = format!("/v2/a/manifests/{reference}");
        let reply = server.get(&target).await;
        assert_eq!((reply.status, &reply.body), (200, &manifest));
        assert_eq!(reply.header("content-type"), OCI_MANIFEST);
        assert_eq!(reply.header("docker-content-digest"), digest.to_string());
        assert_eq!(reply.header("docker-distribution-api-version"), "registry/2.0");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("x-request-id").len(), 32);

        let head = server.send("HEAD", &target, &[], "").await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(head.header("content-length"), manifest.len().to_string());
        assert_eq!(head.header("docker-content-digest"), digest.to_string());

        let etag = reply.header("etag");
        let known = server.send("GET", &target, &[("if-none-match", etag)], "").await;
        assert_eq!((known.status, known.body.len(), known.header("etag")), (304, 0, etag));
    }
    let missing = server.get("/v2/a/manifests/v2").await;
    assert_eq!((missing.status, missing.code().as_str()), (404, "MANIFEST_UNKNOWN"));
    let missing = server.send("HEAD", "/v2/a/manifests/v2", &[], "").await;
    assert_eq!((missing.status, missing.body.len()), (404, 0));
    assert_ne!(missing.header("content-length"), "0", "the length GET would have");
}

#[tokio::test]
async fn a_blob_is_pulled_whole_and_in_parts() {
    let server = start(settings(), open());
    let content: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let digest = server.push_blob("a", &content).await;
    let target = format!("/v2/a/blobs/{digest}");
    let whole = server.get(&target).await;
    assert_eq!((whole.status, whole.header("accept-ranges")), (200, "bytes"));
    assert_eq!(whole.header("content-length"), content.len().to_string());
    assert!(whole.body == content, "every byte");

    let size = content.len();
    for (range, status, content_range, expected) in [
        ("bytes=0-0", 206, format!("bytes 0-0/{size}"), 0..1),
        ("bytes=5-300000", 206, format!("bytes 5-300000/{size}"), 5..300_001),
        ("bytes=3999999-", 206, format!("bytes 3999999-3999999/{size}"), size - 1..size),
        ("bytes=-7", 206, format!("bytes {}-{}/{size}", size - 7, size - 1), size - 7..size),
        ("bytes=0-1,3-4", 200, String::new(), 0..size),
        ("lines=0-1", 200, String::new(), 0..size),
    ] {
        let part = server.send("GET", &target, &[("range", range)], "").await;
        assert_eq!((part.status, part.header("content-range")), (status, &*content_range), "{range}");
        assert!(part.body == content[expected], "{range}");
    }
    let beyond = server.send("GET", &target, &[("range", "bytes=4000000-")], "").await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, &*format!("bytes */{size}")));
    assert_eq!(server.send("GET", &target, &[("range", "bytes=5-1")], "").await.status, 416);
    let other = [("range", "bytes=0-0"), ("if-range", "\"sha256:0\"")];
    assert_eq!(server.send("GET", &target, &other, "").await.status, 200);

    let head = server.send("HEAD", &target, &[("range", "bytes=0-0")], "").await;
    assert_eq!((head.status, head.header("content-length")), (200, &*size.to_string()));
    assert_eq!(server.get(&format!("/v2/b/blobs/{digest}")).await.status, 404, "another repository");
}

#[tokio::test]
async fn listings_have_pages() {
    let server = start(settings(), open());
    let layer = server.push_blob("a", b"layer").await;
    for tag in ["v3", "v1", "v2"] {
        server.push_manifest("a", tag, &layer, 5).await;
    }
    let all = server.get("/v2/a/tags/list").await;
    assert_eq!(
        (all.status, &*all.body, all.header("link")),
        (200, &br#"{"name":"a","tags":["v1","v2","v3"]}"#[..], "")
    );
    let first = server.get("/v2/a/tags/list?n=2").await;
    assert_eq!(&*first.body, br#"{"name":"a","tags":["v1","v2"]}"#);
    assert_eq!(first.header("link"), "</v2/a/tags/list?n=2&last=v2>; rel=\"next\"");
    let rest = server.get("/v2/a/tags/list?n=2&last=v2").await;
    assert_eq!((&*rest.body, rest.header("link")), (&br#"{"name":"a","tags":["v3"]}"#[..], ""));
    assert_eq!(server.get("/v2/a/tags/list?n=99999999999999999999").await.status, 200);
    assert_eq!(server.get("/v2/a/tags/list?n=-1").await.status, 400);
    assert_eq!(server.get("/v2/none/tags/list").await.code(), "NAME_UNKNOWN");
}

#[tokio::test]
async fn referrers_are_listed_by_subject_and_type() {
    let server = start(settings(), open());
    let layer = server.push_blob("a", b"layer").await;
    let (_, image) = server.push_manifest("a", "v1", &layer, 5).await;
    let subject = Digest::of(Algorithm::Sha256, &image);
    let size = image.len();
    let empty = Digest::of(Algorithm::Sha256, b"{}");
    for kind in ["application/vnd.example+one", "application/vnd.example+two"] {
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","artifactType":"{kind}","config":{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{empty}","size":2}},"layers":[],"subject":{{"mediaType":"{OCI_MANIFEST}","digest":"{subject}","size":{size}}}}}"#
        );
        let digest = Digest::of(Algorithm::Sha256, manifest.as_bytes());
        let target = format!("/v2/a/manifests/{digest}");
        let reply = server.send("PUT", &target, &[("content-type", OCI_MANIFEST)], manifest).await;
        assert_eq!((reply.status, reply.header("oci-subject")), (201, &*subject.to_string()));
    }
    let count = async |query: &str| {
        let reply = server.get(&format!("/v2/a/referrers/{subject}{query}")).await;
        assert_eq!(reply.header("content-type"), "application/vnd.oci.image.index.v1+json");
        let index: serde_json::Value = serde_json::from_slice(&reply.body).expect("an index");
        let found = index["manifests"].as_array().expect("a list").len();
        (found, reply.header("oci-filters-applied").to_owned(), reply.header("link").to_owned())
    };
    assert_eq!(count("").await, (2, String::new(), String::new()));
    let filter = "?artifactType=application/vnd.example%2Bone";
    assert_eq!(count(filter).await, (1, "artifactType".into(), String::new()));
    let (found, _, link) = count("?n=1").await;
    assert_eq!(found, 1);
    let next = link.strip_prefix('<').and_then(|link| link.split_once('>')).expect("a link").0;
    let reply = server.get(next).await;
    assert_eq!((reply.status, reply.header("link")), (200, ""), "{next}");
    let none = Digest::of(Algorithm::Sha256, b"none");
    assert_eq!(server.get(&format!("/v2/b/referrers/{none}")).await.status, 200);
}

#[tokio::test]
async fn what_is_deleted_is_gone() {
    let server = start(settings(), open());
    let layer = server.push_blob("a", b"layer").await;
    let (_, manifest) = server.push_manifest("a", "v1", &layer, 5).await;
    let digest = Digest::of(Algorithm::Sha256, &manifest);
    for target in
        ["/v2/a/manifests/v1".into(), format!("/v2/a/manifests/{digest}"), format!("/v2/a/blobs/{layer}")]
    {
        assert_eq!(server.send("DELETE", &target, &[], "").await.status, 202, "{target}");
        assert_eq!(server.get(&target).await.status, 404, "{target}");
        assert_eq!(server.send("DELETE", &target, &[], "").await.status, 404, "{target}");
    }
}

/// The pusher chooses the media type, and a browser would take it at its word.
#[tokio::test]
async fn a_manifest_that_claims_to_be_a_page_is_inert() {
    let server = start(settings(), open());
    let config = server.push_blob("a", b"{}").await;
    let page = format!(
        r#"{{"schemaVersion":2,"mediaType":"text/html","config":{{"mediaType":"text/html","digest":"{config}","size":2}},"layers":[],"annotations":{{"x":"<script>alert(1)</script>"}}}}"#
    );
    let pushed = server.send("PUT", "/v2/a/manifests/page", &[("content-type", "text/html")], page).await;
    assert_eq!(pushed.status, 201, "{pushed:?}");
    let pulled = server.get("/v2/a/manifests/page").await;
    assert_eq!(pulled.header("content-type"), "text/html");
    assert_eq!(pulled.header("content-security-policy"), "default-src 'none'; sandbox");
    assert_eq!(pulled.header("x-content-type-options"), "nosniff");
}
