//! What does a JSON text hold? RFC 8259 and nothing more: what ECS's own API would take.

use jsonc_parser::ast::{ObjectProp, Value as Ast};
use jsonc_parser::common::{Range, Ranged};
use jsonc_parser::errors::{ParseError, ParseErrorKind};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::{Number, Value};

use super::{Data, Entry, Fault, Node, Span};

const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Reads a JSON text: one value.
pub(super) fn read(text: &str) -> Result<Vec<Node>, Fault> {
    let read = parse_to_ast(text, &CollectOptions::default(), &STRICT).map_err(|e| fault(&e))?;
    read.value.into_iter().map(node).collect()
}

fn fault(error: &ParseError) -> Fault {
    let message = match error.kind() {
        ParseErrorKind::CommentsNotAllowed => {
            "JSON has no comments; remove it, or write the file as YAML".to_owned()
        }
        ParseErrorKind::TrailingCommasNotAllowed => {
            "JSON has no comma after the last element; remove it".to_owned()
        }
        ParseErrorKind::ExpectedComma => "a comma is missing here".to_owned(),
        ParseErrorKind::MultipleRootJsonValues => {
            "a JSON file holds one value, and another one starts here".to_owned()
        }
        ParseErrorKind::UnexpectedWord | ParseErrorKind::UnexpectedToken => {
            "is no JSON value; if this is a placeholder, fill it in first".to_owned()
        }
        other => {
            let message = other.to_string();
            let mut letters = message.chars();
            let first = letters.next().map(|letter| letter.to_ascii_lowercase());
            format!("is not JSON: {}{}", first.unwrap_or_default(), letters.as_str())
        }
    };
    Fault::new(span(error.range()), message)
}

fn span(range: Range) -> Span {
    Span { start: range.start, end: range.end }
}

/// A value; the parser has bounded how deep it nests.
fn node(ast: Ast<'_>) -> Result<Node, Fault> {
    let whole = span(ast.range());
    let opening = Span { start: whole.start, end: whole.start + 1 };
    let scalar = |value| Node { span: whole, data: Data::Scalar(value) };
    Ok(match ast {
        Ast::NullKeyword(_) => scalar(Value::Null),
        Ast::BooleanLit(literal) => scalar(Value::Bool(literal.value)),
        Ast::StringLit(literal) => scalar(Value::String(literal.value.into_owned())),
        Ast::NumberLit(literal) => match literal.value.parse::<Number>() {
            Ok(number) => scalar(Value::Number(number)),
            Err(_) => return Err(Fault::new(whole, "is no number as JSON writes them")),
        },
        Ast::Array(array) => Node {
            span: opening,
            data: Data::List(array.elements.into_iter().map(node).collect::<Result<_, _>>()?),
        },
        Ast::Object(object) => Node {
            span: opening,
            data: Data::Object(object.properties.into_iter().map(entry).collect::<Result<_, _>>()?),
        },
    })
}

fn entry(property: ObjectProp<'_>) -> Result<Entry, Fault> {
    Ok(Entry {
        name_span: span(property.name.range()),
        name: property.name.into_string(),
        value: node(property.value)?,
    })
}
