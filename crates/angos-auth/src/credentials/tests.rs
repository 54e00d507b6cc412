//! The set as a whole: who is accepted, what is remembered, what is bounded.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

/// The caller where it does not matter which.
const STRANGER: CallerKey = CallerKey::Certificate([1; 32]);

type Waiting = std::pin::Pin<Box<dyn Future<Output = Result<Turn, crate::queue::Full>> + Send>>;

/// Takes every place for newcomers, and every place in their queue.
async fn besiege(credentials: &Credentials) -> (Vec<Turn>, Vec<Waiting>) {
    let queue = &credentials.newcomers;
    let mut turns = Vec::new();
    for _ in 0..places() {
        turns.push(queue.turn(STRANGER).await.unwrap());
    }
    let mut waiting: Vec<Waiting> = Vec::new();
    for number in 0..=u8::MAX {
        loop {
            let queue = Arc::clone(queue);
            let turn = async move { queue.turn(CallerKey::Certificate([number; 32])).await };
            let mut turn: Waiting = Box::pin(turn);
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            if turn.as_mut().poll(&mut context).is_ready() {
                break;
            }
            waiting.push(turn);
        }
    }
    assert_eq!(waiting.len(), VERIFICATION_QUEUE_LENGTH);
    (turns, waiting)
}

fn cheap(password: &str) -> PasswordHash {
    bcrypt::hash_with_salt(password, 4, [7; 16]).unwrap().to_string().parse().unwrap()
}

fn presented(username: &str, password: &str) -> BasicCredentials {
    let header = format!("Basic {}", STANDARD.encode(format!("{username}:{password}")));
    BasicCredentials::parse(header.as_bytes()).unwrap()
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
            let found = credentials.verify(&presented(username, password), STRANGER, Instant::now()).await;
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
    let found = none.verify(&presented("alice", "x"), STRANGER, Instant::now()).await;
    assert_eq!(found, Err(Rejection::UnknownUser));
}

#[tokio::test]
async fn acceptance_is_remembered_for_a_while() {
    let credentials = credentials();
    let (good, bad) = (presented("alice", "wonderland"), presented("alice", "wrong"));
    let (key, user) = (credentials.key(&good), Arc::clone(&credentials.users[0]));
    let start = Instant::now();
    assert_eq!(user.cached(key.as_ref(), start), None);
    credentials.verify(&good, STRANGER, start).await.unwrap();
    assert_eq!(user.cached(key.as_ref(), start), Some(0));
    // Using it does not prolong it, and a wrong password neither gets in nor drives the right one out.
    let end = start + CREDENTIAL_CACHE_TTL;
    let last = end.checked_sub(Duration::from_millis(1)).unwrap();
    credentials.verify(&good, STRANGER, last).await.unwrap();
    assert_eq!(credentials.verify(&bad, STRANGER, last).await, Err(Rejection::WrongPassword));
    assert_eq!(user.cached(credentials.key(&bad).as_ref(), last), None);
    assert_eq!(user.cached(key.as_ref(), last), Some(0));
    assert_eq!(user.cached(key.as_ref(), end), None);
    // A new set starts with nothing, under another key.
    let replaced = self::credentials();
    assert_ne!(replaced.key(&good), key);
    assert_eq!(replaced.users[0].cached(replaced.key(&good).as_ref(), start), None);
}

#[tokio::test]
async fn recalled_credentials_do_not_wait() {
    let credentials = credentials();
    let (good, now) = (presented("alice", "wonderland"), Instant::now());
    credentials.verify(&good, STRANGER, now).await.unwrap();
    let _besieged = besiege(&credentials).await;
    assert!(credentials.verify(&good, STRANGER, now).await.is_ok());
    assert_eq!(credentials.verify(&presented("alice", "x"), STRANGER, now).await, Err(Rejection::Busy));
    assert_eq!(credentials.verify(&presented("nobody", "x"), STRANGER, now).await, Err(Rejection::Busy));
}

