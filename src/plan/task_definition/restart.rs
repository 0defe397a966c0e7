//! Is a container started again by itself? `restartPolicy`.
//!
//! In ECS such a container starts again without its task ending, unless it ended with an exit code
//! that is ignored. How that is said to a pod is no question here.

use std::collections::BTreeSet;

use serde_json::Value;

use super::read::{flag, whole};
use crate::plan::finding::Findings;
use crate::plan::judge::is_empty;

/// The most exit codes that may be ignored.
const MOST_CODES: usize = 50;

/// That a container is started again when it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restart {
    /// Exit codes after which it is not (0 to 255).
    pub ignored_exit_codes: BTreeSet<i32>,
}

/// Reads `restartPolicy` of the container at `path`.
pub(super) fn restart(raw: &Value, path: &str, findings: &mut Findings) -> Option<Restart> {
    let policy =
        raw.get("restartPolicy").filter(|policy| policy.is_object() && !is_empty(policy))?;
    let path = format!("{path}.restartPolicy");
    if policy.get("enabled").is_none_or(Value::is_null) {
        findings.refuse(format!("{path}.enabled"), "is required: true or false");
    }
    whole(policy, "restartAttemptPeriod", &path, 60..=1800, findings);
    let listed = policy.get("ignoredExitCodes").and_then(Value::as_array);
    let listed = listed.map(Vec::as_slice).unwrap_or_default();
    if listed.len() > MOST_CODES {
        findings.refuse_value(
            format!("{path}.ignoredExitCodes"),
            format!("a list of {}", listed.len()),
            format!("must have {MOST_CODES} exit codes at most"),
        );
    }
    let mut ignored_exit_codes = BTreeSet::new();
    for (at, code) in listed.iter().enumerate() {
        let number = code.as_i64().or_else(|| code.as_str()?.trim().parse().ok());
        match number.filter(|number| (0..=255).contains(number)).map(i32::try_from) {
            Some(Ok(code)) => {
                ignored_exit_codes.insert(code);
            }
            _ => findings.refuse_value(
                format!("{path}.ignoredExitCodes[{at}]"),
                code,
                "must be an exit code, 0 to 255",
            ),
        }
    }
    flag(policy, "enabled").unwrap_or_default().then_some(Restart { ignored_exit_codes })
}
