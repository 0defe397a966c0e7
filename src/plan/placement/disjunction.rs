//! Can node affinity say a placement expression, and how?
//!
//! Node affinity is a list of terms of which one must hold, each a list of requirements that all
//! must hold. So an expression is brought into that form, negations first pushed down to the
//! questions, and given up where it becomes too long or asks what no requirement can say.

use k8s_openapi::api::core::v1 as corev1;

use super::attributes::{self, Label, Source};
use crate::ecs::query::{Expression, Order, Subject, Term, Test, Value};

/// The most terms that a pod's node affinity may have.
pub(super) const MOST_TERMS: usize = 64;

pub(super) type Requirement = corev1::NodeSelectorRequirement;

/// Requirements that all hold, in each of several cases. No case at all holds nowhere; a case
/// without requirements holds everywhere.
pub(super) type Cases = Vec<Vec<Requirement>>;

/// How comparisons by `>` and the like are said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparisons {
    /// Not at all: a requirement compares whole numbers only, an expression any two texts.
    Never,
    /// As requirements, where the value is a whole number.
    OfWholeNumbers,
}

pub(super) fn requirement(key: &str, operator: &str, values: Vec<String>) -> Requirement {
    Requirement {
        key: key.to_owned(),
        operator: operator.to_owned(),
        values: (!values.is_empty()).then_some(values),
    }
}

/// The expression as cases; none where node affinity cannot say it.
pub(super) fn cases(
    expression: &Expression,
    negated: bool,
    comparisons: Comparisons,
) -> Option<Cases> {
    let each = |all: &[Expression]| -> Option<Vec<Cases>> {
        all.iter().map(|one| cases(one, negated, comparisons)).collect()
    };
    match expression {
        Expression::Not(one) => cases(one, !negated, comparisons),
        // A negated `or` is an `and` of negations.
        Expression::Any(all) if !negated => any(each(all)?),
        Expression::All(all) if negated => any(each(all)?),
        Expression::Any(all) | Expression::All(all) => every(each(all)?),
        Expression::Term(term) => of_term(term, negated, comparisons),
    }
}

fn any(all: Vec<Cases>) -> Option<Cases> {
    let mut together: Cases = Vec::new();
    for case in all.into_iter().flatten() {
        if !together.contains(&case) {
            together.push(case);
        }
    }
    bounded(together)
}

/// Each case of the one with each of the other.
pub(super) fn every(all: Vec<Cases>) -> Option<Cases> {
    let mut together: Cases = vec![Vec::new()];
    for cases in all {
        let mut next: Cases = Vec::new();
        for left in &together {
            for right in &cases {
                let mut case = left.clone();
                case.extend(right.iter().filter(|one| !left.contains(one)).cloned());
                if !contradicts(&case) && !next.contains(&case) {
                    next.push(case);
                }
            }
        }
        together = bounded(next)?;
    }
    Some(together)
}

fn bounded(cases: Cases) -> Option<Cases> {
    (cases.len() <= MOST_TERMS).then_some(cases)
}

/// Whether a label would have to be there and not be there.
fn contradicts(case: &[Requirement]) -> bool {
    let absent =
        |key: &str| case.iter().any(|one| one.operator == "DoesNotExist" && one.key == key);
    let present =
        |one: &Requirement| matches!(one.operator.as_str(), "In" | "Exists" | "Gt" | "Lt");
    case.iter().any(|one| present(one) && absent(&one.key))
}

fn of_term(term: &Term, negated: bool, comparisons: Comparisons) -> Option<Cases> {
    let Subject::Attribute(name) = &term.subject else { return None };
    let (test, negated) = match &term.test {
        Test::NotExists => (&Test::Exists, !negated),
        Test::NotEquals(value) => (&Test::Equals(value.clone()), !negated),
        Test::NotIn(values) => (&Test::In(values.clone()), !negated),
        other => (other, negated),
    };
    let labels = match attributes::source(name) {
        Source::Labels(labels) => labels,
        Source::Everywhere => {
            let holds = *test == Test::Exists;
            return match test {
                Test::Exists | Test::Equals(_) | Test::In(_) | Test::Compares(..) => {
                    Some(if holds == negated { Vec::new() } else { vec![Vec::new()] })
                }
                _ => None,
            };
        }
        Source::NoLabel => return None,
    };
    let mut cases = Vec::new();
    let mut absent_before: Vec<Requirement> = Vec::new();
    let count = labels.len();
    for (at, label) in labels.iter().enumerate() {
        let key = &label.key;
        let is_last = at + 1 == count;
        let here: Cases = match test {
            Test::Exists if !negated => vec![vec![requirement(key, "Exists", vec![])]],
            Test::Exists if is_last => vec![vec![requirement(key, "DoesNotExist", vec![])]],
            Test::Exists => Vec::new(),
            Test::Equals(value) => equals(label, std::slice::from_ref(value), negated, is_last),
            Test::In(values) => equals(label, values, negated, is_last),
            Test::Compares(order, Value::Text(value))
                if comparisons == Comparisons::OfWholeNumbers && label.is_plain() =>
            {
                compares(key, *order, value, negated, is_last)?
            }
            _ => return None,
        };
        cases.extend(here.into_iter().map(|case| [absent_before.clone(), case].concat()));
        absent_before.push(requirement(key, "DoesNotExist", vec![]));
    }
    bounded(cases)
}

/// That a label has one of these values, or has none of them. Of the last label that may hold an
/// attribute it does not matter whether it is there, where it is to have none of the values.
fn equals(label: &Label, wanted: &[Value], negated: bool, is_last: bool) -> Cases {
    let key = &label.key;
    let written = wanted.iter().filter_map(|value| match value {
        Value::Text(value) if !value.is_empty() => label.written(value),
        _ => None,
    });
    let mut values: Vec<String> = written.map(ToOwned::to_owned).collect();
    values.sort_unstable();
    values.dedup();
    if !negated {
        let cases = (!values.is_empty()).then(|| vec![requirement(key, "In", values)]);
        return cases.into_iter().collect();
    }
    let mut case = Vec::new();
    if !is_last {
        case.push(requirement(key, "Exists", vec![]));
    }
    if !values.is_empty() {
        case.push(requirement(key, "NotIn", values));
    }
    vec![case]
}

/// A comparison with a whole number, as a requirement has it: above or below, never equal.
fn compares(key: &str, order: Order, value: &str, negated: bool, is_last: bool) -> Option<Cases> {
    let number: i64 = value.parse().ok()?;
    let (operator, bound) = match (order, negated) {
        (Order::Greater, false) | (Order::LessOrEqual, true) => ("Gt", number),
        (Order::GreaterOrEqual, false) | (Order::Less, true) => ("Gt", number.checked_sub(1)?),
        (Order::Less, false) | (Order::GreaterOrEqual, true) => ("Lt", number),
        (Order::LessOrEqual, false) | (Order::Greater, true) => ("Lt", number.checked_add(1)?),
    };
    let mut cases = vec![vec![requirement(key, operator, vec![bound.to_string()])]];
    if negated && is_last {
        cases.push(vec![requirement(key, "DoesNotExist", vec![])]);
    }
    Some(cases)
}
