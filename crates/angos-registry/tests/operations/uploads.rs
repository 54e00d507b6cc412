//! Upload sessions: every way to the end, and every way out.

use angos_oci::{Algorithm, ContentRange, Name, UploadId};
use angos_registry::{BodyError, Error, Registry, Settings};
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::harness::*;

async fn start(registry: &Registry, name: &Name) -> UploadId {
    registry.start_upload(name, None).await.unwrap()
}

fn range(start: u64, end: u64) -> Option<ContentRange> {
    ContentRange::new(start, end)
}

#[tokio::test]
async fn chunks_then_an_empty_end() {
    for bench in engines(&Settings::default()) {
        let (registry, name) = (&bench.registry, name("a"));
        let id = start(registry, &name).await;
        assert_eq!(registry.upload_progress(&name, &id).await.unwrap(), 0);
        assert_eq!(append(registry, &name, &id, b"con").await.unwrap(), 3);
        assert_eq!(append(registry, &name, &id, b"").await.unwrap(), 3);
        assert_eq!(append(registry, &name, &id, b"tent").await.unwrap(), 7);
        assert_eq!(registry.upload_progress(&name, &id).await.unwrap(), 7);
        let digest = sha256(b"content");
        assert_eq!(refusal(registry.blob(&name, &digest).await), "BlobUnknown", "not before the end");
        complete(registry, &name, &id, &digest, b"").await.unwrap();
        assert_eq!(read_blob(registry, &name, &digest).await.unwrap(), b"content");
        check_over(registry, &name, &id).await;
        check_rules(&bench.storage).await;
        assert_eq!(count(&bench.storage, b"u").await + count(&bench.storage, b"e").await, 0);
    }
}

/// A session that is over answers alike on every route.
async fn check_over(registry: &Registry, name: &Name, id: &UploadId) {
    let digest = sha256(b"late");
    assert_eq!(refusal(registry.upload_progress(name, id).await), "UploadUnknown");
    assert_eq!(refusal(append(registry, name, id, b"late").await), "UploadUnknown");
    assert_eq!(refusal(complete(registry, name, id, &digest, b"late").await), "UploadUnknown");
    assert_eq!(refusal(registry.cancel_upload(name, id).await), "UploadUnknown");
}

#[tokio::test]
async fn the_whole_content_in_the_end() {
    for bench in engines(&Settings::default()) {
        let (registry, name) = (&bench.registry, name("a"));
        for digest in [sha256(b"content"), sha512(b"content")] {
            let id = start(registry, &name).await;
            complete(registry, &name, &id, &digest, b"content").await.unwrap();
            assert_eq!(read_blob(registry, &name, &digest).await.unwrap(), b"content");
            check_over(registry, &name, &id).await;
        }
        assert_eq!(count(&bench.storage, b"u").await, 0, "no session was recorded");
    }
}

#[tokio::test]
async fn any_algorithm_at_the_start_and_at_the_end() {
    for bench in engines(&Settings::default()) {
        let (registry, name) = (&bench.registry, name("a"));
        for algorithm in [None, Some(Algorithm::Sha256), Some(Algorithm::Sha512)] {
            for digest in [sha256(b"content"), sha512(b"content")] {
                let id = registry.start_upload(&name, algorithm).await.unwrap();
                append(registry, &name, &id, b"cont").await.unwrap();
                complete(registry, &name, &id, &digest, b"ent").await.unwrap();
                assert_eq!(read_blob(registry, &name, &digest).await.unwrap(), b"content");
            }
        }
    }
}

#[tokio::test]
async fn a_session_belongs_to_its_name() {
    let bench = Bench::memory(Settings::default());
    let registry = &bench.registry;
    let (mine, other) = (name("a"), name("a/b"));
    let id = start(registry, &mine).await;
    check_over(registry, &other, &id).await;
    append(registry, &mine, &id, b"content").await.unwrap();
    check_over(registry, &other, &id).await;
    assert_eq!(registry.upload_progress(&mine, &id).await.unwrap(), 7);
    // Nor does another registry take it.
    let stranger = Bench::memory(Settings::default());
    check_over(&stranger.registry, &mine, &id).await;
    // Nor one with a digit changed anywhere.
    let text = id.to_string();
    for position in 0..text.len() {
        let mut forged = text.clone().into_bytes();
        forged[position] = if forged[position] == b'0' { b'1' } else { b'0' };
        let forged: UploadId = String::from_utf8(forged).unwrap().parse().unwrap();
        assert_eq!(refusal(registry.upload_progress(&mine, &forged).await), "UploadUnknown");
    }
}

