//! Connections and requests that fit into the limit on open files, so that files can always be opened for what was
//! accepted.

use crate::limits::{CLOSING_CONNECTIONS, FILES_RESERVE, LIMIT_MIN, MANAGEMENT_CONNECTIONS};
use crate::settings::Settings;

/// A limit on open files that is too low for the settings, and what they came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TooFewFiles {
    /// The limit.
    pub limit: u64,
    /// The limit that the settings need.
    pub needed: u64,
    /// How many connections there may be at once, over all listeners that serve the registry, instead of those
    /// configured.
    pub connections: u64,
    /// How many requests there may be at once, instead of those configured.
    pub requests: u64,
}

impl Settings {
    /// Lowers the bounds on connections and requests until they fit into a limit on open files, and says so.
    ///
    /// Guarantee: with the settings that are left, connections and requests leave [`FILES_RESERVE`] descriptors to the
    /// rest of the process, so neither a request that was accepted nor a reload fails for want of one. Each request
    /// counts as a file.
    pub fn fit_open_files(&mut self, limit: u64) -> Option<TooFewFiles> {
        let listeners = self.listeners.len().saturating_add(1);
        let closing = CLOSING_CONNECTIONS.saturating_mul(listeners.saturating_add(1));
        let beside = FILES_RESERVE + MANAGEMENT_CONNECTIONS + closing;
        let further = self.listeners.iter().map(|listener| listener.max_connections);
        let connections = further.fold(self.limits.max_connections, usize::saturating_add);
        let needed = beside.saturating_add(connections).saturating_add(self.limits.max_requests);
        let room = usize::try_from(limit).unwrap_or(usize::MAX);
        if needed <= room {
            return None;
        }
        let room = room.saturating_sub(beside);
        let for_requests = (room / 2).max(room.saturating_sub(connections)).max(LIMIT_MIN);
        self.limits.max_requests = self.limits.max_requests.min(for_requests);
        let for_connections = room.saturating_sub(self.limits.max_requests);
        let part = |configured: usize| {
            let part = configured as u128 * for_connections as u128 / connections.max(1) as u128;
            usize::try_from(part).unwrap_or(configured).max(LIMIT_MIN).min(configured)
        };
        self.limits.max_connections = part(self.limits.max_connections);
        for listener in &mut self.listeners {
            listener.max_connections = part(listener.max_connections);
        }
        let further: usize = self.listeners.iter().map(|listener| listener.max_connections).sum();
        Some(TooFewFiles {
            limit,
            needed: needed as u64,
            connections: further.saturating_add(self.limits.max_connections) as u64,
            requests: self.limits.max_requests as u64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Listener;

    #[test]
    fn what_is_left_fits() {
        let check = |limit: u64, further: usize, expected: Option<(u64, u64)>| {
            let mut settings = Settings::default();
            for number in 0..further {
                let listener = Listener::new(number.to_string(), settings.listen);
                settings.listeners.push(listener);
            }
            let short = settings.fit_open_files(limit);
            assert_eq!(short.map(|short| (short.connections, short.requests)), expected, "{limit}");
            let Some(short) = short else { return };
            assert!(short.connections + short.requests + (FILES_RESERVE as u64) < limit);
            assert_eq!(settings.clone().fit_open_files(short.needed), None);
            let again = settings.fit_open_files(limit);
            assert_eq!(again, None, "{limit}: fits now");
        };
        check(1 << 20, 0, None);
        check(1 << 20, 3, None);
        check(1024, 0, Some((368, 368)));
        check(1024, 2, Some((350, 352)));
        check(16_384, 0, Some((12_000, 4096)));
    }

    #[test]
    fn something_is_served_under_any_limit() {
        let mut settings = Settings::default();
        assert!(settings.fit_open_files(0).is_some());
        assert_eq!(settings.limits.max_connections, LIMIT_MIN);
        assert_eq!(settings.limits.max_requests, LIMIT_MIN);
    }
}
