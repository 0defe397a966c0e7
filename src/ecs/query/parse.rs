//! How is a placement expression read?
//!
//! By recursive descent, one function for each rule of the grammar:
//!
//! ```text
//! any     = all { ("or" | "||") all }
//! all     = unary { ("and" | "&&") unary }
//! unary   = ("not" | "!") unary | "(" any ")" | term
//! term    = subject ( exists | comparison value | matching pattern | ("in" | "not_in") list )
//! ```
//!
//! Spaces may stand between any two words. A `!` that is followed by `=`, `~`, `in` or `exists` is
//! an operator where an operator is due, and a negation where a term is due.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use regex::{Regex, RegexBuilder};

use super::ast::{Expression, Order, Pattern, Query, Subject, Term, Test, Value};
use super::error::QueryError;
use super::{DEEPEST, LONGEST, near_miss, scan};

/// The longest name of an attribute, in characters.
const LONGEST_NAME: usize = 128;
/// The most memory for one compiled pattern, in bytes: `[a-z]{1000}` needs about a tenth of it.
const PATTERN_SIZE: usize = 1 << 20;

const TERM: &str = "a question such as `attribute:ecs.instance-type == m5.large`";

impl Query {
    /// Reads an expression.
    ///
    /// # Errors
    /// The first mistake: where it is, what stands there, and what must stand there.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let reader = &mut Reader { text, at: 0, depth: 0 };
        if let Some((offset, _)) = text.char_indices().nth(LONGEST) {
            let length = text.chars().count();
            return Err(reader.error(
                offset,
                format!("{length} characters"),
                format!("at most {LONGEST} characters"),
            ));
        }
        let expression = reader.any()?;
        reader.skip_spaces();
        if reader.rest().is_empty() {
            Ok(Self { expression })
        } else {
            Err(reader.expected_joint())
        }
    }
}

impl std::str::FromStr for Query {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        Self::parse(text)
    }
}

