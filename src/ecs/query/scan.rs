//! Where do the words of a placement expression end?
//!
//! Each function looks at the start of a text and says how many bytes belong to the word there.

/// Whether a character may stand in the name of an attribute.
pub(super) fn is_name_part(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.' | '/' | '\\')
}

/// The end of the characters that a condition holds for.
fn run(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|character| !belongs(character)).unwrap_or(text.len())
}

/// The end of a word: an operator in words, a subject, `and`, `or`, `not`.
pub(super) fn word(text: &str) -> usize {
    run(text, |character| is_name_part(character) || character == ':')
}

/// The end of the name of an attribute.
pub(super) fn name(text: &str) -> usize {
    run(text, is_name_part)
}

/// The end of a run of the characters that operators are made of.
pub(super) fn symbol(text: &str) -> usize {
    run(text, |character| "=!<>~&|,;".contains(character))
}

/// What stands where an operator is due, whole, whether it is one or not.
///
/// A symbol ends where its value can begin: `==!in` is `==` and the value `!in`. But `===b` is no
/// `==` with the value `=b`, which nobody means.
pub(super) fn operator(text: &str) -> &str {
    const SYMBOLS: [&str; 8] = ["==", "!=", ">=", "<=", "=~", "!~", ">", "<"];
    let end = match symbol(text) {
        0 => word(text),
        // `!in` and `!exists`, of which only the first character is a symbol.
        1 if text.starts_with('!') => 1 + word(text.get(1..).unwrap_or_default()),
        all => {
            let known = SYMBOLS.iter().find(|symbol| text.starts_with(**symbol));
            let known = known.map_or(all, |symbol| symbol.len());
            let goes_on =
                text.get(known..).is_some_and(|rest| rest.starts_with(['=', '~', '<', '>']));
            if goes_on { all } else { known }
        }
    };
    text.get(..end).unwrap_or_default()
}

/// The end of a value without quotes; none where there is none.
pub(super) fn bare(text: &str) -> Option<usize> {
    let ends = |character: char| character.is_whitespace() || ",[]()'\"".contains(character);
    let end = run(text, |character| !ends(character));
    (end > 0).then_some(end)
}

/// The end of a pattern without quotes: at a space, or at a parenthesis or bracket that closes
/// what was opened before the pattern. So `(attribute:a =~ (x|y)[0-9])` ends before the last `)`.
///
/// # Errors
/// Where a bracket stands that is never closed.
pub(super) fn bare_pattern(text: &str) -> Result<usize, usize> {
    let mut open: Vec<usize> = Vec::new();
    // Where classes were opened, one in another: in `[]a]` and `[^]a]` the first `]` is a member.
    let mut classes: Vec<usize> = Vec::new();
    let mut escaped = false;
    let mut end = text.len();
    for (at, character) in text.char_indices() {
        if character.is_whitespace() || (at == 0 && (character == '\'' || character == '"')) {
            end = at;
            break;
        }
        if escaped {
            escaped = false;
            continue;
        }
        if character == '\\' {
            escaped = true;
        } else if character == '[' {
            classes.push(at);
        } else if let Some(class) = classes.last() {
            if character == ']' && !matches!(text.get(*class..at), Some("[" | "[^")) {
                classes.pop();
            }
        } else if character == '(' {
            open.push(at);
        } else if character == ']' || (character == ')' && open.pop().is_none()) {
            end = at;
            break;
        }
    }
    match classes.pop().or(open.pop()) {
        Some(unclosed) => Err(unclosed),
        None => Ok(end),
    }
}
