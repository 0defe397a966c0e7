//! Which regular expressions are taken, and what do they match?
//!
//! ECS's are those of Java. What a matcher in linear time cannot do is refused, with its name.

use regex::{Regex, RegexBuilder};

use super::ast::Pattern;

/// The most memory for one compiled pattern, in bytes: `[a-z]{1000}` needs about a tenth of it.
const PATTERN_SIZE: usize = 1 << 20;

/// Compiles a pattern so that it matches whole texts only.
pub(super) fn compile(written: &str) -> Result<Pattern, String> {
    let build = |pattern: &str| -> Result<Regex, regex::Error> {
        RegexBuilder::new(pattern).size_limit(PATTERN_SIZE).dfa_size_limit(PATTERN_SIZE).build()
    };
    if is_possessive(written) {
        return Err("without possessive quantifiers such as `*+`".to_owned());
    }
    // On its own first, so that `a)|(b` is not made whole by what is put around it.
    build(written).map_err(|error| why(written, &error))?;
    let whole = build(&format!(r"\A(?:{written})\z")).map_err(|error| why(written, &error))?;
    Ok(Pattern { written: written.to_owned(), whole })
}

fn why(written: &str, error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "of a size that can be matched quickly".to_owned(),
        _ if ["(?=", "(?!", "(?<=", "(?<!"].iter().any(|look| written.contains(look)) => {
            "without look-ahead and look-behind".to_owned()
        }
        _ if has_back_reference(written) => "without references back to a group".to_owned(),
        other => {
            // The last line of the message has the reason; the others draw the place.
            let message = other.to_string();
            let reason = message.lines().last().unwrap_or_default();
            format!("but {}", reason.trim_start_matches("error: "))
        }
    }
}

/// Whether `*+`, `++`, `?+` or `}+` stands outside of a class.
fn is_possessive(written: &str) -> bool {
    let (mut escaped, mut classes, mut after_quantifier) = (false, 0_usize, false);
    for character in written.chars() {
        let was_quantifier = std::mem::take(&mut after_quantifier);
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => classes += 1,
            ']' => classes = classes.saturating_sub(1),
            '+' if was_quantifier && classes == 0 => return true,
            '*' | '+' | '?' | '}' if classes == 0 => after_quantifier = true,
            _ => {}
        }
    }
    false
}

fn has_back_reference(written: &str) -> bool {
    let mut escaped = false;
    written.chars().any(|character| {
        let was_escaped = std::mem::take(&mut escaped);
        escaped = character == '\\' && !was_escaped;
        was_escaped && (character.is_ascii_digit() || character == 'k')
    })
}
