//! What did somebody probably mean whose words fit nothing that is there?

/// How alike two words must be, from 0 to 1, for the one to be taken for the other misspelled: one
/// letter in four may differ.
const ALIKE: f64 = 0.75;

/// The one of several words that another is probably a misspelling of.
///
/// ```
/// use linkspan::plan::placement::meant::nearest;
/// assert_eq!(nearest("stak", ["stack", "disk"]), Some("stack"));
/// assert_eq!(nearest("M5.large", ["c5.large", "m5.large"]), Some("m5.large"));
/// assert_eq!(nearest("blue", ["green"]), None);
/// ```
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let mut best: Option<(f64, &str)> = None;
    for one in known {
        if one == word {
            return None;
        }
        let alike = strsim::normalized_damerau_levenshtein(&lower, &one.to_lowercase());
        let is_better = best.is_none_or(|(most, other)| (alike, other) > (most, one));
        if alike >= ALIKE && is_better {
            best = Some((alike, one));
        }
    }
    best.map(|(_, one)| one)
}
