//! What were the last words of a program?

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// How much of a log is shown.
const TAIL: u64 = 3000;

/// The last lines of a log, indented; nothing where there is none. Whole lines only.
pub(super) fn tail(path: &Path) -> String {
    let text = read_tail(path).unwrap_or_default();
    let lines: Vec<_> = text.trim_end().lines().map(|line| format!("  {line}")).collect();
    lines.join("\n")
}

fn read_tail(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let skipped = size.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(skipped))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(match text.split_once('\n') {
        Some((_, whole_lines)) if skipped > 0 => whole_lines.to_owned(),
        _ => text.into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_begins_with_a_whole_line() {
        let path = std::env::temp_dir().join(format!("linkspan-log-{}", std::process::id()));
        let lines: Vec<_> = (0..1000).map(|number| format!("line {number}")).collect();
        std::fs::write(&path, lines.join("\n")).unwrap();
        let tail = tail(&path);
        std::fs::remove_file(&path).unwrap();
        assert!(tail.lines().all(|line| line.starts_with("  line ")), "{tail}");
        assert!(tail.ends_with("  line 999"), "{tail}");
    }

    #[test]
    fn a_log_that_is_not_there_has_no_last_words() {
        assert_eq!(tail(Path::new("/no/such/file")), "");
    }
}
