//! What does a file hold, and where does each value stand in it?
//!
//! Bytes in, documents out: each a JSON value, with the place of every member. JSON is read
//! strictly; everything that does not start as JSON is read as YAML, whose plain scalars mean what
//! `kubectl` takes them for. Any bytes give documents or a fault with its place, never a panic; how
//! deep values may nest, and how far aliases may multiply them, is bounded. What a document is
//! about is no question here.

mod json;
#[cfg(test)]
mod tests;
mod yaml;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// How deep values may nest.
const DEEPEST: usize = 100;

/// A stretch of the text, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Its first byte.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
}

/// Where a member stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its name; none for a list's element and for the whole document.
    pub key: Option<Span>,
    /// Its value; of a list or an object, its beginning.
    pub value: Span,
    /// Whether its value is a list or an object.
    pub holds: bool,
}

/// One document of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// What it says.
    pub value: Value,
    /// The place of each member, by paths as in `containerDefinitions[0].cpu`; the document's own
    /// is empty.
    pub places: BTreeMap<String, Place>,
}

/// Why a text cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub span: Span,
    /// Why, and what to write instead.
    pub message: String,
}

impl Fault {
    fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into() }
    }
}

fn too_deep(span: Span) -> Fault {
    Fault::new(span, format!("is nested more than {DEEPEST} levels deep"))
}

/// A file, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Its text, without a byte order mark; what is not UTF-8 is replaced.
    pub text: String,
    /// Its documents, or why there are none.
    pub documents: Result<Vec<Document>, Fault>,
}

/// Reads the bytes of a file.
pub fn read(bytes: &[u8]) -> Source {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Source { text: text.to_owned(), documents: documents(text) },
        Err(error) => {
            let start = error.valid_up_to();
            let fault = Fault::new(Span { start, end: start + 1 }, "is not UTF-8 text");
            Source { text: String::from_utf8_lossy(bytes).into_owned(), documents: Err(fault) }
        }
    }
}

fn documents(text: &str) -> Result<Vec<Document>, Fault> {
    let nodes =
        if text.trim_start().starts_with(['{', '[']) { json::read(text) } else { yaml::read(text) };
    nodes?
        .into_iter()
        .map(|node| {
            let mut places = BTreeMap::new();
            let value = locate(node, None, String::new(), 0, text, &mut places)?;
            Ok(Document { value, places })
        })
        .collect()
}

/// A value with its places, before it is known to be sound.
#[derive(Clone, Debug)]
struct Node {
    span: Span,
    data: Data,
}

#[derive(Clone, Debug)]
enum Data {
    Scalar(Value),
    List(Vec<Node>),
    Object(Vec<Entry>),
}

#[derive(Clone, Debug)]
struct Entry {
    name: String,
    name_span: Span,
    value: Node,
}

/// Notes the place of a node and of all below it, and gives its value.
fn locate(
    node: Node,
    key: Option<Span>,
    path: String,
    depth: usize,
    text: &str,
    places: &mut BTreeMap<String, Place>,
) -> Result<Value, Fault> {
    if depth > DEEPEST {
        return Err(too_deep(node.span));
    }
    let value = match node.data {
        Data::Scalar(value) => value,
        Data::List(elements) => {
            let mut list = Vec::with_capacity(elements.len());
            for (at, element) in elements.into_iter().enumerate() {
                let path = format!("{path}[{at}]");
                list.push(locate(element, None, path, depth + 1, text, places)?);
            }
            Value::Array(list)
        }
        Data::Object(entries) => {
            let mut object = Map::new();
            let mut seen: BTreeMap<String, Span> = BTreeMap::new();
            for entry in entries {
                if let Some(first) = seen.insert(entry.name.clone(), entry.name_span) {
                    let (line, _) = position(text, first.start);
                    return Err(Fault::new(
                        entry.name_span,
                        format!(
                            "`{}` stands twice in this object, first in line {line}; only one of \
                             the two can be meant",
                            entry.name
                        ),
                    ));
                }
                let path = join(&path, &entry.name);
                let value =
                    locate(entry.value, Some(entry.name_span), path, depth + 1, text, places)?;
                object.insert(entry.name, value);
            }
            Value::Object(object)
        }
    };
    let holds = value.is_array() || value.is_object();
    places.insert(path, Place { key, value: node.span, holds });
    Ok(value)
}

/// The path of a member of what stands at a path.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// The line and column of a byte, both counted from 1, the column in characters.
pub fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}
