//! What was measured, as a table for people and as JSON.

use serde_json::{Value, json};

/// A number from the environment: a small one tries a benchmark out.
pub fn size(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().and_then(|digits| digits.parse().ok()).unwrap_or(default)
}

/// What was measured, beside the goal.
#[derive(Default)]
pub struct Report(Vec<Value>);

impl Report {
    pub fn row(&mut self, what: &str, goal: &str, measured: f64, unit: &str, met: bool) {
        println!(
            "{what:<64}{goal:>12}{measured:>12.2} {unit:<8}{}",
            if met { "met" } else { "missed" }
        );
        self.0.push(
            json!({"what": what, "goal": goal, "measured": measured, "unit": unit, "met": met}),
        );
    }

    /// Writes the rows as JSON, for who compares runs.
    pub fn save(&self, name: &str) {
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
        let path = folder.join(format!("{name}.json"));
        std::fs::write(&path, serde_json::to_string_pretty(&self.0).unwrap()).unwrap();
        println!("\nas JSON: {}", path.display());
    }
}

/// The heads of the table.
pub fn heads() {
    println!("\n{:<64}{:>12}{:>12}", "WHAT", "GOAL", "MEASURED");
}
