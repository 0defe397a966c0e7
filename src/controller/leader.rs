//! Which of several operators writes? The one that holds a Lease, for as long as it certainly does.
//!
//! All replicas watch, so that each knows the world; only who leads works the queue, and every single
//! write first asks whether the claim lasts longer than the write may take ([`Leadership::allows`]). Who
//! is told to stop gives the Lease back, and the next one leads within two seconds; one that is killed is
//! followed when its Lease has run out. A Lease is no fence (a process that is frozen between the
//! question and the write sends it late), so that writes also say of which object they are, by its UID.
//! The rules are in [`election`].

mod election;

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1 as coordinationv1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::election::{Election, Lease, Step};

/// How a leader is elected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderElection {
    /// The Lease's name.
    pub name: String,
    /// The Lease's namespace (default: the pod's own, or that of the context).
    pub namespace: Option<String>,
    /// What this replica is called: another name for each.
    pub identity: String,
    /// How long a renewal lasts: within this a killed leader is followed.
    pub duration: Duration,
}

impl LeaderElection {
    /// How long a renewal lasts unless otherwise said.
    pub const USUAL_DURATION: Duration = Duration::from_secs(15);

    /// A name that no other process has: the host's, and a hash of this process and its start. A
    /// container that is started again is another claimant.
    pub fn identity_on(host: &str) -> String {
        let process = std::process::id().to_string();
        let hash = crate::names::hash8(&[host, &process, &super::reconcile::now().to_string()]);
        format!("{host}_{hash}")
    }
}

/// How often a leader renews and others look.
const PERIOD: Duration = Duration::from_secs(2);
/// How long a request about the Lease may take.
const ANSWER: Duration = Duration::from_secs(5);
/// A new leader's watches may still be bringing the last writes of the one before.
const SETTLE: Duration = Duration::from_millis(500);
/// Without an election, how long a write may take. Admission may ask others, who have up to 30 seconds.
const WRITE: Duration = Duration::from_secs(40);

/// Whether this process leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    /// Nobody else is asked.
    Always,
    /// Another does, or nobody.
    None,
    /// From the one moment to the other.
    Lasts { from: Instant, until: Instant },
}

/// Says at any moment whether this process leads.
#[derive(Clone, Debug)]
pub(super) struct Leadership {
    claim: watch::Receiver<Claim>,
    write: Duration,
}

impl Leadership {
    /// Of an operator that is alone.
    pub(super) fn alone() -> Self {
        Self { claim: watch::channel(Claim::Always).1, write: WRITE }
    }

    /// How long a write may take: with an election two thirds of the Lease, so that with a renewal
    /// every two seconds nothing waits.
    pub(super) fn write_within(&self) -> Duration {
        self.write
    }

    /// Whether a write that takes as long as it may is over before the claim is.
    pub(super) fn allows(&self) -> bool {
        self.lasts(self.write)
    }

    /// Whether this process leads now.
    pub(super) fn leads(&self) -> bool {
        self.lasts(Duration::ZERO)
    }

    fn lasts(&self, long: Duration) -> bool {
        let now = Instant::now();
        match *self.claim.borrow() {
            Claim::Always => true,
            Claim::None => false,
            Claim::Lasts { from, until } => from <= now && now + long < until,
        }
    }

    /// Returns when the answer may have become another.
    pub(super) async fn changed(&mut self) {
        let wait = match *self.claim.borrow_and_update() {
            Claim::Lasts { from, .. } => from.checked_duration_since(Instant::now()),
            Claim::Always | Claim::None => None,
        };
        tokio::select! {
            ended = self.claim.changed() => if ended.is_err() { std::future::pending().await },
            () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {}
        }
    }
}

/// Takes part in an election, until it is told to give the Lease back.
pub(super) struct Claimant {
    api: Api<coordinationv1::Lease>,
    settings: LeaderElection,
    election: Election,
    started: Instant,
    /// When the Lease was last claimed anew.
    acquired: MicroTime,
    claim: watch::Sender<Claim>,
}

impl Claimant {
    /// A claimant, and who says whether it leads.
    pub(super) fn new(
        client: Client,
        namespace: &str,
        settings: LeaderElection,
    ) -> (Self, Leadership) {
        let (claim, told) = watch::channel(Claim::None);
        let leadership = Leadership { claim: told, write: settings.duration * 2 / 3 };
        let api = Api::namespaced(client, settings.namespace.as_deref().unwrap_or(namespace));
        let election = Election::new(&settings.identity, settings.duration);
        let acquired = MicroTime(super::reconcile::now());
        (Self { api, settings, election, started: Instant::now(), acquired, claim }, leadership)
    }

