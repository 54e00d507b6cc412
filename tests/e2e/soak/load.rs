//! What honest clients do: push, pull and delete, over connections that are kept.

use super::Soak;
use super::ledger::{Made, Place};
use crate::harness::{Answer, Client, Image, Sender, digest_of};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

const WRITERS: usize = 3;
const READERS: usize = 4;
/// Pause of a writer after each image, which has 200 KB on average: less than 1.2 MB a second for all of them.
const PACE: Duration = Duration::from_millis(500);
/// Images each writer keeps; it deletes the oldest beyond them.
const LIVE: usize = 12;
/// Longest an answer is waited for, so that a server that hangs ends the soak.
const ANSWER: Duration = Duration::from_mins(1);

pub(super) fn start(soak: &Arc<Soak>) -> Vec<JoinHandle<()>> {
    let writers = (0..WRITERS).map(|number| tokio::spawn(write(Arc::clone(soak), number)));
    let readers = (0..READERS).map(|number| tokio::spawn(read(Arc::clone(soak), number)));
    writers.chain(readers).collect()
}

/// A client that keeps its connection until it breaks.
struct Caller {
    soak: Arc<Soak>,
    client: Client,
    kept: Option<Sender>,
}

impl Caller {
    fn new(soak: &Arc<Soak>, number: usize) -> Self {
        Self { soak: Arc::clone(soak), client: soak.clients[number % 2].clone(), kept: None }
    }

    /// One request; none when the connection broke, which is counted.
    async fn ask(
        &mut self,
        what: &'static str,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Option<Answer> {
        let started = Instant::now();
        let asked = async {
            if self.kept.is_none() {
                self.kept = Some(self.client.connect().await.ok()?);
            }
            let request = self.client.request(method, path, headers, body);
            self.kept.as_mut()?(request).await.ok()
        };
        let answer = match tokio::time::timeout(ANSWER, asked).await {
            Ok(answer) => answer,
            Err(_elapsed) => {
                self.soak.ledger.wrong(format!("{method} {path} was not answered within {ANSWER:?}"));
                None
            }
        };
        if answer.is_none() {
            self.kept = None;
        }
        let status = answer.as_ref().map_or(0, |answer| answer.status.as_u16());
        self.soak.ledger.answered(what, status, started.elapsed());
        if status == 500 {
            self.soak.ledger.wrong(format!("{method} {path}: 500; a full disk has a status of its own"));
        }
        // Whoever is told to come back later does.
        if matches!(status, 0 | 429 | 503 | 507) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        answer
    }

    async fn push_blob(&mut self, repository: &str, bytes: &[u8], in_pieces: bool) -> Option<()> {
        let start = format!("/v2/{repository}/blobs/uploads/");
        let started = self.ask("push", ("POST", &start), &[], Vec::new()).await?;
        if started.status != 202 {
            return None;
        }
        let (mut location, mut rest) = (started, bytes);
        if in_pieces {
            let (first, second) = bytes.split_at(bytes.len() / 2);
            let path = location.header("location").to_owned();
            location = self.ask("push", ("PATCH", &path), &[], first.to_vec()).await?;
            if location.status != 202 {
                return None;
            }
            rest = second;
        }
        let path = location.location_with(&format!("digest={}", digest_of(bytes)));
        let done = self.ask("push", ("PUT", &path), &[], rest.to_vec()).await?;
        (done.status == 201).then_some(())
    }

    /// Whether all of it was acknowledged.
    async fn push(&mut self, (repository, tag): &Place, image: &Image, in_pieces: bool) -> Option<()> {
        self.push_blob(repository, &image.config, false).await?;
        self.push_blob(repository, &image.layer, in_pieces).await?;
        let path = format!("/v2/{repository}/manifests/{tag}");
        let headers = [("content-type", Image::MEDIA_TYPE)];
        let done = self.ask("push", ("PUT", &path), &headers, image.manifest.clone()).await?;
        (done.status == 201).then_some(())
    }

