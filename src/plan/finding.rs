//! What is there to say about a user's input? One finding per place.

use std::fmt::{self, Write as _};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// AWS bookkeeping: kept, without effect.
    Recorded,
    /// It works with a difference, or not in this version.
    Differs,
    /// It breaks a rule; nothing is deployed from it.
    Refused,
}

/// Something about one place of a spec.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// How much it matters.
    pub level: Level,
    /// The place, as in `containerDefinitions[0].cpu`.
    pub path: String,
    /// The value as it stands there, if it is a short one.
    pub value: Option<String>,
    /// The rule, and the way out.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path)?;
        if let Some(value) = &self.value {
            write!(f, " is {value}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Collects findings while a spec is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// Adds a refusal of the value at a path.
    pub fn refuse(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Finding {
            level: Level::Refused,
            path: path.into(),
            value: None,
            message: message.into(),
        });
    }

    /// Adds a refusal that shows the value.
    pub fn refuse_value(
        &mut self,
        path: impl Into<String>,
        value: impl fmt::Display,
        message: impl Into<String>,
    ) {
        self.0.push(Finding {
            level: Level::Refused,
            path: path.into(),
            value: Some(value.to_string()),
            message: message.into(),
        });
    }

    /// Adds a note that something works with a difference.
    pub fn differs(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Finding {
            level: Level::Differs,
            path: path.into(),
            value: None,
            message: message.into(),
        });
    }

    /// Adds a note that something is so, and changes nothing.
    pub fn recorded(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Finding {
            level: Level::Recorded,
            path: path.into(),
            value: None,
            message: message.into(),
        });
    }

    /// The refusals.
    pub fn refusals(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter().filter(|finding| finding.level == Level::Refused)
    }

    /// Whether anything is refused.
    pub fn any_refused(&self) -> bool {
        self.refusals().next().is_some()
    }
}

/// The findings as one line for a condition, the first few of them spelled out.
pub fn in_one_line<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> String {
    const SHOWN: usize = 5;
    let all: Vec<String> = findings.into_iter().map(ToString::to_string).collect();
    let mut line = all.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    if all.len() > SHOWN {
        let more = all.len() - SHOWN;
        let _ = write!(line, "; and {more} more (`linkspan render` lists them all)");
    }
    line
}