#[tokio::test]
async fn chunks_must_continue_where_the_session_stands() {
    for bench in engines(&Settings::default()) {
        let (registry, name) = (&bench.registry, name("a"));
        let id = start(registry, &name).await;
        let patch = async |range, length, content: &'static [u8]| {
            let body = Some(Bytes::from_static(content));
            registry.update_upload(&name, &id, range, length, body).await
        };
        let stands_at = |outcome, expected| match outcome {
            Err(Error::RangeInvalid { offset }) => assert_eq!(offset, expected),
            other => panic!("{other:?}"),
        };
        stands_at(patch(range(3, 5), None, b"con").await, 0);
        assert_eq!(patch(range(0, 2), Some(3), b"con").await.unwrap(), 3);
        for wrong in [range(0, 2), range(2, 4), range(4, 6)] {
            stands_at(patch(wrong, Some(3), b"ten").await, 3);
        }
        // Lengths that contradict each other or the body leave the session as it was.
        assert_eq!(refusal(patch(range(3, 5), Some(4), b"ten").await), "SizeMismatch");
        assert_eq!(refusal(patch(range(3, 5), None, b"tent").await), "SizeMismatch");
        assert_eq!(refusal(patch(range(3, 5), None, b"te").await), "SizeMismatch");
        assert_eq!(refusal(patch(None, Some(2), b"ten").await), "SizeMismatch");
        assert_eq!(registry.upload_progress(&name, &id).await.unwrap(), 3);
        assert_eq!(patch(range(3, 5), None, b"ten").await.unwrap(), 6);
        let digest = sha256(b"content");
        let finish = async |range| {
            let body = Some(Bytes::from_static(b"t"));
            registry.complete_upload(&name, &id, &digest, range, Some(1), body).await
        };
        stands_at(finish(range(7, 7)).await.map(|()| 0), 6);
        finish(range(6, 6)).await.unwrap();
        assert_eq!(registry.blob(&name, &digest).await.unwrap(), 7);
    }
}