    /// Whether none of it is left, so that the disk does not fill by itself.
    async fn delete(&mut self, repository: &str, image: &Image) -> Option<()> {
        let path = format!("/v2/{repository}/manifests/{}", image.digest());
        match self.ask("delete", ("DELETE", &path), &[], Vec::new()).await?.status.as_u16() {
            202 => self.soak.ledger.gone(repository, image.digest()),
            404 => {}
            _ => return None,
        }
        for blob in [&image.config, &image.layer] {
            let path = format!("/v2/{repository}/blobs/{}", digest_of(blob));
            let status = self.ask("delete", ("DELETE", &path), &[], Vec::new()).await?.status.as_u16();
            if !matches!(status, 202 | 404) {
                return None;
            }
        }
        Some(())
    }
}

/// Pushes images, keeps the newest, and moves the tag `latest` now and then.
async fn write(soak: Arc<Soak>, number: usize) {
    let mut caller = Caller::new(&soak, number);
    let repository = format!("soak/writer-{number}");
    let mut live = std::collections::VecDeque::new();
    // What is to be deleted, and was not yet for certain.
    let mut litter: Vec<Made> = Vec::new();
    let mut latest: Option<Made> = None;
    for round in 0_usize.. {
        if soak.is_paused() {
            caller.kept = None;
        }
        if !soak.goes_on().await {
            return;
        }
        let made = Made { seed: format!("{number}-{round}-"), size: 1000 + (round * 37_003) % 400_000 };
        let image = made.image();
        let moves = round % 5 == 4;
        let tag = if moves { "latest".to_owned() } else { format!("r{round}") };
        let place = (repository.clone(), tag);
        if moves {
            // Until the answer is there either of the two may be what the tag names.
            soak.ledger.release(&place);
        }
        let is_pushed = caller.push(&place, &image, round % 2 == 0).await.is_some();
        match (is_pushed, moves) {
            (true, true) => {
                soak.ledger.keep(place, made.clone());
                litter.extend(latest.replace(made));
            }
            (true, false) => {
                soak.ledger.keep(place.clone(), made.clone());
                live.push_back((place, made));
            }
            (false, _) => litter.push(made),
        }
        if live.len() > LIVE
            && let Some((place, made)) = live.pop_front()
        {
            soak.ledger.release(&place);
            litter.push(made);
        }
        let mut left = Vec::new();
        for made in litter {
            if caller.delete(&repository, &made.image()).await.is_none() {
                left.push(made);
            }
        }
        litter = left;
        // Deleting frees no space yet: what is pushed must fit the disk, which grows by 2 MiB a second.
        tokio::time::sleep(PACE).await;
    }
}

/// Pulls what is kept, and compares every byte.
async fn read(soak: Arc<Soak>, number: usize) {
    let mut caller = Caller::new(&soak, number);
    for round in 0_usize.. {
        if soak.is_paused() {
            caller.kept = None;
        }
        if !soak.goes_on().await {
            return;
        }
        let Some((place, made)) = soak.ledger.any(round * 7919 + number) else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let (image, (repository, tag)) = (made.image(), &place);
        let manifest = (format!("/v2/{repository}/manifests/{tag}"), &image.manifest);
        let layer = (format!("/v2/{repository}/blobs/{}", digest_of(&image.layer)), &image.layer);
        for (path, bytes) in [manifest, layer] {
            let Some(answer) = caller.ask("pull", ("GET", &path), &[], Vec::new()).await else { break };
            let is_right = match answer.status.as_u16() {
                200 => answer.body == *bytes,
                404 | 401 | 403 => false,
                // Too busy, or the disk is full: no answer about the object.
                _ => continue,
            };
            if !is_right && soak.ledger.is_kept(&place, &made) {
                soak.ledger.wrong(format!("GET {path}: {} or other bytes", answer.status));
            }
        }
    }
}
