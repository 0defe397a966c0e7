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

use super::ast::{Expression, Pattern, Query, Subject, Term, Test, Value};
use super::error::QueryError;
use super::operator::{self, Operator};
use super::pattern::compile;
use super::{DEEPEST, LONGEST, near_miss, scan};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// The longest name of an attribute, in characters.
const LONGEST_NAME: usize = 128;

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
        self.joined("or", "||", Self::all, Expression::any)
    }

    fn all(&mut self) -> Result<Expression, QueryError> {
        self.joined("and", "&&", Self::unary, Expression::all)
    }

    /// One or more, joined by a word or a symbol: `a or (b or c)` is `a or b or c`.
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
        Ok(join(all))
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
        let Some((operator, symbol)) = Operator::read(written) else {
            let meant = near_miss::operator(written).filter(|meant| operator::has(subject, meant));
            let expected = format!("an operator: {}", operator::list(subject));
            return Err(self.expected(&expected, meant.map(ToOwned::to_owned)));
        };
        if !operator::has(subject, symbol) {
            let expected = format!("an operator that {subject} has: {}", operator::list(subject));
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
