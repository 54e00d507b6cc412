//! What was acknowledged, and what was seen that should not be.

use crate::harness::{Client, Image};
use hyper::StatusCode;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

/// An image, by what it is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) seed: String,
    pub(super) size: usize,
}

impl Made {
    pub(super) fn image(&self) -> Image {
        Image::new(&self.seed, self.size)
    }
}

/// Repository and tag.
pub(super) type Place = (String, String);

#[derive(Default)]
pub(super) struct Ledger(Mutex<Book>);

#[derive(Default)]
struct Book {
    kept: BTreeMap<Place, Made>,
    /// Digests whose deletion was acknowledged, the newest.
    gone: Vec<(String, String)>,
    /// Answers by what was asked and the status; 0 is a connection that broke.
    answers: BTreeMap<(&'static str, u16), usize>,
    late: usize,
    longest: Duration,
    wrongs: Vec<String>,
}

/// Deletions that are remembered.
const GONE_MAX: usize = 500;
/// An answer after this is late; it is counted, and fails nothing: the machine may be busy.
const LATE: Duration = Duration::from_secs(1);

impl Ledger {
    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.0.lock().unwrap()
    }

    pub(super) fn keep(&self, place: Place, made: Made) {
        self.book().kept.insert(place, made);
    }

    /// Forgets an image before it is deleted or replaced.
    pub(super) fn release(&self, place: &Place) {
        self.book().kept.remove(place);
    }

    pub(super) fn gone(&self, repository: &str, digest: String) {
        let mut book = self.book();
        if book.gone.len() >= GONE_MAX {
            book.gone.remove(0);
        }
        book.gone.push((repository.to_owned(), digest));
    }

    /// One of those that are kept.
    pub(super) fn any(&self, number: usize) -> Option<(Place, Made)> {
        let book = self.book();
        let count = book.kept.len();
        let (place, made) = book.kept.iter().nth(number.checked_rem(count)?)?;
        Some((place.clone(), made.clone()))
    }

    pub(super) fn is_kept(&self, place: &Place, made: &Made) -> bool {
        self.book().kept.get(place) == Some(made)
    }

    pub(super) fn answered(&self, what: &'static str, status: u16, after: Duration) {
        let mut book = self.book();
        *book.answers.entry((what, status)).or_default() += 1;
        book.late += usize::from(after > LATE);
        book.longest = book.longest.max(after);
    }

    pub(super) fn wrong(&self, what: String) {
        self.book().wrongs.push(what);
    }

    pub(super) fn has_wrongs(&self) -> bool {
        !self.book().wrongs.is_empty()
    }

    pub(super) fn wrongs(&self) -> Vec<String> {
        self.book().wrongs.clone()
    }

    pub(super) fn was_a_load(&self) -> bool {
        let book = self.book();
        ["push", "pull", "delete"].iter().all(|wanted| {
            book.answers.iter().any(|((what, status), _)| what == wanted && (200..300).contains(status))
        })
    }

    pub(super) fn summary(&self) -> String {
        let book = self.book();
        let answers = book.answers.iter().map(|((what, status), count)| format!("{what} {status}: {count}"));
        let answers: Vec<_> = answers.collect();
        let longest = book.longest.as_millis();
        format!("{}; {} after more than 1 s, the longest {longest} ms", answers.join(", "), book.late)
    }

    /// Asks for everything that was acknowledged; how much that is. What is not as it should be is a wrong.
    pub(super) async fn verify(&self, client: &Client) -> String {
        let (kept, gone) = {
            let book = self.book();
            (book.kept.clone(), book.gone.clone())
        };
        for ((repository, tag), made) in &kept {
            let image = made.image();
            let references =
                [("manifests", tag.clone(), &image.manifest), ("manifests", image.digest(), &image.manifest)];
            let blobs = [&image.config, &image.layer].map(|it| ("blobs", crate::harness::digest_of(it), it));
            for (kind, reference, bytes) in references.into_iter().chain(blobs) {
                let path = format!("/v2/{repository}/{kind}/{reference}");
                match client.send("GET", &path, &[], "").await {
                    Ok(answer) if answer.status == StatusCode::OK && answer.body == *bytes => {}
                    Ok(answer) => self.wrong(format!("{path}: {} or other bytes, in the end", answer.status)),
                    Err(error) => self.wrong(format!("{path}: {error}, in the end")),
                }
            }
        }
        for (repository, digest) in &gone {
            let answer = client.fetch(&format!("/v2/{repository}/manifests/{digest}")).await;
            if answer.status != StatusCode::NOT_FOUND {
                self.wrong(format!("{repository}@{digest} was deleted, and is answered {}", answer.status));
            }
        }
        format!("{} images, {} deleted ones are gone", kept.len(), gone.len())
    }
}
