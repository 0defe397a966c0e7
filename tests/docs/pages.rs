//! What stands on a page: files to write, commands to run, and what they print.
//!
//! A block of `console` holds commands, each after `$ `, and below each what it prints. A block of `sh`
//! holds commands, one a line; a block of `text` right after it is what the last one prints. A block
//! after a line that ends with a file's name and a colon, as in "`web.yaml`:", is that file.

use std::path::{Path, PathBuf};

/// A page.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    /// Where it is, from the root of the source.
    pub(crate) name: String,
    /// All of it.
    pub(crate) text: String,
}

/// A fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The line of its first line, counted from 1.
    pub(crate) line: usize,
    /// What stands behind its fence.
    pub(crate) language: String,
    /// The file that it is, where the text says so.
    pub(crate) file: Option<String>,
    /// Its lines, without the indentation of its fence.
    pub(crate) lines: Vec<String>,
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Write a file.
    File { name: String, text: String },
    /// Run a command; what it prints, where that is shown.
    Command { line: usize, command: String, output: Option<Vec<String>> },
}

/// The root of the source.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The README, the docs, and what the chart and the plugin say of themselves.
pub(crate) fn pages() -> Vec<Page> {
    let mut paths = vec![root().join("README.md"), root().join("charts/linkspan/README.md")];
    let docs = std::fs::read_dir(root().join("docs")).unwrap();
    let docs = docs.map(|entry| entry.unwrap().path());
    let mut docs: Vec<PathBuf> =
        docs.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    docs.sort();
    paths.append(&mut docs);
    let read = |path: PathBuf| Page {
        name: path.strip_prefix(root()).unwrap().display().to_string(),
        text: std::fs::read_to_string(&path).unwrap(),
    };
    paths.into_iter().map(read).collect()
}

impl Page {
    /// Its fenced blocks.
    pub(crate) fn blocks(&self) -> Vec<Block> {
        let mut found = Vec::new();
        let mut said = "";
        let mut lines = self.text.lines().enumerate();
        while let Some((at, line)) = lines.next() {
            let Some(language) = line.trim_start().strip_prefix("```") else {
                if !line.trim().is_empty() {
                    said = line;
                }
                continue;
            };
            let indent = line.len() - line.trim_start().len();
            let inside = lines.by_ref().map(|(_, line)| line);
            let inside = inside.take_while(|line| line.trim() != "```");
            let inside = inside.map(|line| line.get(indent..).unwrap_or_default().to_owned());
            found.push(Block {
                line: at + 2,
                language: language.trim().to_owned(),
                file: file_named(said),
                lines: inside.collect(),
            });
            said = "";
        }
        found
    }

    /// What is to be done, in order; or what is written as it should not be.
    pub(crate) fn steps(&self) -> Result<Vec<Step>, String> {
        let mut steps = Vec::new();
        for block in self.blocks() {
            let text = || block.lines.join("\n") + "\n";
            match (block.language.as_str(), &block.file) {
                ("yaml" | "json" | "toml", Some(name)) => {
                    steps.push(Step::File { name: name.clone(), text: text() });
                }
                ("console", _) => steps.extend(console(&block)),
                ("sh", _) => steps.extend(shell(&block)),
                ("text", _) => match steps.last_mut() {
                    Some(Step::Command { output: output @ None, .. }) => {
                        *output = Some(block.lines.clone());
                    }
                    _ => {
                        return Err(format!(
                            "{}:{}: no command prints this",
                            self.name, block.line
                        ));
                    }
                },
                // A picture has no language.
                ("yaml" | "json" | "", _) => {}
                (other, _) => {
                    let place = format!("{}:{}", self.name, block.line);
                    return Err(format!("{place}: what is a block of `{other}`?"));
                }
            }
        }
        Ok(steps)
    }
}

/// The file that a line announces: "`web.yaml`:".
fn file_named(said: &str) -> Option<String> {
    let (_, name) = said.trim_end().strip_suffix("`:")?.rsplit_once('`')?;
    let is_name = name.contains('.') && !name.contains([' ', '/', '*', '{']);
    is_name.then(|| name.to_owned())
}

fn console(block: &Block) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (at, text) in block.lines.iter().enumerate() {
        if let Some(command) = text.strip_prefix("$ ") {
            let command = command.to_owned();
            steps.push(Step::Command { line: block.line + at, command, output: None });
        } else if let Some(Step::Command { command, output, .. }) = steps.last_mut() {
            if command.ends_with('\\') && output.is_none() {
                command.push('\n');
                command.push_str(text);
            } else {
                output.get_or_insert_default().push(text.clone());
            }
        } else {
            // Before any command: shown to be no command at all.
            let command = format!("(no `$ ` before) {text}");
            steps.push(Step::Command { line: block.line + at, command, output: None });
        }
    }
    // Empty lines between commands are for the eye.
    for step in &mut steps {
        if let Step::Command { output, .. } = step
            && output.as_ref().is_some_and(|lines| lines.iter().all(|line| line.trim().is_empty()))
        {
            *output = None;
        }
    }
    steps
}

fn shell(block: &Block) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (at, text) in block.lines.iter().enumerate() {
        match steps.last_mut() {
            Some(Step::Command { command, .. }) if command.ends_with('\\') => {
                command.push('\n');
                command.push_str(text);
            }
            _ if text.trim().is_empty() || text.starts_with('#') => {}
            _ => steps.push(Step::Command {
                line: block.line + at,
                command: text.clone(),
                output: None,
            }),
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> Page {
        Page { name: "page.md".to_owned(), text: text.to_owned() }
    }

    fn command(line: usize, command: &str, output: Option<&[&str]>) -> Step {
        let output = output.map(|lines| lines.iter().map(|&line| line.to_owned()).collect());
        Step::Command { line, command: command.to_owned(), output }
    }

    #[test]
    fn commands_and_what_they_print_are_found() {
        let text = "words\n```console\n$ a\n$ b \\\n  c\nout\n\nmore\n$ d\n```\n";
        let steps = page(text).steps().unwrap();
        let expected = [
            command(3, "a", None),
            command(4, "b \\\n  c", Some(&["out", "", "more"])),
            command(9, "d", None),
        ];
        assert_eq!(steps, expected);
        let steps = page("```sh\n# first\na\nb\n```\nprints\n```text\nout\n```\n").steps().unwrap();
        assert_eq!(steps, [command(3, "a", None), command(4, "b", Some(&["out"]))]);
    }

    #[test]
    fn files_are_named_in_the_line_before() {
        let steps = page("Write it to `web.yaml`:\n\n```yaml\na: 1\n```\n").steps().unwrap();
        assert_eq!(steps, [Step::File { name: "web.yaml".into(), text: "a: 1\n".into() }]);
        assert!(page("For `web`:\n```yaml\na: 1\n```\n").steps().unwrap().is_empty());
    }

    #[test]
    fn what_nobody_prints_and_unknown_languages_are_noticed() {
        let problem = page("```text\nout\n```\n").steps().unwrap_err();
        assert_eq!(problem, "page.md:2: no command prints this");
        assert!(page("```bash\na\n```\n").steps().unwrap_err().contains("what is a block of"));
        let steps = page("```console\na\n```\n").steps().unwrap();
        assert_eq!(steps, [command(2, "(no `$ ` before) a", None)]);
    }
}
