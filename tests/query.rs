//! Does the cluster query language mean what it says, for expressions that nobody thought of?
//!
//! Every expression is generated as a list of words. A second evaluator, which shares nothing with
//! the first, judges the words themselves: it replaces each question by its answer and then reduces
//! the answers until one is left. Its regular expressions are its own, of a smaller kind.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    clippy::format_push_string,
    clippy::match_same_arms,
    reason = "a test that cannot go on fails"
)]

#[macro_use]
#[path = "included/tell.rs"]
mod tell;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use linkspan::ecs::query::{Instance, Query, evaluate};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};

// ---- the words of an expression -------------------------------------------------------------

/// A question in words, and what the second evaluator has to know of it.
#[derive(Clone, Debug)]
struct Question {
    subject: &'static str,
    operator: &'static str,
    /// As written, without quotes; in their own order.
    arguments: Vec<String>,
}

#[derive(Clone, Debug)]
enum Word {
    Question(Question),
    Open,
    Close,
    And,
    Or,
    Not,
    /// Only while reducing.
    Answer(bool),
}

const ATTRIBUTES: &[&str] = &[
    "attribute:ecs.instance-type",
    "attribute:ecs.availability-zone",
    "attribute:stack",
    "attribute:rack",
    "attribute:a\\b/C_d",
];
const TEXTS: &[&str] = &[
    "prod",
    "dev",
    "m5.large",
    "m5.xlarge",
    "g2",
    "us-east-1a",
    "9",
    "12",
    "-3",
    "1.50",
    "1.5",
    "007",
    "7",
    "a b",
    "",
    "service:web",
    "Prod",
    "and",
    "!in",
    "x,y",
    "(z)",
];
const GROUPS: &[&str] = &["service:web", "database", "family:a"];
const VERSIONS: &[&str] = &["1.9", "1.14.4", "1.14.5", "2", "1.14.5-rc.1", "1.86.0"];
/// Spelled in every form, with the same time in one form.
const TIMES: &[(&str, &str)] = &[
    ("2018-02-13", "2018-02-13T00:00:00"),
    ("2018-02-13T00:00:00Z", "2018-02-13T00:00:00"),
    ("2018-02-13T02:00:00+02:00", "2018-02-13T00:00:00"),
    ("2018-02-12T23:59:59", "2018-02-12T23:59:59"),
    ("2024-06-18T22:28:28+00:00", "2024-06-18T22:28:28"),
];
const COUNTS: &[&str] = &["0", "1", "2", "5"];

const EQUAL: &[&str] = &["==", "equals", "!=", "not_equals"];
const ORDER: &[&str] =
    &[">", "greater_than", ">=", "greater_than_equal", "<", "less_than", "<=", "less_than_equal"];
const MATCH: &[&str] = &["=~", "matches", "!~", "not_matches"];
const LIST: &[&str] = &["in", "!in", "not_in"];
const EXIST: &[&str] = &["exists", "!exists", "not_exists"];

fn owned(words: &'static [&'static str]) -> BoxedStrategy<String> {
    select(words).prop_map(ToOwned::to_owned).boxed()
}

fn questions(
    subject: impl Strategy<Value = &'static str> + Clone + 'static,
    operators: &'static [&'static str],
    argument: BoxedStrategy<String>,
    count: std::ops::RangeInclusive<usize>,
) -> BoxedStrategy<Word> {
    (subject, select(operators), vec(argument, count))
        .prop_map(|(subject, operator, arguments)| {
            Word::Question(Question { subject, operator, arguments })
        })
        .boxed()
}

