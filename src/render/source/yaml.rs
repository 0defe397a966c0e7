//! What does a YAML text hold? As `kubectl` reads it.
//!
//! `kubectl` reads YAML 1.1: an unquoted `yes` is true and `0755` is 493. What it would send to the
//! API server is what is rendered here. Anchors, aliases and `<<` are resolved; tags that only other
//! tools know are refused.

use std::borrow::Cow;
use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::{Number, Value};

use super::{DEEPEST, Data, Entry, Fault, Node, Span, too_deep};

/// How many values a text may hold once its aliases are resolved.
const MOST_VALUES: usize = 1_000_000;

/// Reads a YAML text: any number of documents, the empty ones left out.
pub(super) fn read(text: &str) -> Result<Vec<Node>, Fault> {
    let bytes = Bytes::of(text);
    let mut reader = Reader::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        match event {
            Ok((event, span)) => {
                let span = bytes.span(span.start.index(), span.end.index());
                reader.take(event, span)?;
            }
            Err(error) => {
                let at = error.marker().index();
                let message = format!("is not YAML: {}", error.info());
                return Err(Fault::new(bytes.span(at, at + 1), message));
            }
        }
    }
    Ok(reader.documents)
}

/// Where each character of a text starts: the parser counts characters.
struct Bytes {
    starts: Option<Vec<usize>>,
    end: usize,
}

impl Bytes {
    fn of(text: &str) -> Self {
        let starts = || text.char_indices().map(|(byte, _)| byte).collect();
        Self { starts: (!text.is_ascii()).then(starts), end: text.len() }
    }

    fn byte(&self, character: usize) -> usize {
        match &self.starts {
            Some(starts) => starts.get(character).copied().unwrap_or(self.end),
            None => character.min(self.end),
        }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span { start: self.byte(start), end: self.byte(end) }
    }
}

#[derive(Default)]
struct Reader {
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Anchored>,
    values: usize,
}

/// A list or an object that is being read.
struct Open {
    anchor: usize,
    span: Span,
    values_before: usize,
    /// How many levels are below it.
    height: usize,
    inside: Inside,
    /// The function of CloudFormation that is called with it.
    function: Option<String>,
}

enum Inside {
    List(Vec<Node>),
    Object { entries: Vec<Entry>, merged: Vec<Node>, key: Option<Key> },
}

struct Key {
    name: String,
    span: Span,
    merges: bool,
}

#[derive(Clone)]
struct Anchored {
    node: Node,
    size: Size,
}

/// How much a value holds, itself included, and how many levels are below it.
#[derive(Clone, Copy)]
struct Size {
    values: usize,
    height: usize,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Fault> {
        match event {
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
            Event::Scalar(text, style, anchor, tag) => {
                if self.expects_key() {
                    let merges = text == "<<" && style == ScalarStyle::Plain;
                    self.set_key(Key { name: text.into_owned(), span, merges });
                    return Ok(());
                }
                let function = tag.as_ref().and_then(|tag| function(tag));
                let data = match &function {
                    // What a function is called with is a text: a name, or one to fill in.
                    Some(_) => Data::Scalar(text.as_ref().into()),
                    None => Data::Scalar(scalar(&text, style, tag.as_ref(), span)?),
                };
                let node = called(function, Node { span, data });
                self.close(node, anchor, Size { values: 1, height: 0 })
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(anchor, tag.as_ref(), span, Inside::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                let inside = Inside::Object { entries: Vec::new(), merged: Vec::new(), key: None };
                self.open(anchor, tag.as_ref(), span, inside)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                let Open { anchor, span, values_before, height, inside, function } = open;
                let data = match inside {
                    Inside::List(elements) => Data::List(elements),
                    Inside::Object { entries, merged, .. } => {
                        Data::Object(with_merged(entries, merged)?)
                    }
                };
                let values = self.values.saturating_sub(values_before);
                let height = height + usize::from(function.is_some());
                let node = called(function, Node { span, data });
                self.close(node, anchor, Size { values: values + 1, height })
            }
            Event::Alias(id) => {
                if self.expects_key() {
                    return Err(Fault::new(span, "an alias cannot be a member's name"));
                }
                // An alias within its own anchor is not there yet either.
                let Some(Anchored { node, size }) = self.anchors.get(&id) else {
                    return Err(Fault::new(span, "stands for a value that holds it"));
                };
                if self.open.len() + size.height > DEEPEST {
                    return Err(too_deep(span));
                }
                let (size, data) = (*size, node.data.clone());
                self.values += size.values.saturating_sub(1);
                self.close(Node { span, data }, 0, size)
            }
        }
    }

    fn expects_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { inside: Inside::Object { key: None, .. }, .. }))
    }

    fn set_key(&mut self, new: Key) {
        if let Some(Open { inside: Inside::Object { key, .. }, .. }) = self.open.last_mut() {
            *key = Some(new);
        }
    }

    fn open(
        &mut self,
        anchor: usize,
        tag: Option<&Cow<'_, Tag>>,
        span: Span,
        inside: Inside,
    ) -> Result<(), Fault> {
        let span = Span { start: span.start, end: span.start + 1 };
        let function = tag.and_then(|tag| function(tag));
        if let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema() && function.is_none()) {
            return Err(foreign(tag, span));
        }
        if self.expects_key() {
            return Err(Fault::new(span, "a member's name must be a text"));
        }
        if self.open.len() > DEEPEST {
            return Err(too_deep(span));
        }
        let values_before = self.values;
        self.open.push(Open { anchor, span, values_before, height: 0, inside, function });
        Ok(())
    }

    /// Puts a value that has been read where it belongs.
    fn close(&mut self, node: Node, anchor: usize, size: Size) -> Result<(), Fault> {
        self.values += 1;
        if self.values > MOST_VALUES {
            let message = format!("makes more than {MOST_VALUES} values of this file");
            return Err(Fault::new(node.span, message));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, Anchored { node: node.clone(), size });
        }
        if let Some(open) = self.open.last_mut() {
            open.height = open.height.max(size.height + 1);
        }
        match self.open.last_mut().map(|open| &mut open.inside) {
            None => {
                // What stands between two `---` without a word is no document.
                if !matches!(node.data, Data::Scalar(Value::Null)) {
                    self.documents.push(node);
                }
            }
            Some(Inside::List(elements)) => elements.push(node),
            Some(Inside::Object { entries, merged, key }) => match key.take() {
                Some(key) if key.merges => merged.push(node),
                Some(key) => {
                    entries.push(Entry { name: key.name, name_span: key.span, value: node });
                }
                None => {}
            },
        }
        Ok(())
    }
}

