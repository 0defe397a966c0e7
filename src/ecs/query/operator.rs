//! Which operators are there, and which subjects have them?

use super::ast::{Order, Subject};

/// The operators by what they stand for; those with an argument take it afterwards.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
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

impl Operator {
    /// An operator in one of its spellings, and the one by which it is told.
    pub(super) fn read(written: &str) -> Option<(Self, &'static str)> {
        Some(match written {
            "exists" => (Self::Exists, "exists"),
            "not_exists" | "!exists" => (Self::NotExists, "not_exists"),
            "==" | "equals" => (Self::Equals, "=="),
            "!=" | "not_equals" => (Self::NotEquals, "!="),
            ">" | "greater_than" => (Self::Compares(Order::Greater), ">"),
            ">=" | "greater_than_equal" => (Self::Compares(Order::GreaterOrEqual), ">="),
            "<" | "less_than" => (Self::Compares(Order::Less), "<"),
            "<=" | "less_than_equal" => (Self::Compares(Order::LessOrEqual), "<="),
            "in" => (Self::In, "in"),
            "not_in" | "!in" => (Self::NotIn, "not_in"),
            "=~" | "matches" => (Self::Matches, "=~"),
            "!~" | "not_matches" => (Self::NotMatches, "!~"),
            _ => return None,
        })
    }
}

/// The operators that a subject has.
fn of(subject: &Subject) -> &'static [&'static str] {
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

/// Whether a subject has an operator.
pub(super) fn has(subject: &Subject, symbol: &str) -> bool {
    of(subject).contains(&symbol)
}

/// The operators that a subject has, in words.
pub(super) fn list(subject: &Subject) -> String {
    of(subject).iter().map(|symbol| format!("`{symbol}`")).collect::<Vec<_>>().join(" ")
}