    /// Claims and renews. Told to stop, gives the Lease back.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        loop {
            let is_done = self.step().await;
            self.tell();
            let pause = if is_done { PERIOD } else { Duration::ZERO };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => break,
            }
        }
        self.give_back().await;
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// One request. Whether the next one can wait.
    async fn step(&mut self) -> bool {
        let sent = self.now();
        let step = self.election.step(sent);
        if matches!(step, Step::Make | Step::Take { .. }) {
            self.acquired = MicroTime(super::reconcile::now());
        }
        let request = async {
            match &step {
                Step::Look => {
                    Ok(self.api.get_opt(&self.settings.name).await?.map(|one| seen(&one)))
                }
                Step::Make => {
                    let lease = self.lease(None, 0);
                    let made = self.api.create(&PostParams::default(), &lease).await?;
                    Ok(Some(seen(&made)))
                }
                Step::Take { version, transitions } | Step::Renew { version, transitions } => {
                    self.replace(self.lease(Some(version), *transitions)).await
                }
            }
        };
        let answer: Result<Result<Option<Lease>, kube::Error>, _> =
            tokio::time::timeout(ANSWER, request).await;
        let Ok(answer) = answer else {
            tracing::warn!("no answer about the Lease within {} s", ANSWER.as_secs());
            self.election.lost();
            return true;
        };
        let now = self.now();
        match (step, answer) {
            (Step::Look, Ok(lease)) => {
                self.election.saw(lease, now);
                // What can be claimed is claimed at once.
                self.election.step(now) == Step::Look
            }
            (_, Ok(Some(lease))) => {
                self.election.won(lease, sent);
                true
            }
            (_, Ok(None)) => true,
            (_, Err(error)) => {
                let is_conflict = matches!(
                    &error, kube::Error::Api(status) if matches!(status.code, 404 | 409));
                if !is_conflict {
                    tracing::warn!(%error, "the Lease could not be claimed; trying again");
                }
                // It may have been taken all the same: what stands there says it.
                self.election.lost();
                !is_conflict
            }
        }
    }

    async fn replace(&self, lease: coordinationv1::Lease) -> Result<Option<Lease>, kube::Error> {
        let parameters = PostParams::default();
        let written = self.api.replace(&self.settings.name, &parameters, &lease).await?;
        Ok(Some(seen(&written)))
    }

    /// The Lease in one's own name.
    fn lease(&self, version: Option<&String>, transitions: i32) -> coordinationv1::Lease {
        coordinationv1::Lease {
            metadata: ObjectMeta {
                name: Some(self.settings.name.clone()),
                resource_version: version.cloned(),
                ..ObjectMeta::default()
            },
            spec: Some(coordinationv1::LeaseSpec {
                holder_identity: Some(self.settings.identity.clone()),
                lease_duration_seconds: i32::try_from(self.settings.duration.as_secs()).ok(),
                acquire_time: Some(self.acquired.clone()),
                renew_time: Some(MicroTime(super::reconcile::now())),
                lease_transitions: Some(transitions),
                ..coordinationv1::LeaseSpec::default()
            }),
        }
    }

    /// Lets everybody know until when this process leads.
    fn tell(&self) {
        let until = self.election.until().map(|until| self.started + until);
        self.claim.send_if_modified(|claim| {
            let before = *claim;
            *claim = match (until, before) {
                (None, _) => Claim::None,
                (Some(until), Claim::Lasts { from, until: ends }) if Instant::now() < ends => {
                    Claim::Lasts { from, until }
                }
                (Some(until), _) => Claim::Lasts { from: Instant::now() + SETTLE, until },
            };
            let led = |claim: &Claim| matches!(claim, Claim::Lasts { .. });
            if led(claim) != led(&before) {
                let identity = &self.settings.identity;
                if led(claim) {
                    tracing::info!(identity, "this replica leads");
                } else {
                    tracing::info!(identity, "this replica leads no more");
                }
            }
            *claim != before
        });
    }

    /// Lets the next one lead at once. Nothing is written any more when this is called.
    async fn give_back(mut self) {
        let held = self.election.until().is_some_and(|until| self.now() < until);
        self.claim.send_replace(Claim::None);
        let Step::Renew { version, transitions } = self.election.step(self.now()) else { return };
        if !held {
            return;
        }
        let mut lease = self.lease(Some(&version), transitions);
        if let Some(spec) = &mut lease.spec {
            spec.holder_identity = None;
            spec.lease_duration_seconds = Some(1);
        }
        self.election.lost();
        match tokio::time::timeout(ANSWER, self.replace(lease)).await {
            Ok(Ok(_)) => tracing::info!("the Lease is given back"),
            Ok(Err(error)) => tracing::warn!(%error, "the Lease could not be given back"),
            Err(_) => tracing::warn!("no answer when the Lease was given back"),
        }
    }
}

fn seen(lease: &coordinationv1::Lease) -> Lease {
    let spec = lease.spec.clone().unwrap_or_default();
    let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    Lease {
        version: lease.metadata.resource_version.clone().unwrap_or_default(),
        holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
        duration: Duration::from_secs(seconds.unwrap_or(1).max(1)),
        transitions: spec.lease_transitions.unwrap_or_default(),
    }
}
