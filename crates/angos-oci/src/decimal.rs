//! Unsigned decimal numbers as HTTP range headers write them.

/// Reads digits and nothing else; a number too large for 64 bits becomes [`u64::MAX`], which every size refuses.
pub(crate) fn parse_saturating(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_digits_alone() {
        let check = |text: &str, expected| assert_eq!(parse_saturating(text), expected, "{text:?}");
        check("0", Some(0));
        check("007", Some(7));
        check("18446744073709551615", Some(u64::MAX));
        check("18446744073709551616", Some(u64::MAX));
        check(&"9".repeat(5000), Some(u64::MAX));
        for text in ["", "+1", "-1", " 1", "1 ", "0x1", "1_0", "1.0", "١"] {
            check(text, None);
        }
    }
}
