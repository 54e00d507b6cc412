//! The set of accepted user names and passwords, and the verification of one.
//!
//! Checking a password is slow on purpose, so it happens away from the threads that serve, a few at a time, with a
//! bounded number waiting in turns. An accepted credential is cached for a minute, since clients send their password
//! with every request; a refused one is not.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use angos_identity::{CallerKey, Credential, Identity};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::basic::BasicCredentials;
use crate::limits::{CREDENTIAL_CACHE_TTL, VERIFICATION_CONCURRENCY, VERIFICATION_QUEUE_LENGTH};
use crate::password_hash::PasswordHash;
use crate::queue::{Queue, Turn};

/// Identifies a credential in the cache: an HMAC-SHA256 of it under a random key of this set.
type CredentialKey = [u8; 32];

/// The accepted credentials, as one set that is replaced as a whole; a new set has forgotten what an old one accepted.
///
/// Guarantee: an unknown user name costs as much as a known one, no password is kept, and whatever is sent, at most
/// a handful of passwords are checked at once.
pub struct Credentials {
    users: Vec<Arc<User>>,
    names: HashMap<String, usize>,
    /// `None` when the system gave no randomness: then nothing is cached.
    key: Option<[u8; 32]>,
    /// Where credentials wait that were not accepted before. Callers take turns, so that no caller's guesses keep
    /// another one waiting.
    newcomers: Arc<Queue>,
    /// Places for credentials that were accepted before, which nobody who guesses can keep taken.
    returning: Arc<Semaphore>,
}

/// Everyone with the same user name. Usually one; two while a password is being changed.
#[derive(Debug)]
struct User {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    credential: Arc<Credential>,
    hash: PasswordHash,
    accepted: Mutex<Option<Accepted>>,
}

/// The one credential this entry accepted last. An entry has one password, so there is no other to remember. Once its
/// time is over it is checked again, and only tells that whoever sends it has been here before.
struct Accepted {
    key: CredentialKey,
    until: Instant,
}

impl fmt::Debug for Accepted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Accepted").field("until", &self.until).finish_non_exhaustive()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Credentials").field("users", &self.users.len()).finish_non_exhaustive()
    }
}

impl Default for Credentials {
    fn default() -> Self {
        Self::builder().build()
    }
}

/// Why a presented credential was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// There is no such user. The client must not learn this; the log may.
    #[error("there is no such user")]
    UnknownUser,
    /// The password is not this user's. The client must not learn this; the log may.
    #[error("the password is wrong")]
    WrongPassword,
    /// Too many credentials are being checked. Trying later may help.
    #[error("too many credentials are being checked")]
    Busy,
    /// The check could not be done; a defect of this program.
    #[error("the check failed")]
    Failed,
}

/// Collects credentials.
#[derive(Debug, Default)]
pub struct CredentialsBuilder {
    users: Vec<Vec<Entry>>,
    names: HashMap<String, usize>,
}

impl CredentialsBuilder {
    /// Adds one credential. `id` names it in rules (`identity.id`) and logs.
    ///
    /// Several credentials may share a user name, which is how a password is changed without an interruption: any of
    /// their passwords is accepted, and the `id` tells which one it was.
    #[must_use]
    pub fn add(mut self, id: impl Into<String>, username: impl Into<String>, hash: PasswordHash) -> Self {
        let username = username.into();
        let credential = Credential { id: id.into().into(), username: username.as_str().into() };
        let entry = Entry { credential: Arc::new(credential), hash, accepted: Mutex::new(None) };
        let index = *self.names.entry(username).or_insert(self.users.len());
        match self.users.get_mut(index) {
            Some(entries) => entries.push(entry),
            None => self.users.push(vec![entry]),
        }
        self
    }

    /// The collected credentials.
    pub fn build(self) -> Credentials {
        let mut key = [0; 32];
        Credentials {
            users: self.users.into_iter().map(|entries| Arc::new(User { entries })).collect(),
            names: self.names,
            key: getrandom::fill(&mut key).is_ok().then_some(key),
            newcomers: Queue::new(places(), VERIFICATION_QUEUE_LENGTH),
            returning: Arc::new(Semaphore::new(places())),
        }
    }
}

/// Half the processors, so that passwords never keep the others from being served.
fn places() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    (processors / 2).clamp(1, VERIFICATION_CONCURRENCY)
}

impl Credentials {
    /// No credential yet.
    pub fn builder() -> CredentialsBuilder {
        CredentialsBuilder::default()
    }

    /// Whether no credential is configured.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// The number of different user names.
    pub fn user_count(&self) -> usize {
        self.users.len()
    }

    /// The position of a user name in this set, below [`user_count`](Self::user_count), for what an embedder keeps per
    /// user. It is meaningless in another set.
    pub fn user_index(&self, username: &str) -> Option<usize> {
        self.names.get(username).copied()
    }

