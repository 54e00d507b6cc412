//! Lists of tags and of namespaces, in byte order, at a cost that follows the page.

use angos_oci::{Name, Tag};

use crate::limits::{ENTRIES_PER_SCAN, PAGE_MAX};
use crate::{Error, Registry, Result, key};

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries, in order.
    pub items: Vec<T>,
    /// Where the next page starts after, if there is more.
    pub next: Option<T>,
}

impl Registry {
    /// Up to `n` tags (at most and by default [`PAGE_MAX`]) greater than `last`, which need not be a tag.
    ///
    /// A namespace without tags has an empty list; one that does not exist is [`Error::NameUnknown`].
    pub async fn list_tags(&self, name: &Name, n: Option<usize>, last: Option<&str>) -> Result<Page<Tag>> {
        let after = last.map(|last| key::tag(name, last));
        let page = self.list(&key::tags(name), after, n).await?;
        if page.items.is_empty() && !self.exists(&key::catalog(name)).await? {
            return Err(Error::NameUnknown);
        }
        Ok(page)
    }

    /// Up to `limit` namespaces (at most [`PAGE_MAX`]) greater than `after`, which need not be one.
    pub async fn catalog(&self, after: Option<&str>, limit: usize) -> Result<Vec<Name>> {
        let after = after.map(|after| [key::CATALOG, after.as_bytes()].concat());
        Ok(self.list(key::CATALOG, after, Some(limit)).await?.items)
    }

    async fn list<T: std::str::FromStr + Clone>(
        &self,
        prefix: &[u8],
        mut after: Option<Vec<u8>>,
        n: Option<usize>,
    ) -> Result<Page<T>> {
        let wanted = n.unwrap_or(PAGE_MAX).min(PAGE_MAX);
        let mut items: Vec<T> = Vec::new();
        if wanted == 0 {
            return Ok(Page { items, next: None });
        }
        loop {
            // One more than wanted tells whether there is a next page.
            let limit = (wanted + 1 - items.len()).min(ENTRIES_PER_SCAN);
            let page = self.metadata().scan(prefix, after.as_deref(), limit).await?;
            let is_last = page.len() < limit;
            after = page.last().map(|entry| entry.key.to_vec());
            for entry in page {
                if entry.value == crate::record::REMOVED {
                    continue;
                }
                if items.len() == wanted {
                    let next = items.last().cloned();
                    return Ok(Page { items, next });
                }
                let item = key::text_after(&entry.key, prefix);
                items.push(item.ok_or(Error::Corrupt { what: "listed name" })?);
            }
            if is_last {
                return Ok(Page { items, next: None });
            }
        }
    }
}
