//! How is a placement expression written? In one way only, which reads as the same expression.
//!
//! It may be longer than what was read (`2018-06-18` is written with its hour), so that an expression
//! near to the limit of length may be written in more characters than are read.

use std::fmt;

use super::ast::{Expression, Order, Pattern, Query, Subject, Term, Test, Value};
use super::scan;

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expression.fmt(f)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any(all) => joined(f, all, " or ", |_| false),
            Self::All(all) => joined(f, all, " and ", |one| matches!(one, Self::Any(_))),
            Self::Not(one) => {
                f.write_str("not ")?;
                grouped(f, one, matches!(**one, Self::Any(_) | Self::All(_)))
            }
            Self::Term(term) => term.fmt(f),
        }
    }
}

fn joined(
    f: &mut fmt::Formatter<'_>,
    all: &[Expression],
    joint: &str,
    needs_group: impl Fn(&Expression) -> bool,
) -> fmt::Result {
    for (at, one) in all.iter().enumerate() {
        if at > 0 {
            f.write_str(joint)?;
        }
        grouped(f, one, needs_group(one))?;
    }
    Ok(())
}

fn grouped(f: &mut fmt::Formatter<'_>, one: &Expression, group: bool) -> fmt::Result {
    if group { write!(f, "({one})") } else { write!(f, "{one}") }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, test } = self;
        match test {
            Test::Exists => write!(f, "{subject} exists"),
            Test::NotExists => write!(f, "{subject} not_exists"),
            Test::Equals(value) => write!(f, "{subject} == {value}"),
            Test::NotEquals(value) => write!(f, "{subject} != {value}"),
            Test::Compares(order, value) => write!(f, "{subject} {order} {value}"),
            Test::In(values) => write!(f, "{subject} in {}", List(values)),
            Test::NotIn(values) => write!(f, "{subject} not_in {}", List(values)),
            Test::Matches(pattern) => write!(f, "{subject} =~ {pattern}"),
            Test::NotMatches(pattern) => write!(f, "{subject} !~ {pattern}"),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attribute(name) => write!(f, "attribute:{name}"),
            Self::TaskGroup => f.write_str("task:group"),
            Self::AgentConnected => f.write_str("agentConnected"),
            Self::AgentVersion => f.write_str("agentVersion"),
            Self::Ec2InstanceId => f.write_str("ec2InstanceId"),
            Self::RegisteredAt => f.write_str("registeredAt"),
            Self::RunningTasksCount => f.write_str("runningTasksCount"),
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
        })
    }
}

struct List<'a>(&'a [Value]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (at, value) in self.0.iter().enumerate() {
            write!(f, "{}{value}", if at > 0 { ", " } else { "" })?;
        }
        f.write_str("]")
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) if scan::bare(text) == Some(text.len()) => f.write_str(text),
            Self::Text(text) => quoted(f, text),
            Self::Version(version) => version.fmt(f),
            Self::Time(time) => time.fmt(f),
            Self::Count(count) => count.fmt(f),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_bare = scan::bare_pattern(&self.written) == Ok(self.written.len());
        if is_bare && !self.written.is_empty() {
            f.write_str(&self.written)
        } else {
            quoted(f, &self.written)
        }
    }
}

/// In quotes of the kind that the text lacks. No text that was read has both kinds: there is no
/// way to write one, but for a pattern, which then needs no quotes.
fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let quote = if text.contains('\'') { '"' } else { '\'' };
    write!(f, "{quote}{text}{quote}")
}
