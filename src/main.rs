//! The `linkspan` command.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    linkspan::cli::run(linkspan::cli::Arguments::parse())
}
