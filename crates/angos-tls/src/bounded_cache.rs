//! A map of bounded cost that forgets what is old.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// A map whose entries cost no more than was said when it was made. What was inserted last stays longest: of
/// the most recent entries at least half the cost is kept, and older ones are forgotten together.
#[derive(Clone, Debug)]
pub(crate) struct BoundedCache<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    /// What was inserted since the young entries became the old ones, also if it was removed again.
    cost: usize,
    half: usize,
}

impl<K: Hash + Eq, V> BoundedCache<K, V> {
    pub(crate) fn new(max_cost: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), cost: 0, half: max_cost / 2 }
    }

    /// Whether it was kept: an entry of more than half of all cost is not.
    pub(crate) fn insert(&mut self, key: K, value: V, cost: usize) -> bool {
        if cost > self.half {
            return false;
        }
        if self.cost + cost > self.half {
            self.old = std::mem::take(&mut self.young);
            self.cost = 0;
        }
        self.cost += cost;
        self.old.remove(&key);
        self.young.insert(key, value);
        true
    }

    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    pub(crate) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.young.remove(key).or_else(|| self.old.remove(key))
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_is_bounded_and_the_newest_stay() {
        let mut map = BoundedCache::new(20);
        for number in 0..1000 {
            assert!(map.insert(number, number, 1));
            assert!(map.len() <= 20);
            for recent in (number - 9).max(0)..=number {
                assert_eq!(map.get(&recent), Some(&recent), "of {number}");
            }
            assert_eq!(map.get(&(number - 20)), None);
        }
    }

    #[test]
    fn what_is_too_large_is_not_kept() {
        let mut map = BoundedCache::new(20);
        assert!(map.insert("a", (), 10));
        assert!(!map.insert("b", (), 11));
        assert!(map.get("a").is_some() && map.get("b").is_none());
    }

    #[test]
    fn a_key_has_one_value() {
        let mut map = BoundedCache::new(4);
        map.insert("a", 1, 2);
        map.insert("b", 1, 2);
        map.insert("a", 2, 1);
        assert_eq!(map.remove("a"), Some(2));
        assert_eq!(map.get("a"), None);
    }
}
