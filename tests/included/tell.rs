//! What a test tells whoever runs it, also when it passes: past the harness, which keeps what is
//! printed by a test that does.

/// Writes a line, as `println!` does.
macro_rules! tell {
    ($($what:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($what)*);
    }};
}
