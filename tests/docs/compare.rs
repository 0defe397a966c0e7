//! Is what was printed what the page shows? Times, ages, identifiers and the nodes that the scheduler
//! chose are no promise; everything else is.
//!
//! `…` on a line of its own stands for any lines, and at the end of a line for the rest of it.

use std::sync::LazyLock;

use regex::Regex;

/// What differs from run to run, and what stands for it.
static VARIABLE: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        (r"\b\d{4}-\d\d-\d\dT[\d:.]+Z", "<time>"),
        (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "<uid>"),
        (r"\becs-svc/\d+", "ecs-svc/<id>"),
        (r"\b[0-9a-f]{32}\b", "<task>"),
        // A hash; then those of a ReplicaSet and its pod; then a record's number, which is a promise.
        (r"-[0-9a-f]{8}(-[0-9a-z]{6,10}(-[0-9a-z]{5})?)?(-\d+)?\b", "-<hash>$3"),
        (r"\b(on-demand|spot|fargate)-\d\b", "<node>"),
        (r"\blinkspan-\d+-\d+\b", "linkspan-<id>"),
        (r"(/\S+)*/kubectl\b", "<path>/kubectl"),
        (r"\b\d+\.\d+\.\d+\.\d+\b", "<ip>"),
        (r"\b\d+(\.\d+)? s\b", "<age>"),
        (r"\b(<invalid>|\d+(\.\d+)?(ms|[smhdy])(\d+[smhd])*)(?P<end>\s|$)", "<age>$end"),
    ]
    .map(|(pattern, stands)| (Regex::new(pattern).unwrap(), stands))
    .into()
});

/// A line with nothing in it that differs from run to run.
pub(crate) fn plain(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut line = words.join(" ");
    for (pattern, stands) in VARIABLE.iter() {
        line = pattern.replace_all(&line, *stands).into_owned();
    }
    line
}

/// Where what was printed differs from what is shown.
pub(crate) fn difference(shown: &[String], printed: &str) -> Option<String> {
    let trimmed = |lines: Vec<String>| -> Vec<String> {
        let end = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
        lines.into_iter().take(end).collect()
    };
    let shown = trimmed(shown.iter().map(|line| plain(line)).collect());
    let printed = trimmed(printed.lines().map(plain).collect());
    if fits(&shown, &printed) {
        return None;
    }
    Some(format!("shown:\n  {}\nprinted:\n  {}", shown.join("\n  "), printed.join("\n  ")))
}

fn fits(shown: &[String], printed: &[String]) -> bool {
    match (shown.split_first(), printed.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "…" => {
            fits(rest, printed) || printed.split_first().is_some_and(|(_, left)| fits(shown, left))
        }
        (Some((one, rest)), Some((other, left))) => {
            let same = match one.strip_suffix('…') {
                Some(beginning) => other.starts_with(beginning.trim_end()),
                None => one == other,
            };
            same && fits(rest, left)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differs(shown: &str, printed: &str) -> bool {
        let shown: Vec<String> = shown.lines().map(str::to_owned).collect();
        difference(&shown, printed).is_some()
    }

    #[test]
    fn what_is_no_promise_may_differ() {
        for (shown, printed) in [
            ("NAME   AGE\nweb    3m", "NAME  AGE\nweb   59s\n"),
            ("web-182f92aa-69d68df77c-tftzp   1/1", "web-0badcafe-74fc5964b5-c54t8 1/1"),
            ("on-demand-0   5m2s", "spot-2 1s"),
            ("ecs-svc/6831208696143244750", "ecs-svc/1"),
            ("a\n…\nz", "a\nb\nc\nz"),
            ("a\n…", "a"),
            ("error: it …", "error: it is so"),
            ("all        12.9 s", "all 8.0 s"),
        ] {
            assert!(!differs(shown, printed), "{shown} | {printed}");
        }
    }

    #[test]
    fn what_is_a_promise_may_not() {
        for (shown, printed) in [
            ("web    3", "web    2"),
            ("web-182f92aa-1", "web-182f92aa-2"),
            ("a\nz", "a\nb\nz"),
            ("a\n…\nz", "a\nb\nc"),
            ("a", ""),
            ("", "a"),
            ("error: it …", "error: this is so"),
            ("3 of 3 tasks run", "1 of 3 tasks run"),
        ] {
            assert!(differs(shown, printed), "{shown} | {printed}");
        }
    }
}
