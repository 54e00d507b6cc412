//! The set in force: which one it is, and who wants to know when it changes.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use tokio::sync::watch;

use crate::material::Material;

/// One set of material and its number.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) number: u64,
    pub(crate) material: Arc<Material>,
}

/// The set in force. Reading it takes no lock.
#[derive(Debug)]
pub(crate) struct CurrentMaterial {
    current: ArcSwap<Generation>,
    /// Of two replacements at once one goes first.
    replacing: Mutex<()>,
    changes: watch::Sender<u64>,
}

impl CurrentMaterial {
    pub(crate) fn new(material: Material) -> Self {
        let first = Generation { number: 1, material: Arc::new(material) };
        Self {
            current: ArcSwap::from_pointee(first),
            replacing: Mutex::new(()),
            changes: watch::Sender::new(1),
        }
    }

    pub(crate) fn load(&self) -> Guard<Arc<Generation>> {
        self.current.load()
    }

    pub(crate) fn load_full(&self) -> Arc<Generation> {
        self.current.load_full()
    }

    /// Puts `material` into force, unless it says what is in force already, and returns the number in force.
    pub(crate) fn replace(&self, material: Material) -> u64 {
        let _order = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.load_full();
        let material = material.after(&current.material);
        if current.material.equals(&material) {
            return current.number;
        }
        let number = current.number + 1;
        self.current.store(Arc::new(Generation { number, material: Arc::new(material) }));
        self.changes.send_replace(number);
        number
    }

    pub(crate) fn subscribe(&self) -> Generations {
        Generations { changes: self.changes.subscribe() }
    }
}

/// Tells when another set of material comes into force: see [`Acceptor::generations`](crate::Acceptor::generations).
#[derive(Clone, Debug)]
pub struct Generations {
    changes: watch::Receiver<u64>,
}

impl Generations {
    /// Waits for a generation this value has not told of yet, and returns its number; generations that follow each
    /// other quickly may be told as one, the last. Does not end once every clone of the acceptor is gone.
    ///
    /// Cancel safe: a change is not lost when the future is dropped.
    pub async fn changed(&mut self) -> u64 {
        if self.changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        *self.changes.borrow_and_update()
    }
}
