//! Which commands of a page run here, and why others do not. A command that is in neither list fails.

/// What a page's commands may begin with.
const RUN: [&str; 8] =
    ["linkspan", "kubectl", "kubectl-linkspan", "helm", "cat", "chmod", "mkdir", "sed"];

/// Commands that cannot run here, each with the reason. The list is closed: a test sees to it that each
/// is needed.
pub(crate) const NOT_HERE: [(&str, &str); 13] = [
    ("docker ", "needs a container engine; tests/chart looks at what it builds from"),
    ("kind load ", "needs a container engine; a simulated node pulls nothing"),
    ("kind delete ", "needs a container engine; the walk ends its control planes itself"),
    ("examples/kind/run", "needs a container engine; its steps are those of the pages"),
    ("aws ", "needs an account of AWS; the page shows the file that it makes"),
    ("cargo install ", "builds the whole program anew; the PATH has the one under test"),
    ("cargo test", "is what runs this"),
    ("scripts/image", "builds the whole program anew; tests/chart packs an image by it"),
    ("scripts/krew", "packs what was built for release; plugin.rs packs a file by it"),
    ("kubectl krew ", "needs the plugin krew; the manifest is compared with the code"),
    ("kubectl port-forward ", "a simulated node carries no traffic"),
    ("curl ", "a simulated node carries no traffic"),
    ("linkspan logs ", "a simulated node keeps no logs"),
];

/// Commands that only show what is there: what they show may take a moment to come true.
const LOOK: [&str; 11] = [
    "kubectl get ",
    "kubectl auth ",
    "linkspan status",
    "kubectl linkspan status",
    "linkspan tasks",
    "linkspan events",
    "linkspan explain ",
    "linkspan scaling ",
    "linkspan attributes",
    "linkspan doctor",
    "linkspan rollout history ",
];

/// How a command is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// By a shell.
    Run(String),
    /// Not at all: the index of the reason.
    NotHere(usize),
    /// A cluster is made: a control plane of simulated nodes called as kind calls its own.
    Kind,
    /// A sandbox is started and stays.
    Sandbox,
    /// An operator is started and stays.
    Controller,
    /// The kubeconfig is already the one that is meant.
    Nothing,
}

/// How a command is carried out; nothing where it may not stand on a page.
pub(crate) fn how(written: &str) -> Option<How> {
    let command = written.replacen("cargo run --release -- ", "linkspan ", 1);
    let begins = |with: &str| command.starts_with(with);
    if begins("kind create cluster") {
        return Some(How::Kind);
    }
    if begins("linkspan sandbox --keep") {
        return Some(How::Sandbox);
    }
    if begins("linkspan controller ") {
        return Some(How::Controller);
    }
    if begins("export KUBECONFIG=") {
        return Some(How::Nothing);
    }
    if let Some(at) = NOT_HERE.iter().position(|(with, _)| begins(with)) {
        return Some(How::NotHere(at));
    }
    let is_known =
        |part: &String| part.split_whitespace().next().is_some_and(|word| RUN.contains(&word));
    parts(&command).iter().all(is_known).then_some(How::Run(command))
}

/// The single commands of a line: what stands between `|`, `;` and `&`, but for what is quoted.
fn parts(command: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quote = None;
    for character in command.replace("\\\n", " ").replace("2>&1", "").chars() {
        match (quote, character) {
            (None, '|' | ';' | '&' | '\n') => parts.push(String::new()),
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), end) if open == end => quote = None,
            _ => {}
        }
        if let Some(part) = parts.last_mut()
            && !(quote.is_none() && matches!(character, '|' | ';' | '&' | '\n'))
        {
            part.push(character);
        }
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// Whether a command only shows what is there.
pub(crate) fn only_looks(command: &str) -> bool {
    LOOK.iter().any(|look| command.starts_with(look))
}

/// Whether the chart's operator runs after a command that is about that.
pub(crate) fn operates_after(command: &str) -> Option<bool> {
    let installs = command.starts_with("helm ") && command.contains(" charts/linkspan ");
    let scales = command.contains("scale deployment/linkspan --replicas ");
    if installs || (scales && !command.ends_with(" 0")) {
        Some(true)
    } else if scales || command.starts_with("helm uninstall linkspan ") {
        Some(false)
    } else {
        None
    }
}

/// Whether a command may end with this code, where it prints that.
pub(crate) fn may_end(command: &str, code: i32, output: Option<&[String]>) -> bool {
    let refusal = |line: &String| line.starts_with("error: ") || line.starts_with("Error");
    let is_refused = output.is_some_and(|lines| lines.iter().any(refusal))
        || output.is_some_and(|lines| lines.iter().any(|line| line.contains(": error: ")));
    let compares = command.starts_with("linkspan diff ") || command.starts_with("kubectl diff ");
    if is_refused { code != 0 } else { code == 0 || (compares && code == 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_no_list_may_not_stand_on_a_page() {
        assert_eq!(how("rm -rf /"), None);
        assert_eq!(how("linkspan crd | rm -rf /"), None);
        assert_eq!(how("kubectl get ecs; rm -rf /"), None);
        assert_eq!(how("kubectl get ecs && rm -rf /"), None);
        assert_eq!(how("git clone x"), None);
        assert!(matches!(how("sed 's|a|b;c|' x \\\n  | cat"), Some(How::Run(_))));
        assert!(matches!(how("docker build ."), Some(How::NotHere(_))));
        let run = How::Run("linkspan crd | kubectl apply -f -".to_owned());
        assert_eq!(how("cargo run --release -- crd | kubectl apply -f -"), Some(run));
    }

    #[test]
    fn a_command_ends_as_the_page_says() {
        let shown = ["error: no".to_owned()];
        assert!(may_end("linkspan wait web", 0, None));
        assert!(!may_end("linkspan wait web", 3, None));
        assert!(may_end("linkspan wait web", 3, Some(&shown)));
        assert!(!may_end("linkspan wait web", 0, Some(&shown)));
        assert!(may_end("linkspan diff web.yaml", 1, None));
        assert!(!may_end("linkspan diff web.yaml", 2, None));
    }
}
