//! Walks the pages: runs each command where it says, and compares what it prints.
//!
//! Each page has a folder of its own, with the source's folders in it, and a namespace of its own in a
//! sandbox that all pages share; what a page takes for granted stands in `given/<page>.yaml`. A page that
//! makes a cluster, or starts a sandbox, goes on there, and ends it.
//!
//! `LINKSPAN_PAGE=quick-start` walks the pages whose names hold that.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::Command;

use crate::commands::{How, NOT_HERE, how, may_end, only_looks, operates_after};
use crate::compare::difference;
use crate::pages::{Page, Step, pages, root};
use crate::stage::{self, Stage};

/// How long a command may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long what is looked at may take to be as it is shown.
const COMING_TRUE: Duration = Duration::from_secs(180);

/// Pages that install Linkspan in a cluster that is there.
const INSTALLING: [&str; 2] = ["docs/operations.md", "charts/linkspan/README.md"];

/// A page that is being walked.
struct Walk<'a> {
    page: &'a Page,
    /// The folder that commands run in.
    folder: PathBuf,
    /// The folder with the programs.
    programs: PathBuf,
    /// A cluster of the page's own.
    own: Option<Stage>,
    /// The namespace in the shared sandbox.
    namespace: String,
    problems: Vec<String>,
    /// How many commands ran, and how many outputs were compared.
    counts: (usize, usize),
    /// Which reasons for not running were needed.
    not_here: Vec<usize>,
}

struct Printed {
    code: i32,
    text: String,
}

