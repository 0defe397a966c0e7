//! The documented examples, the mistakes that people make, and the words that are hard to split.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use super::*;

struct Node {
    zone: &'static str,
    instance_type: &'static str,
    architecture: &'static str,
    os: &'static str,
    custom: &'static [(&'static str, &'static str)],
    groups: &'static [&'static str],
    tasks: u64,
    registered: &'static str,
    agent: &'static str,
    connected: bool,
    id: &'static str,
}

fn instance(node: &Node) -> Instance {
    let built_in = [
        ("ecs.availability-zone", node.zone),
        ("ecs.instance-type", node.instance_type),
        ("ecs.cpu-architecture", node.architecture),
        ("ecs.os-type", node.os),
    ];
    Instance {
        attributes: built_in
            .iter()
            .chain(node.custom)
            .map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned())))
            .collect(),
        agent_connected: node.connected,
        agent_version: Some(node.agent.parse().unwrap()),
        ec2_instance_id: Some(node.id.to_owned()),
        registered_at: Some(format!("{}T00:00:00Z", node.registered).parse().unwrap()),
        running_tasks_count: node.tasks,
        task_groups: node.groups.iter().map(|group| (*group).to_owned()).collect(),
    }
}

/// Four nodes, unlike in everything that can be asked.
const NODES: [Node; 4] = [
    Node {
        zone: "us-east-1a",
        instance_type: "t2.small",
        architecture: "x86_64",
        os: "linux",
        custom: &[("stack", "prod")],
        groups: &["service:production"],
        tasks: 1,
        registered: "2018-01-01",
        agent: "1.14.4",
        connected: true,
        id: "i-abcd1234",
    },
    Node {
        zone: "us-east-1b",
        instance_type: "g2.2xlarge",
        architecture: "x86_64",
        os: "linux",
        custom: &[("stack", "dev")],
        groups: &[],
        tasks: 0,
        registered: "2018-03-01",
        agent: "1.50.0",
        connected: true,
        id: "i-bbbb2222",
    },
    Node {
        zone: "us-east-1d",
        instance_type: "g2.8xlarge",
        architecture: "arm64",
        os: "linux",
        custom: &[("rack", "12")],
        groups: &["database", "service:production"],
        tasks: 2,
        registered: "2024-06-18",
        agent: "1.86.0",
        connected: true,
        id: "i-wxyx7890",
    },
    Node {
        zone: "us-east-1a",
        instance_type: "m5.large",
        architecture: "x86_64",
        os: "windows",
        custom: &[("stack", "prod")],
        groups: &[],
        tasks: 0,
        registered: "2018-02-13",
        agent: "1.14.5",
        connected: false,
        id: "i-dddd4444",
    },
];

