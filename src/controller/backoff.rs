//! How long until the next try? 1 s, doubled with each failure, at most 5 minutes.

use std::time::Duration;

use crate::names::sha256_hex;
use crate::world::ObjectKey;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);

/// The wait after a number of failures in a row.
pub(super) fn after(failures: u32, key: &ObjectKey) -> Duration {
    let doubled =
        FIRST.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX));
    jittered(doubled.min(LONGEST), key)
}

/// A duration shortened by up to a tenth, by the object's name: many that failed at once do not
/// come back at once.
pub(super) fn jittered(duration: Duration, key: &ObjectKey) -> Duration {
    let digits = sha256_hex(&[&key.to_string()]);
    let share =
        digits.get(..4).and_then(|hex| u32::from_str_radix(hex, 16).ok()).unwrap_or_default();
    duration.saturating_sub(duration.mul_f64(f64::from(share) / f64::from(0xffff_u32) / 10.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Kind;

    #[test]
    fn waits_double_up_to_five_minutes() {
        let key = ObjectKey::new(Kind::Service, "default", "web");
        for (failures, longest) in [(1, 1), (2, 2), (5, 16), (9, 256), (10, 300), (200, 300)] {
            let longest = Duration::from_secs(longest);
            let wait = after(failures, &key);
            assert!(wait <= longest && wait >= longest.mul_f64(0.9), "{failures}: {wait:?}");
        }
    }
}
