//! What belongs to one team stays with it: blobs, upload sessions, mounts, tags, and the knowledge that they exist.

use crate::harness::{Client, Image, Registry, Setup, digest_of};
use hyper::StatusCode;

/// Each organization owns the namespaces below its own name.
const TEAMS: &str = r#"
[global.access_policy]
default = "deny"
rules = [
  "request.action == 'get-api-version'",
  "request.action == 'list-catalog'",
  "identity.certificate.organizations.contains('red') && request.namespace.startsWith('red/')",
  "identity.certificate.organizations.contains('blue') && request.namespace.startsWith('blue/')",
]
"#;

fn teams(registry: &Registry) -> (Client, Client) {
    let red = registry.pki.client("r", "red");
    let blue = registry.pki.client("b", "blue");
    (registry.client(Some(&red)), registry.client(Some(&blue)))
}

#[tokio::test]
async fn a_blob_is_readable_only_where_it_is_owned() {
    let registry = Setup::mutual("required", TEAMS).start();
    let (red, blue) = teams(&registry);
    let digest = digest_of(b"red secret");
    assert_eq!(red.push_blob("red/app", b"red secret").await.unwrap(), StatusCode::CREATED);
    for path in [format!("/v2/blue/app/blobs/{digest}"), format!("/v2/red/app/blobs/{digest}")] {
        for method in ["GET", "HEAD"] {
            let status = blue.ask(method, &path).await.status;
            assert!(matches!(status.as_u16(), 403 | 404), "{method} {path} gave {status}");
        }
    }
    // Mounting: from where the caller may not read, and from nowhere in particular. Neither may copy it.
    for source in ["&from=red/app", ""] {
        let path = format!("/v2/blue/app/blobs/uploads/?mount={digest}{source}");
        let answer = blue.ask("POST", &path).await;
        assert!(matches!(answer.status.as_u16(), 202 | 403), "mount{source} gave {}", answer.status);
        assert_eq!(blue.fetch(&format!("/v2/blue/app/blobs/{digest}")).await.status, StatusCode::NOT_FOUND);
    }
    // The owner may mount within its own namespaces, both ways.
    for (name, source) in [("red/two", "&from=red/app"), ("red/three", "")] {
        let answer = red.ask("POST", &format!("/v2/{name}/blobs/uploads/?mount={digest}{source}")).await;
        assert_eq!(answer.status, StatusCode::CREATED, "mount into {name}: {}", answer.text());
        assert_eq!(red.fetch(&format!("/v2/{name}/blobs/{digest}")).await.text(), "red secret");
    }
}

#[tokio::test]
async fn an_upload_session_belongs_to_its_repository() {
    let registry = Setup::mutual("required", TEAMS).start();
    let (red, blue) = teams(&registry);
    let started = red.ask("POST", "/v2/red/app/blobs/uploads/").await;
    let location = started.header("location").to_owned();
    let elsewhere = location.replace("/red/app/", "/blue/app/");
    assert_ne!(location, elsewhere);
    let digest = digest_of(b"x");
    let separator = if elsewhere.contains('?') { '&' } else { '?' };
    for (client, base) in [(&blue, &elsewhere), (&red, &location.replace("/red/app/", "/red/other/"))] {
        let complete = format!("{base}{separator}digest={digest}");
        for (method, path) in [("GET", base), ("PATCH", base), ("PUT", &complete), ("DELETE", base)] {
            let answer =
                client.send(method, path, &[], if method == "GET" { "" } else { "x" }).await.unwrap();
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
            assert_eq!(answer.code(), "BLOB_UPLOAD_UNKNOWN", "{method} {path}");
        }
    }
    assert_eq!(blue.ask("DELETE", &location).await.status, StatusCode::FORBIDDEN);
    assert_eq!(red.ask("GET", &location).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn what_may_not_be_seen_looks_like_what_does_not_exist() {
    let registry = Setup::mutual("required", TEAMS).start();
    let (red, blue) = teams(&registry);
    let image = Image::new("hidden", 100);
    assert_eq!(red.push("red/app", "1", &image).await.unwrap(), StatusCode::CREATED);
    let digest = image.digest();
    for path in ["manifests/1", "tags/list", &format!("manifests/{digest}"), &format!("referrers/{digest}")] {
        let there = blue.fetch(&format!("/v2/red/app/{path}")).await;
        let absent = blue.fetch(&format!("/v2/red/nothing/{path}")).await;
        assert_eq!(there.status, absent.status, "{path}");
        assert_eq!(there.code(), absent.code(), "{path}");
        assert_eq!(there.headers.len(), absent.headers.len(), "{path}");
    }
    assert_eq!(red.fetch("/v2/_catalog").await.json()["repositories"], serde_json::json!(["red/app"]));
    assert_eq!(blue.fetch("/v2/_catalog").await.json()["repositories"], serde_json::json!([]));
}

#[tokio::test]
async fn every_route_that_writes_a_tag_obeys_immutability() {
    let rest = "[global]\nimmutable_tags = true\nimmutable_tags_exclusions = [\"latest\", \"dev-.*\"]\n\
                [global.access_policy]\ndefault = \"allow\"\n";
    let registry = Setup::plain(rest).start();
    let client = registry.plain_client();
    let (first, second) = (Image::new("first", 50), Image::new("second", 50));
    let headers = [("content-type", Image::MEDIA_TYPE)];
    for (tag, may_move) in
        [("1.0", false), ("latest", true), ("dev-1", true), ("xdev-1", false), ("latest2", false)]
    {
        assert_eq!(client.push("matrix", tag, &first).await.unwrap(), StatusCode::CREATED, "{tag}");
        // The same content again is no overwrite.
        assert_eq!(client.push("matrix", tag, &first).await.unwrap(), StatusCode::CREATED, "{tag}");
        for blob in [&second.config, &second.layer] {
            assert_eq!(client.push_blob("matrix", blob).await.unwrap(), StatusCode::CREATED);
        }
        let by_tag = format!("/v2/matrix/manifests/{tag}");
        let by_parameter = format!("/v2/matrix/manifests/{}?tag={tag}", second.digest());
        let among_others = format!("/v2/matrix/manifests/{}?tag=new-{tag}&tag={tag}", second.digest());
        for path in [by_tag, by_parameter, among_others] {
            let answer = client.send("PUT", &path, &headers, second.manifest.clone()).await.unwrap();
            assert_eq!(answer.status.is_success(), may_move, "{path} gave {}", answer.status);
            let expected = if may_move { second.digest() } else { first.digest() };
            let now = client.ask("HEAD", &format!("/v2/matrix/manifests/{tag}")).await;
            assert_eq!(now.header("docker-content-digest"), expected, "{path}");
        }
    }
}

#[tokio::test]
async fn each_delete_route_obeys_the_same_action() {
    let rest =
        "[global.access_policy]\ndefault = \"allow\"\nrules = [\"request.action == 'delete-manifest'\"]\n";
    let registry = Setup::plain(rest).start();
    let client = registry.plain_client();
    let image = Image::new("delete", 50);
    assert_eq!(client.push("kept", "1", &image).await.unwrap(), StatusCode::CREATED);
    for reference in ["1", &image.digest()] {
        let answer = client.ask("DELETE", &format!("/v2/kept/manifests/{reference}")).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{reference}");
    }
    client.pull("kept", "1", &image).await;
}