fn question() -> impl Strategy<Value = Word> {
    let attribute = || select(ATTRIBUTES);
    let ordered = [EQUAL, ORDER].concat().leak();
    let ordered: &'static [&'static str] = ordered;
    let texts = || owned(TEXTS);
    let groups = || owned(GROUPS);
    let ids = || owned(&["i-1", "i-2"]);
    let bools = || owned(&["true", "false"]);
    prop_oneof![
        4 => questions(attribute(), EQUAL, texts(), 1..=1),
        4 => questions(attribute(), ORDER, texts(), 1..=1),
        3 => questions(attribute(), LIST, texts(), 1..=4),
        3 => questions(attribute(), MATCH, pattern().boxed(), 1..=1),
        2 => questions(attribute(), EXIST, texts(), 0..=0),
        1 => questions(Just("task:group"), EQUAL, groups(), 1..=1),
        1 => questions(Just("task:group"), LIST, groups(), 1..=2),
        1 => questions(Just("task:group"), MATCH, pattern().boxed(), 1..=1),
        1 => questions(Just("task:group"), EXIST, groups(), 0..=0),
        1 => questions(Just("agentConnected"), EQUAL, bools(), 1..=1),
        1 => questions(Just("agentConnected"), LIST, bools(), 1..=2),
        1 => questions(Just("agentConnected"), MATCH, pattern().boxed(), 1..=1),
        2 => questions(Just("agentVersion"), ordered, owned(VERSIONS), 1..=1),
        1 => questions(Just("ec2InstanceId"), EQUAL, ids(), 1..=1),
        1 => questions(Just("ec2InstanceId"), LIST, ids(), 1..=2),
        1 => questions(Just("ec2InstanceId"), MATCH, pattern().boxed(), 1..=1),
        2 => questions(
            Just("registeredAt"),
            ordered,
            select(TIMES).prop_map(|(spelled, _)| spelled.to_owned()).boxed(),
            1..=1,
        ),
        2 => questions(Just("runningTasksCount"), ordered, owned(COUNTS), 1..=1),
    ]
}

/// Whole expressions as words: any nesting, with more parentheses than are needed.
fn expression() -> impl Strategy<Value = Vec<Word>> {
    question().prop_map(|word| vec![word]).prop_recursive(5, 24, 3, |inner| {
        prop_oneof![
            3 => (inner.clone(), any::<bool>(), inner.clone()).prop_map(|(left, and, right)| {
                [left, vec![if and { Word::And } else { Word::Or }], right].concat()
            }),
            1 => inner.clone().prop_map(|one| [vec![Word::Not], one].concat()),
            1 => inner.prop_map(|one| [vec![Word::Open], one, vec![Word::Close]].concat()),
        ]
    })
}

/// The words as a text; the numbers choose among the ways to write the same.
fn text(words: &[Word], ways: &[u8]) -> String {
    let mut ways = ways.iter().copied().cycle();
    let mut way = |of: u8| ways.next().map_or(0, |way| way % of);
    let mut text = String::new();
    for word in words {
        let space = [" ", "\t\n ", " ", ""][usize::from(way(4))];
        match word {
            Word::Open => text += &format!("{space}({space}"),
            Word::Close => text += &format!("{space})"),
            Word::And => text += [" and ", " && "][usize::from(way(2))],
            Word::Or => text += [" or ", " || "][usize::from(way(2))],
            Word::Not => text += ["not ", "!", "! "][usize::from(way(3))],
            Word::Answer(_) => panic!("an answer is never written"),
            Word::Question(question) => {
                let is_symbol = !question.operator.contains(|c: char| c.is_ascii_alphabetic());
                let gap = if is_symbol { space } else { " " };
                text += &format!("{}{gap}{}{gap}", question.subject, question.operator);
                let is_pattern = MATCH.contains(&question.operator);
                let mut argument = |argument: &String| {
                    let is_plain =
                        !argument.is_empty() && !argument.contains([' ', ',', '(', ')', '[', ']']);
                    match way(3) {
                        0 => format!("'{argument}'"),
                        1 => format!("\"{argument}\""),
                        _ if is_plain => argument.clone(),
                        // A pattern may have brackets without quotes.
                        _ if is_pattern && !argument.is_empty() && !argument.contains(' ') => {
                            argument.clone()
                        }
                        _ => format!("'{argument}'"),
                    }
                };
                let arguments: Vec<String> = question.arguments.iter().map(&mut argument).collect();
                text += &match &arguments[..] {
                    [] => String::new(),
                    all if LIST.contains(&question.operator) => {
                        format!("[{space}{}{space}]", all.join(&format!("{space},{space}")))
                    }
                    all => all.concat(),
                };
            }
        }
    }
    text
}

// ---- regular expressions of the smaller kind ------------------------------------------------

