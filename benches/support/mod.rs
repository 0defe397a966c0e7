//! What the benchmarks of the operator need: a control plane, and the operator as a process.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use kube::Client;
use linkspan::sandbox::control_plane::{ControlPlane, Lines, Options};
use linkspan::sandbox::node_groups;

/// How many requests both sides have under way at once.
pub const CONCURRENCY: usize = 16;

/// A control plane with nodes that hold many pods.
pub async fn control_plane() -> ControlPlane {
    let control_plane = ControlPlane::start(Options {
        progress: Arc::new(Lines::new(std::io::stderr())),
        crds: linkspan::api::crds(),
        ..Options::default()
    })
    .await
    .unwrap();
    let client = Client::try_from(control_plane.config()).unwrap();
    for mut group in node_groups() {
        (group.cpu, group.memory, group.pods) = ("4000".into(), "16Ti".into(), 10_000);
        group.create(&client).await.unwrap();
    }
    control_plane
}

/// Does something with each of `0..count`, [`CONCURRENCY`] at a time.
pub async fn each<F: Future<Output = ()>>(count: usize, work: impl Fn(usize) -> F) {
    futures::stream::iter(0..count).for_each_concurrent(CONCURRENCY, work).await;
}

/// The operator, as it runs in a cluster.
pub struct Operator {
    child: Child,
    address: SocketAddr,
    started: Instant,
}

impl Operator {
    pub fn start(control_plane: &ControlPlane) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let child = Command::new(env!("CARGO_BIN_EXE_linkspan"))
            .args(["controller", "--log", "warn", "--listen", &address.to_string()])
            .args(["--concurrency", &CONCURRENCY.to_string()])
            .env("KUBECONFIG", control_plane.kubeconfig_path())
            .stdin(Stdio::null())
            // It ends with the control plane, also when this program is killed.
            .process_group(control_plane.process_group())
            .spawn()
            .unwrap();
        Self { child, address, started: Instant::now() }
    }

    /// Waits until its watches are current; tells how long that took since its start.
    pub async fn ready(&self) -> Duration {
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        loop {
            ticks.tick().await;
            if self.get("/readyz").is_some_and(|answer| answer.starts_with("HTTP/1.1 200")) {
                return self.started.elapsed();
            }
        }
    }

    /// How many writes it has made.
    pub fn writes(&self) -> u64 {
        self.sum("linkspan_writes_total")
    }

    /// How many plans it has carried out.
    pub fn reconciliations(&self) -> u64 {
        self.sum("linkspan_reconciliations_total")
    }

    fn sum(&self, metric: &str) -> u64 {
        let metrics = self.get("/metrics").unwrap_or_default();
        let counts = metrics.lines().filter(|line| line.starts_with(metric));
        counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    /// Its writes by kind, verb and outcome, as its metrics have them.
    pub fn writes_by_kind(&self) -> BTreeMap<String, u64> {
        let metrics = self.get("/metrics").unwrap_or_default();
        let lines = metrics.lines().filter_map(|line| line.strip_prefix("linkspan_writes_total"));
        lines
            .filter_map(|line| {
                let (labels, count) = line.rsplit_once(' ')?;
                Some((labels.to_owned(), count.parse().ok()?))
            })
            .collect()
    }

    /// Its resident memory now, in MiB.
    pub fn resident(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kibibytes: f64 = line.trim().trim_end_matches(" kB").trim().parse().unwrap();
        kibibytes / 1024.0
    }

    fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Who has the processors: this program, the operator and the control plane.
pub struct Processor {
    group: i32,
    last: BTreeMap<String, f64>,
}

impl Processor {
    pub fn of(control_plane: &ControlPlane) -> Self {
        let mut processor = Self { group: control_plane.process_group(), last: BTreeMap::new() };
        processor.since();
        processor
    }

    /// The seconds that each program has used since this was asked last.
    pub fn since(&mut self) -> BTreeMap<String, f64> {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let stats =
            processes.filter_map(|one| std::fs::read_to_string(one.path().join("stat")).ok());
        let mut now: BTreeMap<String, f64> = BTreeMap::new();
        for stat in stats {
            // After the name, which may hold anything, stand state, parent and group as fields 3 to
            // 5, and user and system time as 14 and 15.
            let Some((name, fields)) = stat.split_once('(').unwrap().1.rsplit_once(") ") else {
                continue;
            };
            let fields: Vec<&str> = fields.split_whitespace().collect();
            let own = stat.starts_with(&format!("{} ", std::process::id()));
            if own || fields[2] == self.group.to_string() {
                // In ticks, of which Linux has 100 a second on every machine that this runs on.
                let ticks: f64 = fields[11..13].iter().map(|t| t.parse::<f64>().unwrap()).sum();
                *now.entry(name.to_owned()).or_default() += ticks / 100.0;
            }
        }
        let since = now
            .iter()
            .map(|(name, seconds)| (name.clone(), seconds - self.last.get(name).unwrap_or(&0.0)));
        let since = since.collect();
        self.last = now;
        since
    }
}
