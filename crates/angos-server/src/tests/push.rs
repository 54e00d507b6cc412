//! Pushing: blobs in every way, manifests, mounts.

use super::*;
use angos_access::AccessPolicies;

#[tokio::test]
async fn a_blob_arrives_in_chunks() {
    let server = start(settings(), open());
    let started = server.send("POST", "/v2/a/b/blobs/uploads/", &[], "").await;
    assert_eq!(started.status, 202);
    assert_eq!(started.header("range"), "0-0");
    let location = started.header("location").to_owned();
    assert!(location.starts_with("/v2/a/b/blobs/uploads/"), "relative: {location}");

    let first = server.send("PATCH", &location, &[("content-range", "0-4")], "hello").await;
    assert_eq!((first.status, first.header("range")), (202, "0-4"));
    let status = server.get(&location).await;
    assert_eq!((status.status, status.header("range"), status.header("location")), (204, "0-4", &*location));

    let hole = server.send("PATCH", &location, &[("content-range", "9-10")], "!!").await;
    assert_eq!((hole.status, hole.header("range"), hole.header("location")), (416, "0-4", &*location));
    assert_eq!(hole.code(), "BLOB_UPLOAD_INVALID");
    let nonsense = server.send("PATCH", &location, &[("content-range", "x")], "!!").await;
    assert_eq!(nonsense.status, 416);

    let digest = Digest::of(Algorithm::Sha256, b"hello world");
    let done = server.send("PUT", &format!("{location}?digest={digest}"), &[], " world").await;
    assert_eq!(done.status, 201, "{done:?}");
    assert_eq!(done.header("location"), format!("/v2/a/b/blobs/{digest}"));
    assert_eq!(done.header("docker-content-digest"), digest.to_string());
    assert_eq!(server.get(&format!("/v2/a/b/blobs/{digest}")).await.body, "hello world");
    assert_eq!(server.get(&location).await.code(), "BLOB_UPLOAD_UNKNOWN");
}

#[tokio::test]
async fn an_upload_can_be_cancelled_and_belongs_to_its_repository() {
    let server = start(settings(), open());
    let started = server.send("POST", "/v2/a/blobs/uploads/", &[], "").await;
    let location = started.header("location").to_owned();
    let elsewhere = location.replace("/v2/a/", "/v2/b/");
    for method in ["GET", "PATCH", "DELETE"] {
        let reply = server.send(method, &elsewhere, &[], "").await;
        assert_eq!((reply.status, reply.code().as_str()), (404, "BLOB_UPLOAD_UNKNOWN"), "{method}");
    }
    assert_eq!(server.send("DELETE", &location, &[], "").await.status, 204);
    assert_eq!(server.send("DELETE", &location, &[], "").await.status, 404);
}

#[tokio::test]
async fn a_wrong_digest_is_refused() {
    let server = start(settings(), open());
    let digest = Digest::of(Algorithm::Sha256, b"other");
    let reply = server.send("POST", &format!("/v2/a/blobs/uploads/?digest={digest}"), &[], "content").await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "DIGEST_INVALID"));
    assert_eq!(server.get(&format!("/v2/a/blobs/{digest}")).await.status, 404);
}

#[tokio::test]
async fn sizes_are_bounded() {
    let mut settings = settings();
    settings.registry.max_blob_size = Some(8);
    settings.registry.max_manifest_size = 64;
    let server = start(settings, open());
    let digest = Digest::of(Algorithm::Sha256, b"too large");
    let blob = server.send("POST", &format!("/v2/a/blobs/uploads/?digest={digest}"), &[], "too large").await;
    assert_eq!((blob.status, blob.code().as_str()), (413, "SIZE_INVALID"));
    let manifest = server.send("PUT", "/v2/a/manifests/v1", &[], vec![b' '; 65]).await;
    assert_eq!((manifest.status, manifest.code().as_str()), (413, "SIZE_INVALID"));
}

#[tokio::test]
async fn a_manifest_is_stored_and_named() {
    let server = start(settings(), open());
    let layer = server.push_blob("a", b"layer").await;
    let (reply, manifest) = server.push_manifest("a", "v1", &layer, 5).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let digest = Digest::of(Algorithm::Sha256, &manifest);
    assert_eq!(reply.header("location"), format!("/v2/a/manifests/{digest}"));
    assert_eq!(reply.header("docker-content-digest"), digest.to_string());

    let target = format!("/v2/a/manifests/{digest}?tag=one&tag=two");
    let tagged = server.send("PUT", &target, &[("content-type", OCI_MANIFEST)], manifest.clone()).await;
    let tags: Vec<_> =
        tagged.headers.get_all("oci-tag").iter().map(|tag| tag.to_str().expect("text")).collect();
    assert_eq!((tagged.status, tags), (201, vec!["one", "two"]));

    let wrong = server.send("PUT", "/v2/a/manifests/v1", &[("content-type", "not a type")], manifest).await;
    assert_eq!((wrong.status, wrong.code().as_str()), (400, "MANIFEST_INVALID"));
    let missing = Digest::of(Algorithm::Sha256, b"never pushed");
    let (sparse, _) = server.push_manifest("a", "v2", &missing, 12).await;
    assert_eq!((sparse.status, sparse.code().as_str()), (400, "MANIFEST_BLOB_UNKNOWN"));
}

#[tokio::test]
async fn a_mount_needs_the_source_to_be_readable() {
    let repositories = [
        ("open".parse().unwrap(), policy(&["true"])),
        ("secret".parse().unwrap(), policy(&["request.action != 'get-blob'"])),
        ("mine".parse().unwrap(), policy(&["true"])),
    ]
    .into_iter()
    .collect();
    let server = start(settings(), AccessPolicies { repositories, ..AccessPolicies::default() }.into());
    let shared = server.push_blob("open", b"shared").await;
    let hidden = server.push_blob("secret", b"hidden").await;
    let nowhere = Digest::of(Algorithm::Sha256, b"nowhere");
    for (digest, from, status) in [
        (shared, "&from=open", 201),
        (shared, "", 201),
        (hidden, "&from=secret", 202),
        (hidden, "", 202),
        (hidden, "&from=open", 202),
        (nowhere, "&from=open", 202),
        (nowhere, "", 202),
    ] {
        let target = format!("/v2/mine/blobs/uploads/?mount={digest}{from}");
        let reply = server.send("POST", &target, &[], "").await;
        assert_eq!(reply.status, status, "{target}: {reply:?}");
        let blob = server.get(&format!("/v2/mine/blobs/{digest}")).await;
        assert_eq!(blob.status, if status == 201 { 200 } else { 404 }, "{target}");
    }
}

#[tokio::test]
async fn a_mount_that_finds_nothing_needs_a_permit_to_upload() {
    let repositories =
        [("a".parse().unwrap(), policy(&["request.action == 'mount-blob'"]))].into_iter().collect();
    let server = start(settings(), AccessPolicies { repositories, ..AccessPolicies::default() }.into());
    let digest = Digest::of(Algorithm::Sha256, b"nowhere");
    let reply = server.send("POST", &format!("/v2/a/blobs/uploads/?mount={digest}&from=b"), &[], "").await;
    assert_eq!((reply.status, reply.code().as_str()), (403, "DENIED"));
}