impl Walk<'_> {
    /// Goes through the page; stops where a command fails.
    async fn go(&mut self, shared: &Path) {
        let steps = match self.page.steps() {
            Ok(steps) => steps,
            Err(problem) => return self.problems.push(problem),
        };
        if INSTALLING.contains(&self.page.name.as_str()) {
            self.own = Some(Stage::kind().await);
        }
        self.settle(shared).await;
        for step in steps {
            match step {
                Step::File { name, text } => std::fs::write(self.folder.join(name), text).unwrap(),
                Step::Command { line, command, output } => {
                    if let Err(problem) = self.command(&command, output.as_deref(), shared).await {
                        let place = format!("{}:{line}", self.page.name);
                        self.problems.push(format!("{place}: $ {command}\n{problem}"));
                        if problem.starts_with("ends with") {
                            return;
                        }
                    }
                }
            }
        }
    }

    async fn command(
        &mut self,
        command: &str,
        output: Option<&[String]>,
        shared: &Path,
    ) -> Result<(), String> {
        let Some(how) = how(command) else {
            return Err("neither runs here nor is in the list of what cannot".to_owned());
        };
        self.counts.0 += 1;
        match how {
            How::NotHere(reason) => {
                self.counts.0 -= 1;
                self.not_here.push(reason);
                Ok(())
            }
            How::Nothing => Ok(()),
            How::Kind => {
                self.own = Some(Stage::kind().await);
                self.settle(shared).await;
                Ok(())
            }
            How::Sandbox => {
                let stage = Stage::sandbox().await;
                let Stage::Sandbox { said, .. } = &stage else { unreachable!() };
                let differs = output.and_then(|shown| difference(shown, said));
                self.counts.1 += usize::from(output.is_some());
                self.own = Some(stage);
                self.settle(shared).await;
                differs.map_or(Ok(()), Err)
            }
            How::Controller => {
                self.own.as_mut().ok_or("no cluster was made before")?.operate(true).await;
                Ok(())
            }
            How::Run(shell) => {
                let done = self.run_and_compare(&shell, output).await;
                if let (Some(stage), Some(operates)) = (&mut self.own, operates_after(&shell)) {
                    stage.operate(operates).await;
                }
                done
            }
        }
    }

    async fn run_and_compare(
        &mut self,
        shell: &str,
        output: Option<&[String]>,
    ) -> Result<(), String> {
        let since = Instant::now();
        self.counts.1 += usize::from(output.is_some());
        loop {
            let Printed { code, text } = self.run(shell).await;
            let text = text.replace(&self.namespace, "default");
            let problem = if may_end(shell, code, output) {
                output.and_then(|shown| difference(shown, &text))
            } else {
                Some(format!("ends with {code}:\n{text}"))
            };
            let Some(problem) = problem else { return Ok(()) };
            if !only_looks(shell) || since.elapsed() > COMING_TRUE {
                return Err(problem);
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Runs a command as a reader would: both streams, as they come.
    async fn run(&self, shell: &str) -> Printed {
        let home = self.folder.join("home");
        let path =
            format!("{}:{}/.local/bin:/usr/bin:/bin", self.programs.display(), home.display());
        let command = Command::new("sh")
            .args(["-c", &format!("{{ {shell}\n}} 2>&1")])
            .current_dir(&self.folder)
            .env_clear()
            .envs([("PATH", path), ("HOME", home.display().to_string())])
            .env("KUBECONFIG", self.folder.join("kubeconfig"))
            .envs(stage::built())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        match tokio::time::timeout(PATIENCE, command).await {
            Ok(output) => {
                let output = output.unwrap();
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                Printed { code: output.status.code().unwrap_or(-1), text }
            }
            Err(_) => Printed { code: -1, text: format!("it does not end within {PATIENCE:?}") },
        }
    }

    /// Points the commands to where they are to run, and puts there what the page takes for granted.
    async fn settle(&mut self, shared: &Path) {
        let kubeconfig = self.own.as_ref().map_or(shared.to_owned(), Stage::kubeconfig);
        std::fs::copy(kubeconfig, self.folder.join("kubeconfig")).unwrap();
        if self.own.is_some() {
            "default".clone_into(&mut self.namespace);
            return;
        }
        let stem = Path::new(&self.page.name).file_stem().unwrap().display().to_string();
        self.namespace = format!("page-{}", stem.to_lowercase());
        let namespace = self.namespace.clone();
        self.must(&format!("kubectl create namespace {namespace}")).await;
        self.must(&format!("kubectl config set-context --current --namespace {namespace}")).await;
        let given = root().join(format!("tests/docs/given/{stem}.yaml"));
        if let Ok(text) = std::fs::read_to_string(&given) {
            self.must(&format!("kubectl apply -f '{}'", given.display())).await;
            if text.contains("kind: Service\n") {
                self.must("kubectl wait --for=condition=Ready --timeout=60s esvc --all").await;
            }
        }
    }

    async fn must(&self, shell: &str) {
        let Printed { code, text } = self.run(shell).await;
        assert_eq!(code, 0, "{}: {shell}: {text}", self.page.name);
    }
}

/// A folder as a reader of a page has it: the source's folders, where nothing written gets into them.
fn folder(within: &Path, page: &Page) -> PathBuf {
    let folder = within.join(page.name.replace(['/', '.'], "-"));
    std::fs::create_dir_all(folder.join("home")).unwrap();
    for name in ["charts", "crds", "examples", "gitops", "plugin", "scripts"] {
        std::os::unix::fs::symlink(root().join(name), folder.join(name)).unwrap();
    }
    folder
}

/// Everything that is written, gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("linkspan-docs-{}-{name}", std::process::id()));
        std::fs::create_dir_all(path.join("bin")).unwrap();
        stage::programs(&path.join("bin"));
        Self(path)
    }

    fn walk<'a>(&self, page: &'a Page) -> Walk<'a> {
        Walk {
            page,
            folder: folder(&self.0, page),
            programs: self.0.join("bin"),
            own: None,
            namespace: "default".to_owned(),
            problems: Vec::new(),
            counts: (0, 0),
            not_here: Vec::new(),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_runs_and_prints_what_is_shown() {
    let only = std::env::var("LINKSPAN_PAGE").ok();
    let folder = Folder::new("pages");
    let shared = Stage::sandbox().await;
    let (mut problems, mut not_here) = (Vec::new(), Vec::new());
    tell!("{:<32}{:>10}{:>10}{:>10}", "PAGE", "COMMANDS", "COMPARED", "SECONDS");
    for page in pages() {
        let has_commands = page
            .steps()
            .is_ok_and(|steps| steps.iter().any(|step| matches!(step, Step::Command { .. })));
        if !has_commands || only.as_ref().is_some_and(|only| !page.name.contains(only)) {
            continue;
        }
        let since = Instant::now();
        let mut walk = folder.walk(&page);
        walk.go(&shared.kubeconfig()).await;
        let (ran, compared) = walk.counts;
        let seconds = since.elapsed().as_secs();
        tell!("{:<32}{ran:>10}{compared:>10}{seconds:>10}", page.name);
        problems.append(&mut walk.problems);
        not_here.append(&mut walk.not_here);
    }
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n\n"));
    if only.is_none() {
        for (at, (command, why)) in NOT_HERE.iter().enumerate() {
            assert!(not_here.contains(&at), "no page has `{command}`, which {why}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_wrong_is_noticed() {
    let folder = Folder::new("wrong");
    let wrong = [
        ("unknown", "$ rm -rf here", "neither runs here"),
        ("failing", "$ linkspan render nowhere.json", "ends with 1"),
        ("arguments", "$ linkspan render --nothing", "ends with 2"),
        ("other", "$ linkspan completions kubectl\n#!/bin/sh\nexec kubectl-linkspan", "shown:"),
        ("nothing", "$ linkspan completions kubectl\nerror: no such shell", "ends with 0"),
        ("prompt", "linkspan crd", "neither runs here"),
    ];
    for (name, block, expected) in wrong {
        let text = format!("```console\n{block}\n```\n");
        let page = Page { name: name.to_owned(), text };
        let mut walk = folder.walk(&page);
        // No cluster is needed to find these out.
        let [Step::Command { command, output, .. }] = &page.steps().unwrap()[..] else {
            panic!("one command")
        };
        let problem = walk.command(command, output.as_deref(), Path::new("")).await.unwrap_err();
        assert!(problem.starts_with(expected), "{name}: {problem}");
    }
    let text = "```console\n$ linkspan completions kubectl\n#!/bin/sh\n…\n```\n";
    let page = Page { name: "right".to_owned(), text: text.to_owned() };
    let [Step::Command { command, output, .. }] = &page.steps().unwrap()[..] else {
        panic!("one command")
    };
    let mut walk = folder.walk(&page);
    assert_eq!(walk.command(command, output.as_deref(), Path::new("")).await, Ok(()));
}
