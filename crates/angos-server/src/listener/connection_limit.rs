//! How the connections of one listener are shared out, so that no caller can take those of the others.
//!
//! A connection is *new* until its first request, and *established* from then on. A new one is counted for the address
//! it comes from, an established one for its caller. Where a caller has its share, or the listener is full, an older
//! connection is closed in favour of a later one: of new ones the oldest, of established ones the oldest without a
//! request.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use angos_identity::limits::CERTIFICATE_RESERVE;
use angos_identity::{CallerKey, admits};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::connection::activity::Activity;
use crate::limits::{CLOSING_CONNECTIONS, IDLE_SEARCH_MAX, NEW_CONNECTIONS_SHARE};

/// The connections of one listener.
///
/// Guarantee: there are never more than the configured number (and [`CLOSING_CONNECTIONS`] that are being closed). An
/// address or caller that has no connection gets one at once; one that has its [share](admits) gets one in place of
/// another of its own. Only where that is not possible is a connection of another caller closed, the oldest without a
/// request of the caller that has most; an anonymous caller never takes the place of one with a certificate.
#[derive(Debug)]
pub(crate) struct ConnectionLimit {
    /// One permit for each open socket.
    sockets: Arc<Semaphore>,
    all: u32,
    most: u64,
    /// How many of the established ones are kept for holders of certificates.
    reserve: u64,
    connections: Mutex<Connections>,
}

#[derive(Debug, Default)]
struct Connections {
    arrivals: u64,
    new: Group,
    established: Group,
}

/// The connections of one kind, by caller and by age.
#[derive(Debug, Default)]
struct Group {
    callers: HashMap<CallerKey, BTreeMap<u64, Arc<ConnectionEntry>>>,
    ages: BTreeMap<u64, CallerKey>,
}

/// One connection as its listener knows it.
#[derive(Debug)]
pub(crate) struct ConnectionEntry {
    arrival: u64,
    network: CallerKey,
    /// Set when it is established.
    established: OnceLock<(CallerKey, Arc<Activity>)>,
    closed: Notify,
}

/// A connection's place, until it is dropped.
#[derive(Debug)]
pub(crate) struct ConnectionSlot {
    limit: Arc<ConnectionLimit>,
    entry: Arc<ConnectionEntry>,
    _socket: OwnedSemaphorePermit,
}

