//! Replicas of the operator that take over from each other, by stop and by kill, while services roll;
//! and what the API server's audit log says of it.
//!
//! The log names each replica by its user agent: no write of a replica after another one claimed the
//! Lease, and nothing made twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1 as coordinationv1;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use linkspan::api::{ServiceDeployment, TaskDefinition};
use linkspan::sandbox::control_plane::ControlPlane;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::support::{Place, audited, until};

/// How long a renewal lasts, in seconds: the shortest that there is.
pub(crate) const LEASE: u64 = 6;
/// Services that roll all the time.
const SERVICES: usize = 6;

/// How many handovers: `LINKSPAN_HANDOVERS`, else ten.
pub(crate) fn times() -> usize {
    std::env::var("LINKSPAN_HANDOVERS").ok().map_or(10, |digits| digits.parse().unwrap())
}

/// A replica: a process, and what it is called in this life.
pub(crate) struct Replica {
    name: String,
    port: u16,
    child: Child,
}

/// A port that was free a moment ago; nobody else here takes one that it did not ask for.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

impl Replica {
    /// Starts one that serves its pages on a port. It calls itself in the Lease by this name, or by
    /// this name, `_` and something unique.
    pub(crate) fn start(
        control_plane: &ControlPlane,
        name: &str,
        port: u16,
        arguments: &[String],
        environment: &[(String, String)],
    ) -> Self {
        let log = File::create(control_plane.dir().join(format!("{name}.log"))).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_linkspan"))
            .args(arguments)
            .env_clear()
            .envs(environment.iter().cloned())
            .stdin(Stdio::null())
            .stderr(log)
            .process_group(control_plane.process_group())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { name: name.to_owned(), port, child }
    }

    /// Whether it is who holds the Lease.
    fn is(&self, holder: &str) -> bool {
        let rest = holder.strip_prefix(self.name.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    }

    /// SIGTERM, and until it is gone; or SIGKILL.
    pub(crate) async fn end(mut self, kill: bool) {
        let pid = self.child.id().unwrap().to_string();
        if kill {
            self.child.kill().await.unwrap();
        } else {
            Command::new("kill").args(["-TERM", &pid]).status().await.unwrap();
            let ended = tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await;
            assert!(ended.expect("it ends when told to").unwrap().success(), "it ends well");
        }
    }

    /// One page of what it serves.
    fn page(&self, path: &str) -> Result<String, String> {
        let mut stream =
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).map_err(|e| e.to_string())?;
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").map_err(|e| e.to_string())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(|e| e.to_string())?;
        Ok(answer)
    }

    async fn ready(&self) {
        until(&format!("{} is ready", self.name), || async {
            let page = self.page("/readyz")?;
            if page.contains("200 OK") { Ok(()) } else { Err(page) }
        })
        .await;
    }

    fn metric(&self, name: &str) -> Option<f64> {
        let page = self.page("/metrics").ok()?;
        let line = page.lines().find(|line| line.starts_with(&format!("{name} ")))?;
        line.split_whitespace().last()?.parse().ok()
    }
}

/// Who holds the Lease.
pub(crate) async fn holder(leases: &Api<coordinationv1::Lease>) -> Option<String> {
    let lease = leases.get_opt("linkspan").await.unwrap()?;
    lease.spec?.holder_identity.filter(|holder| !holder.is_empty())
}

/// A write, as the audit log has it.
#[derive(Debug)]
struct Written {
    by: String,
    begun: Timestamp,
    ended: Timestamp,
    code: i64,
    of: String,
    is_lease: bool,
    /// Whether it is of a ServiceDeployment.
    is_record: bool,
}

/// Every write of a replica that was carried out, in the order of their ends.
fn written(log: &Path) -> Vec<Written> {
    let text_of = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut all: Vec<Written> = audited(log)
        .into_iter()
        .filter(|line| line["stage"] == "ResponseComplete")
        .filter(|line| !matches!(line["verb"].as_str(), Some("get" | "list" | "watch")))
        .filter(|line| line["objectRef"]["resource"] != "events")
        .filter_map(|line| {
            let agent = line["userAgent"].as_str()?;
            let by = agent.strip_prefix("linkspan/")?.split_once(" (")?.1.trim_end_matches(')');
            let code = line["responseStatus"]["code"].as_i64()?;
            let of = &line["objectRef"];
            Some(Written {
                by: by.to_owned(),
                begun: line["requestReceivedTimestamp"].as_str()?.parse().ok()?,
                ended: line["stageTimestamp"].as_str()?.parse().ok()?,
                code,
                of: ["resource", "subresource", "namespace", "name"]
                    .map(|part| text_of(&of[part]))
                    .join(" "),
                is_lease: of["resource"] == "leases",
                is_record: of["resource"] == "servicedeployments",
            })
        })
        .filter(|one| (200..300).contains(&one.code))
        .collect();
    all.sort_by_key(|one| one.ended);
    all
}

/// Writes that were begun after another replica had claimed the Lease.
fn late(all: &[Written]) -> Vec<&Written> {
    let claims: Vec<&Written> = all.iter().filter(|one| one.is_lease).collect();
    let is_late = |write: &&Written| {
        let own =
            claims.iter().rposition(|claim| claim.by == write.by && claim.ended <= write.begun);
        let Some(own) = own else { return true };
        claims.iter().skip(own).any(|claim| claim.by != write.by && claim.ended <= write.begun)
    };
    all.iter().filter(|one| !one.is_lease).filter(is_late).collect()
}

