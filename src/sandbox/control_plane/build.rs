//! How are missing programs built?
//!
//! By `go build` of the pinned modules in [`modules`](super::modules), one program after another
//! into the cache: a build that is interrupted goes on where it stopped. A program appears in the
//! cache whole or not at all, and of several processes that lack it one builds and the others
//! wait. Nothing is built by a Go that would have to fetch another Go, and a build whose process
//! is killed ends with it.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::error::{Error, NoBuild, NoPrograms};
use super::guard::ProcessGroup;
use super::locate::{Sources, cached, programs_in};
use super::log;
use super::modules::{ModuleSet, Program, go_version};
use super::progress::{Progress, Step};
use super::version::Version;

/// Builds the missing programs; where each is.
pub(super) fn build(
    version: Version,
    missing: &[Program],
    sources: &Sources,
    progress: &dyn Progress,
) -> Result<BTreeMap<Program, PathBuf>, Error> {
    let no_programs = |reason| NoPrograms {
        version,
        missing: missing.to_vec(),
        reason,
        cache: sources.cache.as_deref().map(programs_in),
    };
    let cache = sources.cache.as_deref().ok_or_else(|| no_programs(NoBuild::NoCache))?;
    let go = usable_go(version, missing, sources.go.as_deref()).map_err(no_programs)?;

    let folder = programs_in(cache);
    progress.report(&Step {
        message: format!(
            "building what is missing with Go: about 7 minutes the first time on two cores, cached \
             after in {}",
            folder.display()
        ),
        elapsed: Duration::ZERO,
        done: None,
    });
    fs::create_dir_all(&folder).map_err(Error::system("create", &folder))?;
    let _lock = lock(&folder.join("lock"), progress)?;
    let mut built = BTreeMap::new();
    for (done, program) in missing.iter().copied().enumerate() {
        let target = cached(program, version, cache);
        // Another process may have built it while this one waited.
        if !target.exists() {
            let step = Step {
                message: format!("building {} with Go", program.name()),
                elapsed: Duration::ZERO,
                done: Some((done, missing.len())),
            };
            build_one(program, version, go, &target, &step, progress)?;
        }
        built.insert(program, target);
    }
    Ok(built)
}

/// The `go` command, where it is new enough for every missing program.
fn usable_go<'a>(
    version: Version,
    missing: &[Program],
    go: Option<&'a Path>,
) -> Result<&'a Path, NoBuild> {
    let needed = missing
        .iter()
        .filter_map(|program| ModuleSet::of(*program, version).needed_go())
        .max()
        .unwrap_or_default();
    let go = go.ok_or(NoBuild::NoGo { needed })?;
    let found = Command::new(go)
        .args(["env", "GOVERSION"])
        .env("GOTOOLCHAIN", "local")
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .map_err(|_| NoBuild::NoGo { needed })?;
    let found = String::from_utf8_lossy(&found.stdout).trim().to_owned();
    // A Go built from source may have no number: it gets its chance.
    if go_version(&found).is_some_and(|found| found < needed) {
        return Err(NoBuild::OldGo { go: go.to_owned(), found, needed });
    }
    Ok(go)
}

/// Waits until no other process builds. The lock ends with the file, and so with the process.
fn lock(path: &Path, progress: &dyn Progress) -> Result<File, Error> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(Error::system("open", path))?;
    let mut clock = Clock::start(progress);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => clock.tick(&Step {
                message: "waiting for another process that is building".to_owned(),
                elapsed: Duration::ZERO,
                done: None,
            }),
            Err(TryLockError::Error(source)) => {
                return Err(Error::system("lock", path)(source));
            }
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn build_one(
    program: Program,
    version: Version,
    go: &Path,
    target: &Path,
    step: &Step,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let set = ModuleSet::of(program, version);
    let kept = target.parent().unwrap_or(target);
    fs::create_dir_all(kept).map_err(Error::system("create", kept))?;

    // Beside the cached programs, so that renaming stays within one file system.
    let work = unique_folder(&kept.with_file_name("building"))?;
    let mut group = ProcessGroup::new(&work).map_err(Error::system("start", "/bin/sh"))?;
    for (name, text) in [("go.mod", set.go_mod), ("go.sum", set.go_sum)] {
        let path = work.join(name);
        fs::write(&path, text).map_err(Error::system("write", &path))?;
    }
    let log_path = work.join("go.log");
    let log = File::create(&log_path).map_err(Error::system("create", &log_path))?;
    let output = work.join(program.name());
    let number = group
        .spawn(
            Command::new(go)
                .args(["build", "-trimpath", "-buildvcs=false", "-tags", set.tags])
                .args(["-ldflags", &set.linker_flags()])
                .arg("-o")
                .arg(&output)
                .arg(program.package())
                .current_dir(&work)
                .env("PWD", &work)
                .env("GOFLAGS", "-mod=readonly")
                .env("GOTOOLCHAIN", "local")
                .env("GOWORK", "off")
                // Static: the same file runs on any machine with this kernel and processor.
                .env("CGO_ENABLED", if set.c { "1" } else { "0" })
                .env_remove("GOOS")
                .env_remove("GOARCH")
                .stdout(Stdio::null())
                .stderr(log),
        )
        .map_err(Error::system("start", go))?;

    let mut clock = Clock::start(progress);
    let status = loop {
        clock.tick(step);
        if let Some(status) = group.exit(number).map_err(Error::system("wait for", go))? {
            break status;
        }
        thread::sleep(Duration::from_millis(50));
    };
    if !status.success() {
        return Err(Error::Build { program, status, tail: log::tail(&log_path) });
    }
    fs::rename(&output, target).map_err(Error::system("move a program to", target))
}

/// A new folder `<prefix>-<process>-<number>` that only its owner can read.
///
/// One left by a process of the same number, before the machine lost power, is passed over.
pub(super) fn unique_folder(prefix: &Path) -> Result<PathBuf, Error> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut name = prefix.as_os_str().to_owned();
        name.push(format!("-{}-{number}", std::process::id()));
        let path = PathBuf::from(name);
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::system("create", path)(error)),
        }
    }
}

/// Reports a step when it begins and once a second after that.
struct Clock<'a> {
    progress: &'a dyn Progress,
    started: Instant,
    told: Option<u64>,
}

impl<'a> Clock<'a> {
    fn start(progress: &'a dyn Progress) -> Self {
        Self { progress, started: Instant::now(), told: None }
    }

    fn tick(&mut self, step: &Step) {
        let elapsed = self.started.elapsed();
        if self.told != Some(elapsed.as_secs()) {
            self.told = Some(elapsed.as_secs());
            self.progress.report(&Step { elapsed, ..step.clone() });
        }
    }
}
