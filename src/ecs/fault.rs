//! What breaks a rule of ECS in a small part of a spec, and where in that part?

use std::fmt;

/// A value that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The place below what was read: `[1].weight`, `targetCapacity`.
    pub path: String,
    /// The value as it stands there, if it is there and short.
    pub value: Option<String>,
    /// The rule, and the way out.
    pub message: String,
}

impl Fault {
    /// A fault of a value.
    pub fn of(
        path: impl Into<String>,
        value: impl fmt::Display,
        message: impl Into<String>,
    ) -> Self {
        Self { path: path.into(), value: Some(value.to_string()), message: message.into() }
    }

    /// A fault of something that is missing, or of a whole.
    pub fn at(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), value: None, message: message.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path)?;
        if let Some(value) = &self.value {
            write!(f, " is {value}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// A whole number, as a number or in digits, within bounds; the default where there is none.
///
/// # Errors
/// The rule.
pub(super) fn whole(
    value: Option<&serde_json::Value>,
    path: &str,
    default: u32,
    bounds: std::ops::RangeInclusive<u32>,
) -> Result<u32, Fault> {
    let value = match value {
        None | Some(serde_json::Value::Null) => return Ok(default),
        Some(value) => value,
    };
    let number = match value {
        serde_json::Value::String(digits) => digits.trim().parse().ok(),
        other => other.as_i64(),
    };
    number.and_then(|number| u32::try_from(number).ok()).filter(|n| bounds.contains(n)).ok_or_else(
        || {
            let (least, most) = (bounds.start(), bounds.end());
            Fault::of(path, value, format!("must be a whole number from {least} to {most}"))
        },
    )
}
