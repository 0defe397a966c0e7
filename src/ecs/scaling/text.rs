//! Where in a schedule expression does it say something that cannot be understood?

use std::fmt;

/// Something in an expression that breaks its grammar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleError {
    /// The place in the expression, in characters from 1.
    pub at: usize,
    /// What may stand there.
    pub expected: String,
    /// What stands there.
    pub found: String,
}

impl ScheduleError {
    /// An error at a place that is given in characters from 0.
    pub(super) fn new(at: usize, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { at: at + 1, expected: expected.into(), found: found.into() }
    }
}

impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at character {}: expected {}, found {}", self.at, self.expected, self.found)
    }
}

/// A part of an expression, which knows where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    /// In characters from 0.
    pub(super) at: usize,
}

impl<'a> Piece<'a> {
    /// The error that something else should stand here.
    pub(super) fn expected(self, expected: &str) -> ScheduleError {
        let found =
            if self.text.is_empty() { "nothing".to_owned() } else { format!("`{}`", self.text) };
        ScheduleError::new(self.at, expected, found)
    }

    /// The beginning of this piece.
    pub(super) fn part(self, text: &'a str) -> Self {
        Self { text, at: self.at }
    }

    /// The pieces between separators, empty ones included.
    pub(super) fn split(self, separator: char) -> impl Iterator<Item = Self> {
        let mut at = self.at;
        self.text.split(separator).map(move |text| {
            let piece = Self { text, at };
            at += text.chars().count() + 1;
            piece
        })
    }

    /// What stands before the separator, and what stands behind it.
    pub(super) fn cut(self, separator: char) -> (Self, Option<Self>) {
        match self.text.split_once(separator) {
            None => (self, None),
            Some((before, behind)) => {
                let at = self.at + before.chars().count() + 1;
                (self.part(before), Some(Self { text: behind, at }))
            }
        }
    }
}

/// The pieces between separators, empty ones left out; `start` is the place of the text.
pub(super) fn pieces(text: &str, start: usize, separator: fn(char) -> bool) -> Vec<Piece<'_>> {
    let mut at = start;
    text.split(separator)
        .map(|text| {
            let piece = Piece { text, at };
            at += text.chars().count() + 1;
            piece
        })
        .filter(|piece| !piece.text.is_empty())
        .collect()
}
