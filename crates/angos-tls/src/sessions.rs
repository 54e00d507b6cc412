//! The sessions clients may resume: kept by the server, owned by one set of material, gone with it.
//!
//! rustls does not ask the verifier when a session is resumed. So each session is kept beside the verdict on its
//! chain, and is given out only while that verdict holds; otherwise the client has to make a full handshake, in
//! which it is told why it is refused. A change of trust is another set, with no sessions.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustls::server::StoresServerSessions;

use crate::bounded_cache::BoundedCache;
use crate::limits::{self, SESSION_SHARDS as SHARDS};
use crate::trust::{Verified, unix_now};
use crate::verifier;

/// The sessions of one configuration, shared by all threads.
pub(crate) struct Sessions {
    shards: [Mutex<BoundedCache<Vec<u8>, Session>>; SHARDS],
}

/// One session.
#[derive(Clone)]
struct Session {
    /// Secrets, and the client's chain, as rustls writes them.
    value: Vec<u8>,
    known: SessionClient,
}

/// What is known of a session's client.
#[derive(Clone, Debug)]
pub(crate) struct SessionClient {
    /// The verdict on its chain. None: it is anonymous.
    pub(crate) verified: Option<Arc<Verified>>,
    /// When it proved to hold its key, in the first handshake of those that continue each other.
    pub(crate) since: Instant,
}

impl SessionClient {
    fn holds(&self) -> bool {
        self.since.elapsed() <= limits::SESSION_LIFETIME
            && self.verified.as_ref().is_none_or(|verified| verified.holds_at(unix_now()))
    }
}

impl Sessions {
    pub(crate) fn new() -> Self {
        let shard = |_| Mutex::new(BoundedCache::new(limits::SESSIONS_MAX_BYTES / SHARDS));
        Self { shards: std::array::from_fn(shard) }
    }

    /// Keys are random where they were given out; where one is not, any shard will do to find nothing.
    fn shard(&self, key: &[u8]) -> Option<MutexGuard<'_, BoundedCache<Vec<u8>, Session>>> {
        let place = usize::from(key.first().copied().unwrap_or_default()) % SHARDS;
        self.shards.get(place).map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Tells the accept call whose session is resumed, if it may be.
fn resumed(session: Option<Session>) -> Option<Vec<u8>> {
    let Session { value, known } = session.filter(|session| session.known.holds())?;
    verifier::resume(known);
    Some(value)
}

impl StoresServerSessions for Sessions {
    /// Outside of an accept call nothing is known of the client, and nothing is kept.
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        let Some(known) = verifier::known() else { return false };
        let cost = key.len() + value.len() + size_of::<Session>();
        self.shard(&key).is_some_and(|mut shard| shard.insert(key, Session { value, known }, cost))
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let session = self.shard(key)?.get(key).cloned();
        resumed(session)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        let session = self.shard(key)?.remove(key);
        resumed(session)
    }

    fn can_cache(&self) -> bool {
        verifier::known().is_some()
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive() // secrets
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::verifier::capture;

    fn handshake<T>(work: impl FnOnce() -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(capture(async { work() })).0
    }

    #[test]
    fn a_session_is_found_and_taken_once() {
        let sessions = Sessions::new();
        handshake(|| assert!(sessions.can_cache() && sessions.put(vec![1; 32], vec![7; 100])));
        handshake(|| {
            assert_eq!(sessions.get(&[1; 32]), Some(vec![7; 100]));
            assert_eq!(sessions.get(&[2; 32]), None);
            assert_eq!(sessions.get(&[]), None);
            assert_eq!(sessions.take(&[1; 32]), Some(vec![7; 100]));
            assert_eq!(sessions.take(&[1; 32]), None);
        });
    }

    #[test]
    fn nothing_is_kept_outside_of_an_accept_call() {
        let sessions = Sessions::new();
        assert!(!sessions.can_cache());
        assert!(!sessions.put(vec![1; 32], vec![7; 100]));
        assert_eq!(sessions.get(&[1; 32]), None);
    }

    #[test]
    fn memory_is_bounded() {
        let sessions = Sessions::new();
        let total = |sessions: &Sessions| -> usize {
            sessions.shards.iter().map(|shard| shard.lock().unwrap().len()).sum()
        };
        handshake(|| {
            for number in 0..30_000_u32 {
                let key = [number.to_le_bytes(), [0; 4]].concat();
                assert!(sessions.put(key, vec![0; 2000]));
            }
        });
        assert!(total(&sessions) * 2000 <= limits::SESSIONS_MAX_BYTES);
        assert!(total(&sessions) * 2500 * 2 >= limits::SESSIONS_MAX_BYTES / 2);
        handshake(|| assert!(!sessions.put(vec![1; 32], vec![0; limits::SESSIONS_MAX_BYTES])));
    }

    #[test]
    fn an_old_session_is_not_resumed() {
        let Some(since) = Instant::now().checked_sub(limits::SESSION_LIFETIME + Duration::from_secs(1))
        else {
            return; // a machine that was started today
        };
        assert!(!SessionClient { verified: None, since }.holds());
        assert!(SessionClient { verified: None, since: Instant::now() }.holds());
    }
}