#[tokio::test]
async fn a_wrong_digest_ends_the_session_and_shows_nothing() {
    for bench in engines(&Settings::default()) {
        let (registry, name) = (&bench.registry, name("a"));
        for chunk in [None, Some(b"con".as_slice())] {
            let id = start(registry, &name).await;
            if let Some(chunk) = chunk {
                append(registry, &name, &id, chunk).await.unwrap();
            }
            let outcome = complete(registry, &name, &id, &sha256(b"other"), b"tent").await;
            assert_eq!(refusal(outcome), "DigestMismatch");
            check_over(registry, &name, &id).await;
        }
        for digest in [sha256(b"other"), sha256(b"content"), sha256(b"tent")] {
            assert_eq!(refusal(registry.blob(&name, &digest).await), "BlobUnknown");
            assert_eq!(bench.storage.blobs.stat(&digest).await.unwrap(), None);
        }
        assert_eq!(refusal(registry.list_tags(&name, None, None).await), "NameUnknown");
        assert!(bench.storage.blobs.sessions(None, 9).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn cancelling_drops_everything() {
    for bench in engines(&Settings::default()) {
        let (registry, name) = (&bench.registry, name("a"));
        for chunk in [None, Some(b"con".as_slice())] {
            let id = start(registry, &name).await;
            if let Some(chunk) = chunk {
                append(registry, &name, &id, chunk).await.unwrap();
            }
            registry.cancel_upload(&name, &id).await.unwrap();
            check_over(registry, &name, &id).await;
        }
        assert!(bench.storage.blobs.sessions(None, 9).await.unwrap().is_empty());
        assert_eq!(count(&bench.storage, b"u").await + count(&bench.storage, b"e").await, 0);
    }
}

#[tokio::test]
async fn a_blob_that_grows_too_large_is_cut_while_it_streams() {
    let mut settings = Settings::default();
    settings.max_blob_size = Some(8);
    for bench in engines(&settings) {
        let (registry, name) = (&bench.registry, name("a"));
        let too_large = |outcome: Outcome<()>| {
            assert!(matches!(outcome, Err(Error::BlobTooLarge { limit: 8 })), "{outcome:?}");
        };
        // Announced: refused before a byte is read, and the session lives on.
        let id = start(registry, &name).await;
        let endless = || Fed(mpsc::channel(1).1);
        too_large(registry.update_upload(&name, &id, None, Some(9), endless()).await.map(drop));
        assert_eq!(append(registry, &name, &id, b"1234").await.unwrap(), 4);
        too_large(registry.update_upload(&name, &id, range(4, 8), None, endless()).await.map(drop));
        // Streamed: cut at the limit, and the session is over. The sender is not even done.
        let (sender, receiver) = mpsc::channel(9);
        for _ in 0..5 {
            sender.send(Ok(Bytes::from_static(b"x"))).await.unwrap();
        }
        too_large(registry.update_upload(&name, &id, None, None, Fed(receiver)).await.map(drop));
        drop(sender);
        check_over(registry, &name, &id).await;
        let id = start(registry, &name).await;
        too_large(complete(registry, &name, &id, &sha256(b"123456789"), b"123456789").await);
        check_over(registry, &name, &id).await;
        let body = Some(Bytes::from_static(b"123456789"));
        too_large(registry.push_blob(&name, &sha256(b"123456789"), None, body).await);
        // Exactly the limit is fine.
        let id = start(registry, &name).await;
        complete(registry, &name, &id, &sha256(b"12345678"), b"12345678").await.unwrap();
        assert!(bench.storage.blobs.sessions(None, 9).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_broken_body_keeps_what_arrived_and_completes_nothing() {
    for bench in engines(&Settings::default()) {
        let (registry, name) = (&bench.registry, name("a"));
        let broken = |reason| {
            let (sender, receiver) = mpsc::channel(2);
            sender.try_send(Ok(Bytes::from_static(b"con"))).unwrap();
            sender.try_send(Err(reason)).unwrap();
            Fed(receiver)
        };
        let id = start(registry, &name).await;
        for reason in [BodyError::Timeout, BodyError::Disconnected] {
            let outcome = registry.update_upload(&name, &id, None, None, broken(reason)).await;
            assert!(matches!(&outcome, Err(Error::Body(found)) if *found == reason), "{outcome:?}");
        }
        assert_eq!(registry.upload_progress(&name, &id).await.unwrap(), 6);
        complete(registry, &name, &id, &sha256(b"conconx"), b"x").await.unwrap();

        let digest = sha256(b"con");
        let id = start(registry, &name).await;
        let body = broken(BodyError::Disconnected);
        let outcome = registry.complete_upload(&name, &id, &digest, None, None, body).await;
        assert_eq!(refusal(outcome), "Body");
        let body = broken(BodyError::Disconnected);
        assert_eq!(refusal(registry.push_blob(&name, &digest, None, body).await), "Body");
        assert_eq!(refusal(registry.blob(&name, &digest).await), "BlobUnknown");
        // The session of the broken end can be used again.
        complete(registry, &name, &id, &digest, b"con").await.unwrap();
    }
}

#[tokio::test]
async fn one_request_at_a_time_uses_a_session() {
    for bench in engines(&Settings::default()) {
        let (registry, name) = (&bench.registry, name("a"));
        for chunk_before in [false, true] {
            let id = start(registry, &name).await;
            if chunk_before {
                append(registry, &name, &id, b"").await.unwrap();
            }
            let (sender, receiver) = mpsc::channel(1);
            let first = tokio::spawn({
                let (registry, name) = (registry.clone(), name.clone());
                async move { registry.update_upload(&name, &id, None, None, Fed(receiver)).await }
            });
            // Two chunks through a channel of one: the first is being used when the second is in.
            sender.send(Ok(Bytes::from_static(b"con"))).await.unwrap();
            sender.send(Ok(Bytes::from_static(b"tent"))).await.unwrap();
            let digest = sha256(b"content");
            assert_eq!(refusal(append(registry, &name, &id, b"x").await), "UploadBusy");
            assert_eq!(refusal(complete(registry, &name, &id, &digest, b"").await), "UploadBusy");
            assert_eq!(refusal(registry.cancel_upload(&name, &id).await), "UploadBusy");
            registry.upload_progress(&name, &id).await.unwrap();
            drop(sender);
            assert_eq!(first.await.unwrap().unwrap(), 7);
            complete(registry, &name, &id, &digest, b"").await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_request_that_is_dropped_frees_its_session() {
    for bench in engines(&Settings::default()) {
        let (registry, name) = (&bench.registry, name("a"));
        let id = start(registry, &name).await;
        append(registry, &name, &id, b"con").await.unwrap();
        let (sender, receiver) = mpsc::channel(1);
        let dropped = tokio::spawn({
            let (registry, name) = (registry.clone(), name.clone());
            async move { registry.update_upload(&name, &id, None, None, Fed(receiver)).await }
        });
        sender.send(Ok(Bytes::from_static(b"x"))).await.unwrap();
        sender.send(Ok(Bytes::from_static(b"x"))).await.unwrap();
        dropped.abort();
        assert!(dropped.await.unwrap_err().is_cancelled());
        assert_eq!(registry.upload_progress(&name, &id).await.unwrap(), 3, "what was acknowledged");
        assert_eq!(append(registry, &name, &id, b"tent").await.unwrap(), 7);
        complete(registry, &name, &id, &sha256(b"content"), b"").await.unwrap();
    }
}

#[tokio::test]
async fn a_session_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let settings = angos_storage::Settings::in_folder(folder.path());
    let name = name("a");
    let bench = Bench::new(angos_registry::Storage::open(&settings).unwrap(), Settings::default());
    let (untouched, begun) = (start(&bench.registry, &name).await, start(&bench.registry, &name).await);
    append(&bench.registry, &name, &begun, b"con").await.unwrap();
    drop(bench);
    let bench = Bench::new(angos_registry::Storage::open(&settings).unwrap(), Settings::default());
    let registry = &bench.registry;
    assert_eq!(registry.upload_progress(&name, &untouched).await.unwrap(), 0);
    assert_eq!(registry.upload_progress(&name, &begun).await.unwrap(), 3);
    complete(registry, &name, &begun, &sha256(b"content"), b"tent").await.unwrap();
    complete(registry, &name, &untouched, &sha256(b"x"), b"x").await.unwrap();
}
