//! Requests whose permission ends while they run, and tags that change by way of something else.

use std::collections::HashSet;

use angos_access::AccessPolicies;
use angos_oci::{MediaType, Name, Reference, Tag};
use angos_policy::{DefaultDecision, Policy, RuleSource};
use angos_registry::{PutManifest, StoredManifest};
use hyper::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::access::{RIGHT, credentials};
use super::*;
use crate::route::registry_operation;
use angos_access::Action;
use angos_auth::{Credentials, PasswordHash};

const PATIENCE: Duration = Duration::from_secs(30);

/// An index without a media type, so that its pusher chooses one.
fn index(note: usize) -> Bytes {
    format!(r#"{{"schemaVersion":2,"manifests":[],"annotations":{{"note":"{note}"}}}}"#).into()
}

/// Everything to the user `admin`.
fn admins(credentials: Credentials) -> Access {
    let rules = ["identity.username == 'admin'"];
    Access {
        policies: AccessPolicies { global: Some(policy(&rules)), ..AccessPolicies::default() },
        credentials,
    }
}

fn changed_password() -> Credentials {
    let hash: PasswordHash =
        "$2b$04$bbcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW".parse().expect("a hash");
    Credentials::builder().add("admin-entry", "admin", hash).build()
}

/// A request that has sent half of its body, of which the server has read some.
struct Half {
    stream: TcpStream,
    rest: Bytes,
}

impl Half {
    async fn send(server: &Running, method: &str, target: &str, body: &Bytes) -> Self {
        let received = || server.handle.server.metrics.received_bytes.get();
        let before = received();
        let mut stream = TcpStream::connect(server.address).await.expect("the server listens");
        let (name, value) = RIGHT;
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: a\r\n{name}: {value}\r\ncontent-type: {}\r\ncontent-length: {}\r\n\r\n",
            MediaType::OCI_INDEX,
            body.len()
        );
        let first = body.slice(..body.len() / 2);
        stream.write_all(&[head.as_bytes(), &first].concat()).await.expect("written");
        let read = async {
            while received() < before + first.len() as u64 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, read).await.expect("the server reads the body");
        Self { stream, rest: body.slice(first.len()..) }
    }

    /// Sends the rest; the status of the answer.
    async fn finish(mut self) -> u16 {
        self.stream.write_all(&self.rest).await.expect("written");
        let mut line = [0; 12];
        tokio::time::timeout(PATIENCE, self.stream.read_exact(&mut line))
            .await
            .expect("soon")
            .expect("an answer");
        String::from_utf8_lossy(&line)
            .rsplit(' ')
            .next()
            .and_then(|word| word.parse().ok())
            .expect("a status")
    }
}