/// Branches of pieces: a character, `.`, or a class of characters, each with a quantifier or none.
fn pattern() -> impl Strategy<Value = String> {
    let atom =
        select(&["m", "5", "\\.", ".", "[a-m5]", "[^x]", "p", "ro", "d", "e", "v", "g2"][..]);
    let piece = (atom, select(&["", "", "", "*", "+", "?"][..]))
        .prop_map(|(atom, quantifier)| format!("{atom}{quantifier}"));
    let branch = vec(piece, 0..5).prop_map(|pieces| pieces.concat());
    prop_oneof![
        2 => vec(branch, 1..3).prop_map(|branches| branches.join("|")),
        1 => select(&["m5.*", "prod|dev", "us-east-1[ab]", "service:.*", "true", "i-[12]"][..])
            .prop_map(ToOwned::to_owned),
    ]
}

/// Whether a pattern matches the whole of a text, by trying every way.
fn matches_whole(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    pattern.split('|').any(|branch| {
        let branch: Vec<char> = branch.chars().collect();
        branch_matches(&branch, &text)
    })
}

fn branch_matches(branch: &[char], text: &[char]) -> bool {
    let Some(first) = branch.first() else { return text.is_empty() };
    let length = match first {
        '\\' => 2,
        '[' => branch.iter().position(|c| *c == ']').unwrap() + 1,
        _ => 1,
    };
    let (atom, rest) = branch.split_at(length);
    let fits = |character: char| match atom {
        ['.'] => character != '\n',
        ['\\', literal] => character == *literal,
        ['[', '^', no, ']'] => character != *no,
        ['[', from, '-', to, or, ']'] => (*from..=*to).contains(&character) || character == *or,
        ['[', one, other, ']'] => character == *one || character == *other,
        [literal] => character == *literal,
        other => panic!("an atom {other:?}"),
    };
    let (least, most, rest) = match rest.first() {
        Some('*') => (0, text.len(), &rest[1..]),
        Some('+') => (1, text.len(), &rest[1..]),
        Some('?') => (0, 1, &rest[1..]),
        _ => (1, 1, rest),
    };
    (least..=most.min(text.len()))
        .any(|times| text[..times].iter().all(|c| fits(*c)) && branch_matches(rest, &text[times..]))
}

// ---- the second evaluator -------------------------------------------------------------------

