use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Source, position, read};

fn values(text: &str) -> Vec<Value> {
    read(text.as_bytes()).documents.unwrap().into_iter().map(|document| document.value).collect()
}

/// The line, column and message of a fault.
fn fault(text: &str) -> (usize, usize, String) {
    let Source { text, documents } = read(text.as_bytes());
    let fault = documents.unwrap_err();
    let (line, column) = position(&text, fault.span.start);
    (line, column, fault.message)
}

/// The text that stands at the place of a path: its name, and its value.
fn at(text: &str, path: &str) -> (String, String) {
    let Source { text, documents } = read(text.as_bytes());
    let place = documents.unwrap()[0].places[path];
    let name = place.key.map(|key| text[key.start..key.end].to_owned());
    (name.unwrap_or_default(), text[place.value.start..place.value.end].to_owned())
}

#[test]
fn every_member_has_a_place() {
    let json = r#"{"a": [{"é": "ü", "number": 12}], "b": {"c": null}}"#;
    let yaml = "a:\n  - é: ü\n    number: 12\nb:\n  c: null\n";
    assert_eq!(values(json), values(yaml));
    for (text, quote) in [(json, "\""), (yaml, "")] {
        let quoted = |word: &str| format!("{quote}{word}{quote}");
        assert_eq!(at(text, "a[0].é"), (quoted("é"), quoted("ü")), "{text}");
        assert_eq!(at(text, "a[0].number"), (quoted("number"), "12".to_owned()), "{text}");
        assert_eq!(at(text, "b.c"), (quoted("c"), "null".to_owned()), "{text}");
        assert_eq!(at(text, "a").0, quoted("a"), "{text}");
    }
}

#[test]
fn json_is_read_strictly() {
    for (text, line, column, message) in [
        ("{\"a\": 1,}", 1, 8, "no comma after the last element"),
        ("[1, 2,\n]", 1, 6, "no comma after the last element"),
        ("{\n  // why\n  \"a\": 1}", 2, 3, "no comments"),
        ("{\"a\": 1 \"b\": 2}", 1, 8, "a comma is missing"),
        ("{\"a\": 1} {\"b\": 2}", 1, 10, "one value"),
        ("{\"a\": ${TAG}}", 1, 7, ""),
        ("{\"a\": TAG}", 1, 7, "placeholder"),
        ("{\"a\": 01}", 1, 8, ""),
        ("{a: 1}", 1, 2, ""),
        ("{'a': 1}", 1, 2, ""),
        (
            "{\"a\": 1, \"b\": {\"c\": 1,\n \"c\": 2}}",
            2,
            2,
            "stands twice in this object, first in line 1",
        ),
        ("{\"a\":", 1, 6, ""),
        ("[", 1, 1, ""),
    ] {
        let (found_line, found_column, found) = fault(text);
        assert_eq!((found_line, found_column), (line, column), "{text}: {found}");
        assert!(found.contains(message), "{text}: {found}");
    }
}

#[test]
fn yaml_is_read_as_kubectl_reads_it() {
    for (text, value) in [
        ("yes", json!(true)),
        ("Off", json!(false)),
        ("y", json!(true)),
        ("'yes'", json!("yes")),
        ("!!str yes", json!("yes")),
        ("!Ref yes", json!({"Ref": "yes"})),
        ("!Sub '${A}'", json!({"Fn::Sub": "${A}"})),
        (
            "!Join ['', [!GetAtt A.Arn, b]]",
            json!({"Fn::Join": ["", [{"Fn::GetAtt": "A.Arn"}, "b"]]}),
        ),
        ("0755", json!(493)),
        ("0o17", json!(15)),
        ("0x1F", json!(31)),
        ("-0b11", json!(-3)),
        ("1_000", json!(1000)),
        ("08", json!(8.0)),
        ("1.10", json!(1.1)),
        ("1e3", json!(1000.0)),
        (".5", json!(0.5)),
        ("18446744073709551615", json!(u64::MAX)),
        ("12:30", json!("12:30")),
        ("2001-01-01", json!("2001-01-01")),
        (".inf", json!(".inf")),
        ("-", json!([null])),
        ("1.2.3", json!("1.2.3")),
        ("+", json!("+")),
        ("~", json!(null)),
        ("web:1", json!("web:1")),
    ] {
        let text = format!("value: {text}\n");
        let text = text.replace("value: -\n", "value:\n-\n");
        assert_eq!(values(&text), [json!({"value": value})], "{text}");
    }
}

