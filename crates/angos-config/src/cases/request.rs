//! The request of a case: every action with every value of every list.

use std::time::SystemTime;

use angos_access::{AccessRequest, AccessRequests, Action};
use figment::value::Dict;

use super::reader::Reader;
use crate::key_path::KeyPath;
use crate::layers::Part;
use crate::limits::CASE_REQUESTS_MAX;

/// A field of a request and the values it takes by turns; several at once for `tags`.
struct Choice {
    field: &'static str,
    path: KeyPath,
    values: Vec<(KeyPath, String)>,
    together: bool,
}

impl Choice {
    /// Whether requests of this kind have the field.
    fn suits(&self, action: Action) -> bool {
        let name = if self.field == "repository" { "namespace" } else { self.field };
        matches!(name, "method" | "time") || action.fields().contains(&name)
    }
}

impl Reader<'_> {
    /// Every request of a case, at most `room` of them. A field that only some of the actions have is left out of the
    /// others; a field that no action has is a problem.
    pub(super) fn requests(
        &mut self,
        case: &Dict,
        path: &KeyPath,
        room: usize,
        now: SystemTime,
    ) -> Option<Vec<AccessRequests>> {
        let actions = self.actions(case, path);
        let mut choices = Vec::new();
        for field in AccessRequest::FIELDS {
            let Some(value) = case.get(*field) else { continue };
            let path = path.key(field);
            let values = self.texts(value, &path);
            choices.push(Choice { field, path, values, together: *field == "tags" });
        }
        let stray = choices.iter().find(|choice| !actions.iter().any(|action| choice.suits(*action)));
        if let Some(Choice { field, path, .. }) = stray
            && !actions.is_empty()
        {
            self.error(path, Part::Key, format!("none of the actions has a `{field}`"), "");
            return None;
        }
        let mut requests = Vec::new();
        for action in actions {
            let mut variants = vec![AccessRequest::new(action, now)];
            for choice in choices.iter().filter(|choice| choice.suits(action)) {
                let count = if choice.together { 1 } else { choice.values.len() };
                if variants.len().saturating_mul(count) > room {
                    let message = format!("the cases ask more than {CASE_REQUESTS_MAX} times");
                    self.error(path, Part::Key, message, "shorten the lists, or split the file");
                    return None;
                }
                variants = self.chosen(&variants, choice)?;
            }
            for variant in variants {
                match AccessRequests::of(&variant) {
                    Ok(request) => requests.push(request),
                    Err(error) => {
                        self.error(path, Part::Key, error.to_string(), "");
                        return None;
                    }
                }
            }
        }
        Some(requests)
    }

    /// Each request with each value of a choice; `None` when a value is wrong.
    fn chosen(&mut self, requests: &[AccessRequest], choice: &Choice) -> Option<Vec<AccessRequest>> {
        let mut chosen = Vec::with_capacity(requests.len() * choice.values.len());
        for request in requests {
            let mut request = request.clone();
            for (path, text) in &choice.values {
                if let Err(error) = request.set(choice.field, text) {
                    self.error(path, Part::Value, format!("`{path}`: {error}"), "");
                    return None;
                }
                if !choice.together {
                    chosen.push(request.clone());
                }
            }
            if choice.together {
                chosen.push(request);
            }
        }
        Some(chosen)
    }

    fn actions(&mut self, case: &Dict, path: &KeyPath) -> Vec<Action> {
        let words = self.needed(case, path, "action").map(|(value, path)| self.texts(value, &path));
        let mut actions = Vec::new();
        for (path, word) in words.into_iter().flatten() {
            if let Ok(action) = word.parse() {
                actions.push(action);
                continue;
            }
            let help = format!("the actions are {}", Action::WORDS.join(", "));
            self.unknown(&path, "action", &word, Action::WORDS.iter().copied(), &help);
        }
        actions
    }
}
