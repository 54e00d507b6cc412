//! Lists of tags and of namespaces, in byte order, at a cost that follows the page.

use angos_oci::{Name, Tag};

use crate::limits::{ENTRIES_PER_SCAN, PAGE_MAX, TAGS_PER_PIECE};
use crate::{Error, Registry, Result, key};

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries, in order; without those of `rest`.
    pub items: Vec<T>,
    /// The entries of the page that were left out because of their size.
    pub rest: Option<Span<T>>,
    /// Where the next page starts after, if there is more.
    pub next: Option<T>,
}

/// The entries of a list after one of them, up to and with another. It holds none of those in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span<T> {
    after: T,
    through: T,
}

impl<T: AsRef<str> + Clone> Page<T> {
    /// Takes an entry while its text fits `room`; those after the first that does not are the rest.
    fn push(&mut self, item: T, room: &mut usize) {
        if let Some(rest) = &mut self.rest {
            rest.through = item;
            return;
        }
        match (room.checked_sub(item.as_ref().len()), self.items.last()) {
            (None, Some(last)) => self.rest = Some(Span { after: last.clone(), through: item }),
            (left, _) => {
                *room = left.unwrap_or(0);
                self.items.push(item);
            }
        }
    }

    fn last(&self) -> Option<T> {
        self.rest.as_ref().map(|rest| &rest.through).or(self.items.last()).cloned()
    }
}

impl Registry {
    /// Up to `n` tags (at most and by default [`PAGE_MAX`]) greater than `last`, which need not be a tag; all of them
    /// in memory.
    ///
    /// A namespace without tags has an empty list; one that does not exist is [`Error::NameUnknown`].
    pub async fn list_tags(&self, name: &Name, n: Option<usize>, last: Option<&str>) -> Result<Page<Tag>> {
        self.begin_tags(name, n, last, usize::MAX).await
    }

    /// The same page, of which only tags with about `bytes` bytes of text are in memory. The rest is read with
    /// [`more_tags`](Self::more_tags).
    pub async fn begin_tags(
        &self,
        name: &Name,
        n: Option<usize>,
        last: Option<&str>,
        bytes: usize,
    ) -> Result<Page<Tag>> {
        let after = last.map(|last| key::tag(name, last));
        let page = self.list(&key::tags(name), after, n, bytes).await?;
        if page.items.is_empty() && !self.exists(&key::catalog(name)).await? {
            return Err(Error::NameUnknown);
        }
        Ok(page)
    }

    /// The first tags of `span`, with about `bytes` bytes of text, and what is left of it then.
    ///
    /// Tags that were pushed or deleted since the span was made are there or are not.
    pub async fn more_tags(
        &self,
        name: &Name,
        span: Span<Tag>,
        bytes: usize,
    ) -> Result<(Vec<Tag>, Option<Span<Tag>>)> {
        let prefix = key::tags(name);
        let end = key::tag(name, &span.through);
        let mut after = key::tag(name, &span.after);
        let (mut tags, mut room): (Vec<Tag>, usize) = (Vec::new(), bytes);
        loop {
            let page = self.metadata().scan(&prefix, Some(&after), TAGS_PER_PIECE).await?;
            let is_last = page.len() < TAGS_PER_PIECE;
            for entry in page {
                if entry.key.as_ref() > end.as_slice() {
                    return Ok((tags, None));
                }
                if entry.value != crate::record::REMOVED {
                    let tag: Option<Tag> = key::text_after(&entry.key, &prefix);
                    let tag = tag.ok_or(Error::Corrupt { what: "listed name" })?;
                    match (room.checked_sub(tag.as_ref().len()), tags.last()) {
                        (None, Some(last)) => {
                            let rest = Span { after: last.clone(), through: span.through };
                            return Ok((tags, Some(rest)));
                        }
                        (left, _) => room = left.unwrap_or(0),
                    }
                    tags.push(tag);
                }
                after = entry.key.to_vec();
            }
            if is_last {
                return Ok((tags, None));
            }
        }
    }

    /// Up to `limit` namespaces (at most [`PAGE_MAX`]) greater than `after`, which need not be one.
    pub async fn catalog(&self, after: Option<&str>, limit: usize) -> Result<Vec<Name>> {
        let after = after.map(|after| [key::CATALOG, after.as_bytes()].concat());
        Ok(self.list(key::CATALOG, after, Some(limit), usize::MAX).await?.items)
    }

    async fn list<T: std::str::FromStr + AsRef<str> + Clone>(
        &self,
        prefix: &[u8],
        mut after: Option<Vec<u8>>,
        n: Option<usize>,
        bytes: usize,
    ) -> Result<Page<T>> {
        let wanted = n.unwrap_or(PAGE_MAX).min(PAGE_MAX);
        let mut list = Page { items: Vec::new(), rest: None, next: None };
        if wanted == 0 {
            return Ok(list);
        }
        let (mut count, mut room) = (0, bytes);
        loop {
            // One more than wanted tells whether there is a next page.
            let limit = (wanted + 1 - count).min(ENTRIES_PER_SCAN);
            let page = self.scan(prefix, after.as_deref(), limit).await?;
            let is_last = page.len() < limit;
            after = page.last().map(|entry| entry.key.to_vec());
            for entry in page {
                if entry.value == crate::record::REMOVED {
                    continue;
                }
                if count == wanted {
                    list.next = list.last();
                    return Ok(list);
                }
                let item = key::text_after(&entry.key, prefix);
                list.push(item.ok_or(Error::Corrupt { what: "listed name" })?, &mut room);
                count += 1;
            }
            if is_last {
                return Ok(list);
            }
        }
    }
}