impl ConnectionLimit {
    /// Places for so many connections. `certificates`: whether a part of them is kept for holders of certificates.
    pub(crate) fn new(connections: usize, certificates: bool) -> Self {
        let most = u32::try_from(connections).unwrap_or(u32::MAX / 2).clamp(1, u32::MAX / 2);
        let closing = u32::try_from(CLOSING_CONNECTIONS).unwrap_or_default();
        let all = most.saturating_add(closing).min(u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX));
        let most = u64::from(most);
        let reserve = if certificates { most_established(most) / CERTIFICATE_RESERVE } else { 0 };
        let sockets = Arc::new(Semaphore::new(all as usize));
        Self { sockets, all, most, reserve, connections: Mutex::default() }
    }

    /// Waits until another socket may be opened. Connections are closed for others at once, so only those that take a
    /// moment to notice are waited for.
    pub(crate) async fn socket(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed.
        Arc::clone(&self.sockets).acquire_owned().await.ok()
    }

    /// Takes in a new connection, and closes an older one for it if need be.
    pub(crate) fn acquire(self: &Arc<Self>, address: IpAddr, socket: OwnedSemaphorePermit) -> ConnectionSlot {
        let mut connections = self.connections();
        let arrival = connections.arrivals;
        connections.arrivals += 1;
        let network = CallerKey::network(address);
        let entry = Arc::new(ConnectionEntry::new(arrival, network));
        // At least one, since a listener for a single connection has to let the next one in, too.
        let slots = self.most.saturating_sub(connections.established.count()).max(1);
        let (held, free) = (connections.new.held(&network), slots.saturating_sub(connections.new.count()));
        if !admits(held, free, slots) {
            let own = connections.new.oldest_of(&network);
            if let Some(oldest) = own.or_else(|| connections.new.oldest()) {
                connections.new.close(&oldest, &network_of(&oldest));
            }
        }
        connections.new.insert(network, Arc::clone(&entry));
        drop(connections);
        ConnectionSlot { limit: Arc::clone(self), entry, _socket: socket }
    }

    /// Establishes a connection at its first request; true ever after. False when its caller has its share of them and
    /// none of them is without a request: it stays a new one.
    pub(crate) fn establish(
        &self,
        entry: &Arc<ConnectionEntry>,
        caller: CallerKey,
        activity: &Arc<Activity>,
    ) -> bool {
        if entry.established.get().is_some() {
            return true;
        }
        let mut connections = self.connections();
        if connections.new.remove(entry.arrival, &entry.network).is_none() {
            // It was established by another request, or is being closed for a later one.
            return entry.established.get().is_some();
        }
        let admitted = self.make_room(&mut connections.established, caller);
        if admitted {
            let _first = entry.established.set((caller, Arc::clone(activity)));
            connections.established.insert(caller, Arc::clone(entry));
        } else {
            connections.new.insert(entry.network, Arc::clone(entry));
        }
        admitted
    }

    fn make_room(&self, established: &mut Group, caller: CallerKey) -> bool {
        let slots = most_established(self.most);
        let reserve = if caller.is_certificate() { 0 } else { self.reserve };
        let (held, free) = (established.held(&caller), slots.saturating_sub(established.count()));
        if admits(held, free.saturating_sub(reserve), slots) {
            return true;
        }
        let own = established.idle_of(&caller).map(|idle| (idle, caller));
        let Some((idle, owner)) = own.or_else(|| established.idle_of_largest(held, caller)) else {
            return false;
        };
        established.close(&idle, &owner);
        true
    }

    /// Resolves when the last connection has ended.
    pub(crate) async fn empty(&self) {
        // The semaphore is never closed.
        drop(self.sockets.acquire_many(self.all).await);
    }

    fn release(&self, entry: &ConnectionEntry) {
        let mut connections = self.connections();
        match entry.established.get() {
            Some((caller, _)) => connections.established.remove(entry.arrival, caller),
            None => connections.new.remove(entry.arrival, &entry.network),
        };
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many of all connections may be established: all but the part that is kept for new ones.
fn most_established(most: u64) -> u64 {
    most.saturating_sub((most / NEW_CONNECTIONS_SHARE).max(1)).max(1)
}

fn network_of(entry: &ConnectionEntry) -> CallerKey {
    entry.network
}

impl Group {
    fn count(&self) -> u64 {
        self.ages.len() as u64
    }

    fn held(&self, caller: &CallerKey) -> u64 {
        self.callers.get(caller).map_or(0, |entries| entries.len() as u64)
    }

    fn insert(&mut self, caller: CallerKey, entry: Arc<ConnectionEntry>) {
        self.ages.insert(entry.arrival, caller);
        self.callers.entry(caller).or_default().insert(entry.arrival, entry);
    }

    fn remove(&mut self, arrival: u64, caller: &CallerKey) -> Option<Arc<ConnectionEntry>> {
        self.ages.remove(&arrival);
        let entries = self.callers.get_mut(caller)?;
        let entry = entries.remove(&arrival);
        if entries.is_empty() {
            self.callers.remove(caller);
        }
        entry
    }

    fn close(&mut self, entry: &Arc<ConnectionEntry>, caller: &CallerKey) {
        if self.remove(entry.arrival, caller).is_some() {
            entry.closed.notify_one();
        }
    }

    fn oldest(&self) -> Option<Arc<ConnectionEntry>> {
        let (arrival, caller) = self.ages.first_key_value()?;
        self.callers.get(caller)?.get(arrival).cloned()
    }

    fn oldest_of(&self, caller: &CallerKey) -> Option<Arc<ConnectionEntry>> {
        self.callers.get(caller)?.first_key_value().map(|(_, oldest)| Arc::clone(oldest))
    }

    fn idle_of(&self, caller: &CallerKey) -> Option<Arc<ConnectionEntry>> {
        let entries = self.callers.get(caller)?;
        entries.values().take(IDLE_SEARCH_MAX).find(|entry| entry.is_idle()).cloned()
    }

    /// The oldest idle connection of the caller that has most of them, and more than the one that asks.
    fn idle_of_largest(&self, held: u64, asking: CallerKey) -> Option<(Arc<ConnectionEntry>, CallerKey)> {
        let may_yield = |caller: &CallerKey| asking.is_certificate() || !caller.is_certificate();
        let mut largest = None;
        let mut most = held;
        for (caller, entries) in self.callers.iter().filter(|(caller, _)| may_yield(caller)) {
            let count = entries.len() as u64;
            if count <= most {
                continue;
            }
            if let Some(idle) = entries.values().take(IDLE_SEARCH_MAX).find(|entry| entry.is_idle()) {
                (most, largest) = (count, Some((Arc::clone(idle), *caller)));
            }
        }
        largest
    }
}

impl ConnectionEntry {
    fn new(arrival: u64, network: CallerKey) -> Self {
        Self { arrival, network, established: OnceLock::new(), closed: Notify::new() }
    }

    fn is_idle(&self) -> bool {
        self.established.get().is_some_and(|(_, activity)| activity.is_idle())
    }
}

impl ConnectionSlot {
    /// The connection, as requests of it see it.
    pub(crate) fn entry(&self) -> &Arc<ConnectionEntry> {
        &self.entry
    }

    /// Resolves when this connection has to close for a later one. Cancel safe.
    pub(crate) async fn closed(&self) {
        self.entry.closed.notified().await;
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.limit.release(&self.entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: [u8; 4] = [192, 0, 2, 1];

    fn acquire(limit: &Arc<ConnectionLimit>, address: [u8; 4]) -> ConnectionSlot {
        let socket = Arc::clone(&limit.sockets).try_acquire_owned().expect("a socket");
        limit.acquire(address.into(), socket)
    }

    fn address(number: u32) -> [u8; 4] {
        (number + (10 << 24)).to_be_bytes()
    }

    fn holder(number: u8) -> CallerKey {
        CallerKey::Certificate([number; 32])
    }

    /// A connection that sent a request, which goes on if `busy`; none if it was not taken in.
    fn established(limit: &Arc<ConnectionLimit>, caller: CallerKey, busy: bool) -> Option<ConnectionSlot> {
        let slot = acquire(limit, ADDRESS);
        let activity = Arc::new(Activity::new());
        activity.request_started();
        if !busy {
            activity.request_finished();
        }
        limit.establish(&slot.entry, caller, &activity).then_some(slot)
    }

    /// Whether it was closed for a later one.
    fn is_closed(slot: &ConnectionSlot) -> bool {
        let closed = std::pin::pin!(slot.closed());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        closed.poll(&mut context).is_ready()
    }

    fn closed(limit: &[ConnectionSlot]) -> Vec<usize> {
        limit.iter().enumerate().filter(|(_, slot)| is_closed(slot)).map(|(index, _)| index).collect()
    }

    #[test]
    fn an_address_that_opens_too_many_loses_its_own() {
        let limit = Arc::new(ConnectionLimit::new(100, true));
        let other = acquire(&limit, address(2));
        let mut connections = Vec::new();
        let mut lost = Vec::new();
        for _ in 0..60 {
            connections.push(acquire(&limit, address(1)));
            lost.extend(closed(&connections));
        }
        assert_eq!(lost, (0..lost.len()).collect::<Vec<_>>(), "the oldest, each once");
        assert_eq!(connections.len() - lost.len(), 38, "the share of an address that is not alone");
        assert!(!is_closed(&other));
    }

    #[test]
    fn of_many_addresses_the_oldest_makes_room() {
        let limit = Arc::new(ConnectionLimit::new(50, false));
        let connections: Vec<_> = (0..60).map(|number| acquire(&limit, address(number))).collect();
        assert_eq!(closed(&connections), (0..10).collect::<Vec<_>>());
        drop(connections);
        assert_eq!(limit.connections().new.count(), 0);
        assert_eq!(limit.sockets.available_permits(), limit.all as usize);
    }

    #[test]
    fn a_caller_with_its_share_gets_a_place_for_one_of_its_own() {
        let limit = Arc::new(ConnectionLimit::new(100, false));
        let other = established(&limit, holder(2), false).unwrap();
        let connections: Vec<_> = (0..60).map(|_| established(&limit, holder(1), false).unwrap()).collect();
        let lost = closed(&connections);
        assert_eq!(lost, (0..lost.len()).collect::<Vec<_>>());
        // 75 may be established.
        assert_eq!(connections.len() - lost.len(), 29);
        assert!(!is_closed(&other) && established(&limit, holder(3), false).is_some());
        assert!(closed(&connections).is_empty(), "the newcomer took a free place");
    }

    #[test]
    fn connections_with_requests_are_not_closed() {
        let limit = Arc::new(ConnectionLimit::new(100, false));
        let connections: Vec<_> = (0..29).map(|_| established(&limit, holder(1), true).unwrap()).collect();
        assert!(established(&limit, holder(1), true).is_none());
        assert!(established(&limit, holder(2), true).is_some());
        assert!(closed(&connections).is_empty());
        assert_eq!(limit.connections().new.count(), 0, "what was not taken in has left");
    }

    /// Whatever many callers hold idle, one more gets in; without a certificate not at the cost of those with one.
    #[test]
    fn a_full_listener_closes_what_is_idle() {
        let limit = Arc::new(ConnectionLimit::new(100, true));
        let twice = established(&limit, holder(5), false).unwrap();
        let connections: Vec<_> =
            (0..74).map(|number| established(&limit, holder(number), false).unwrap()).collect();
        assert_eq!((closed(&connections), limit.connections().established.count()), (Vec::new(), 75));
        assert!(established(&limit, CallerKey::network(address(1).into()), false).is_none());
        assert!(established(&limit, holder(100), false).is_some());
        assert!(is_closed(&twice), "the oldest of the caller that has most");
        assert!(closed(&connections).is_empty());
    }

    #[test]
    fn a_part_is_kept_for_certificates() {
        let limit = Arc::new(ConnectionLimit::new(100, true));
        let anonymous = |number| CallerKey::network(address(number).into());
        let connections: Vec<_> =
            (0..80).map(|number| established(&limit, anonymous(number), true)).collect();
        assert_eq!(connections.iter().flatten().count(), 57, "75 less a quarter");
        assert!(established(&limit, holder(1), true).is_some());
    }

    #[test]
    fn one_place_goes_from_hand_to_hand() {
        let limit = Arc::new(ConnectionLimit::new(1, false));
        let silent = acquire(&limit, address(1));
        let first = established(&limit, holder(1), false).unwrap();
        assert!(is_closed(&silent));
        let second = established(&limit, holder(2), false).unwrap();
        assert!(is_closed(&first) && !is_closed(&second));
        drop((silent, first, second));
        let connections = limit.connections();
        assert_eq!((connections.new.count(), connections.established.count()), (0, 0));
    }
}