    /// Verifies the credential that `caller` sent at the time `now`, and returns what it proves.
    ///
    /// Callers take turns, so that one caller's guesses do not delay another. Waits for a free slot; at most
    /// [`VERIFICATION_QUEUE_LENGTH`] credentials wait, beyond that the result is [`Rejection::Busy`]. Needs a tokio
    /// runtime. Cancel safe: dropping the future leaves the queue, and a check that has begun ends by itself.
    pub async fn verify(
        &self,
        presented: &BasicCredentials,
        caller: CallerKey,
        now: Instant,
    ) -> Result<Arc<Credential>, Rejection> {
        let known = self.names.get(presented.username()).copied();
        let dummy_user = || self.dummy_user(presented.username());
        let Some(user) = known.or_else(dummy_user).and_then(|index| self.users.get(index)) else {
            return Err(Rejection::UnknownUser); // there are no users at all
        };
        let key = self.key(presented);
        let found = match user.cached(key.as_ref(), now) {
            Some(entry) => Some(entry),
            None => self.check(user, presented, key.as_ref(), (caller, now)).await?,
        };
        match (known, found.and_then(|index| user.entries.get(index))) {
            (None, _) => Err(Rejection::UnknownUser),
            (Some(_), None) => Err(Rejection::WrongPassword),
            (Some(_), Some(entry)) => {
                if let Some(key) = key {
                    entry.cache(key, now);
                }
                Ok(Arc::clone(&entry.credential))
            }
        }
    }

    /// Whether the credential of `identity`, which `before` accepted, would be accepted here: it is configured with the
    /// same user name and the same hash. True without a credential. Checks no password.
    pub fn retains(&self, before: &Self, identity: &Identity) -> bool {
        let (Some(id), Some(username)) = (identity.id(), identity.username()) else { return true };
        let mut accepted = before.entries(id, username);
        match (accepted.next(), accepted.next()) {
            (Some(old), None) => self.entries(id, username).any(|new| new.hash.is_same(&old.hash)),
            _ => false,
        }
    }

    /// The entries of this id and user name; several only if an embedder gives one id twice.
    fn entries<'a>(&'a self, id: &'a str, username: &str) -> impl Iterator<Item = &'a Entry> {
        let user = self.names.get(username).and_then(|index| self.users.get(*index));
        user.into_iter().flat_map(|user| &user.entries).filter(move |entry| &*entry.credential.id == id)
    }

    /// The slow way: which of the user's passwords it is, if any.
    ///
    /// Credentials that were accepted before do not queue with others. Those that were not wait for one check of each
    /// other caller that is waiting, see [`Queue`].
    async fn check(
        &self,
        user: &Arc<User>,
        presented: &BasicCredentials,
        key: Option<&CredentialKey>,
        (caller, now): (CallerKey, Instant),
    ) -> Result<Option<usize>, Rejection> {
        let place = if user.has_accepted(key) {
            let returning = Arc::clone(&self.returning).acquire_owned().await;
            Place::Returning(returning.map_err(|_| Rejection::Failed)?)
        } else {
            Place::Newcomer(self.newcomers.turn(caller).await.map_err(|_| Rejection::Busy)?)
        };
        if let Some(entry) = user.cached(key, now) {
            return Ok(Some(entry)); // another request of the same client was faster
        }
        let (user, password) = (Arc::clone(user), presented.password().clone());
        let check = move || {
            let found = user.entries.iter().position(|entry| entry.hash.verify(password.as_bytes()));
            drop(place);
            found
        };
        tokio::task::spawn_blocking(check).await.map_err(|_| Rejection::Failed)
    }

    /// The user whose hashes an unknown name is checked against, for nothing but the time it takes. The same name gets
    /// the same one always, as a known name does.
    fn dummy_user(&self, username: &str) -> Option<usize> {
        let key = self.key.map(|key| hmac(&key, &[b"name", username.as_bytes()])).unwrap_or_default();
        let (number, _) = key.split_first_chunk().map(|(head, rest)| (u64::from_be_bytes(*head), rest))?;
        let users = u64::try_from(self.users.len()).ok()?;
        number.checked_rem(users).and_then(|index| usize::try_from(index).ok())
    }

    fn key(&self, presented: &BasicCredentials) -> Option<CredentialKey> {
        let (username, password) = (presented.username().as_bytes(), presented.password().as_bytes());
        self.key.map(|key| hmac(&key, &[b"credential", username, password]))
    }
}

/// A place for one check, given back when it is dropped.
#[derive(Debug)]
enum Place {
    Returning(#[allow(dead_code, reason = "held until it is dropped")] OwnedSemaphorePermit),
    Newcomer(#[allow(dead_code, reason = "held until it is dropped")] Turn),
}

impl User {
    /// The entry that accepted the same credential a short while ago. Looks at all of them either way.
    fn cached(&self, key: Option<&CredentialKey>, now: Instant) -> Option<usize> {
        let key = key?;
        self.entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.is_cached(key, now))
            .map(|(index, _)| index)
            .last()
    }

    /// Whether an entry ever accepted the same credential. It says nothing about now.
    fn has_accepted(&self, key: Option<&CredentialKey>) -> bool {
        key.is_some_and(|key| self.entries.iter().any(|entry| entry.has_accepted(key)))
    }
}

impl Entry {
    fn has_accepted(&self, key: &CredentialKey) -> bool {
        let accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        accepted.as_ref().is_some_and(|accepted| bool::from(accepted.key.ct_eq(key)))
    }

    fn is_cached(&self, key: &CredentialKey, now: Instant) -> bool {
        let accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        accepted.as_ref().is_some_and(|accepted| bool::from(accepted.key.ct_eq(key)) && now < accepted.until)
    }

    /// Remembers for a fixed time after the password was checked; being recalled does not prolong it.
    fn cache(&self, key: CredentialKey, now: Instant) {
        let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        if accepted.as_ref().is_none_or(|accepted| accepted.until <= now || accepted.key != key) {
            *accepted = now.checked_add(CREDENTIAL_CACHE_TTL).map(|until| Accepted { key, until });
        }
    }
}

/// HMAC-SHA256 of parts, each with its length in front, so that no two lists of parts give the same bytes.
fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> CredentialKey {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    for part in parts {
        mac.update(&part.len().to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests;
