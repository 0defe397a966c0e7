use serde_json::json;

use super::*;

fn render(name: &str, text: &str, options: &Options) -> Output {
    run(&[File { name: name.to_owned(), bytes: text.as_bytes().to_vec() }], options)
}

#[test]
fn texts_that_yaml_1_1_takes_for_something_else_are_quoted() {
    let texts = [
        "yes",
        "no",
        "on",
        "off",
        "y",
        "n",
        "True",
        "null",
        "~",
        "",
        "1e3",
        "0755",
        "1.10",
        "0x1f",
        "1_000",
        "12:30:45",
        ".inf",
        "2001-01-01",
        "=",
        "<<",
        "- a",
        "a: b",
        "# a",
        "@a",
        "`a`",
        "%a",
        " a",
        "a ",
        "*a",
        "&a",
        "!a",
        "|",
        ">",
        "{a}",
        "[a]",
        "a\tb",
        "\u{85}",
        "\u{feff}",
    ];
    for text in texts {
        let written = yaml(&json!({ "value": text })).unwrap();
        let quoted = written.trim_end().strip_prefix("value: ").unwrap();
        let marks = (quoted.chars().next(), quoted.chars().last());
        assert!(
            matches!(marks, (Some('"'), Some('"')) | (Some('\''), Some('\''))),
            "{text:?} is written as {written}"
        );
    }
}

#[test]
fn the_same_files_give_the_same_bytes() {
    let text = "family: web\nmemory: 128\ncontainerDefinitions: [{name: web, image: x}]\n";
    let options = Options { all: true, verbose: true, ..Options::default() };
    assert_eq!(render("web.yaml", text, &options), render("web.yaml", text, &options));
}

#[test]
fn a_long_line_is_shown_around_its_value() {
    let environment = "x".repeat(500);
    let text = format!(
        r#"{{"family":"web","memory":"128","containerDefinitions":[{{"name":"web","image":"x","environment":[{{"name":"A","value":"{environment}"}}],"cpu":"many"}}]}}"#
    );
    let stderr = render("web.json", &text, &Options::default()).stderr;
    let lines: Vec<&str> = stderr.lines().collect();
    let at = lines.iter().position(|line| line.contains(": error: ")).unwrap();
    assert!(lines[at + 1].len() < 120, "{stderr}");
    let marked = lines[at + 2].find('^').unwrap();
    assert_eq!(&lines[at + 1][marked..marked + 6], "\"many\"", "{stderr}");
}

#[test]
fn nothing_of_a_file_reaches_the_terminal_unshown() {
    let text =
        "{\"family\": \"web\\u001b[31m\", \"memory\": \"128\", \"containerDefinitions\": []}";
    assert!(!render("web.json", text, &Options::default()).stderr.contains('\u{1b}'));
    let text = "family: \u{1b}[31m\nmemory: 1\n";
    assert!(!render("web.yaml", text, &Options::default()).stderr.contains('\u{1b}'));
}

#[test]
fn a_newer_feature_is_printed_for_no_older_kubernetes() {
    let text = r#"{"family": "pair", "cpu": "256", "memory": "512", "containerDefinitions": [
        {"name": "a", "image": "x", "healthCheck": {"command": ["CMD", "true"], "startPeriod": 30}},
        {"name": "b", "image": "x", "essential": false}]}"#;
    for (minor, pod_level, container_restart, rules) in
        [(33, 0, 0, 0), (34, 1, 0, 0), (35, 1, 1, 0), (36, 1, 2, 1)]
    {
        let options = Options { kubernetes_minor: minor, ..Options::default() };
        let stdout = render("pair.json", text, &options).stdout;
        let count = |needle: &str| stdout.matches(needle).count();
        assert_eq!(count("\n      resources:"), pod_level, "1.{minor}: {stdout}");
        assert_eq!(count("restartPolicy:"), container_restart, "1.{minor}");
        assert_eq!(count("restartPolicyRules:"), rules, "1.{minor}");
    }
}

#[test]
fn a_given_uid_keeps_the_owner_and_a_derived_one_does_not() {
    let text = |uid: &str| {
        format!(
            "apiVersion: ecs.linkspan.dev/v1alpha1\nkind: TaskDefinition\nmetadata: {{name: web}}\n\
             spec: {{memory: 128, containerDefinitions: [{{name: web, image: x}}]}}\n---\n\
             apiVersion: ecs.linkspan.dev/v1alpha1\nkind: Service\nmetadata: {{name: web{uid}}}\n\
             spec: {{taskDefinition: web}}\n"
        )
    };
    let given = render("web.yaml", &text(", uid: u-1"), &Options::default()).stdout;
    assert_eq!(given.matches("ownerReferences").count(), 2, "{given}");
    let derived = render("web.yaml", &text(""), &Options::default()).stdout;
    assert!(!derived.contains("ownerReferences"), "{derived}");
    let uid = derived.split("service-uid: ").nth(1).unwrap().lines().next().unwrap();
    let groups: Vec<usize> = uid.split('-').map(str::len).collect();
    assert_eq!(groups, [8, 4, 4, 4, 12], "{uid}");
}

#[test]
fn an_object_stands_once() {
    let text = "family: web\nmemory: 128\ncontainerDefinitions: [{name: web, image: x}]\n";
    let file = |name: &str| File { name: name.to_owned(), bytes: text.as_bytes().to_vec() };
    let output = run(&[file("a.yaml"), file("b.yaml")], &Options::default());
    let message = "b.yaml:1:1: error: TaskDefinition web is already given by a.yaml:1:1";
    assert!(output.failed && output.stderr.contains(message), "{}", output.stderr);
    assert!(output.stdout.is_empty());
}