/// The numbers of the nodes on which an expression holds.
fn chosen(expression: &str) -> Vec<usize> {
    let query = Query::parse(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
    let printed = query.to_string();
    assert_eq!(Query::parse(&printed), Ok(query.clone()), "{expression} as {printed}");
    let holds = |(_, node): &(usize, &Node)| evaluate(&query, &instance(node));
    NODES.iter().enumerate().filter(holds).map(|(at, _)| at + 1).collect()
}

#[test]
fn the_twenty_five_examples() {
    for (number, expression, expected) in [
        (1, "attribute:ecs.instance-type == t2.small", vec![1]),
        (2, "attribute:ecs.instance-type != t2.small", vec![2, 3, 4]),
        (3, "attribute:ecs.availability-zone in [us-east-1a, us-east-1b]", vec![1, 2, 4]),
        (4, "attribute:ecs.availability-zone not_in [us-east-1a,us-east-1b]", vec![3]),
        (5, "attribute:ecs.availability-zone !in [us-east-1d]", vec![1, 2, 4]),
        (
            6,
            "attribute:ecs.instance-type =~ g2.* and attribute:ecs.availability-zone != us-east-1d",
            vec![2],
        ),
        (7, "attribute:ecs.instance-type !~ g2.*", vec![1, 4]),
        (8, "attribute:ecs.instance-type =~ g2", vec![]),
        (9, "task:group == service:production", vec![1, 3]),
        (10, "not(task:group == database)", vec![1, 2, 4]),
        (11, "!(task:group == database) && attribute:stack == prod", vec![1, 4]),
        (12, "runningTasksCount == 1", vec![1]),
        (13, "runningTasksCount < 1", vec![2, 4]),
        (14, "agentVersion < 1.14.5", vec![1]),
        (15, "agentVersion >= 1.9.0", vec![1, 2, 3, 4]),
        (16, "registeredAt < 2018-02-13", vec![1]),
        (17, "registeredAt >= 2018-02-13T00:00:00Z", vec![2, 3, 4]),
        (18, "attribute:stack exists", vec![1, 2, 4]),
        (19, "attribute:stack !exists", vec![3]),
        (19, "attribute:stack not_exists", vec![3]),
        (20, "attribute:stack != prod", vec![2, 3]),
        (21, "attribute:ecs.cpu-architecture == arm64 or attribute:stack == prod", vec![1, 3, 4]),
        (
            22,
            "attribute:stack == dev or attribute:stack == prod and attribute:ecs.os-type == windows",
            vec![2, 4],
        ),
        (
            23,
            "(attribute:stack == dev or attribute:stack == prod) and attribute:ecs.os-type == windows",
            vec![4],
        ),
        (24, "agentConnected == true and attribute:rack > 9", vec![3]),
        (25, "ec2InstanceId in ['i-abcd1234', 'i-wxyx7890']", vec![1, 3]),
    ] {
        assert_eq!(chosen(expression), expected, "example {number}: {expression}");
    }
}

#[test]
fn every_spelling_of_an_operator_reads_alike() {
    for (symbol, word, argument) in [
        ("==", "equals", "5"),
        ("!=", "not_equals", "5"),
        (">", "greater_than", "5"),
        (">=", "greater_than_equal", "5"),
        ("<", "less_than", "5"),
        ("<=", "less_than_equal", "5"),
        ("=~", "matches", "5.*"),
        ("!~", "not_matches", "5.*"),
        ("!in", "not_in", "[5]"),
        ("!exists", "not_exists", ""),
    ] {
        let query = |operator| Query::parse(&format!("attribute:a {operator} {argument}"));
        assert_eq!(query(symbol), query(word));
        assert!(query(symbol).is_ok(), "{symbol}");
    }
}

#[test]
fn what_stands_between_words_does_not_matter() {
    let written =
        Query::parse("attribute:a==b && !(attribute:c in ['d',\"e f\"]||agentVersion<1.2)");
    assert_eq!(
        written.as_ref().unwrap().to_string(),
        "attribute:a == b and not (attribute:c in [d, 'e f'] or agentVersion < 1.2.0)"
    );
    for same in [
        " attribute:a equals b and not(attribute:c in[d,'e f']or agentVersion less_than 1.2.0) ",
        "((attribute:a == b)) and\n! ( (attribute:c in [ d , 'e f' ]) or agentVersion < 1.2 )",
    ] {
        assert_eq!(Query::parse(same), written, "{same}");
    }
    assert_eq!(
        Query::parse("(attribute:a exists or attribute:b exists) or attribute:c exists"),
        Query::parse("attribute:a exists or (attribute:b exists or attribute:c exists)"),
    );
}

#[test]
fn a_pattern_ends_where_its_brackets_are_closed() {
    for (expression, pattern) in [
        ("attribute:a =~ m5.*", "m5.*"),
        ("(attribute:a =~ (m5|c5)[.](large|x{1,2}large))", "(m5|c5)[.](large|x{1,2}large)"),
        ("(attribute:a =~ [)(]+)", "[)(]+"),
        ("(attribute:a =~ a\\))", "a\\)"),
        ("(attribute:a =~ []a[b-d]]x)", "[]a[b-d]]x"),
        ("attribute:a =~ 'x y|z'", "x y|z"),
        ("attribute:a =~ ''", ""),
        ("attribute:a =~ ['\"]", "['\"]"),
    ] {
        let query =
            Query::parse(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
        let [Term { test: Test::Matches(found), .. }] = query.terms()[..] else {
            panic!("{expression} has other terms")
        };
        assert_eq!(found.written(), pattern, "{expression}");
        assert_eq!(Query::parse(&query.to_string()), Ok(query));
    }
}

#[test]
fn a_pattern_matches_the_whole_text_or_nothing() {
    for (pattern, text, matches) in [
        ("g2", "g2.large", false),
        ("2", "g2.large", false),
        ("a|ab", "ab", true),
        ("(?i)PROD", "prod", true),
        ("a$|b", "a", true),
        ("a", "a\n", false),
        (".*", "a\nb", false),
        (".*", "", true),
    ] {
        let query = Query::parse(&format!("attribute:a =~ '{pattern}'")).unwrap();
        let mut instance = Instance::default();
        instance.attributes.insert("a".to_owned(), Some(text.to_owned()));
        assert_eq!(evaluate(&query, &instance), matches, "{pattern} on {text:?}");
    }
}

#[test]
fn an_attribute_may_be_missing_or_have_no_value() {
    let mut valueless = Instance::default();
    valueless.attributes.insert("a".to_owned(), None);
    for (test, missing, without_value) in [
        ("exists", false, true),
        ("not_exists", true, false),
        ("== x", false, false),
        ("== ''", false, false),
        ("!= x", true, true),
        ("in [x]", false, false),
        ("not_in [x]", true, true),
        ("=~ .*", false, false),
        ("!~ .*", true, true),
        ("> 0", false, false),
        ("<= 0", false, false),
    ] {
        let query = Query::parse(&format!("attribute:a {test}")).unwrap();
        assert_eq!(evaluate(&query, &Instance::default()), missing, "{test}, missing");
        assert_eq!(evaluate(&query, &valueless), without_value, "{test}, without value");
    }
}

#[test]
fn times_and_versions_are_read_in_their_documented_forms() {
    let time = |text: &str| Query::parse(&format!("registeredAt == {text}")).map(|q| q.to_string());
    for text in ["2018-06-18T22:28:28+00:00", "2018-06-18T22:28:28Z", "2018-06-18T22:28:28"] {
        assert_eq!(time(text).as_deref(), Ok("registeredAt == 2018-06-18T22:28:28Z"), "{text}");
    }
    assert_eq!(time("2018-06-18").as_deref(), Ok("registeredAt == 2018-06-18T00:00:00Z"));
    assert_eq!(
        time("2018-06-18T22:28:28+02:00").as_deref(),
        Ok("registeredAt == 2018-06-18T20:28:28Z")
    );
    for wrong in ["yesterday", "2018", "2018-13-01", "-000001-01-01", "'2018-06-18 x'"] {
        assert!(time(wrong).is_err(), "{wrong}");
    }
    for (literal, agent, less) in
        [("1.9", "1.10.0", false), ("2", "1.99.9", true), ("1.2.3", "1.2.3-rc.1", true)]
    {
        let query = Query::parse(&format!("agentVersion < {literal}")).unwrap();
        let instance =
            Instance { agent_version: Some(agent.parse().unwrap()), ..Instance::default() };
        assert_eq!(evaluate(&query, &instance), less, "{agent} < {literal}");
    }
    for wrong in ["1.", "1.2.3.4", "one", "v1.2"] {
        assert!(Query::parse(&format!("agentVersion < {wrong}")).is_err(), "{wrong}");
    }
}

/// The message about a mistake, whole.
fn mistake(expression: &str) -> String {
    match Query::parse(expression) {
        Ok(query) => panic!("{expression} reads as {query}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (expression, message) in [
        ("attribute:stack ==", "column 19: found the end, expected a value"),
        (
            "attribute:stack = prod",
            "column 17: found `=`, expected an operator: `==` `!=` `in` `not_in` `=~` `!~` `exists` \
             `not_exists` `>` `>=` `<` `<=`; did you mean `==`?",
        ),
        (
            "stack == prod",
            "column 1: found `stack`, expected a question such as \
             `attribute:ecs.instance-type == m5.large`; did you mean `attribute:stack`?",
        ),
        (
            "attribute:x in prod",
            "column 16: found `prod`, expected a list in brackets, such as `[a, b]`; did you mean \
             `[prod]`?",
        ),
        (
            "(attribute:a == b",
            "column 18: found the end, expected `and`, `or`, or `)` for the `(` at column 1",
        ),
        (
            "agentVersion =~ 1.*",
            "column 14: found `=~`, expected an operator that agentVersion has: `==` `!=` `>` `>=` \
             `<` `<=`",
        ),
        (
            "",
            "column 1: found the end, expected a question such as \
             `attribute:ecs.instance-type == m5.large`",
        ),
        ("attribute:a in []", "column 17: found `]`, expected a value"),
        ("attribute:a in [b c]", "column 19: found `c]`, expected `,` or `]`"),
        (
            "attribute:a == 'b",
            "column 16: found a ' that is never closed, expected a second ' after \
             the value",
        ),
        ("attribute:a == b)", "column 17: found `)`, expected `and`, `or`, or the end"),
        (
            "attribute:a == b&&attribute:c == d",
            "column 31: found `==`, expected `and`, `or`, or the end (a value without quotes ends at \
             a space)",
        ),
        ("attribute: == b", "column 11: found a space, expected the name of an attribute"),
        ("agentConnected == maybe", "column 19: found `maybe`, expected `true` or `false`"),
        ("runningTasksCount > -1", "column 21: found `-1`, expected a number of tasks such as `3`"),
        ("attribute:ä == b", "column 11: found `ä`, expected the name of an attribute"),
        (
            "attribute:a =~ (b",
            "column 16: found a `(` that is never closed, expected its end before the next space, or \
             the expression in quotes",
        ),
        (
            "attribute:a =~ 'b)|(c'",
            "column 16: found `b)|(c`, expected a regular expression, but unopened group",
        ),
        (
            "attribute:a =~ (?=x).*",
            "column 16: found `(?=x).*`, expected a regular expression, without look-ahead and \
             look-behind",
        ),
        (
            "attribute:a =~ (x)\\1",
            "column 16: found `(x)\\1`, expected a regular expression, without references back to a \
             group",
        ),
        (
            "attribute:a =~ x*+x",
            "column 16: found `x*+x`, expected a regular expression, without possessive quantifiers \
             such as `*+`",
        ),
        (
            "attribute:a =~ (x{999}){999}",
            "column 16: found `(x{999}){999}`, expected a regular expression, of a size that can be \
             matched quickly",
        ),
    ] {
        assert_eq!(mistake(expression), message, "{expression}");
    }
    let error = Query::parse("attribute:ä == b").unwrap_err();
    assert_eq!((error.offset, error.column), (10, 11));
    let error = Query::parse("attribute:a == ä and b").unwrap_err();
    assert_eq!((error.offset, error.column), (22, 22));
}

#[test]
fn near_misses_are_told() {
    let meant = |expression: &str| Query::parse(expression).unwrap_err().meant;
    for (expression, expected) in [
        ("attribute:a = b", Some("==")),
        ("attribute:a <> b", Some("!=")),
        ("attribute:a => 5", Some(">=")),
        ("attribute:a Exists", Some("exists")),
        ("attribute:a IN [b]", Some("in")),
        ("attribute:a not in [b]", Some("not_in")),
        ("agentVersion =~~ 1", None),
        ("attribute:a exists AND attribute:b exists", Some("and")),
        ("attribute:a exists Or attribute:b exists", Some("or")),
        ("attribute:a exists, attribute:b exists", Some("and")),
        ("NOT attribute:a exists", Some("not")),
        ("InstanceId == i-1", Some("ec2InstanceId")),
        ("ec2instanceid == i-1", Some("ec2InstanceId")),
        ("runningTaskCount == 1", Some("runningTasksCount")),
        ("taskGroup == a", Some("task:group")),
        ("instance-type == m5.large", Some("attribute:ecs.instance-type")),
        ("Attribute:ecs.os-type == linux", Some("attribute:ecs.os-type")),
        ("attribute:a exists and and attribute:b exists", None),
    ] {
        assert_eq!(meant(expression).as_deref(), expected, "{expression}");
    }
    let query =
        Query::parse("attribute:instance-type == m5.large and attribute:ecs.os-type exists");
    assert_eq!(query.unwrap().near_misses(), [("instance-type", "ecs.instance-type")]);
}

#[test]
fn length_and_depth_are_bounded() {
    let padded = |length: usize| format!("{:<length$}", "attribute:a == ä");
    assert!(Query::parse(&padded(2000)).is_ok());
    assert_eq!(
        mistake(&padded(2001)),
        "column 2001: found 2001 characters, expected at most 2000 characters"
    );
    let nested = |depth: usize, open: &str, close: &str| {
        Query::parse(&format!("{}attribute:a exists{}", open.repeat(depth), close.repeat(depth)))
    };
    for (open, close) in [("(", ")"), ("!", ""), ("not ", ""), ("!(", ")")] {
        let depth = DEEPEST / open.matches(['!', '(', 'n']).count();
        assert!(nested(depth, open, close).is_ok(), "{open}");
        let error = nested(depth + 1, open, close).unwrap_err();
        assert_eq!(error.expected, "at most 64 of them, one in another");
        assert!(nested(900 / open.len(), open, close).is_err(), "{open}");
    }
    assert!(Query::parse(&format!("attribute:{} exists", "n".repeat(128))).is_ok());
    assert!(Query::parse(&format!("attribute:{} exists", "n".repeat(129))).is_err());
}

#[test]
fn a_question_about_the_count_of_tasks_can_be_refused() {
    assert!(
        Query::parse("attribute:a exists or not runningTasksCount > 3").unwrap().counts_tasks()
    );
    assert!(!Query::parse("attribute:runningTasksCount exists").unwrap().counts_tasks());
}