/// What changes while a body is on its way, and the status that follows; `None`: that of success.
type Change = (&'static str, fn() -> Access, Option<u16>);

const CHANGES: [Change; 4] = [
    ("the same again", || admins(credentials()), None),
    ("the user is removed", || admins(Credentials::default()), Some(401)),
    ("the password changes", || admins(changed_password()), Some(401)),
    ("the rule is gone", || Access { credentials: credentials(), ..Access::default() }, Some(403)),
];

#[tokio::test]
async fn a_body_does_not_outlive_its_permission() {
    let body = index(0);
    let digest = Digest::of(Algorithm::Sha256, &body);
    for (change, access, denied) in CHANGES {
        for (method, route, success) in [
            ("PUT", "/v2/a/manifests/v1", 201),
            ("POST", "/v2/a/blobs/uploads/?digest=", 201),
            ("PATCH", "upload", 202),
            ("PUT", "upload?digest=", 201),
        ] {
            let server = start(settings(), admins(credentials()));
            let upload = server.send("POST", "/v2/a/blobs/uploads/", &[RIGHT], "").await;
            let upload = upload.header("location").to_owned();
            let target = route
                .replace("upload?", &format!("{upload}?"))
                .replace("digest=", &format!("digest={digest}"));
            let target = if route == "upload" { upload.clone() } else { target };
            let half = Half::send(&server, method, &target, &body).await;
            server.handle.replace_access(access());
            let status = half.finish().await;
            assert_eq!(status, denied.unwrap_or(success), "{change}: {method} {route}");
            server.handle.replace_access(open());
            let manifest = server.get("/v2/a/manifests/v1").await.status;
            let blob = server.get(&format!("/v2/a/blobs/{digest}")).await.status;
            let progress = server.get(&upload).await;
            let held = match progress.header("range") {
                "0-0" => 0,
                _ => usize::from(progress.status == 204),
            };
            let found = (manifest, blob, held);
            let expected = match (denied, route) {
                (Some(_), _) => (404, 404, 0),
                (None, "/v2/a/manifests/v1") => (200, 404, 0),
                (None, "upload") => (404, 404, 1),
                (None, _) => (404, 200, 0),
            };
            assert_eq!(found, expected, "{change}: {method} {route}");
        }
    }
}

/// Deterministic, so that a failure can be run again.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % bound
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

const TAGS: [&str; 4] = ["t0", "t1", "t2", "t3"];

/// Four ways to write that some tags stay as they are, two in each mode.
fn rules(variant: usize, kept: &[&str]) -> AccessPolicy {
    let kept = format!("{kept:?}").replace('"', "'");
    let (default, rule) = match variant {
        0 => (DefaultDecision::Deny, format!("request.method == 'GET' || !(request.tag in {kept})")),
        1 => (DefaultDecision::Deny, format!("request.tags.all(t, !(t in {kept}))")),
        2 => (DefaultDecision::Allow, format!("request.method != 'GET' && request.tag in {kept}")),
        _ => (DefaultDecision::Allow, format!("request.tags.exists(t, t in {kept})")),
    };
    Policy::compile(&environment(), default, &[RuleSource::from(&*rule)]).expect("a sound rule").into()
}

/// A request of any kind about the manifests and tags there are.
async fn request(server: &Running, random: &mut Random) -> (&'static str, String, &'static str, Bytes) {
    let registry = &server.handle.server.registry;
    let name: Name = "a".parse().expect("a name");
    let body = index(random.below(3));
    let digest = Digest::of(Algorithm::Sha256, &body);
    let (tag, other) = (*random.pick(&TAGS), *random.pick(&TAGS));
    let media_type = *random.pick(&[MediaType::OCI_INDEX, MediaType::DOCKER_LIST]);
    let id = registry.start_upload(&name, None).await.expect("an upload");
    let upload = format!("/v2/a/blobs/uploads/{id}");
    let (method, target) = match random.below(26) {
        0..=2 => ("PUT", format!("/v2/a/manifests/{tag}")),
        3..=5 => ("PUT", format!("/v2/a/manifests/{digest}")),
        6..=8 => ("PUT", format!("/v2/a/manifests/{digest}?tag={tag}&tag={other}")),
        9..=10 => ("DELETE", format!("/v2/a/manifests/{tag}")),
        11..=13 => ("DELETE", format!("/v2/a/manifests/{digest}")),
        14 => ("DELETE", format!("/v2/a/blobs/{digest}")),
        15 => ("POST", format!("/v2/a/blobs/uploads/?digest={digest}")),
        16 => ("POST", format!("/v2/a/blobs/uploads/?mount={digest}&from=b")),
        17 => ("POST", format!("/v2/a/blobs/uploads/?mount={digest}")),
        18 => ("POST", "/v2/a/blobs/uploads/".to_owned()),
        19 => ("PATCH", upload),
        20 => ("PUT", format!("{upload}?digest={digest}")),
        21 => ("DELETE", upload),
        22 => ("GET", upload),
        23 => ("GET", format!("/v2/a/manifests/{tag}")),
        24 => ("GET", format!("/v2/a/blobs/{digest}")),
        _ => {
            ("GET", random.pick(&["/v2/a/tags/list".to_owned(), format!("/v2/a/referrers/{digest}")]).clone())
        }
    };
    let has_body = matches!(method, "PUT" | "PATCH") || target.contains("?digest");
    (method, target, media_type, if has_body { body } else { Bytes::new() })
}

/// What a tag gives its clients.
async fn pulled(server: &Running, tag: &str) -> Option<StoredManifest> {
    let tag: Tag = tag.parse().expect("a tag");
    server.handle.server.registry.manifest(&"a".parse().expect("a name"), &Reference::Tag(tag)).await.ok()
}

#[tokio::test]
async fn no_route_changes_a_tag_that_its_rules_forbid() {
    let mut random = Random(7);
    let (mut actions, mut changes, mut denials) = (HashSet::new(), 0, 0);
    for round in 0..60 {
        let mut settings = settings();
        settings.registry.require_references = false;
        let server = start(settings, open());
        server.push_blob("b", &index(0)).await;
        for tag in TAGS {
            if random.below(5) == 0 {
                continue;
            }
            let (bytes, media_type) =
                (index(random.below(3)), MediaType::OCI_INDEX.parse().expect("a media type"));
            let reference = Reference::Tag(tag.parse().expect("a tag"));
            let put = PutManifest { reference: &reference, tags: &[], media_type: Some(&media_type), bytes };
            let name = "a".parse().expect("a name");
            server.handle.server.registry.put_manifest(&name, put).await.expect("stored");
        }
        let (kept, free) = TAGS.split_at(1 + random.below(3));
        let global = Some(rules(round % 4, kept));
        server.handle.replace_access(AccessPolicies { global, ..AccessPolicies::default() }.into());
        for _ in 0..15 {
            let mut before = Vec::new();
            for tag in TAGS {
                before.push(pulled(&server, tag).await);
            }
            let (method, target, media_type, body) = request(&server, &mut random).await;
            let status = server.send(method, &target, &[("content-type", media_type)], body).await.status;
            let (path, query) = target.split_once('?').unwrap_or((&target, ""));
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            actions.insert(registry_operation(&method, path, Some(query)).expect("an operation").action());
            denials += usize::from(status == 403);
            for (tag, before) in TAGS.iter().zip(before) {
                let now = pulled(&server, tag).await;
                changes += usize::from(free.contains(tag) && now != before);
                assert!(
                    !kept.contains(tag) || now == before,
                    "{tag} changed by {method} {target}, policy {}",
                    round % 4
                );
            }
        }
    }
    assert!(changes > 50 && denials > 50, "{changes} changes and {denials} denials say little");
    let all = Action::ALL.into_iter().filter(|action| action.is_in_repository());
    assert!(
        all.clone().all(|action| actions.contains(&action)),
        "{actions:?} of {:?}",
        all.collect::<Vec<_>>()
    );
}

/// A credential is the same as long as its entry, user name and hash are.
#[test]
fn a_credential_is_retained_with_its_hash() {
    let caller = |credential: Option<(&str, &str)>| {
        let credential = credential.map(|(id, username)| {
            std::sync::Arc::new(angos_identity::Credential { id: id.into(), username: username.into() })
        });
        angos_identity::Identity::new([127, 0, 0, 1].into(), None, credential)
    };
    let check = |new: &Credentials, credential, expected: bool| {
        assert_eq!(new.retains(&credentials(), &caller(credential)), expected, "{credential:?}");
    };
    let right = Some(("admin-entry", "admin"));
    check(&credentials(), right, true);
    check(&credentials(), None, true);
    check(&Credentials::default(), None, true);
    check(&Credentials::default(), right, false);
    check(&changed_password(), right, false);
    check(&credentials(), Some(("admin-entry", "root")), false);
    check(&credentials(), Some(("other-entry", "admin")), false);
}