#[test]
fn anchors_aliases_and_merges_are_resolved() {
    let text =
        "base: &b {x: 1, y: 2}\nmore: &m {z: 3, x: 9}\none: {<<: *b, x: 5}\ntwo: {<<: [*b, *m]}\n";
    let value = &values(text)[0];
    assert_eq!(value["one"], json!({"x": 5, "y": 2}));
    assert_eq!(value["two"], json!({"x": 1, "y": 2, "z": 3}));
}

#[test]
fn yaml_that_cannot_be_meant_is_refused() {
    for (text, line, column, message) in [
        ("a: 1\nb: 2\na: 3\n", 3, 1, "stands twice in this object, first in line 1"),
        ("a: !Vault Image\n", 1, 4, "tag `!Vault`"),
        ("a: !Env [x]\n", 1, 4, "tag `!Env`"),
        ("? [a]\n: 1\n", 1, 3, "a member's name must be a text"),
        ("a: *b\n", 1, 4, ""),
        ("a: [1, 2\n", 2, 1, ""),
        ("a: &x [*x]\n", 1, 8, "a value that holds it"),
        ("a: {<<: 1}\n", 1, 9, "takes an object"),
    ] {
        let (found_line, found_column, found) = fault(text);
        assert_eq!((found_line, found_column), (line, column), "{text}: {found}");
        assert!(found.contains(message), "{text}: {found}");
    }
}

#[test]
fn documents_are_separated_and_empty_ones_left_out() {
    assert_eq!(
        values("---\n# nothing\n---\na: 1\n---\n---\nb: 2\n...\n"),
        [json!({"a": 1}), json!({"b": 2})]
    );
    assert_eq!(values(""), [] as [Value; 0]);
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_text() {
    assert_eq!(values("\u{feff}{\"a\": 1}"), [json!({"a": 1})]);
    assert_eq!(values("\u{feff}a: 1"), [json!({"a": 1})]);
    assert_eq!(fault("\u{feff}{\"a\": 1,}").1, 8);
}

#[test]
fn what_is_not_utf_8_is_refused_with_its_place() {
    let source = read(b"a: 1\nb: \xff\n");
    let fault = source.documents.unwrap_err();
    assert_eq!(position(&source.text, fault.span.start), (2, 4));
    assert_eq!(fault.message, "is not UTF-8 text");
}

#[test]
fn depth_and_multiplication_are_bounded() {
    let deep = |open: &str, close: &str, levels| open.repeat(levels) + "1" + &close.repeat(levels);
    assert!(read(deep("[", "]", 90).as_bytes()).documents.is_ok());
    for text in [
        deep("[", "]", 101),
        deep("{\"a\":", "}", 101),
        deep("[", "]", 100_000),
        deep("x: [", "]", 1) + &deep("\ny: [", "]", 1),
        "- ".repeat(100_000),
        deep("- ", "", 101),
        (1..200).flat_map(|at| [" ".repeat(at), "a:\n".to_owned()]).collect(),
    ] {
        let source = read(text.as_bytes());
        assert!(source.documents.is_err() || text.starts_with('x'), "{}", &text[..20]);
    }
    // Each line ten times the one before: a thousand million values, if it were done.
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    let mut chain = "c0: &c0 [[[[[[[[[[x]]]]]]]]]]\n".to_owned();
    for at in 1..30 {
        let of = |name: &str| vec![format!("*{name}{}", at - 1); 10].join(", ");
        let _ = writeln!(laughs, "a{at}: &a{at} [{}]", of("a"));
        let _ = writeln!(chain, "c{at}: &c{at} [[[[[[[[[[*c{}]]]]]]]]]]", at - 1);
    }
    assert!(fault(&laughs).2.contains("more than 1000000 values"));
    assert!(fault(&chain).2.contains("levels deep"));
}
