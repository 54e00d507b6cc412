//! Changes that are asked about right before they are committed.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use angos_oci::{MediaType, Reference, Tag};
use angos_registry::limits::TAGS_PER_BATCH;
use angos_registry::{Approval, Body, BodyError, PutManifest, Registry, Settings};
use bytes::Bytes;

use crate::harness::*;

/// Allows every change except those of some tags, or none at all, and remembers what it was asked.
#[derive(Debug, Default)]
struct Rules {
    denies_all: bool,
    kept: Vec<Tag>,
    asked: Mutex<Vec<Vec<Tag>>>,
    /// Done once, with the first question: what happens between a question and its commit.
    meanwhile: Mutex<Option<(Registry, Reference, Bytes)>>,
    /// The media type of what is pushed then, if it is not that of an image.
    media_type: Option<&'static str>,
}

impl Approval for Rules {
    fn approve<'a>(&'a self, tags: &'a [Tag]) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        Box::pin(async move {
            self.asked.lock().unwrap().push(tags.to_vec());
            let meanwhile = self.meanwhile.lock().unwrap().take();
            if let Some((registry, reference, bytes)) = meanwhile {
                match self.media_type {
                    Some(media_type) => put_as(&registry, &reference, media_type, &bytes).await.unwrap(),
                    None => drop(put(&registry, &name("a"), &reference, &bytes).await.unwrap()),
                }
            }
            !self.denies_all && !tags.iter().any(|tag| self.kept.contains(tag))
        })
    }
}

/// A body whose sender is denied after the first chunk.
struct Withdrawn(u8);

impl Body for Withdrawn {
    async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        self.0 += 1;
        Some(if self.0 == 1 { Ok(Bytes::from_static(b"first")) } else { Err(BodyError::NotApproved) })
    }
}

/// Everything at rest but the secret of uploads.
async fn at_rest(bench: &Bench) -> (Vec<(Vec<u8>, Bytes)>, usize) {
    let all = bench.storage.metadata.scan(b"", None, 10_000).await.unwrap();
    let known = all.into_iter().map(|entry| (entry.key.to_vec(), entry.value));
    // A candidate for collection is no effect that anybody sees.
    let known = known.filter(|(key, _)| !key.starts_with(b"k") && !key.starts_with(b"q")).collect();
    (known, bench.storage.blobs.sessions(None, 100).await.unwrap().len())
}

#[tokio::test]
async fn nothing_is_committed_without_a_yes() {
    for bench in engines(&sparse()) {
        let (open, a) = (&bench.registry, name("a"));
        let (old, new) = (image("old"), image("new"));
        put(open, &a, &reference("v1"), &old).await.unwrap();
        let digest = push_blob(open, &a, b"blob").await;
        let id = open.start_upload(&a, None).await.unwrap();
        append(open, &a, &id, b"so far").await.unwrap();
        let fresh = open.start_upload(&a, None).await.unwrap();
        let before = at_rest(&bench).await;
        let no = open.approved_by(Arc::new(Rules { denies_all: true, ..Rules::default() }));
        let by_digest = Reference::Digest(sha256(&old));
        assert_eq!(refusal(put(&no, &a, &reference("v1"), &new).await), "NotApproved");
        assert_eq!(refusal(put(&no, &name("b"), &reference("v1"), &new).await), "NotApproved");
        assert_eq!(refusal(no.delete_manifest(&a, &reference("v1")).await), "NotApproved");
        assert_eq!(refusal(no.delete_manifest(&a, &by_digest).await), "NotApproved");
        assert_eq!(refusal(no.delete_blob(&a, &digest).await), "NotApproved");
        assert_eq!(refusal(no.mount_blob(&a, &name("b"), &digest).await), "NotApproved");
        let pushed = no.push_blob(&a, &sha256(b"more"), None, Some(Bytes::from_static(b"more"))).await;
        assert_eq!(refusal(pushed), "NotApproved");
        assert_eq!(refusal(append(&no, &a, &id, b", more").await), "NotApproved");
        assert_eq!(refusal(no.cancel_upload(&a, &id).await), "NotApproved");
        assert_eq!(open.upload_progress(&a, &id).await.unwrap(), 6);
        assert_eq!(refusal(complete(&no, &a, &fresh, &sha256(b"x"), b"x").await), "NotApproved");
        assert!(at_rest(&bench).await == before, "a change without a yes");
        check_rules(&bench.storage).await;
    }
}

#[tokio::test]
async fn what_a_denied_sender_sent_is_not_kept() {
    let bench = Bench::memory(Settings::default());
    let (registry, a) = (&bench.registry, name("a"));
    let id = registry.start_upload(&a, None).await.unwrap();
    append(registry, &a, &id, b"so far").await.unwrap();
    let update = registry.update_upload(&a, &id, None, None, Withdrawn(0)).await;
    assert_eq!(update.unwrap_err().code().unwrap().as_str(), "DENIED");
    assert_eq!(registry.upload_progress(&a, &id).await.unwrap(), 6);
    let digest = sha256(b"so farfirst");
    assert!(registry.complete_upload(&a, &id, &digest, None, None, Withdrawn(0)).await.is_err());
    assert_eq!(registry.upload_progress(&a, &id).await.unwrap(), 6);
}

