//! `linkspan completions` and `linkspan man`: what shells and `man` know of the command line.
//!
//! As `kubectl-linkspan` on the PATH the program is a plugin of kubectl, which asks
//! `kubectl_complete-linkspan` for completions: `linkspan completions kubectl` prints that one.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Command, CommandFactory, ValueEnum};
use clap_complete::Shell;

use super::Arguments;

/// `linkspan completions`
#[derive(Debug, clap::Args)]
pub struct Completions {
    /// Whose.
    #[arg(value_enum)]
    shell: For,
}

/// Who completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum For {
    /// Bash
    Bash,
    /// Zsh
    Zsh,
    /// Fish
    Fish,
    /// PowerShell
    Powershell,
    /// Elvish
    Elvish,
    /// kubectl, for `kubectl linkspan`: put it on the PATH as kubectl_complete-linkspan
    Kubectl,
}

/// `linkspan man`
#[derive(Debug, clap::Args)]
pub struct Man {
    /// Write a page for each command into this folder, instead of the first to stdout.
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
}

/// `linkspan __complete`
#[derive(Debug, clap::Args)]
pub struct Complete {
    /// The words after `linkspan`, the last of which is to be completed.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// What kubectl runs; the answer's last line tells it that nothing else completes.
const FOR_KUBECTL: &str = "#!/bin/sh\nexec kubectl-linkspan __complete -- \"$@\"\n";

pub(super) fn completions(arguments: &Completions) -> io::Result<ExitCode> {
    let shell = match arguments.shell {
        For::Bash => Shell::Bash,
        For::Zsh => Shell::Zsh,
        For::Fish => Shell::Fish,
        For::Powershell => Shell::PowerShell,
        For::Elvish => Shell::Elvish,
        For::Kubectl => return super::print_out(FOR_KUBECTL),
    };
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "linkspan", &mut text);
    super::print_out(&String::from_utf8_lossy(&text))
}

pub(super) fn man(arguments: &Man) -> io::Result<ExitCode> {
    let command = Arguments::command();
    let Some(folder) = &arguments.output_dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        return super::print_out(&String::from_utf8_lossy(&page));
    };
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(command, folder)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn complete(arguments: &Complete) -> io::Result<ExitCode> {
    let words: Vec<&str> = arguments.words.iter().map(String::as_str).collect();
    let mut text = String::new();
    for (word, about) in candidates(Arguments::command(), &words) {
        let _ = writeln!(text, "{word}\t{about}");
    }
    // kubectl: no names of files where there is none to be completed.
    text.push_str(":4\n");
    super::print_out(&text)
}

/// What the last word can become: commands, flags, and the values of flags that have a fixed set.
fn candidates(command: Command, words: &[&str]) -> Vec<(String, String)> {
    let (last, before) = words.split_last().map_or(("", &[][..]), |(last, before)| (*last, before));
    let mut command = command;
    command.build();
    for word in before {
        let next = command.find_subcommand(word).cloned();
        command = next.unwrap_or(command);
    }
    let about = |text: Option<&clap::builder::StyledStr>| {
        let text = text.map(ToString::to_string).unwrap_or_default();
        text.lines().next().unwrap_or_default().to_owned()
    };
    let mut found = Vec::new();
    let flag_before = before.last().and_then(|word| word.strip_prefix('-'));
    let takes_value = flag_before.and_then(|flag| {
        let flag = flag.trim_start_matches('-');
        command.get_arguments().find(|one| {
            one.get_long() == Some(flag)
                || one.get_short().is_some_and(|short| flag == short.to_string())
        })
    });
    if let Some(flag) = takes_value.filter(|flag| flag.get_action().takes_values()) {
        for value in flag.get_possible_values() {
            found.push((value.get_name().to_owned(), about(value.get_help())));
        }
    } else if last.starts_with('-') {
        let flags = command.get_arguments().filter(|one| !one.is_hide_set());
        for flag in flags {
            if let Some(long) = flag.get_long() {
                found.push((format!("--{long}"), about(flag.get_help())));
            }
        }
    } else {
        for sub in command.get_subcommands().filter(|one| !one.is_hide_set()) {
            found.push((sub.get_name().to_owned(), about(sub.get_about())));
        }
    }
    found.retain(|(word, _)| word.starts_with(last));
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(asked: &[&str]) -> Vec<String> {
        candidates(Arguments::command(), asked).into_iter().map(|(word, _)| word).collect()
    }

    #[test]
    fn commands_flags_and_values_are_completed() {
        assert_eq!(words(&["expl"]), ["explain"]);
        assert_eq!(words(&["explain", "no"]), ["node"]);
        assert_eq!(words(&["status", "--all"]), ["--all-namespaces"]);
        assert_eq!(words(&["status", "-o", "j"]), ["json"]);
        assert_eq!(words(&["rollout", "status", "--no"]), ["--no-wait"]);
        assert!(!words(&[""]).contains(&"support-page".to_owned()), "what is hidden stays hidden");
    }
}
