//! Immutable tags, on every route that can move one.

use angos_oci::{Reference, Tag};
use angos_registry::{Error, Registry, Result, Settings, TagPatterns};
use bytes::Bytes;

use crate::harness::*;

fn immutable() -> Settings {
    let mut settings = sparse();
    settings.immutable_tags = true;
    settings.immutable_tags_exclusions = TagPatterns::new(["latest", "dev-.*"]).unwrap();
    settings
}

/// The routes by which a push sets a tag.
#[derive(Debug, Clone, Copy)]
enum Route {
    Tag,
    QueryOfDigest,
    QueryOfTag,
    QueryAmongOthers,
}

async fn set(registry: &Registry, route: Route, target: &Tag, bytes: &Bytes) -> Result<()> {
    let digest: Reference = sha256(bytes).to_string().parse().unwrap();
    let fresh = |name: &str| tag(&format!("dev-{name}-{target}"));
    let (reference, tags) = match route {
        Route::Tag => (Reference::Tag(target.clone()), vec![]),
        Route::QueryOfDigest => (digest, vec![target.clone()]),
        Route::QueryOfTag => (Reference::Tag(fresh("q")), vec![target.clone()]),
        Route::QueryAmongOthers => (digest, vec![fresh("a"), target.clone(), fresh("z")]),
    };
    put_tags(registry, &name("a"), &reference, &tags, bytes).await.map(drop)
}

#[tokio::test]
async fn no_route_moves_an_immutable_tag() {
    let routes = [Route::Tag, Route::QueryOfDigest, Route::QueryOfTag, Route::QueryAmongOthers];
    for first in routes {
        for second in routes {
            // An exclusion covers whole tags: those that merely contain one stay where they are.
            for (tag_text, moves) in [
                ("v1", false),
                ("latest", true),
                ("dev-1", true),
                ("latest-1", false),
                ("my-latest", false),
                ("undev-1", false),
                ("LATEST", false),
                ("_", false),
            ] {
                let bench = Bench::memory(immutable());
                let (registry, target) = (&bench.registry, tag(tag_text));
                let (old, new) = (image("old"), image("new"));
                set(registry, first, &target, &old).await.unwrap();
                // The same content again is no overwrite.
                set(registry, second, &target, &old).await.unwrap();
                let outcome = set(registry, second, &target, &new).await;
                let expected = if moves { &new } else { &old };
                if moves {
                    outcome.unwrap();
                } else {
                    let error = outcome.unwrap_err();
                    assert!(matches!(&error, Error::TagImmutable { tag } if *tag == target), "{error}");
                    assert_eq!(error.code().unwrap().as_str(), "DENIED");
                    let by_digest = sha256(&new).to_string().parse().unwrap();
                    let gone = registry.manifest(&name("a"), &by_digest).await;
                    assert_eq!(refusal(gone), "ManifestUnknown", "a refused push leaves nothing");
                }
                let found = registry.manifest(&name("a"), &Reference::Tag(target)).await.unwrap();
                assert_eq!(found.bytes.as_ref(), Some(expected), "{first:?} then {second:?} on {tag_text}");
                check_rules(&bench.storage).await;
            }
        }
    }
}

#[tokio::test]
async fn an_immutable_tag_is_deleted_only_where_that_is_configured() {
    for deletable in [false, true] {
        for by_digest in [false, true] {
            let mut settings = immutable();
            settings.immutable_tags_deletable = deletable;
            let bench = Bench::memory(settings);
            let (registry, name, old) = (&bench.registry, name("a"), image("old"));
            put(registry, &name, &reference("v1"), &old).await.unwrap();
            put(registry, &name, &reference("latest"), &old).await.unwrap();
            let target = if by_digest { Reference::Digest(sha256(&old)) } else { reference("v1") };
            let outcome = registry.delete_manifest(&name, &target).await;
            if deletable {
                outcome.unwrap();
                put(registry, &name, &reference("v1"), &image("new")).await.unwrap();
            } else {
                let error = outcome.unwrap_err();
                assert!(matches!(&error, Error::TagUndeletable { tag } if tag.as_ref() == "v1"), "{error}");
                assert_eq!(error.code().unwrap().as_str(), "DENIED");
                put(registry, &name, &reference("latest"), &image("new")).await.unwrap();
            }
            // What is excluded can go by itself.
            put(registry, &name, &reference("latest"), &old).await.unwrap();
            registry.delete_manifest(&name, &reference("latest")).await.unwrap();
            let expected = if deletable { image("new") } else { old };
            let found = registry.manifest(&name, &reference("v1")).await.unwrap();
            assert_eq!(found.bytes, Some(expected), "deletable {deletable}, by digest {by_digest}");
            check_rules(&bench.storage).await;
        }
    }
}
