//! When are two texts compared as numbers, and which is greater?

use std::cmp::Ordering;

/// A decimal number of any length, compared without rounding: `-12.50`.
#[derive(Debug, PartialEq, Eq)]
struct Decimal<'a> {
    negative: bool,
    /// Without leading zeros.
    whole: &'a str,
    /// Without trailing zeros.
    fraction: &'a str,
}

impl<'a> Decimal<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return None,
            None => (digits, ""),
        };
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let whole = whole.trim_start_matches('0');
        let fraction = fraction.trim_end_matches('0');
        let is_zero = whole.is_empty() && fraction.is_empty();
        Some(Self { negative: negative && !is_zero, whole, fraction })
    }

    /// How far from zero: a longer whole part is more; parts of one length compare as texts do.
    fn size(&self, other: &Self) -> Ordering {
        let whole = (self.whole.len(), self.whole).cmp(&(other.whole.len(), other.whole));
        whole.then_with(|| self.fraction.cmp(other.fraction))
    }
}

/// Compares as numbers if both are decimal numbers, else as texts, byte by byte: `12` is greater
/// than `9`, and `a12` is less than `a9`.
pub(super) fn compare(left: &str, right: &str) -> Ordering {
    let (Some(a), Some(b)) = (Decimal::read(left), Decimal::read(right)) else {
        return left.cmp(right);
    };
    match (a.negative, b.negative) {
        (false, false) => a.size(&b),
        (true, true) => b.size(&a),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_as_numbers_and_all_else_as_text() {
        use Ordering::{Equal, Greater, Less};
        for (left, right, order) in [
            ("12", "9", Greater),
            ("a12", "a9", Less),
            ("12", "9a", Less),
            ("-12", "9", Less),
            ("-12", "-9", Less),
            ("007", "7.0", Equal),
            ("-0", "0", Equal),
            ("1.5", "1.25", Greater),
            ("1.", "1", Greater),
            ("", "0", Less),
            ("9007199254740993", "9007199254740992", Greater),
            ("1e3", "999", Less),
        ] {
            assert_eq!(compare(left, right), order, "{left} and {right}");
        }
    }
}