/// The members of an object with those of what `<<` names, which count less, the later the less.
fn with_merged(mut entries: Vec<Entry>, merged: Vec<Node>) -> Result<Vec<Entry>, Fault> {
    for node in merged {
        let sources = match node.data {
            Data::List(elements) => elements,
            _ => vec![node],
        };
        for source in sources {
            let Data::Object(members) = source.data else {
                return Err(Fault::new(source.span, "`<<` takes an object, or a list of objects"));
            };
            for member in members {
                if !entries.iter().any(|entry| entry.name == member.name) {
                    entries.push(member);
                }
            }
        }
    }
    Ok(entries)
}

/// The functions of CloudFormation that have a short form, which is a tag.
const FUNCTIONS: [&str; 16] = [
    "And",
    "Base64",
    "Cidr",
    "Condition",
    "Equals",
    "FindInMap",
    "GetAZs",
    "GetAtt",
    "If",
    "ImportValue",
    "Join",
    "Not",
    "Or",
    "Ref",
    "Select",
    "Sub",
];

/// The function of CloudFormation that a tag stands for: `!Sub` for `Fn::Sub`.
fn function(tag: &Tag) -> Option<String> {
    let name = FUNCTIONS.into_iter().find(|name| tag.handle == "!" && tag.suffix == *name)?;
    let is_plain = matches!(name, "Ref" | "Condition");
    Some(if is_plain { name.to_owned() } else { format!("Fn::{name}") })
}

/// The call of a function with a value, in the long form.
fn called(function: Option<String>, value: Node) -> Node {
    let Some(name) = function else { return value };
    let span = value.span;
    Node { span, data: Data::Object(vec![Entry { name, name_span: span, value }]) }
}

fn foreign(tag: &Tag, span: Span) -> Fault {
    let message = format!(
        "the tag `{}{}` is not known here; if another tool fills this in, let it do so first",
        tag.handle, tag.suffix
    );
    Fault::new(span, message)
}

fn scalar(
    text: &str,
    style: ScalarStyle,
    tag: Option<&Cow<'_, Tag>>,
    span: Span,
) -> Result<Value, Fault> {
    match tag {
        Some(tag) if !tag.is_yaml_core_schema() => {
            // A lone `!` means what quotes mean.
            if tag.handle.is_empty() && tag.suffix == "!" {
                return Ok(text.into());
            }
            Err(foreign(tag, span))
        }
        Some(tag) if tag.suffix == "str" => Ok(text.into()),
        Some(_) => Ok(plain(text)),
        None if style == ScalarStyle::Plain => Ok(plain(text)),
        None => Ok(text.into()),
    }
}

/// What a plain scalar is to `kubectl`.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" => {
            Value::Bool(true)
        }
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n" | "N" => {
            Value::Bool(false)
        }
        other if other.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => {
            number(&other.replace('_', "")).map_or_else(|| other.into(), Value::Number)
        }
        other => other.into(),
    }
}

fn number(text: &str) -> Option<Number> {
    let (negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let radix = |radix: u32, digits: &str| u64::from_str_radix(digits, radix).ok();
    let lower = digits.to_ascii_lowercase();
    let whole = if digits.starts_with(['+', '-']) {
        None
    } else if let Some(digits) = lower.strip_prefix("0x") {
        radix(16, digits)
    } else if let Some(digits) = lower.strip_prefix("0o") {
        radix(8, digits)
    } else if let Some(digits) = lower.strip_prefix("0b") {
        radix(2, digits)
    } else if digits.len() > 1 && digits.starts_with('0') {
        radix(8, digits)
    } else {
        radix(10, digits)
    };
    if let Some(whole) = whole {
        if !negative {
            return Some(whole.into());
        }
        return i64::try_from(-i128::from(whole)).ok().map(Number::from);
    }
    // Digits with a point or an exponent; `inf` and `nan` are no numbers of JSON.
    let decimal = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.chars().any(|c| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || ".eE+-".contains(c));
    text.parse::<f64>().ok().filter(|_| decimal).and_then(Number::from_f64)
}
