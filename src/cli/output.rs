//! In which form is an answer printed? As kubectl's `-o` has them.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};

use crate::layout::table;
use crate::render;

/// How objects are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// A table for people
    #[default]
    Table,
    /// A table with more columns
    Wide,
    /// The objects as JSON
    Json,
    /// The objects as YAML
    Yaml,
    /// Their names, as kubectl takes them
    Name,
}

/// What is listed, and how.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Listing {
    /// How objects are printed.
    #[arg(short, long, value_enum, default_value_t)]
    pub(super) output: Output,
    /// Those of all namespaces.
    #[arg(short = 'A', long)]
    pub(super) all_namespaces: bool,
    /// Those with these labels, as in app=web,stage!=dev.
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub(super) selector: Option<String>,
    /// Without the heading.
    #[arg(long)]
    pub(super) no_headers: bool,
}

/// A column: its heading, whether it is for `wide` only, and its cells.
pub(super) type Column<'a, K> = (&'static str, bool, &'a dyn Fn(&K) -> String);

impl Listing {
    /// Objects in the form that is asked for. `names` are what kubectl calls the kind.
    pub(super) fn text<K: Serialize + kube::Resource>(
        &self,
        names: &str,
        objects: &[K],
        columns: &[Column<'_, K>],
    ) -> anyhow::Result<String> {
        match self.output {
            Output::Table | Output::Wide => Ok(self.table(objects, columns)),
            Output::Name => {
                let mut text = String::new();
                for one in objects {
                    let name = one.meta().name.as_deref().unwrap_or_default();
                    let _ = writeln!(text, "{names}/{name}");
                }
                Ok(text)
            }
            Output::Json => {
                let mut text = serde_json::to_string_pretty(&list(objects)?)?;
                text.push('\n');
                Ok(text)
            }
            Output::Yaml => render::yaml(&list(objects)?).map_err(anyhow::Error::msg),
        }
    }

    fn table<K: kube::Resource>(&self, objects: &[K], columns: &[Column<'_, K>]) -> String {
        let is_wide = self.output == Output::Wide;
        let namespace = |one: &K| one.meta().namespace.clone().unwrap_or_default();
        let first: Column<'_, K> = ("NAMESPACE", false, &namespace);
        let first = self.all_namespaces.then_some(first);
        let columns: Vec<Column<'_, K>> =
            first.into_iter().chain(columns.iter().copied()).collect();
        let columns: Vec<_> = columns.into_iter().filter(|(_, wide, _)| !wide || is_wide).collect();
        let heads: Vec<&str> = columns.iter().map(|(head, ..)| *head).collect();
        let row = |one: &K| columns.iter().map(|(.., cell)| cell(one)).collect::<Vec<String>>();
        let rows: Vec<Vec<String>> = objects.iter().map(row).collect();
        let text = table(&heads, &rows);
        if !self.no_headers {
            return text;
        }
        text.split_once('\n').map(|(_, below)| below.to_owned()).unwrap_or_default()
    }
}

/// Objects as kubectl prints them: one by itself, any other number as a List. What a server keeps for
/// itself is left out.
fn list<K: Serialize>(objects: &[K]) -> anyhow::Result<Value> {
    let mut items = Vec::new();
    for object in objects {
        let mut item = serde_json::to_value(object)?;
        if let Some(meta) = item.get_mut("metadata").and_then(Value::as_object_mut) {
            meta.remove("managedFields");
        }
        items.push(item);
    }
    if items.len() == 1 {
        return Ok(items.remove(0));
    }
    Ok(json!({"apiVersion": "v1", "kind": "List", "items": items}))
}

/// What changes while somebody looks: drawn over on a terminal, one text after the other elsewhere.
pub(super) struct Screen {
    terminal: bool,
    shown: String,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self { terminal: io::stdout().is_terminal(), shown: String::new() }
    }

    /// Shows a text in the place of the last one, if it is another.
    pub(super) fn show(&mut self, text: &str) -> io::Result<()> {
        if text == self.shown {
            return Ok(());
        }
        let up = self.shown.lines().count();
        // Up to where the last drawing began, and clear from there.
        let over =
            if self.terminal && up > 0 { format!("\x1b[{up}A\x1b[J") } else { String::new() };
        let between = if self.terminal || self.shown.is_empty() { "" } else { "\n" };
        text.clone_into(&mut self.shown);
        let mut out = io::stdout().lock();
        out.write_all(format!("{over}{between}{text}").as_bytes())?;
        out.flush()
    }
}
