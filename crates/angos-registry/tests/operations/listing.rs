//! Tag lists and the catalog, page by page.

use angos_registry::Settings;

use crate::harness::*;

#[tokio::test]
async fn tags_are_listed_in_byte_order() {
    for bench in engines(&sparse()) {
        let (registry, name) = (&bench.registry, name("a"));
        let unordered = ["b", "a", "B", "_", "10", "2", "a.b", "a-b", "aa"];
        for text in unordered {
            put(registry, &name, &reference(text), &image("1")).await.unwrap();
        }
        put(registry, &crate::harness::name("a/b"), &reference("other"), &image("1")).await.unwrap();
        put(registry, &crate::harness::name("a-b"), &reference("other"), &image("1")).await.unwrap();
        let check = async |n, last, expected: &[&str], has_more: bool| {
            let page = registry.list_tags(&name, n, last).await.unwrap();
            assert_eq!(page.items, expected, "{n:?} {last:?}");
            let next = has_more.then(|| page.items.last().unwrap().clone());
            assert_eq!(page.next, next, "{n:?} {last:?}");
        };
        let all = ["10", "2", "B", "_", "a", "a-b", "a.b", "aa", "b"];
        check(None, None, &all, false).await;
        check(Some(usize::MAX), None, &all, false).await;
        check(Some(9), None, &all, false).await;
        check(Some(8), None, &all[..8], true).await;
        check(Some(0), None, &[], false).await;
        check(Some(3), Some("B"), &all[3..6], true).await;
        check(Some(3), Some("aa"), &all[8..], false).await;
        check(None, Some("b"), &[], false).await;
        // The last tag a client saw need not be there any more, nor be a tag at all.
        check(Some(1), Some("3"), &all[2..3], true).await;
        check(None, Some(""), &all, false).await;
        check(None, Some("\u{10FFFF}\0/../"), &[], false).await;
    }
}

#[tokio::test]
async fn a_name_is_known_from_its_first_content_on() {
    let bench = Bench::memory(sparse());
    let registry = &bench.registry;
    let known = async |text: &str| match registry.list_tags(&name(text), None, None).await {
        Ok(page) => page.items.is_empty(),
        Err(error) => {
            assert_eq!(error.code().unwrap().as_str(), "NAME_UNKNOWN");
            false
        }
    };
    assert!(!known("a").await);
    let id = registry.start_upload(&name("a"), None).await.unwrap();
    append(registry, &name("a"), &id, b"x").await.unwrap();
    assert!(!known("a").await, "nothing is complete");
    complete(registry, &name("a"), &id, &sha256(b"x"), b"").await.unwrap();
    assert!(known("a").await);
    let by_digest = sha256(&image("1")).to_string().parse().unwrap();
    put(registry, &name("b"), &by_digest, &image("1")).await.unwrap();
    assert!(known("b").await);
    registry.delete_manifest(&name("b"), &by_digest).await.unwrap();
    assert!(known("b").await, "a name stays");
    assert!(!known("c").await);
    registry.mount_blob(&name("a"), &name("c"), &sha256(b"x")).await.unwrap();
    assert!(known("c").await);
}

#[tokio::test]
async fn the_catalog_lists_names_in_byte_order() {
    for bench in engines(&Settings::default()) {
        let registry = &bench.registry;
        assert_eq!(registry.catalog(None, 10).await.unwrap(), Vec::<angos_oci::Name>::new());
        for text in ["b", "a/b", "a", "a-b", "c/d/e"] {
            push_blob(registry, &name(text), b"x").await;
        }
        let check = async |after, limit, expected: &[&str]| {
            let names = registry.catalog(after, limit).await.unwrap();
            assert_eq!(names, expected, "{after:?} {limit}");
        };
        let all = ["a", "a-b", "a/b", "b", "c/d/e"];
        check(None, usize::MAX, &all).await;
        check(None, 0, &[]).await;
        check(None, 2, &all[..2]).await;
        check(Some("a-b"), 2, &all[2..4]).await;
        check(Some("a-c"), 9, &all[2..]).await;
        check(Some("zzz"), 9, &[]).await;
        check(Some("../"), 9, &all).await;
    }
}

#[tokio::test]
async fn a_page_is_read_in_pieces() {
    for bench in engines(&sparse()) {
        let (registry, name) = (&bench.registry, name("a"));
        let by_digest = sha256(&image("1")).to_string().parse().unwrap();
        for page in 0..4 {
            let tags: Vec<_> = (0..100).map(|n| tag(&format!("{page}-{n:02}"))).collect();
            put_tags(registry, &name, &by_digest, &tags, &image("1")).await.unwrap();
        }
        let all = registry.list_tags(&name, None, None).await.unwrap().items;
        assert_eq!(all.len(), 400);
        // The bytes of a piece, the tags of a page, the tags held at first.
        for (bytes, n, first) in [(0, 350, 1), (4, 7, 1), (400, 400, 100), (1000, 350, 250), (1600, 400, 400)]
        {
            let mut page = registry.begin_tags(&name, Some(n), None, bytes).await.unwrap();
            assert_eq!((page.items.len(), page.rest.is_some()), (first, first < n), "{bytes}");
            assert_eq!(page.next.is_some(), n < 400, "{bytes}");
            while let Some(rest) = page.rest.take() {
                let (tags, rest) = registry.more_tags(&name, rest, bytes).await.unwrap();
                assert!(tags.len() <= (bytes / 4).max(1), "{bytes}");
                page.items.extend(tags);
                page.rest = rest;
            }
            assert_eq!(page.items, all[..n], "{bytes}");
            assert_eq!(page.next.as_ref(), all.get(n).and(all.get(n - 1)), "{bytes}");
        }
        // What is deleted or added meanwhile does not lead past the end of the page.
        let page = registry.begin_tags(&name, Some(200), None, 0).await.unwrap();
        registry.delete_manifest(&name, &reference("1-99")).await.unwrap();
        put(registry, &name, &reference("1-99x"), &image("1")).await.unwrap();
        let (tags, rest) = registry.more_tags(&name, page.rest.unwrap(), usize::MAX).await.unwrap();
        assert_eq!((tags.as_slice(), rest), (&all[1..199], None));
    }
}
