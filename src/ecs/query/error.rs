//! What is wrong with a placement expression, and where?

use std::fmt;

/// The first mistake in a placement expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    /// Where it is, in bytes from the start, from 0.
    pub offset: usize,
    /// Where it is, in characters, from 1.
    pub column: usize,
    /// What stands there, in words.
    pub found: String,
    /// What must stand there, in words.
    pub expected: String,
    /// What was probably meant, as it should be written.
    pub meant: Option<String>,
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { column, found, expected, .. } = self;
        write!(f, "column {column}: found {found}, expected {expected}")?;
        match &self.meant {
            Some(meant) => write!(f, "; did you mean `{meant}`?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for QueryError {}