#[tokio::test]
async fn each_tag_that_goes_with_a_digest_is_asked_about() {
    for count in [1, 3, TAGS_PER_BATCH - 1, TAGS_PER_BATCH, 2 * TAGS_PER_BATCH + 7] {
        for kept in [None, Some(0), Some(count - 1)] {
            let bench = Bench::memory(sparse());
            let (registry, a, bytes) = (&bench.registry, name("a"), image("tagged"));
            let tags: Vec<Tag> = (0..count).map(|number| tag(&format!("t{number:05}"))).collect();
            let digest = Reference::Digest(sha256(&bytes));
            for some in tags.chunks(10) {
                put_tags(registry, &a, &digest, some, &bytes).await.unwrap();
            }
            let kept: Vec<Tag> = kept.into_iter().map(|index: usize| tags[index].clone()).collect();
            let rules = Arc::new(Rules { kept: kept.clone(), ..Rules::default() });
            let outcome = registry.approved_by(rules.clone()).delete_manifest(&a, &digest).await;
            let left = registry.list_tags(&a, None, None).await.unwrap().items;
            if kept.is_empty() {
                outcome.unwrap();
                assert!(left.is_empty());
                let asked: BTreeSet<Tag> = rules.asked.lock().unwrap().concat().into_iter().collect();
                assert_eq!(asked.into_iter().collect::<Vec<_>>(), tags);
            } else {
                assert_eq!(refusal(outcome), "NotApproved");
                assert_eq!(left, tags, "not even those before it are gone");
            }
            check_rules(&bench.storage).await;
        }
    }
}

/// The tags that were asked about are the tags that go.
#[tokio::test]
async fn a_tag_that_appears_after_the_question_is_asked_about_too() {
    let bench = Bench::memory(sparse());
    let (registry, a, bytes) = (&bench.registry, name("a"), image("tagged"));
    put(registry, &a, &reference("free"), &bytes).await.unwrap();
    let rules = Rules { kept: vec![tag("kept")], ..Rules::default() };
    *rules.meanwhile.lock().unwrap() = Some((registry.clone(), reference("kept"), bytes.clone()));
    let rules = Arc::new(rules);
    let digest = Reference::Digest(sha256(&bytes));
    let outcome = registry.approved_by(rules.clone()).delete_manifest(&a, &digest).await;
    assert_eq!(refusal(outcome), "NotApproved");
    assert_eq!(*rules.asked.lock().unwrap(), [vec![tag("free")], vec![tag("free"), tag("kept")]]);
    assert_eq!(registry.list_tags(&a, None, None).await.unwrap().items, [tag("free"), tag("kept")]);
}

/// Pushes `bytes` to repository `a` as `media_type`.
async fn put_as(
    registry: &Registry,
    reference: &Reference,
    media_type: &'static str,
    bytes: &Bytes,
) -> angos_registry::Result<()> {
    let media_type: MediaType = media_type.parse().unwrap();
    let bytes = bytes.clone();
    let put = PutManifest { reference, tags: &[], media_type: Some(&media_type), bytes };
    registry.put_manifest(&name("a"), put).await.map(drop)
}

/// A pull by tag says which media type the manifest was pushed as.
#[tokio::test]
async fn another_media_type_is_a_change_of_every_tag() {
    let bytes = Bytes::from_static(br#"{"schemaVersion":2,"manifests":[]}"#);
    let push = async |registry: &Registry, reference: &Reference, media_type: &'static str| {
        put_as(registry, reference, media_type, &bytes).await
    };
    for immutable in [false, true] {
        let mut settings = sparse();
        settings.immutable_tags = immutable;
        let bench = Bench::memory(settings);
        let registry = &bench.registry;
        push(registry, &reference("kept"), MediaType::OCI_INDEX).await.unwrap();
        let denied = if immutable { vec![] } else { vec![tag("kept")] };
        let rules = Arc::new(Rules { kept: denied, ..Rules::default() });
        let registry = registry.approved_by(rules.clone());
        let expected = if immutable { "TagImmutable" } else { "NotApproved" };
        for reference in [Reference::Digest(sha256(&bytes)), reference("other")] {
            push(&registry, &reference, MediaType::OCI_INDEX).await.unwrap();
            registry.delete_manifest(&name("a"), &crate::harness::reference("other")).await.ok();
            rules.asked.lock().unwrap().clear();
            assert_eq!(refusal(push(&registry, &reference, MediaType::DOCKER_LIST).await), expected);
            assert!(rules.asked.lock().unwrap()[0].contains(&tag("kept")));
        }
        let found = registry.manifest(&name("a"), &reference("kept")).await.unwrap();
        assert_eq!(found.media_type.as_str(), MediaType::OCI_INDEX);
    }
}

/// Two pushes of one digest meet: the later commit must not change the media type of the other one's tag unasked.
#[tokio::test]
async fn another_media_type_that_appears_after_the_question_is_asked_about_too() {
    let bytes = Bytes::from_static(br#"{"schemaVersion":2,"manifests":[]}"#);
    for exists in [false, true] {
        let bench = Bench::memory(sparse());
        let registry = &bench.registry;
        if exists {
            put_as(registry, &reference("old"), MediaType::DOCKER_LIST, &bytes).await.unwrap();
        }
        let rules =
            Rules { kept: vec![tag("kept")], media_type: Some(MediaType::OCI_INDEX), ..Rules::default() };
        *rules.meanwhile.lock().unwrap() = Some((registry.clone(), reference("kept"), bytes.clone()));
        let approved = registry.approved_by(Arc::new(rules));
        let outcome = put_as(&approved, &reference("other"), MediaType::DOCKER_LIST, &bytes).await;
        assert_eq!(refusal(outcome), "NotApproved", "{exists}");
        let found = registry.manifest(&name("a"), &reference("kept")).await.unwrap();
        assert_eq!(found.media_type.as_str(), MediaType::OCI_INDEX, "{exists}");
        assert!(registry.manifest(&name("a"), &reference("other")).await.is_err(), "{exists}");
    }
}