/// The operators by what they stand for; those with an argument take it afterwards.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    Exists,
    NotExists,
    Equals,
    NotEquals,
    Compares(Order),
    In,
    NotIn,
    Matches,
    NotMatches,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_spaces(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// Takes that many bytes.
    fn take(&mut self, length: usize) -> &'a str {
        let taken = self.rest().get(..length).unwrap_or_default();
        self.at += taken.len();
        taken
    }

    /// Takes the text if it comes next.
    fn takes(&mut self, text: &str) -> bool {
        let is_next = self.rest().starts_with(text);
        if is_next {
            self.at += text.len();
        }
        is_next
    }

    /// Takes the word if it comes next, and not as the beginning of a longer word.
    fn takes_word(&mut self, word: &str) -> bool {
        scan::word(self.rest()) == word.len() && self.takes(word)
    }

    fn any(&mut self) -> Result<Expression, QueryError> {
        self.joined("or", "||", Self::all, Expression::Any)
    }

    fn all(&mut self) -> Result<Expression, QueryError> {
        self.joined("and", "&&", Self::unary, Expression::All)
    }

    /// One or more, joined by a word or a symbol. A group in parentheses that is joined in the same
    /// way becomes part of the whole: `a or (b or c)` is `a or b or c`.
    fn joined(
        &mut self,
        word: &str,
        symbol: &str,
        one: impl Fn(&mut Self) -> Result<Expression, QueryError>,
        join: impl Fn(Vec<Expression>) -> Expression,
    ) -> Result<Expression, QueryError> {
        let first = one(self)?;
        let mut all = vec![first];
        loop {
            self.skip_spaces();
            if !self.takes(symbol) && !self.takes_word(word) {
                break;
            }
            all.push(one(self)?);
        }
        if all.len() == 1
            && let Some(only) = all.pop()
        {
            return Ok(only);
        }
        let same = std::mem::discriminant(&join(Vec::new()));
        let parts = all.into_iter().flat_map(|part| {
            if std::mem::discriminant(&part) != same {
                return vec![part];
            }
            match part {
                Expression::Any(parts) | Expression::All(parts) => parts,
                other => vec![other],
            }
        });
        Ok(join(parts.collect()))
    }

    fn unary(&mut self) -> Result<Expression, QueryError> {
        self.skip_spaces();
        let start = self.at;
        let negates = self.takes("!") || self.takes_word("not");
        if !negates && !self.takes("(") {
            return Ok(Expression::Term(self.term()?));
        }
        if self.depth == DEEPEST {
            let found = if negates { "a further `not`" } else { "a further `(`" };
            let expected = format!("at most {DEEPEST} of them, one in another");
            return Err(self.error(start, found.to_owned(), expected));
        }
        self.depth += 1;
        let inner = if negates { Expression::Not(Box::new(self.unary()?)) } else { self.any()? };
        self.depth -= 1;
        self.skip_spaces();
        if !negates && !self.takes(")") {
            let mut error = self.expected_joint();
            let column = self.column(start);
            error.expected = format!("`and`, `or`, or `)` for the `(` at column {column}");
            return Err(error);
        }
        Ok(inner)
    }

    fn term(&mut self) -> Result<Term, QueryError> {
        let subject = self.subject()?;
        let operator = self.operator(&subject)?;
        let test = match operator {
            Operator::Exists => Test::Exists,
            Operator::NotExists => Test::NotExists,
            Operator::Equals => Test::Equals(self.value(&subject)?),
            Operator::NotEquals => Test::NotEquals(self.value(&subject)?),
            Operator::Compares(order) => Test::Compares(order, self.value(&subject)?),
            Operator::In => Test::In(self.list(&subject)?),
            Operator::NotIn => Test::NotIn(self.list(&subject)?),
            Operator::Matches => Test::Matches(self.pattern()?),
            Operator::NotMatches => Test::NotMatches(self.pattern()?),
        };
        Ok(Term { subject, test })
    }

    fn subject(&mut self) -> Result<Subject, QueryError> {
        self.skip_spaces();
        let start = self.at;
        if self.takes("attribute:") {
            let name = self.take(scan::name(self.rest()));
            if name.is_empty() {
                return Err(self.expected("the name of an attribute", None));
            }
            if name.len() > LONGEST_NAME {
                let found = format!("a name of {} characters", name.len());
                let expected = format!("at most {LONGEST_NAME} characters");
                return Err(self.error(start, found, expected));
            }
            return Ok(Subject::Attribute(name.to_owned()));
        }
        let word = self.rest().get(..scan::word(self.rest())).unwrap_or_default();
        let subject = match word {
            "task:group" => Subject::TaskGroup,
            "agentConnected" => Subject::AgentConnected,
            "agentVersion" => Subject::AgentVersion,
            "ec2InstanceId" => Subject::Ec2InstanceId,
            "registeredAt" => Subject::RegisteredAt,
            "runningTasksCount" => Subject::RunningTasksCount,
            "" => return Err(self.expected(TERM, None)),
            other => {
                let meant = match near_miss::joint(other) {
                    Some(_) => None,
                    None if other.eq_ignore_ascii_case("not") => Some("not".to_owned()),
                    None => near_miss::subject(other),
                };
                return Err(self.expected(TERM, meant));
            }
        };
        self.take(word.len());
        Ok(subject)
    }

    fn operator(&mut self, subject: &Subject) -> Result<Operator, QueryError> {
        self.skip_spaces();
        let written = scan::operator(self.rest());
        let operator = match written {
            "exists" => Operator::Exists,
            "not_exists" | "!exists" => Operator::NotExists,
            "==" | "equals" => Operator::Equals,
            "!=" | "not_equals" => Operator::NotEquals,
            ">" | "greater_than" => Operator::Compares(Order::Greater),
            ">=" | "greater_than_equal" => Operator::Compares(Order::GreaterOrEqual),
            "<" | "less_than" => Operator::Compares(Order::Less),
            "<=" | "less_than_equal" => Operator::Compares(Order::LessOrEqual),
            "in" => Operator::In,
            "not_in" | "!in" => Operator::NotIn,
            "=~" | "matches" => Operator::Matches,
            "!~" | "not_matches" => Operator::NotMatches,
            _ => {
                let meant = near_miss::operator(written).filter(|meant| allows(subject, meant));
                let expected = format!("an operator: {}", operators(subject));
                return Err(self.expected(&expected, meant.map(ToOwned::to_owned)));
            }
        };
        if !allows(subject, symbol_of(operator)) {
            let expected = format!("an operator that {subject} has: {}", operators(subject));
            return Err(self.expected(&expected, None));
        }
        self.take(written.len());
        Ok(operator)
    }

    fn list(&mut self, subject: &Subject) -> Result<Vec<Value>, QueryError> {
        self.skip_spaces();
        if !self.takes("[") {
            let word = scan::bare(self.rest()).and_then(|end| self.rest().get(..end));
            let meant = word.map(|word| format!("[{word}]"));
            return Err(self.expected("a list in brackets, such as `[a, b]`", meant));
        }
        let mut values = Vec::new();
        loop {
            values.push(self.value(subject)?);
            self.skip_spaces();
            if self.takes("]") {
                return Ok(values);
            }
            if !self.takes(",") {
                return Err(self.expected("`,` or `]`", None));
            }
        }
    }

    /// A value as it is written, without its quotes.
    fn text(&mut self) -> Result<&'a str, QueryError> {
        self.skip_spaces();
        for quote in ["'", "\""] {
            if self.rest().starts_with(quote) {
                return self.quoted(quote);
            }
        }
        match scan::bare(self.rest()) {
            Some(end) => Ok(self.take(end)),
            None => Err(self.expected("a value", None)),
        }
    }

    fn quoted(&mut self, quote: &str) -> Result<&'a str, QueryError> {
        let start = self.at;
        self.take(quote.len());
        let Some(end) = self.rest().find(quote) else {
            let found = format!("a {quote} that is never closed");
            return Err(self.error(start, found, format!("a second {quote} after the value")));
        };
        let text = self.take(end);
        self.take(quote.len());
        Ok(text)
    }

    fn value(&mut self, subject: &Subject) -> Result<Value, QueryError> {
        self.skip_spaces();
        let start = self.at;
        let text = self.text()?;
        let value = match subject {
            Subject::Attribute(_) | Subject::TaskGroup | Subject::Ec2InstanceId => {
                Ok(Value::Text(text.to_owned()))
            }
            Subject::AgentConnected => match text {
                "true" | "false" => Ok(Value::Text(text.to_owned())),
                _ => Err("`true` or `false`"),
            },
            Subject::AgentVersion => {
                version(text).map(Value::Version).ok_or("a version such as `1.14.5`")
            }
            Subject::RegisteredAt => time(text)
                .map(Value::Time)
                .ok_or("a time such as `2018-06-18` or `2018-06-18T22:28:28Z`"),
            Subject::RunningTasksCount => {
                text.parse().map(Value::Count).map_err(|_| "a number of tasks such as `3`")
            }
        };
        value.map_err(|expected| {
            self.at = start;
            self.expected(expected, None)
        })
    }

    fn pattern(&mut self) -> Result<Pattern, QueryError> {
        self.skip_spaces();
        let start = self.at;
        let is_quoted = self.rest().starts_with(['\'', '"']);
        let written = if is_quoted {
            self.text()?
        } else {
            match scan::bare_pattern(self.rest()) {
                Ok(0) => return Err(self.expected("a regular expression", None)),
                Ok(end) => self.take(end),
                Err(open) => {
                    let bracket = self.rest().get(open..=open).unwrap_or_default();
                    let found = format!("a `{bracket}` that is never closed");
                    let expected = "its end before the next space, or the expression in quotes";
                    return Err(self.error(start + open, found, expected.to_owned()));
                }
            }
        };
        compile(written).map_err(|reason| {
            self.error(
                start,
                format!("`{}`", brief(written)),
                format!("a regular expression, {reason}"),
            )
        })
    }

    /// The mistake that after a whole term something else follows than a joining word.
    fn expected_joint(&self) -> QueryError {
        let rest = self.rest();
        let end = scan::symbol(rest).max(scan::word(rest));
        let meant = rest.get(..end).and_then(near_miss::joint);
        let mut error = self.expected("`and`, `or`, or the end", meant.map(ToOwned::to_owned));
        if meant.is_none() && self.text.get(..self.at).is_some_and(|before| before.contains("&&")) {
            error.expected.push_str(" (a value without quotes ends at a space)");
        }
        error
    }

    /// The mistake that what comes next is not what must come.
    fn expected(&self, expected: &str, meant: Option<String>) -> QueryError {
        let end = self.rest().find(char::is_whitespace).unwrap_or(self.rest().len());
        let found = match self.rest().get(..end) {
            _ if self.rest().is_empty() => "the end".to_owned(),
            None | Some("") => "a space".to_owned(),
            Some(word) => format!("`{}`", brief(word)),
        };
        QueryError { meant, ..self.error(self.at, found, expected.to_owned()) }
    }

    fn error(&self, offset: usize, found: String, expected: String) -> QueryError {
        QueryError { offset, column: self.column(offset), found, expected, meant: None }
    }

    fn column(&self, offset: usize) -> usize {
        self.text.get(..offset).unwrap_or_default().chars().count() + 1
    }
}

