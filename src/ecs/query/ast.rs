//! What is a placement expression made of?

use std::collections::BTreeSet;

use jiff::Timestamp;
use regex::Regex;

use super::near_miss;

/// A placement expression that has been read.
///
/// Two are equal if they say the same in the same order: spaces, spellings of operators and
/// superfluous parentheses make no difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    pub(super) expression: Expression,
}

/// Terms, joined. `not` binds tighter than `and`, and `and` tighter than `or`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// At least one holds. Two or more, none of them an `Any`.
    Any(Vec<Expression>),
    /// All hold. Two or more, none of them an `All`.
    All(Vec<Expression>),
    /// It does not hold.
    Not(Box<Expression>),
    /// One question about a node.
    Term(Term),
}

/// One question about a node: what is asked about, and what must be so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// What is asked about.
    pub subject: Subject,
    /// What must be so.
    pub test: Test,
}

/// What a question can be about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// `attribute:NAME`: a text, or an attribute without a value.
    Attribute(String),
    /// `task:group`: the groups of the tasks that run on the node.
    TaskGroup,
    /// `agentConnected`: `true` or `false`.
    AgentConnected,
    /// `agentVersion`: a semantic version.
    AgentVersion,
    /// `ec2InstanceId`: a text.
    Ec2InstanceId,
    /// `registeredAt`: a time.
    RegisteredAt,
    /// `runningTasksCount`: how many tasks run on the node.
    RunningTasksCount,
}

/// What must be so. Each `Not…` holds exactly where its opposite does not, also where there is no
/// value at all; an [`Order`] never holds without a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// `exists`
    Exists,
    /// `not_exists`, `!exists`
    NotExists,
    /// `==`, `equals`
    Equals(Value),
    /// `!=`, `not_equals`
    NotEquals(Value),
    /// `>`, `>=`, `<`, `<=` and their words
    Compares(Order, Value),
    /// `in`
    In(Vec<Value>),
    /// `not_in`, `!in`
    NotIn(Vec<Value>),
    /// `=~`, `matches`: the pattern matches the whole text.
    Matches(Pattern),
    /// `!~`, `not_matches`
    NotMatches(Pattern),
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
}

/// A value to compare with, in the type of the subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Of `attribute:NAME`, `task:group`, `agentConnected` and `ec2InstanceId`.
    Text(String),
    /// Of `agentVersion`.
    Version(semver::Version),
    /// Of `registeredAt`.
    Time(Timestamp),
    /// Of `runningTasksCount`.
    Count(u64),
}

/// A regular expression, compiled once, to match a whole text.
#[derive(Clone, Debug)]
pub struct Pattern {
    pub(super) written: String,
    pub(super) whole: Regex,
}

impl Pattern {
    /// The pattern as it was written.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// Whether it matches the whole of a text.
    pub fn matches(&self, text: &str) -> bool {
        self.whole.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for Pattern {}

impl Expression {
    /// At least one of two or more; those of a part that is such itself become its own.
    pub(super) fn any(parts: Vec<Self>) -> Self {
        let parts = parts.into_iter().flat_map(|part| match part {
            Self::Any(inner) => inner,
            other => vec![other],
        });
        Self::Any(parts.collect())
    }

    /// All of two or more; those of a part that is such itself become its own.
    pub(super) fn all(parts: Vec<Self>) -> Self {
        let parts = parts.into_iter().flat_map(|part| match part {
            Self::All(inner) => inner,
            other => vec![other],
        });
        Self::All(parts.collect())
    }
}

impl Query {
    /// The expression as a tree.
    pub fn expression(&self) -> &Expression {
        &self.expression
    }

    /// All of several expressions at once; none of none.
    pub fn all(mut expressions: Vec<Expression>) -> Option<Self> {
        let expression = match expressions.len() {
            0 | 1 => expressions.pop()?,
            _ => Expression::all(expressions),
        };
        Some(Self { expression })
    }

    /// The same expression with each question replaced.
    #[must_use]
    pub fn map_terms(&self, replace: &dyn Fn(&Term) -> Expression) -> Self {
        fn map(expression: &Expression, replace: &dyn Fn(&Term) -> Expression) -> Expression {
            let each = |all: &[Expression]| all.iter().map(|one| map(one, replace)).collect();
            match expression {
                Expression::Any(all) => Expression::any(each(all)),
                Expression::All(all) => Expression::all(each(all)),
                Expression::Not(one) => Expression::Not(Box::new(map(one, replace))),
                Expression::Term(term) => replace(term),
            }
        }
        Self { expression: map(&self.expression, replace) }
    }

    /// Every question that is asked, in order.
    pub fn terms(&self) -> Vec<&Term> {
        fn collect<'a>(expression: &'a Expression, terms: &mut Vec<&'a Term>) {
            match expression {
                Expression::Any(all) | Expression::All(all) => {
                    for one in all {
                        collect(one, terms);
                    }
                }
                Expression::Not(one) => collect(one, terms),
                Expression::Term(term) => terms.push(term),
            }
        }
        let mut terms = Vec::new();
        collect(&self.expression, &mut terms);
        terms
    }

    /// Whether it asks for `runningTasksCount`, which changes while tasks are being placed.
    pub fn counts_tasks(&self) -> bool {
        self.terms().iter().any(|term| term.subject == Subject::RunningTasksCount)
    }

    /// Whether it asks for `task:group`.
    pub fn asks_for_task_groups(&self) -> bool {
        self.terms().iter().any(|term| term.subject == Subject::TaskGroup)
    }

    /// The attributes that it asks for.
    pub fn attributes(&self) -> BTreeSet<&str> {
        fn name(term: &Term) -> Option<&str> {
            match &term.subject {
                Subject::Attribute(name) => Some(name),
                _ => None,
            }
        }
        self.terms().into_iter().filter_map(name).collect()
    }

    /// Attributes that may be custom ones but look like one of ECS's own, misspelled: what is
    /// written, and what is probably meant (`instance-type`, `ecs.instance-type`).
    pub fn near_misses(&self) -> Vec<(&str, &'static str)> {
        let pairs = self.attributes().into_iter();
        pairs.filter_map(|name| Some((name, near_miss::attribute(name)?))).collect()
    }
}
