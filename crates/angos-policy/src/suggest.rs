//! Stage 3: the known name an unknown one was probably meant to be.

use crate::limits::SUGGESTION_MAX_CHARS;

/// The nearest of `known` to `word`, if it is near enough to be a slip of the pen: for a service that refuses names of
/// its own as kindly as rules are refused.
///
/// Words longer than 64 characters are not corrected.
///
/// ```
/// assert_eq!(angos_policy::nearest("usrname", ["id", "username"]), Some("username"));
/// ```
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let word: Vec<char> = word.chars().take(SUGGESTION_MAX_CHARS + 1).collect();
    if word.len() > SUGGESTION_MAX_CHARS {
        return None;
    }
    let allowed = (word.len() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (distance(&word, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions and substitutions between two words, letter case being half forgiven.
fn distance(word: &[char], candidate: &str) -> usize {
    if candidate.chars().map(|c| c.to_ascii_lowercase()).eq(word.iter().map(char::to_ascii_lowercase)) {
        return 0;
    }
    let mut row: Vec<usize> = (0..=word.len()).collect();
    for (i, c) in candidate.chars().take(SUGGESTION_MAX_CHARS).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, w) in row.iter_mut().skip(1).zip(word) {
            let above = *cell;
            left = (diagonal + usize::from(*w != c)).min(above + 1).min(left + 1);
            diagonal = above;
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_corrected_and_a_stranger_is_not() {
        let known = ["username", "certificate", "client_ip", "method", "id"];
        for (word, expected) in [
            ("usrname", Some("username")),
            ("certificat", Some("certificate")),
            ("clientIp", Some("client_ip")),
            ("Method", Some("method")),
            ("ID", Some("id")),
            ("password", None),
            ("", None),
            (&"x".repeat(5000), None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word:.20}");
        }
    }
}
