//! File systems that do not answer.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

const SHORT: Duration = Duration::from_millis(20);

/// A loader that gives a file up soon.
fn hasty() -> Loader {
    Loader { file_timeout: SHORT, ..Loader::new() }
}

/// Returns when the sender is dropped.
fn wait(released: &Receiver<()>) {
    let _ = released.recv();
}

/// Reads a path that answers when the sender is dropped.
fn hang(loader: &Loader, path: &str) -> (Sender<()>, Result<bool, LoadFailure>) {
    let (release, released) = channel::<()>();
    let path = PathBuf::from(path);
    let read = move |files: &Files| files.attempt(&path, || wait(&released)).is_ok();
    (release, loader.run_blocking(read))
}

fn answers(loader: &Loader, path: &'static str) -> Result<bool, LoadFailure> {
    loader.run_blocking(move |files| files.attempt(Path::new(path), || ()).is_ok())
}

#[test]
fn a_file_that_blocks_is_given_up_and_not_touched_again() {
    let loader = hasty();
    let (release, failure) = hang(&loader, "/dead/a");
    assert_eq!(failure, Err(LoadFailure::Blocked("/dead/a".into())));
    assert_eq!(answers(&loader, "/dead/a"), Ok(false), "it would block another thread");
    assert_eq!(answers(&loader, "/alive"), Ok(true), "others are read");
    drop(release);
    // The thread ends some time after it is released.
    while answers(&loader, "/dead/a") == Ok(false) {
        thread::yield_now();
    }
}

#[test]
fn the_threads_that_are_given_up_are_bounded() {
    let loader = hasty();
    let mut held = Vec::new();
    for number in 0..BLOCKED_LOADS_MAX {
        let (release, failure) = hang(&loader, &format!("/dead/{number}"));
        assert!(matches!(failure, Err(LoadFailure::Blocked(_))), "{number}");
        held.push(release);
    }
    assert_eq!(answers(&loader, "/alive"), Err(LoadFailure::TooMany));
    held.pop();
    while answers(&loader, "/alive") == Err(LoadFailure::TooMany) {
        thread::yield_now();
    }
}

#[test]
fn other_reasons_to_give_up() {
    let loader = Loader { load_timeout: SHORT, ..Loader::new() };
    let (release, released) = channel::<()>();
    assert_eq!(loader.run_blocking(move |_| wait(&released)), Err(LoadFailure::Slow));
    drop(release);
    let defect = |_: &Files| -> () { std::panic::resume_unwind(Box::new(())) };
    assert_eq!(Loader::new().run_blocking(defect), Err(LoadFailure::NoAnswer));
}

#[tokio::test]
async fn without_blocking_it_is_the_same() {
    let loader = hasty();
    let (release, released) = channel::<()>();
    let hang = move |files: &Files| drop(files.attempt(Path::new("/dead"), || wait(&released)));
    assert_eq!(loader.run(hang).await, Err(LoadFailure::Blocked("/dead".into())));
    assert_eq!(loader.run(|_| 5).await, Ok(5));
    drop(release);
}

#[test]
fn each_reason_names_the_file_or_says_what_to_do() {
    for (failure, words) in [
        (LoadFailure::Blocked("/mnt/a.pem".into()), "/mnt/a.pem: error: reading it has not ended after 10 s"),
        (LoadFailure::Slow, "has not ended after 60 s"),
        (LoadFailure::TooMany, "16 earlier loads are still blocked"),
        (LoadFailure::NoAnswer, "could not be started"),
    ] {
        let said = Problems::from(failure).to_string();
        assert!(said.contains(words), "{said}");
    }
}