/// At most forty characters of a text.
fn brief(text: &str) -> String {
    const SHOWN: usize = 40;
    if text.chars().count() <= SHOWN {
        text.to_owned()
    } else {
        text.chars().take(SHOWN - 3).chain("...".chars()).collect()
    }
}

fn symbol_of(operator: Operator) -> &'static str {
    match operator {
        Operator::Exists => "exists",
        Operator::NotExists => "not_exists",
        Operator::Equals => "==",
        Operator::NotEquals => "!=",
        Operator::Compares(Order::Greater) => ">",
        Operator::Compares(Order::GreaterOrEqual) => ">=",
        Operator::Compares(Order::Less) => "<",
        Operator::Compares(Order::LessOrEqual) => "<=",
        Operator::In => "in",
        Operator::NotIn => "not_in",
        Operator::Matches => "=~",
        Operator::NotMatches => "!~",
    }
}

/// The operators that a subject has.
fn operators_of(subject: &Subject) -> &'static [&'static str] {
    match subject {
        Subject::Attribute(_) => {
            &["==", "!=", "in", "not_in", "=~", "!~", "exists", "not_exists", ">", ">=", "<", "<="]
        }
        Subject::TaskGroup => &["==", "!=", "in", "not_in", "=~", "!~", "exists", "not_exists"],
        Subject::AgentConnected | Subject::Ec2InstanceId => {
            &["==", "!=", "in", "not_in", "=~", "!~"]
        }
        Subject::AgentVersion | Subject::RegisteredAt | Subject::RunningTasksCount => {
            &["==", "!=", ">", ">=", "<", "<="]
        }
    }
}

