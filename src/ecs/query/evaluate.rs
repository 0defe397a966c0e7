//! Does a placement expression hold on a node?

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::ast::{Expression, Order, Query, Subject, Term, Test, Value};
use super::number;

/// What a placement expression can ask of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    /// Values by attribute name; an attribute may have no value.
    pub attributes: BTreeMap<String, Option<String>>,
    /// Whether the agent answers.
    pub agent_connected: bool,
    /// The agent's version, as it reports it.
    pub agent_version: Option<semver::Version>,
    /// The EC2 instance, if it is one.
    pub ec2_instance_id: Option<String>,
    /// When it joined.
    pub registered_at: Option<Timestamp>,
    /// How many tasks run on it.
    pub running_tasks_count: u64,
    /// The groups of the tasks that run on it.
    pub task_groups: BTreeSet<String>,
}

/// Whether the expression holds on the node.
pub fn evaluate(query: &Query, instance: &Instance) -> bool {
    holds(&query.expression, instance)
}

fn holds(expression: &Expression, instance: &Instance) -> bool {
    match expression {
        Expression::Any(all) => all.iter().any(|one| holds(one, instance)),
        Expression::All(all) => all.iter().all(|one| holds(one, instance)),
        Expression::Not(one) => !holds(one, instance),
        Expression::Term(term) => asks(term, instance),
    }
}

fn asks(term: &Term, instance: &Instance) -> bool {
    match &term.subject {
        Subject::Attribute(name) => {
            let attribute = instance.attributes.get(name.as_str());
            text(&term.test, attribute.is_some(), attribute.and_then(Option::as_deref))
        }
        Subject::TaskGroup => groups(&term.test, &instance.task_groups),
        Subject::AgentConnected => {
            text(&term.test, true, Some(if instance.agent_connected { "true" } else { "false" }))
        }
        Subject::Ec2InstanceId => {
            let id = instance.ec2_instance_id.as_deref();
            text(&term.test, id.is_some(), id)
        }
        Subject::AgentVersion => ordered(&term.test, |value| match value {
            Value::Version(version) => {
                Some(instance.agent_version.as_ref()?.cmp_precedence(version))
            }
            _ => None,
        }),
        Subject::RegisteredAt => ordered(&term.test, |value| match value {
            Value::Time(time) => Some(instance.registered_at?.cmp(time)),
            _ => None,
        }),
        Subject::RunningTasksCount => ordered(&term.test, |value| match value {
            Value::Count(count) => Some(instance.running_tasks_count.cmp(count)),
            _ => None,
        }),
    }
}

/// A question about a text that may be missing, or there without a value.
fn text(test: &Test, exists: bool, actual: Option<&str>) -> bool {
    let is = |value: &Value| matches!(value, Value::Text(wanted) if actual == Some(wanted));
    match test {
        Test::Exists => exists,
        Test::NotExists => !exists,
        Test::Equals(value) => is(value),
        Test::NotEquals(value) => !is(value),
        Test::In(values) => values.iter().any(is),
        Test::NotIn(values) => !values.iter().any(is),
        Test::Matches(pattern) => actual.is_some_and(|actual| pattern.matches(actual)),
        Test::NotMatches(pattern) => !actual.is_some_and(|actual| pattern.matches(actual)),
        Test::Compares(order, Value::Text(wanted)) => {
            actual.is_some_and(|actual| order.holds(number::compare(actual, wanted)))
        }
        Test::Compares(..) => false,
    }
}

/// A question about the groups of a node's tasks: it holds if one of them makes it hold, and a
/// negated one if none does.
fn groups(test: &Test, groups: &BTreeSet<String>) -> bool {
    let has = |value: &Value| matches!(value, Value::Text(wanted) if groups.contains(wanted));
    match test {
        Test::Exists => !groups.is_empty(),
        Test::NotExists => groups.is_empty(),
        Test::Equals(value) => has(value),
        Test::NotEquals(value) => !has(value),
        Test::In(values) => values.iter().any(has),
        Test::NotIn(values) => !values.iter().any(has),
        Test::Matches(pattern) => groups.iter().any(|group| pattern.matches(group)),
        Test::NotMatches(pattern) => !groups.iter().any(|group| pattern.matches(group)),
        Test::Compares(..) => false,
    }
}

/// A question about what has an order: a version, a time, a count.
fn ordered(test: &Test, compare: impl Fn(&Value) -> Option<Ordering>) -> bool {
    match test {
        Test::Equals(value) => compare(value) == Some(Ordering::Equal),
        Test::NotEquals(value) => compare(value) != Some(Ordering::Equal),
        Test::Compares(order, value) => compare(value).is_some_and(|actual| order.holds(actual)),
        // The reader lets none of these pass for such a subject.
        Test::Exists
        | Test::NotExists
        | Test::In(_)
        | Test::NotIn(_)
        | Test::Matches(_)
        | Test::NotMatches(_) => false,
    }
}

impl Order {
    /// Whether it holds where the value of the node compares so with the value of the question.
    fn holds(self, actual: Ordering) -> bool {
        match self {
            Self::Greater => actual.is_gt(),
            Self::GreaterOrEqual => actual.is_ge(),
            Self::Less => actual.is_lt(),
            Self::LessOrEqual => actual.is_le(),
        }
    }
}