/// Three numbers and what follows them.
type Version = ((u32, u32, u32), Option<&'static str>);

/// What the second evaluator knows of a node, in its own shapes.
#[derive(Clone, Debug)]
struct Node {
    attributes: BTreeMap<&'static str, Option<&'static str>>,
    groups: BTreeSet<&'static str>,
    connected: bool,
    version: Option<Version>,
    id: Option<&'static str>,
    /// In the one form, in which an earlier time is a lesser text.
    registered: Option<&'static str>,
    tasks: u32,
}

fn node() -> impl Strategy<Value = Node> {
    let version = prop_oneof![
        1 => (1_u32..3, select(&[9_u32, 14, 86][..]), select(&[0_u32, 4, 5][..])).prop_map(|v| (v, None)),
        1 => select(&[None, Some("rc.1"), Some("rc.2"), Some("beta")][..]).prop_map(|pre| ((1, 14, 5), pre)),
    ];
    let registered = select(
        &[
            "2018-02-13T00:00:00",
            "2018-02-12T23:59:59",
            "2024-06-18T22:28:28",
            "2000-01-01T00:00:00",
        ][..],
    );
    (
        btree_map(select(ATTRIBUTES), proptest::option::weighted(0.9, select(TEXTS)), 0..5),
        btree_set(select(GROUPS), 0..3),
        any::<bool>(),
        proptest::option::weighted(0.9, version),
        proptest::option::weighted(0.9, select(&["i-1", "i-2", "i-3"][..])),
        proptest::option::weighted(0.9, registered),
        0_u32..4,
    )
        .prop_map(|(attributes, groups, connected, version, id, registered, tasks)| Node {
            attributes,
            groups,
            connected,
            version,
            id,
            registered,
            tasks,
        })
}

impl Node {
    /// The same, as the first evaluator takes it.
    fn instance(&self) -> Instance {
        let attributes = self.attributes.iter().map(|(name, value)| {
            (name.trim_start_matches("attribute:").to_owned(), value.map(ToOwned::to_owned))
        });
        let version = self.version.map(|((major, minor, patch), pre)| {
            let pre = pre.map(|pre| format!("-{pre}")).unwrap_or_default();
            format!("{major}.{minor}.{patch}{pre}").parse().unwrap()
        });
        Instance {
            attributes: attributes.collect(),
            agent_connected: self.connected,
            agent_version: version,
            ec2_instance_id: self.id.map(ToOwned::to_owned),
            registered_at: self.registered.map(|time| format!("{time}Z").parse().unwrap()),
            running_tasks_count: self.tasks.into(),
            task_groups: self.groups.iter().map(|group| (*group).to_owned()).collect(),
        }
    }
}

/// Replaces questions by answers, then reduces: innermost parentheses first, in each `not` before
/// `and` before `or`.
fn judge(words: &[Word], node: &Node) -> bool {
    let mut words: Vec<Word> = words
        .iter()
        .map(|word| match word {
            Word::Question(question) => Word::Answer(answer(question, node)),
            other => other.clone(),
        })
        .collect();
    while let Some(close) = words.iter().position(|word| matches!(word, Word::Close)) {
        let open = words[..close].iter().rposition(|word| matches!(word, Word::Open)).unwrap();
        let inner = reduce(words[open + 1..close].to_vec());
        words.splice(open..=close, [Word::Answer(inner)]);
    }
    reduce(words)
}

fn reduce(mut words: Vec<Word>) -> bool {
    while let Some(at) = words.iter().rposition(|word| matches!(word, Word::Not)) {
        let Word::Answer(answer) = words[at + 1] else { panic!("not {:?}", words[at + 1]) };
        words.splice(at..=at + 1, [Word::Answer(!answer)]);
    }
    words
        .split(|word| matches!(word, Word::Or))
        .any(|all| all.iter().all(|word| matches!(word, Word::Answer(true) | Word::And)))
}

fn answer(question: &Question, node: &Node) -> bool {
    let Question { subject, operator, arguments } = question;
    let operator = match *operator {
        "equals" => "==",
        "not_equals" => "!=",
        "greater_than" => ">",
        "greater_than_equal" => ">=",
        "less_than" => "<",
        "less_than_equal" => "<=",
        "matches" => "=~",
        "not_matches" => "!~",
        "not_in" => "!in",
        "not_exists" => "!exists",
        other => other,
    };
    if let Some(positive) = [("!=", "=="), ("!in", "in"), ("!~", "=~"), ("!exists", "exists")]
        .iter()
        .find_map(|(negative, positive)| (*negative == operator).then_some(*positive))
    {
        let positive = Question { subject, operator: positive, arguments: arguments.clone() };
        return !answer(&positive, node);
    }
    let connected = node.connected.to_string();
    let texts: Vec<&str> = match *subject {
        "task:group" => node.groups.iter().copied().collect(),
        "agentConnected" => vec![&connected],
        "ec2InstanceId" => node.id.into_iter().collect(),
        "agentVersion" => return answer_version(operator, &arguments[0], node),
        "registeredAt" => {
            let spelled = TIMES.iter().find(|(spelled, _)| *spelled == arguments[0]).unwrap();
            return node.registered.is_some_and(|time| in_order(operator, &time, &spelled.1));
        }
        "runningTasksCount" => {
            return in_order(operator, &node.tasks, &arguments[0].parse().unwrap());
        }
        attribute => match (node.attributes.get(attribute), operator) {
            (there, "exists") => return there.is_some(),
            (there, _) => there.copied().flatten().into_iter().collect(),
        },
    };
    texts.iter().any(|text| match operator {
        "exists" => true,
        "==" | "in" => arguments.iter().any(|argument| argument == text),
        "=~" => matches_whole(&arguments[0], text),
        order => match (text.parse::<f64>(), arguments[0].parse::<f64>()) {
            (Ok(left), Ok(right)) => in_order(order, &left, &right),
            _ => in_order(order, text, &arguments[0].as_str()),
        },
    })
}

fn answer_version(operator: &str, argument: &str, node: &Node) -> bool {
    let (numbers, pre) = argument.split_once('-').map_or((argument, None), |(n, p)| (n, Some(p)));
    let mut numbers = numbers.split('.').map(|number| number.parse::<u32>().unwrap());
    let mut next = || numbers.next().unwrap_or(0);
    let wanted = (next(), next(), next());
    // The release comes after everything before it; the names before it are in the order of texts.
    let last = |pre: Option<&str>| pre.map_or("~".to_owned(), ToOwned::to_owned);
    node.version.is_some_and(|(numbers, own)| {
        in_order(operator, &(numbers, last(own)), &(wanted, last(pre)))
    })
}

fn in_order<T: PartialOrd>(operator: &str, left: &T, right: &T) -> bool {
    match operator {
        "==" => left == right,
        "!=" => left != right,
        ">" => left > right,
        ">=" => left >= right,
        "<" => left < right,
        "<=" => left <= right,
        other => panic!("an operator {other}"),
    }
}

// ---- the properties -------------------------------------------------------------------------

const NODES_EACH: usize = 40;

#[test]
fn two_evaluators_agree_and_what_is_printed_reads_the_same() {
    let (pairs, hold) = (Cell::new(0_u64), Cell::new(0_u64));
    let config = Config { cases: 4_000, failure_persistence: None, ..Config::default() };
    let cases = (expression(), vec(any::<u8>(), 1..8), vec(node(), NODES_EACH));
    let outcome = TestRunner::new(config).run(&cases, |(words, ways, nodes)| {
        let text = text(&words, &ways);
        let query = match Query::parse(&text) {
            Ok(query) => query,
            Err(error) if text.chars().count() > 2000 => {
                return Err(TestCaseError::reject(error.to_string()));
            }
            Err(error) => return Err(TestCaseError::fail(format!("{text}: {error}"))),
        };
        let printed = query.to_string();
        if printed.chars().count() <= 2000 {
            prop_assert_eq!(Query::parse(&printed), Ok(query.clone()), "{} as {}", text, printed);
        }
        for node in &nodes {
            let expected = judge(&words, node);
            prop_assert_eq!(evaluate(&query, &node.instance()), expected, "{} on {:?}", text, node);
            pairs.set(pairs.get() + 1);
            hold.set(hold.get() + u64::from(expected));
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let (pairs, hold) = (pairs.get(), hold.get());
    tell!("{pairs} pairs of an expression and a node, {hold} of which hold");
    assert!(pairs >= 100_000, "only {pairs} pairs");
    assert!(hold * 5 > pairs && hold * 5 < pairs * 4, "{hold} of {pairs} hold: too lopsided");
}

/// Texts near to expressions: their words in any order, with some of anything between.
fn near_expression() -> impl Strategy<Value = String> {
    let words = select(
        &[
            "attribute:",
            "attribute:a",
            " ",
            "==",
            "=~",
            "!~",
            "!",
            "not",
            " in ",
            "[",
            "]",
            "(",
            ")",
            "'",
            "\"",
            ",",
            "and",
            " or ",
            "&&",
            "|",
            "\\",
            "*",
            "{",
            "exists",
            "registeredAt",
            ">",
            "agentVersion",
            "2018-06-18",
            "1.2",
            "ä",
            "[^]",
            "(?x)",
            "#",
            "\u{2028}",
            "9999999999999",
        ][..],
    );
    vec(prop_oneof![9 => words.prop_map(ToOwned::to_owned), 1 => any::<String>()], 0..30)
        .prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(Config { cases: 20_000, ..Config::default() })]

    #[test]
    fn no_text_makes_the_reader_panic(text in prop_oneof![any::<String>(), near_expression()]) {
        match Query::parse(&text) {
            Ok(query) => {
                let printed = query.to_string();
                if printed.chars().count() <= 2000 {
                    prop_assert_eq!(Query::parse(&printed), Ok(query), "{} as {}", text, printed);
                }
            }
            Err(error) => {
                prop_assert!(text.is_char_boundary(error.offset), "{error} in {text}");
                let before = text[..error.offset].chars().count();
                prop_assert_eq!(error.column, before + 1);
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in vec(any::<u8>(), 0..400)) {
        let _ = Query::parse(&String::from_utf8_lossy(&bytes));
    }
}
