//! Where does a real node run, so that nothing of this machine is touched and nothing of it stays?
//!
//! This program starts itself anew in a network, a mount and a process namespace of its own. Every
//! process of the node is in the process namespace, whose first process the kernel kills when this one
//! ends, however it ends; every mount and interface goes with its namespace. What then is left is a
//! folder and some empty control groups: a guard, a shell that waits for the end of a pipe, removes
//! them.

use std::env;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use linkspan::sandbox::control_plane::{Lines, Program, Programs, Sources, Version};

use crate::support::version;

/// Tells this program that it is inside, and in which folder.
const STATE: &str = "LINKSPAN_NODE_STATE";

/// Makes it a failure to be skipped.
const REQUIRED: &str = "LINKSPAN_NODE";

/// How long the tests wait for something, in seconds: real time passes here.
const PATIENCE: &str = "LINKSPAN_PATIENCE_SECONDS";

/// What must be on the PATH, and the Debian package that it comes in.
const NEEDED: [(&str, &str); 7] = [
    ("busybox", "busybox-static"),
    ("ip", "iproute2"),
    ("iptables", "iptables"),
    ("python3", "python3"),
    ("setpriv", "util-linux"),
    ("tar", "tar"),
    ("unshare", "util-linux"),
];

/// Waits until this process has gone, then removes control groups `$1`, once the kernel has emptied
/// them, and folder `$2`.
const GUARD: &str = r#"
trap '' HUP INT TERM
read -r _
tries=0
while [ "$tries" -lt 100 ] && [ -n "$(find /sys/fs/cgroup -maxdepth 2 -type d -name "$1")" ]; do
    tries=$((tries + 1))
    find /sys/fs/cgroup -depth -type d \( -name "$1" -o -path "*/$1/*" \) -exec rmdir {} \; 2>/dev/null
    sleep 0.1
done
rm -rf -- "$2" || { sleep 1; rm -rf -- "$2"; }
"#;

/// The first process inside: prepares the namespaces, then runs this program and reaps what its
/// processes leave behind.
///
/// What programs keep in fixed places, they keep in folder `$1`. Of the kernel's settings that are not
/// a namespace's own, the kubelet sees the values that it would write, and so writes none.
const INSIDE: &str = r#"
set -eu
state=$1; shift
for place in lib log; do
    mkdir -p "$state/$place"
    mount --bind "$state/$place" "/var/$place"
done
mkdir -p "$state/run" "$state/sysctl"
mount --bind "$state/run" /run
while read -r setting value; do
    file="$state/sysctl/${setting##*/}"
    echo "$value" > "$file"
    mount --bind "$file" "/proc/sys/$setting"
done <<SETTINGS
vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
SETTINGS
echo 1 > /proc/sys/net/ipv4/ip_forward
ip link set lo up
ip link add cni0 type bridge
ip address add 10.244.0.1/24 dev cni0
ip link set cni0 up
ip route add default dev cni0 src 10.244.0.1
set +e
"$@"
exit $?
"#;

/// The folder of the node, inside.
pub(crate) fn inside() -> Option<PathBuf> {
    env::var_os(STATE).map(PathBuf::from)
}

/// Whether there can be a real node here, its programs built; if not, how this program ends, which
/// has said why.
pub(crate) fn may_be() -> Result<(), ExitCode> {
    let Some(why) = lacking() else {
        build();
        return Ok(());
    };
    tell!("skipped: {why}");
    let required = env::var(REQUIRED).is_ok_and(|value| value == "required");
    Err(if required { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What the folder and the control groups of a node are called, by the process that runs it.
pub(crate) fn name_of(process: u32) -> String {
    format!("linkspan-node-{process}")
}

/// Runs this program inside; how that ended.
pub(crate) fn enter() -> ExitCode {
    let name = name_of(std::process::id());
    let state = env::temp_dir().join(&name);
    fs::create_dir(&state).unwrap();
    let mut guard = guard(&name, &state);
    let status = unshared()
        .args(["/bin/sh", "-c", INSIDE, "linkspan-node"])
        .arg(&state)
        .arg(env::current_exe().unwrap())
        .args(env::args_os().skip(1))
        .env(STATE, &state)
        .env("TMPDIR", &state)
        .env(PATIENCE, env::var(PATIENCE).unwrap_or_else(|_| "180".to_owned()))
        .stdin(Stdio::null())
        .status();
    // The end of the pipe.
    drop(guard.stdin.take());
    let _ = guard.wait();
    match status.unwrap().code() {
        Some(0) => ExitCode::SUCCESS,
        Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        None => ExitCode::FAILURE,
    }
}

/// Why there can be no real node here.
fn lacking() -> Option<String> {
    if !cfg!(target_os = "linux") || !rustix::process::geteuid().is_root() {
        return Some("needs root on Linux".to_owned());
    }
    if version() != Version::default() {
        return Some(format!("shows what Kubernetes {} does", Version::default()));
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let there = |program: &str| env::split_paths(&path).any(|dir| dir.join(program).is_file());
    let mut packages: Vec<_> =
        NEEDED.iter().filter(|(program, _)| !there(program)).map(|(_, package)| *package).collect();
    // runc is built with it, and then holds it.
    let headers = || Command::new("pkg-config").args(["--exists", "libseccomp"]).status();
    if !there("pkg-config") || headers().is_ok_and(|status| !status.success()) {
        packages.extend(["pkg-config", "libseccomp-dev"]);
    }
    packages.sort_unstable();
    packages.dedup();
    if !packages.is_empty() {
        return Some(format!("needs what `apt-get install {}` brings", packages.join(" ")));
    }
    let tried = unshared().arg("true").output().unwrap();
    let said = String::from_utf8_lossy(&tried.stderr).trim().to_owned();
    (!tried.status.success()).then(|| format!("needs namespaces of its own: {said}"))
}

/// What runs a program in new namespaces that end with this process.
fn unshared() -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--mount-proc"]);
    command.arg("--kill-child");
    command
}

/// Builds what is missing, while there is a network.
fn build() {
    let (sources, progress) = (Sources::from_environment(), Lines::new(std::io::stderr()));
    for programs in [&Program::ALL[..], &Program::NODE, &[Program::Helm]] {
        Programs::provide_these(programs, version(), &sources, &progress).expect("the programs");
    }
}

fn guard(name: &str, state: &Path) -> Child {
    Command::new("/bin/sh")
        .args(["-c", GUARD, "linkspan-guard", name])
        .arg(state)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap()
}
