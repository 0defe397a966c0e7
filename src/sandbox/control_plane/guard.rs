//! How do the processes of a control plane end with the process that started them, however it ends?
//!
//! A [`ProcessGroup`] is an empty folder and a group of processes. Both are watched by a guard: a
//! `/bin/sh` that reads a pipe whose other end only we hold. When we end the group, when we end, or
//! when we are killed with SIGKILL, the kernel closes our end; the guard then kills the group and
//! removes the folder. There is one way to stop, so the one that is hard to test is the one that
//! every stop uses.
//!
//! # Guarantees
//! - No moment without a guard: it watches before the first process joins the group.
//! - The number of the group is ours before anything joins it: its leader, the anchor, is a shell
//!   that only waits. No other process can get that number while the group has a member.
//! - No process of the group holds our end of the pipe: Rust opens pipes close-on-exec.
//! - A Ctrl-C in the terminal reaches neither guard nor group: both are groups of their own.
//!
//! # Caveats
//! - What a process of the group starts in yet another group or session is not ended. None does.
//! - The processes are killed, not asked to stop: nothing of theirs is worth keeping.
//! - The guard itself must live to see a SIGKILL. Where somebody has ended it, we still end the
//!   group ourselves when we can.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// Waits for the end of its input, then kills group `$1` until nothing of it is left, at most 5 s
/// (a killed process nobody has waited for yet still counts as left), and removes folder `$2`.
const GUARD: &str = r#"
trap '' HUP INT TERM
read -r _
tries=0
while kill -s KILL -- "-$1" 2>/dev/null && [ "$tries" -lt 50 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
rm -rf -- "$2" || { sleep 1; rm -rf -- "$2"; }
"#;

/// Leads the group until it is killed with it, or its starter is gone.
const ANCHOR: &str = "trap '' HUP INT TERM; read -r _";

/// How long the end of a group may take before its caller goes on without it.
const END_WITHIN: Duration = Duration::from_secs(10);

/// A folder and a group of processes that end with this process.
#[derive(Debug)]
pub(super) struct ProcessGroup {
    dir: PathBuf,
    group: i32,
    anchor: Child,
    guard: Child,
    /// While this is open, the guard waits.
    pipe: Option<ChildStdin>,
    children: Vec<Child>,
}

impl ProcessGroup {
    /// An empty group around `dir`, which must exist and is removed with it.
    pub(super) fn new(dir: &Path) -> io::Result<Self> {
        let anchor = shell(ANCHOR).spawn()?;
        let group = i32::try_from(anchor.id()).map_err(io::Error::other)?;
        let mut guard = shell(GUARD).arg(group.to_string()).arg(dir).spawn()?;
        let pipe = guard.stdin.take();
        Ok(Self { dir: dir.to_owned(), group, anchor, guard, pipe, children: Vec::new() })
    }

    /// The number of the group, as `kill` takes it with a minus sign.
    pub(super) const fn id(&self) -> i32 {
        self.group
    }

    /// Starts a process in the group; its number among [`exit`](Self::exit)'s.
    pub(super) fn spawn(&mut self, command: &mut Command) -> io::Result<usize> {
        let child = command.stdin(Stdio::null()).process_group(self.group).spawn()?;
        self.children.push(child);
        Ok(self.children.len() - 1)
    }

    /// How the process with this number ended, or nothing while it runs.
    pub(super) fn exit(&mut self, number: usize) -> io::Result<Option<ExitStatus>> {
        self.children.get_mut(number).map_or(Ok(None), Child::try_wait)
    }

    /// Kills the group and removes the folder; returns when both are gone. Done once.
    pub(super) fn end(&mut self) {
        if self.pipe.take().is_none() {
            return;
        }
        let started = Instant::now();
        while started.elapsed() < END_WITHIN {
            // Waiting for a killed process is what lets the guard see it gone.
            self.wait();
            match self.guard.try_wait() {
                Ok(None) => thread::sleep(Duration::from_millis(10)),
                Ok(Some(status)) if status.success() => return,
                _ => break,
            }
        }
        self.end_without_guard();
    }

    fn wait(&mut self) {
        for child in self.children.iter_mut().chain([&mut self.anchor]) {
            let _ = child.try_wait();
        }
    }

    fn end_without_guard(&mut self) {
        if let Some(group) = Pid::from_raw(self.group) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        self.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        self.end();
    }
}

/// A shell in a group of its own that reads a pipe of ours and keeps nothing else of ours open.
fn shell(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", script, "linkspan-guard"])
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("linkspan-{name}-{}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        dir
    }

    fn alive(group: i32) -> bool {
        let group = rustix::process::Pid::from_raw(group).unwrap();
        rustix::process::test_kill_process_group(group).is_ok()
    }

    #[test]
    fn the_end_takes_processes_and_folder_along() {
        let dir = scratch("end");
        let mut group = ProcessGroup::new(&dir).unwrap();
        let script = "trap '' TERM INT HUP; : > file; sleep 1000 & wait";
        let mut command = Command::new("/bin/sh");
        let number = group.spawn(command.args(["-c", script]).current_dir(&dir)).unwrap();
        while !dir.join("file").exists() {
            thread::sleep(Duration::from_millis(5));
        }
        assert!(group.exit(number).unwrap().is_none());
        assert!(alive(group.id()));
        group.end();
        assert!(!alive(group.id()));
        assert!(!dir.exists());
    }

    #[test]
    fn a_group_whose_guard_was_killed_is_ended_all_the_same() {
        let dir = scratch("unguarded");
        let mut group = ProcessGroup::new(&dir).unwrap();
        group.spawn(Command::new("/bin/sh").args(["-c", "sleep 1000"])).unwrap();
        group.guard.kill().unwrap();
        group.guard.wait().unwrap();
        group.end();
        while alive(group.id()) {
            group.wait();
            thread::sleep(Duration::from_millis(5));
        }
        assert!(!dir.exists());
    }

    #[test]
    fn an_ended_process_is_seen() {
        let mut group = ProcessGroup::new(&scratch("exit")).unwrap();
        let number = group.spawn(Command::new("/bin/sh").args(["-c", "exit 3"])).unwrap();
        let status = loop {
            if let Some(status) = group.exit(number).unwrap() {
                break status;
            }
            thread::sleep(Duration::from_millis(5));
        };
        assert_eq!(status.code(), Some(3));
    }
}
