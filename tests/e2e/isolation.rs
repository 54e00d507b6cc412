//! What belongs to one team stays with it: blobs, upload sessions, mounts, tags, and the knowledge that they exist.

use crate::harness::{Answer, Client, Image, Registry, Setup, digest_of};
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
    // The owner may mount within its own namespaces, with and without a source.
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

/// All that a client is told, but for the name and time of its request.
fn told(answer: &Answer) -> (StatusCode, Vec<(String, String)>, String) {
    let headers = answer.headers.iter().filter(|(name, _)| !matches!(name.as_str(), "x-request-id" | "date"));
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    (answer.status, headers.collect(), answer.text().replace(answer.header("x-request-id"), ""))
}

#[tokio::test]
async fn what_may_not_be_seen_looks_like_what_does_not_exist() {
    // Without the header that counts down the hours of the client's certificate: two answers may be an hour's end apart.
    let registry = Setup::mutual("required", TEAMS).tls_lines("expiry_warning = \"1m\"\n").start();
    let (red, blue) = teams(&registry);
    let image = Image::new("hidden", 100);
    assert_eq!(red.push("red/app", "1", &image).await.unwrap(), StatusCode::CREATED);
    let digest = image.digest();
    for path in ["manifests/1", "tags/list", &format!("manifests/{digest}"), &format!("referrers/{digest}")] {
        let there = blue.fetch(&format!("/v2/red/app/{path}")).await;
        let absent = blue.fetch(&format!("/v2/red/nothing/{path}")).await;
        assert_eq!(told(&there), told(&absent), "{path}");
        let head = blue.ask("HEAD", &format!("/v2/red/app/{path}")).await;
        assert_eq!((head.status, head.body.len()), (there.status, 0), "{path}");
        assert_eq!(head.header("content-length"), there.body.len().to_string(), "{path}");
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

/// What is there in a repository the caller may see, and what is not, tell nothing about repositories it may not see.
#[tokio::test]
async fn nothing_is_told_about_what_others_own() {
    let registry = Setup::mutual("required", TEAMS).start();
    let (red, blue) = teams(&registry);
    let image = Image::new("theirs", 100);
    for name in ["red/a", "red/c", "red/e"] {
        assert_eq!(red.push(name, "1", &image).await.unwrap(), StatusCode::CREATED);
    }
    for name in ["blue/b", "blue/d"] {
        assert_eq!(blue.push(name, "1", &Image::new(name, 10)).await.unwrap(), StatusCode::CREATED);
    }
    // Bytes that others own, and bytes nobody has, are the same to a manifest that names them.
    let (theirs, nobodys) = (digest_of(&image.layer), digest_of(b"nobody has this"));
    let headers = [("content-type", Image::MEDIA_TYPE)];
    let text = String::from_utf8(image.manifest.clone()).unwrap();
    let mut answers = Vec::new();
    for digest in [&theirs, &nobodys] {
        let manifest = text.replace(&theirs, digest);
        let answer = blue.send("PUT", "/v2/blue/b/manifests/2", &headers, manifest).await.unwrap();
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::BAD_REQUEST, "MANIFEST_BLOB_UNKNOWN")
        );
        let mount = blue.ask("POST", &format!("/v2/blue/b/blobs/uploads/?mount={digest}")).await;
        let from = blue.ask("POST", &format!("/v2/blue/b/blobs/uploads/?mount={digest}&from=red/a")).await;
        let id = |answer: &Answer| answer.header("docker-upload-uuid").to_owned();
        let mounts = [&mount, &from].map(|it| format!("{:?}", told(it)).replace(&id(it), ""));
        answers.push((answer.code(), mounts));
    }
    assert_eq!(answers[0], answers[1]);
    // Pages of the catalog begin and end with names the caller may see.
    let (mut path, mut seen) = ("/v2/_catalog?n=1".to_owned(), Vec::new());
    loop {
        let page = blue.fetch(&path).await;
        seen.extend(page.json()["repositories"].as_array().unwrap().clone());
        assert!(!page.header("link").contains("red"), "{}", page.header("link"));
        let Some((next, _)) = page.header("link").split_once('>') else { break };
        path = next.trim_start_matches('<').to_owned();
    }
    assert_eq!(seen, ["blue/b", "blue/d"]);
    let after = blue.fetch("/v2/_catalog?last=red/a").await;
    assert_eq!((after.json()["repositories"].clone(), after.header("link")), (serde_json::json!([]), ""));
}

/// CVE-2026-35172: what was deleted in one place must not come back out of a memory filled in another.
#[tokio::test]
async fn what_is_deleted_in_one_repository_stays_deleted_there() {
    let registry = Setup::mutual("required", TEAMS).start();
    let (red, _) = teams(&registry);
    let image = Image::new("deleted", 100);
    let (layer, digest) = (digest_of(&image.layer), image.digest());
    for name in ["red/a", "red/b"] {
        assert_eq!(red.push(name, "1", &image).await.unwrap(), StatusCode::CREATED);
        red.pull(name, "1", &image).await;
    }
    // A blob is deleted after the manifest that names it: before, the answer is 405.
    for path in [format!("manifests/{digest}"), format!("blobs/{layer}")] {
        assert_eq!(red.ask("DELETE", &format!("/v2/red/a/{path}")).await.status, StatusCode::ACCEPTED);
        for _ in 0..3 {
            for (name, status) in [("red/b", StatusCode::OK), ("red/a", StatusCode::NOT_FOUND)] {
                for method in ["HEAD", "GET"] {
                    let answer = red.ask(method, &format!("/v2/{name}/{path}")).await;
                    assert_eq!(answer.status, status, "{method} {path} in {name}");
                }
            }
        }
    }
    assert_eq!(red.fetch("/v2/red/a/manifests/1").await.status, StatusCode::NOT_FOUND);
    red.pull("red/b", "1", &image).await;
}

/// A rule about a tag holds for each way to write it.
#[tokio::test]
async fn every_route_that_writes_a_tag_obeys_the_policy() {
    let image = Image::new("ways", 50);
    let digest = image.digest();
    let headers = [("content-type", Image::MEDIA_TYPE)];
    for rule in ["request.tag == 'release'", "request.reference == 'release'", "'release' in request.tags"] {
        let rule = format!("request.action == 'put-manifest' && {rule}");
        let rest = format!("[global.access_policy]\ndefault = \"allow\"\nrules = [\"{rule}\"]\n");
        let registry = Setup::plain(&rest).start();
        let client = registry.plain_client();
        assert_eq!(client.push("ways", "other", &image).await.unwrap(), StatusCode::CREATED, "{rule}");
        for (reference, status) in [
            ("release".to_owned(), 403),
            (format!("{digest}?tag=release"), 403),
            (format!("{digest}?tag=other&tag=release"), 403),
            (format!("{digest}?tag=release&tag=other"), 403),
            (format!("{digest}?tag=%72elease"), 403),
            ("other?tag=release".to_owned(), 400),
            (format!("{digest}?tag=other&tag=another"), 201),
        ] {
            let path = format!("/v2/ways/manifests/{reference}");
            let answer = client.send("PUT", &path, &headers, image.manifest.clone()).await.unwrap();
            assert_eq!(answer.status.as_u16(), status, "{rule}: {reference}");
        }
        assert_eq!(client.fetch("/v2/ways/manifests/release").await.status, StatusCode::NOT_FOUND, "{rule}");
    }
}
