//! How are things laid out for people? Columns, three spaces apart, as kubectl has them.

use std::fmt::Write as _;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// A heading and rows below it. A cell that is empty shows as `<none>`, so that columns can be
/// counted by scripts; the last column is not padded.
pub(crate) fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let heads: Vec<String> = heads.iter().map(|&head| head.to_owned()).collect();
    let lines: Vec<&Vec<String>> = std::iter::once(&heads).chain(rows).collect();
    let width = |at: usize| {
        let cells = lines.iter().filter_map(|line| line.get(at));
        cells.map(|cell| shown(cell).chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let mut row = String::new();
        for (cell, width) in line.iter().zip(&widths) {
            // Writing to a string cannot fail.
            let _ = write!(row, "{:<width$}   ", shown(cell));
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

fn shown(cell: &str) -> &str {
    if cell.is_empty() { "<none>" } else { cell }
}

/// Seconds in at most two units, as kubectl prints ages.
pub(crate) fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |great: i64, unit: &str, small: i64, small_unit: &str| {
        if small == 0 {
            format!("{great}{unit}")
        } else {
            format!("{great}{unit}{small}{small_unit}")
        }
    };
    if minutes < 2 {
        format!("{seconds}s")
    } else if hours < 1 {
        two(minutes, "m", seconds % 60, "s")
    } else if days < 1 {
        two(hours, "h", minutes % 60, "m")
    } else {
        two(days, "d", hours % 24, "h")
    }
}

/// How long ago something was, as kubectl prints ages.
pub(crate) fn age(since: Option<&Time>, now: Timestamp) -> String {
    since.map_or_else(
        || "<unknown>".to_owned(),
        |since| span(now.as_second().saturating_sub(since.0.as_second())),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_three_spaces_apart() {
        let rows = [vec!["web".to_owned(), String::new()], vec!["a".to_owned(), "é".to_owned()]];
        assert_eq!(table(&["NAME", "NODE"], &rows), "NAME   NODE\nweb    <none>\na      é\n");
        assert_eq!(table(&["NAME"], &[]), "NAME\n");
    }

    #[test]
    fn ages_are_short() {
        let at = |second| Timestamp::from_second(second).unwrap_or_default();
        assert_eq!(age(Some(&Time(at(0))), at(3660)), "1h1m");
        assert_eq!(age(None, at(0)), "<unknown>");
    }

    #[test]
    fn spans_are_short() {
        for (seconds, expected) in [
            (-5, "0s"),
            (119, "119s"),
            (120, "2m"),
            (3599, "59m59s"),
            (3600, "1h"),
            (86_399, "23h59m"),
            (90_000, "1d1h"),
        ] {
            assert_eq!(span(seconds), expected);
        }
    }
}
