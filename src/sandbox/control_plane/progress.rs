//! What is a control plane doing while its caller waits?
//!
//! Starting takes seconds, but the first build of its programs takes minutes: [`Progress`] is told
//! each step as it begins and, while a step lasts, again each second. It never slows the work down
//! and cannot stop it.

use std::fmt;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What is being done, and how long it has taken so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is being done, the same text for as long as the step lasts.
    pub message: String,
    /// How long the step has lasted.
    pub elapsed: Duration,
    /// How many of how many are done, where there is something to count.
    pub done: Option<(usize, usize)>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some((done, total)) = self.done {
            write!(f, " ({done} of {total} done)")?;
        }
        match self.elapsed.as_secs() {
            0 => Ok(()),
            seconds => write!(f, ", {seconds} s"),
        }
    }
}

/// Hears of each step.
pub trait Progress: Send + Sync {
    /// Called when a step begins and then about once a second for as long as it lasts.
    fn report(&self, step: &Step);
}

impl<F: Fn(&Step) + Send + Sync> Progress for F {
    fn report(&self, step: &Step) {
        self(step);
    }
}

/// Hears nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn report(&self, _: &Step) {}
}

/// Writes one line when a step begins and one every ten seconds while it lasts.
///
/// `Lines::new(std::io::stderr())` shows a test's first build in spite of captured output.
#[derive(Debug)]
pub struct Lines<W> {
    state: Mutex<(W, Option<Step>)>,
}

impl<W: Write + Send> Lines<W> {
    /// Lines on `to`.
    pub const fn new(to: W) -> Self {
        Self { state: Mutex::new((to, None)) }
    }
}

impl<W: Write + Send> Progress for Lines<W> {
    fn report(&self, step: &Step) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (to, last) = &mut *state;
        let due = last.as_ref().is_none_or(|last| {
            last.message != step.message || step.elapsed >= last.elapsed + Duration::from_secs(10)
        });
        if due {
            // Nobody reading is no reason to stop building.
            let _ = writeln!(to, "control plane: {step}");
            *last = Some(step.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_begin_each_step_and_repeat_every_ten_seconds() {
        let lines = Lines::new(Vec::new());
        for (message, seconds) in [("a", 0), ("a", 1), ("a", 9), ("a", 10), ("a", 12), ("b", 0)] {
            lines.report(&Step {
                message: message.to_owned(),
                elapsed: Duration::from_secs(seconds),
                done: Some((1, 6)),
            });
        }
        let (written, _) = lines.state.into_inner().unwrap();
        assert_eq!(
            String::from_utf8(written).unwrap(),
            "control plane: a (1 of 6 done)\n\
             control plane: a (1 of 6 done), 10 s\n\
             control plane: b (1 of 6 done)\n"
        );
    }
}
