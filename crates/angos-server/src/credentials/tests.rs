//! The set as a whole: who is accepted, what is remembered, what is bounded.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

fn cheap(password: &str) -> PasswordHash {
    bcrypt::hash_with_salt(password, 4, [7; 16]).unwrap().to_string().parse().unwrap()
}

fn presented(username: &str, password: &str) -> Presented {
    let header = format!("Basic {}", STANDARD.encode(format!("{username}:{password}")));
    Presented::from_header(header.as_bytes()).unwrap()
}

fn credentials() -> Credentials {
    Credentials::builder()
        .add("alice-entry", "alice", cheap("wonderland"))
        .add("bob-old", "bob", cheap("builder"))
        .add("bob-new", "bob", PasswordHash::create("fixer").unwrap().parse().unwrap())
        .build()
}

#[tokio::test]
async fn passwords_decide() {
    let credentials = credentials();
    let check = async |username: &str, password: &str, expected: Result<&str, Rejection>| {
        for round in ["checked", "recalled"] {
            let found = credentials.verify(&presented(username, password), Instant::now()).await;
            let found = found.as_ref().map(|found| (&*found.id, &*found.username)).map_err(|error| *error);
            assert_eq!(found, expected.map(|id| (id, username)), "{username} {password} {round}");
        }
    };
    check("alice", "wonderland", Ok("alice-entry")).await;
    check("bob", "builder", Ok("bob-old")).await;
    check("bob", "fixer", Ok("bob-new")).await;
    check("bob", "builder", Ok("bob-old")).await;
    check("alice", "Wonderland", Err(Rejection::WrongPassword)).await;
    check("alice", "", Err(Rejection::WrongPassword)).await;
    check("alice", "builder", Err(Rejection::WrongPassword)).await;
    // Whoever stands in for an unknown user, not even its password is accepted.
    for password in ["wonderland", "builder", "fixer"] {
        for username in ["", "Alice", "alice ", "carol", "dave", "eve", "mallory", "trent"] {
            check(username, password, Err(Rejection::UnknownUser)).await;
        }
    }
}

#[tokio::test]
async fn without_users_nobody_is_known() {
    let none = Credentials::default();
    assert!(none.is_empty());
    let found = none.verify(&presented("alice", "x"), Instant::now()).await;
    assert_eq!(found, Err(Rejection::UnknownUser));
}

#[tokio::test]
async fn acceptance_is_remembered_for_a_while() {
    let credentials = credentials();
    let (good, bad) = (presented("alice", "wonderland"), presented("alice", "wrong"));
    let (trace, user) = (credentials.trace(&good), Arc::clone(&credentials.users[0]));
    let start = Instant::now();
    assert_eq!(user.recall(trace.as_ref(), start), None);
    credentials.verify(&good, start).await.unwrap();
    assert_eq!(user.recall(trace.as_ref(), start), Some(0));
    // Using it does not prolong it, and a wrong password neither gets in nor drives the right one out.
    let end = start + CREDENTIAL_REMEMBERED;
    let last = end.checked_sub(Duration::from_millis(1)).unwrap();
    credentials.verify(&good, last).await.unwrap();
    assert_eq!(credentials.verify(&bad, last).await, Err(Rejection::WrongPassword));
    assert_eq!(user.recall(credentials.trace(&bad).as_ref(), last), None);
    assert_eq!(user.recall(trace.as_ref(), last), Some(0));
    assert_eq!(user.recall(trace.as_ref(), end), None);
    // A new set starts with nothing, under another key.
    let replaced = self::credentials();
    assert_ne!(replaced.trace(&good), trace);
    assert_eq!(replaced.users[0].recall(replaced.trace(&good).as_ref(), start), None);
}

#[tokio::test]
async fn recalled_credentials_do_not_wait() {
    let credentials = credentials();
    let (good, now) = (presented("alice", "wonderland"), Instant::now());
    credentials.verify(&good, now).await.unwrap();
    let _all = credentials.places.acquire_many(u32::try_from(places()).unwrap()).await.unwrap();
    let _queue =
        credentials.waiting.acquire_many(u32::try_from(VERIFICATIONS_WAITING).unwrap()).await.unwrap();
    assert!(credentials.verify(&good, now).await.is_ok());
    assert_eq!(credentials.verify(&presented("alice", "x"), now).await, Err(Rejection::Busy));
    assert_eq!(credentials.verify(&presented("nobody", "x"), now).await, Err(Rejection::Busy));
}

/// A flood of guesses keeps nobody out who was in before, even when what was remembered is over.
#[tokio::test]
async fn who_was_accepted_before_does_not_queue_with_guesses() {
    let credentials = credentials();
    let (good, start) = (presented("alice", "wonderland"), Instant::now());
    credentials.verify(&good, start).await.unwrap();
    let _all = credentials.places.acquire_many(u32::try_from(places()).unwrap()).await.unwrap();
    let _queue =
        credentials.waiting.acquire_many(u32::try_from(VERIFICATIONS_WAITING).unwrap()).await.unwrap();
    let later = start + 2 * CREDENTIAL_REMEMBERED;
    assert_eq!(credentials.users[0].recall(credentials.trace(&good).as_ref(), later), None, "checked again");
    assert!(credentials.verify(&good, later).await.is_ok());
    for stranger in
        [presented("alice", "guess"), presented("bob", "builder"), presented("nobody", "wonderland")]
    {
        assert_eq!(credentials.verify(&stranger, later).await, Err(Rejection::Busy), "{stranger:?}");
    }
}

#[tokio::test]
async fn the_queue_is_bounded_and_left_on_drop() {
    let credentials = Arc::new(credentials());
    let all = credentials.places.acquire_many(u32::try_from(places()).unwrap()).await.unwrap();
    let waiting: Vec<_> = (0..VERIFICATIONS_WAITING)
        .map(|_| {
            let credentials = Arc::clone(&credentials);
            tokio::spawn(async move { credentials.verify(&presented("nobody", "x"), Instant::now()).await })
        })
        .collect();
    while credentials.waiting.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    let late = presented("alice", "wonderland");
    assert_eq!(credentials.verify(&late, Instant::now()).await, Err(Rejection::Busy));
    for task in waiting {
        task.abort();
        assert!(task.await.is_err());
    }
    assert_eq!(credentials.waiting.available_permits(), VERIFICATIONS_WAITING);
    drop(all);
    assert!(credentials.verify(&late, Instant::now()).await.is_ok());
}

/// Not the clock but the work is compared: an unknown name always stands in for somebody, always the same one.
#[test]
fn unknown_users_have_a_stand_in() {
    let credentials = credentials();
    let mut used = [false; 2];
    for number in 0..64 {
        let name = format!("nobody-{number}");
        let index = credentials.stand_in(&name).unwrap();
        assert_eq!(credentials.stand_in(&name), Some(index));
        used[index] = true;
    }
    assert_eq!(used, [true; 2]);
    assert_eq!(Credentials::default().stand_in("nobody"), None);
}

#[test]
fn traces_keep_name_and_password_apart() {
    let key = [1; 32];
    assert_ne!(hmac(&key, &[b"ab", b"c"]), hmac(&key, &[b"a", b"bc"]));
    assert_ne!(hmac(&key, &[b"a"]), hmac(&[2; 32], &[b"a"]));
}

#[test]
fn debug_shows_no_secret() {
    let credentials = credentials();
    assert_eq!(format!("{credentials:?}"), "Credentials { users: 2, .. }");
    let user = format!("{:?}", credentials.users[0]);
    assert!(user.contains("PasswordHash(bcrypt)") && !user.contains("$2b$"), "{user}");
}