fn allows(subject: &Subject, symbol: &str) -> bool {
    operators_of(subject).contains(&symbol)
}

fn operators(subject: &Subject) -> String {
    operators_of(subject).iter().map(|symbol| format!("`{symbol}`")).collect::<Vec<_>>().join(" ")
}

/// A version of one to three numbers, which may be followed by a pre-release: `1.14` is `1.14.0`.
fn version(text: &str) -> Option<semver::Version> {
    if let Ok(version) = semver::Version::parse(text) {
        return Some(version);
    }
    let mut numbers = text.split('.').map(str::parse);
    let mut next = || numbers.next().unwrap_or(Ok(0)).ok();
    let version = semver::Version::new(next()?, next()?, next()?);
    (text.split('.').count() <= 2).then_some(version)
}

/// A time with an offset, or without one in UTC; a day is its beginning.
fn time(text: &str) -> Option<Timestamp> {
    // What the parser takes beside the documented forms begins with a sign or ends in a bracket.
    if !text.starts_with(|first: char| first.is_ascii_digit()) || text.contains('[') {
        return None;
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    let has_time = text.contains('T');
    let civil = if has_time {
        text.parse::<DateTime>().ok()?
    } else {
        text.parse::<Date>().ok()?.to_datetime(jiff::civil::Time::midnight())
    };
    TimeZone::UTC.to_timestamp(civil).ok()
}

/// Compiles a pattern so that it matches whole texts only.
fn compile(written: &str) -> Result<Pattern, String> {
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