/// A flood of guesses keeps nobody out who was in before, even when what was remembered is over.
#[tokio::test]
async fn who_was_accepted_before_does_not_queue_with_guesses() {
    let credentials = credentials();
    let (good, start) = (presented("alice", "wonderland"), Instant::now());
    credentials.verify(&good, STRANGER, start).await.unwrap();
    let _besieged = besiege(&credentials).await;
    let later = start + 2 * CREDENTIAL_CACHE_TTL;
    assert_eq!(credentials.users[0].cached(credentials.key(&good).as_ref(), later), None, "checked again");
    assert!(credentials.verify(&good, STRANGER, later).await.is_ok());
    for stranger in
        [presented("alice", "guess"), presented("bob", "builder"), presented("nobody", "wonderland")]
    {
        assert_eq!(
            credentials.verify(&stranger, STRANGER, later).await,
            Err(Rejection::Busy),
            "{stranger:?}"
        );
    }
}

#[tokio::test]
async fn the_queue_is_bounded_and_left_on_drop() {
    let credentials = credentials();
    let besieged = besiege(&credentials).await;
    let late = presented("alice", "wonderland");
    assert_eq!(credentials.verify(&late, STRANGER, Instant::now()).await, Err(Rejection::Busy));
    drop(besieged);
    assert_eq!(credentials.newcomers.waiting(), 0);
    assert!(credentials.verify(&late, STRANGER, Instant::now()).await.is_ok());
}

/// However many guesses an address sends, the right password of another waits for the checks that are running and for
/// one guess.
#[tokio::test]
async fn guesses_of_one_address_do_not_delay_another() {
    let credentials = Arc::new(credentials());
    let [guessing, newcomer] = [[192, 0, 2, 1], [192, 0, 2, 2]].map(|it| CallerKey::network(it.into()));
    let mut running = Vec::new();
    for _ in 0..places() {
        running.push(credentials.newcomers.turn(guessing).await.unwrap());
    }
    let guesses: Vec<_> = (0..VERIFICATION_QUEUE_LENGTH)
        .map(|number| {
            let credentials = Arc::clone(&credentials);
            let guess = presented("alice", &format!("guess {number}"));
            tokio::spawn(async move { credentials.verify(&guess, guessing, Instant::now()).await })
        })
        .collect();
    while credentials.newcomers.waiting() < 64 {
        tokio::task::yield_now().await;
    }
    let late = Arc::clone(&credentials);
    let late = tokio::spawn(async move {
        let found = late.verify(&presented("alice", "wonderland"), newcomer, Instant::now()).await;
        (found.is_ok(), late.newcomers.waiting())
    });
    while credentials.newcomers.waiting() < 65 {
        tokio::task::yield_now().await;
    }
    drop(running);
    let (accepted, still_waiting) = late.await.unwrap();
    assert!(accepted);
    // Each place was given away once before it came to the newcomer's, and perhaps once more while that was checked.
    assert!(still_waiting > 32, "{} guesses went first", 64 - still_waiting);
    let mut rejected = Vec::new();
    for guess in guesses {
        rejected.push(guess.await.unwrap());
    }
    let busy = rejected.iter().filter(|result| **result == Err(Rejection::Busy)).count();
    assert_eq!(busy, VERIFICATION_QUEUE_LENGTH - 64, "what is beyond the share of an address is refused");
}

/// Not the clock but the work is compared: an unknown name always stands in for somebody, always the same one.
#[test]
fn unknown_users_have_a_stand_in() {
    let credentials = credentials();
    let mut used = [false; 2];
    for number in 0..64 {
        let name = format!("nobody-{number}");
        let index = credentials.dummy_user(&name).unwrap();
        assert_eq!(credentials.dummy_user(&name), Some(index));
        used[index] = true;
    }
    assert_eq!(used, [true; 2]);
    assert_eq!(Credentials::default().dummy_user("nobody"), None);
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
