//! Stage 3: suggests a known name for an unknown one.

use crate::limits::SUGGESTION_MAX_CHARS;

/// The nearest of `known` to `word`, if it is near enough to be a slip of the pen: for a service that refuses names of
/// its own as kindly as rules are refused.
///
/// Near enough: at most a third of its letters differ, swapped neighbours counting once, without regard to case and
/// to whether `-` or `_` is written. Of several the first. Words longer than 64 characters are not corrected.
///
/// ```
/// assert_eq!(angos_policy::nearest("usrname", ["id", "username"]), Some("username"));
/// ```
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let word = folded(word)?;
    known
        .into_iter()
        .filter_map(|candidate| {
            let letters = folded(candidate)?;
            let distance = distance(&word, &letters);
            let is_near = distance <= (word.len() / 3).max(1);
            is_near.then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The normalized characters of a word; `None` if it is too long.
fn folded(word: &str) -> Option<Vec<char>> {
    let fold = |letter: char| if letter == '-' { '_' } else { letter.to_ascii_lowercase() };
    let letters: Vec<char> = word.chars().take(SUGGESTION_MAX_CHARS + 1).map(fold).collect();
    (letters.len() <= SUGGESTION_MAX_CHARS).then_some(letters)
}

/// Insertions, deletions, substitutions and swaps of neighbours between two words.
fn distance(left: &[char], right: &[char]) -> usize {
    let at = |cells: &[usize], index: usize| cells.get(index).copied().unwrap_or(usize::MAX - 1);
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (row, letter) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, other) in right.iter().enumerate() {
            let mut cost = at(&last, column) + usize::from(letter != other);
            cost = cost.min(at(&last, column + 1) + 1).min(at(&current, column) + 1);
            let swapped = row > 0
                && column > 0
                && left.get(row - 1) == Some(other)
                && right.get(column - 1) == Some(letter);
            if swapped {
                cost = cost.min(at(&before_last, column - 1) + 1);
            }
            current.push(cost);
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_names_are_suggested_and_distant_ones_are_not() {
        let known = ["username", "certificate", "client_ip", "method", "id"];
        for (word, expected) in [
            ("usrname", Some("username")),
            ("certificat", Some("certificate")),
            ("clientIp", Some("client_ip")),
            ("Method", Some("method")),
            ("ID", Some("id")),
            ("client-ip", Some("client_ip")),
            ("mehtod", Some("method")),
            ("password", None),
            ("", None),
            (&"x".repeat(5000), None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word:.20}");
        }
    }
}
