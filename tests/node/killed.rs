//! Does everything end with this program, also when it is killed?

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::enter::name_of;
use crate::support::until;

/// A test that takes its time, of which a pod runs when this program is killed.
const SLOW: &str = "probes::without_a_check_a_task_must_stay_up_for_forty_seconds";

pub(crate) async fn nothing_is_left_of_a_program_that_was_killed() {
    let mut killed = Command::new(env::current_exe().unwrap())
        .args(["--exact", SLOW])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let name = name_of(killed.id());
    let state = env::temp_dir().join(&name);
    until("a pod runs", || async {
        let pods = groups(&name).into_iter().map(|group| group.join("kubepods/burstable"));
        let pods = pods.filter_map(|group| fs::read_dir(group).ok()).flatten().flatten();
        let runs =
            pods.filter(|entry| entry.file_name().to_string_lossy().starts_with("pod")).count();
        if runs > 0 { Ok(()) } else { Err(format!("{killed:?}")) }
    })
    .await;
    assert!(!processes(&name).is_empty() && state.is_dir());
    killed.kill().unwrap();
    killed.wait().unwrap();
    until("all of it has gone", || async {
        let (groups, processes) = (groups(&name), processes(&name));
        if groups.is_empty() && processes.is_empty() && !state.exists() {
            Ok(())
        } else {
            Err(format!("{} {groups:?} {processes:?}", state.display()))
        }
    })
    .await;
}

/// The control groups of a node.
fn groups(name: &str) -> Vec<PathBuf> {
    let all = PathBuf::from("/sys/fs/cgroup");
    let below = fs::read_dir(&all).unwrap().map(|entry| entry.unwrap().path());
    [all].into_iter().chain(below).map(|group| group.join(name)).filter(|it| it.is_dir()).collect()
}

/// The processes that have something to do with a node, by what their command lines or their groups
/// say.
fn processes(name: &str) -> Vec<String> {
    let all = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    all.filter_map(|process| {
        let says = |file: &str| fs::read(process.join(file)).unwrap_or_default();
        let line = String::from_utf8_lossy(&says("cmdline")).replace('\0', " ");
        let group = String::from_utf8_lossy(&says("cgroup")).into_owned();
        (line.contains(name) || group.contains(name)).then_some(line)
    })
    .collect()
}