/// What was made more than once.
fn made_twice(all: &[Written]) -> Vec<(String, usize)> {
    let mut made: BTreeMap<String, usize> = BTreeMap::new();
    for one in all.iter().filter(|one| !one.is_lease && one.code == 201) {
        *made.entry(one.of.clone()).or_default() += 1;
    }
    made.into_iter().filter(|(_, times)| *times > 1).collect()
}

async fn image(place: &Place, round: usize) {
    place.task_definition("shop", &format!("example/shop:{round}")).await;
}

/// The names of the records of all services.
async fn records(place: &Place) -> BTreeSet<String> {
    let all = place.api::<ServiceDeployment>().list(&ListParams::default()).await.unwrap();
    all.iter().map(ResourceExt::name_any).collect()
}

/// Lets the leader of two go, by stop and by kill in turn, so many times while services roll, and
/// judges what the replicas wrote. `born` starts the replica of a number.
pub(crate) async fn hand_over(
    control_plane: &ControlPlane,
    place: &Place,
    leases: &Api<coordinationv1::Lease>,
    times: usize,
    born: impl Fn(usize) -> Replica,
) {
    let mut replicas = vec![born(1), born(2)];
    for replica in &replicas {
        replica.ready().await;
    }
    image(place, 0).await;
    for number in 0..SERVICES {
        let spec = json!({"taskDefinition": "shop", "desiredCount": 2});
        place.service(&format!("web-{number}"), spec).await;
    }

    let mut took: BTreeMap<bool, Vec<Duration>> = BTreeMap::new();
    for round in 1..=times {
        let kill = round % 2 == 0;
        let leader = until("a leader", || async {
            holder(leases).await.ok_or_else(|| "nobody holds the Lease".to_owned())
        })
        .await;
        let at = replicas.iter().position(|one| one.is(&leader)).unwrap();
        let leads = |replica: &Replica| replica.metric("linkspan_leader");
        until("who leads says so", || async {
            let said: Vec<_> = replicas.iter().map(leads).collect();
            let right = said[at] == Some(1.0) && said[1 - at] == Some(0.0);
            if right { Ok(()) } else { Err(format!("{said:?}")) }
        })
        .await;
        // A roll is under way when the leader goes, each time at another point of it.
        let before = records(place).await;
        image(place, round).await;
        until("a roll is under way", || async {
            let now = records(place).await;
            if now.is_subset(&before) { Err(format!("{now:?}")) } else { Ok(()) }
        })
        .await;
        tokio::time::sleep(Duration::from_millis(round as u64 * 130 % 700)).await;
        let gone = replicas.remove(at);
        let started = Instant::now();
        gone.end(kill).await;
        let next = until("the next leader", || async {
            let holder = holder(leases).await;
            holder.filter(|one| *one != leader).ok_or_else(|| "nobody else leads".to_owned())
        })
        .await;
        took.entry(kill).or_default().push(started.elapsed());
        assert!(replicas[0].is(&next), "{next}");
        replicas.push(born(round + 2));
        replicas[1].ready().await;
    }

    let newest = until("the newest revision", || async {
        let definition = place.api::<TaskDefinition>().get("shop").await.unwrap();
        let status = definition.status.unwrap_or_default();
        let is_current = status.observed_generation == definition.metadata.generation;
        let revision = status.latest_revision.filter(|_| is_current);
        revision.map(|revision| format!("shop:{revision}")).ok_or_else(|| json!(status).to_string())
    })
    .await;
    for number in 0..SERVICES {
        place.steady(&format!("web-{number}"), 2, &newest).await;
    }
    judge(&written(&control_plane.audit_log()), &took);
    for replica in replicas {
        replica.end(false).await;
    }
    assert_eq!(holder(leases).await, None, "the Lease is given back");
}

/// What was written, and how long the handovers by stop and by kill took.
fn judge(all: &[Written], took: &BTreeMap<bool, Vec<Duration>>) {
    let (late, twice) = (late(all), made_twice(all));
    // Of half of them at least: a busy machine has its own pauses.
    let mut usual = BTreeMap::new();
    for (kill, took) in took {
        let how = if *kill { "kill" } else { "stop" };
        let mut took = took.clone();
        took.sort();
        let (middle, longest) = (took[took.len() / 2], took[took.len() - 1]);
        usual.insert(*kill, middle);
        tell!(
            "handovers by {how}: {}, half of them within {middle:.1?}, all within {longest:.1?}",
            took.len()
        );
    }
    let rolls = all.iter().filter(|one| one.code == 201 && one.is_record).count();
    let (late_ones, twice_made) = (late.len(), twice.len());
    tell!("{rolls} rolls, {} writes: {late_ones} late, {twice_made} made twice", all.len());
    assert!(all.iter().filter(|one| !one.is_lease).count() > 100, "the audit log knows them");
    assert!(late.is_empty(), "writes after another had claimed the Lease: {late:?}");
    assert!(twice.is_empty(), "made more than once: {twice:?}");
    for (kill, within) in [(false, LEASE), (true, 2 * LEASE)] {
        let usual = usual.get(&kill).copied().unwrap_or_default();
        assert!(usual < Duration::from_secs(within), "by kill: {kill}: {usual:?}");
    }
}
