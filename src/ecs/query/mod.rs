//! Which nodes does a placement expression choose?
//!
//! The cluster query language, as in the `expression` of a `memberOf` placement constraint: reading
//! it, with the place of every mistake; printing it, so that what is printed reads the same; and
//! evaluating it against what is known of a node. It knows nothing of Kubernetes, and it never
//! decides what a node's attributes are.
//!
//! ```
//! use linkspan::ecs::query::{Instance, Query, evaluate};
//! let query = Query::parse("attribute:ecs.instance-type =~ m5.* && !(attribute:stack == dev)")?;
//! let mut node = Instance::default();
//! node.attributes.insert("ecs.instance-type".into(), Some("m5.large".into()));
//! assert!(evaluate(&query, &node));
//! assert_eq!(
//!     query.to_string(),
//!     "attribute:ecs.instance-type =~ m5.* and not attribute:stack == dev"
//! );
//! # Ok::<(), linkspan::ecs::query::QueryError>(())
//! ```

mod ast;
mod error;
mod evaluate;
mod near_miss;
mod number;
mod operator;
mod parse;
mod pattern;
mod print;
mod scan;
#[cfg(test)]
mod tests;

pub use ast::{Expression, Order, Pattern, Query, Subject, Term, Test, Value};
pub use error::QueryError;
pub use evaluate::{Instance, evaluate};
pub use near_miss::BUILT_IN_ATTRIBUTES;

/// The most characters that ECS takes in one expression.
pub const LONGEST: usize = 2000;
/// The deepest nesting of parentheses and `not` that is read, so that no input exhausts the stack.
pub const DEEPEST: usize = 64;
