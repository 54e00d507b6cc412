//! Requests that meet: on one upload session, on a blob that goes while it is read, on tags that move while they are
//! listed, and on uploads that break off. Whatever the order, what is there is whole, and what is gone is gone.

use crate::harness::{Image, Setup, digest_of};
use hyper::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const ANYONE: &str = "[global.access_policy]\ndefault = \"allow\"\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_on_one_session_never_mix_their_bytes() {
    let registry = Setup::plain(ANYONE).start();
    let client = registry.plain_client();
    let mut stored = 0;
    for round in 0..20 {
        let location = client.ask("POST", "/v2/a/blobs/uploads/").await.header("location").to_owned();
        let bytes = format!("round {round} ").repeat(500);
        let digest = digest_of(bytes.as_bytes());
        let complete = format!("{location}?digest={digest}");
        let rows = [
            ("PATCH", &location, &*bytes),
            ("PATCH", &location, &*bytes),
            ("PUT", &complete, &*bytes),
            ("PUT", &complete, ""),
            ("GET", &location, ""),
            ("DELETE", &location, ""),
        ];
        // Each round begins with another one of them.
        let rows = rows.iter().cycle().skip(round % rows.len()).take(rows.len());
        let requests = rows.map(|(method, path, body)| {
            let (client, method) = (client.clone(), (*method).to_owned());
            let (path, body) = ((*path).clone(), (*body).to_owned());
            tokio::spawn(
                async move { (method.clone(), client.send(&method, &path, &[], body).await.unwrap()) },
            )
        });
        let mut completed = false;
        for request in requests.collect::<Vec<_>>() {
            let (method, answer) = request.await.unwrap();
            let status = answer.status.as_u16();
            assert!(matches!(status, 201 | 202 | 204 | 400 | 404 | 409 | 416), "{method} gave {status}");
            completed |= status == 201;
        }
        let blob = client.fetch(&format!("/v2/a/blobs/{digest}")).await;
        assert_eq!(blob.status.is_success(), completed, "round {round}");
        if completed {
            assert_eq!(blob.body, bytes, "round {round}");
            stored += 1;
        }
        if completed || client.fetch(&location).await.status == StatusCode::NOT_FOUND {
            let later = client.send("PATCH", &location, &[], "late").await.unwrap();
            assert_eq!(later.status, StatusCode::NOT_FOUND, "a session is used after its end");
        }
    }
    assert!(stored > 0, "not one of the uploads got through");
}

/// What arrived before the connection broke is kept, no more and no less, and the session is free at once.
#[tokio::test]
async fn an_upload_that_breaks_off_can_be_resumed() {
    let registry = Setup::plain(ANYONE).start();
    let client = registry.plain_client();
    for ending in ["content-length: 10", "transfer-encoding: chunked"] {
        let location = client.ask("POST", "/v2/a/blobs/uploads/").await.header("location").to_owned();
        let part = if ending.starts_with("content") { "hello" } else { "5\r\nhello\r\n" };
        let head = format!("PATCH {location} HTTP/1.1\r\nhost: x\r\n{ending}\r\n\r\n{part}");
        let (broken, busy) = 'begun: loop {
            let mut broken = TcpStream::connect(registry.address).await.unwrap();
            broken.write_all(head.as_bytes()).await.unwrap();
            // An answer means that the question came first, and that the upload found the session busy.
            while broken.try_read(&mut [0]).is_err() {
                let busy = client.send("PATCH", &location, &[("content-range", "9-9")], "x").await.unwrap();
                if busy.status == StatusCode::CONFLICT {
                    break 'begun (broken, busy);
                }
            }
        };
        assert_eq!((busy.code().as_str(), busy.header("retry-after")), ("BLOB_UPLOAD_INVALID", "1"));
        drop(broken);
        let resumed = loop {
            let answer = client.send("PATCH", &location, &[("content-range", "5-9")], "world").await.unwrap();
            if answer.status != StatusCode::CONFLICT {
                break answer;
            }
        };
        assert_eq!((resumed.status, resumed.header("range")), (StatusCode::ACCEPTED, "0-9"), "{ending}");
        let path = resumed.location_with(&format!("digest={}", digest_of(b"helloworld")));
        assert_eq!(client.ask("PUT", &path).await.status, StatusCode::CREATED, "{ending}");
    }
}

#[tokio::test]
async fn a_blob_deleted_while_it_is_read_is_read_to_its_end() {
    let registry = Setup::plain(ANYONE).start();
    let client = registry.plain_client();
    let blob = b"0123456789abcdef".repeat(1 << 20);
    let digest = digest_of(&blob);
    assert_eq!(client.push_blob("a", &blob).await.unwrap(), StatusCode::CREATED);
    let mut slow = TcpStream::connect(registry.address).await.unwrap();
    let head = format!("GET /v2/a/blobs/{digest} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut taken = vec![0; 1000];
    slow.read_exact(&mut taken).await.unwrap();
    assert_eq!(client.ask("DELETE", &format!("/v2/a/blobs/{digest}")).await.status, StatusCode::ACCEPTED);
    for method in ["GET", "HEAD"] {
        let status = client.ask(method, &format!("/v2/a/blobs/{digest}")).await.status;
        assert_eq!(status, StatusCode::NOT_FOUND, "{method}");
    }
    slow.read_to_end(&mut taken).await.unwrap();
    assert!(taken.ends_with(&blob), "the reader got other bytes");
}

/// Tags that exist all the time are on every listing, once and in order, however many come, move and go meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tags_that_stay_are_listed_while_others_move() {
    let registry = Setup::plain(ANYONE).start();
    let client = registry.plain_client();
    let (one, two) = (Image::new("one", 50), Image::new("two", 50));
    for tag in ["a", "m", "z"] {
        assert_eq!(client.push("moving", tag, &one).await.unwrap(), StatusCode::CREATED);
    }
    let mover = {
        let client = client.clone();
        tokio::spawn(async move {
            for round in 0..20 {
                let image = if round % 2 == 0 { &two } else { &one };
                assert_eq!(client.push("moving", "m", image).await.unwrap(), StatusCode::CREATED);
                assert_eq!(
                    client.push("moving", &format!("n{round}"), image).await.unwrap(),
                    StatusCode::CREATED
                );
                if round > 0 {
                    let gone = format!("/v2/moving/manifests/n{}", round - 1);
                    assert_eq!(client.ask("DELETE", &gone).await.status, StatusCode::ACCEPTED);
                }
            }
        })
    };
    while !mover.is_finished() {
        let (mut seen, mut path) = (Vec::<String>::new(), "/v2/moving/tags/list?n=1".to_owned());
        loop {
            let page = client.fetch(&path).await;
            let tags = page.json()["tags"].as_array().unwrap().clone();
            seen.extend(tags.iter().map(|tag| tag.as_str().unwrap().to_owned()));
            let Some((next, _)) = page.header("link").split_once('>') else { break };
            path = next.trim_start_matches('<').to_owned();
        }
        assert!(
            seen.is_sorted() && ["a", "m", "z"].iter().all(|tag| seen.iter().any(|it| it == tag)),
            "{seen:?}"
        );
        let moving = client.fetch("/v2/moving/manifests/m").await;
        assert_eq!(moving.status, StatusCode::OK, "a tag that moves is always there");
        assert_eq!(moving.header("docker-content-digest"), digest_of(&moving.body));
    }
    mover.await.unwrap();
}
