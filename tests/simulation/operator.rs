//! What does the operator do? It sees late, plans with the code on trial, and writes one at a time.
//!
//! As in the shell: the answer to a write is taken in at once, a watch's older version is then
//! ignored (by the world's own rule), and at the first error the rest of a plan is dropped. A view is
//! at most two changes of a kind behind, and never by a second. After a write of which no answer
//! came, it looks at what is there before it plans again. After a restart, everything is listed anew,
//! and nothing is remembered.

use std::collections::{BTreeMap, VecDeque};

use linkspan::plan::{Moment, Waiting, Write, plan};
use linkspan::world::{Kind, ObjectKey, World};

use crate::cluster::{Cluster, Event, Refused, SERVICE, SHOP, Seen, instant};

/// How many changes of a kind a view may be behind.
const MOST_BEHIND: usize = 2;

/// What becomes of a write on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// It never arrives.
    Dropped,
    /// It is done, and nobody hears of it.
    AnswerLost,
    /// It is done twice.
    Repeated,
}

/// The operator on trial.
#[derive(Default)]
pub(crate) struct Operator {
    world: World,
    behind: BTreeMap<Kind, VecDeque<Event>>,
    waiting: Option<Waiting>,
    pending: VecDeque<Write>,
    /// The service's ask that the pending writes come from.
    ask: usize,
    /// Whether something changed since the last plan.
    dirty: bool,
    wake: Option<jiff::Timestamp>,
}

pub(crate) fn service() -> ObjectKey {
    ObjectKey::new(Kind::Service, SHOP, SERVICE)
}

impl Operator {
    /// One that has just started, and sees what is there.
    pub(crate) fn start(cluster: &Cluster) -> Self {
        let mut operator = Self { dirty: true, ..Self::default() };
        operator.world.server_minor = Some(36);
        for (key, body) in cluster.others.iter() {
            operator.see(key, &Seen::Other(body.clone()));
        }
        for deployment in &cluster.deployments {
            let key = crate::deployment::key(deployment);
            operator.see(&key, &Seen::Deployment(deployment.clone()));
        }
        for set in &cluster.sets {
            operator.see(&set.key(), &Seen::ReplicaSet(*set));
        }
        for pod in &cluster.pods {
            operator.see(&pod.key(), &Seen::Pod(*pod));
        }
        operator
    }

    fn see(&mut self, key: &ObjectKey, seen: &Seen) {
        match seen.body(key) {
            Some(body) => self.world.put(key.kind, body).unwrap(),
            None => {
                self.world.remove(key);
            }
        }
        self.dirty = true;
    }

    /// Puts what changed on its way to here.
    pub(crate) fn follow(&mut self, events: Vec<Event>) {
        for event in events {
            let queue = self.behind.entry(event.key.kind).or_default();
            queue.push_back(event);
            if queue.len() > MOST_BEHIND {
                let event = queue.pop_front().unwrap();
                self.see(&event.key, &event.what);
            }
        }
    }

    /// The kinds of which something is on its way.
    pub(crate) fn behind(&self) -> Vec<Kind> {
        self.behind.iter().filter(|(_, queue)| !queue.is_empty()).map(|(kind, _)| *kind).collect()
    }

    /// The next change of a kind arrives.
    pub(crate) fn deliver(&mut self, kind: Kind) -> bool {
        let Some(event) = self.behind.get_mut(&kind).and_then(VecDeque::pop_front) else {
            return false;
        };
        self.see(&event.key, &event.what);
        true
    }

    pub(crate) fn pending(&self) -> Option<&Write> {
        self.pending.front()
    }

    /// When it wants to look again, if nothing happens.
    pub(crate) fn wake(&self) -> Option<jiff::Timestamp> {
        self.wake
    }

    /// Plans, if anything changed or it is time to. Tells whether there is something to write.
    pub(crate) fn plan(&mut self, now: i64) -> bool {
        let due = self.wake.is_some_and(|wake| wake <= instant(now));
        if !self.pending.is_empty() || !(self.dirty || due) {
            return false;
        }
        let moment = Moment { now: instant(now), waiting: self.waiting.clone(), rejected: None };
        let plan = plan(&self.world, &service(), &moment);
        self.dirty = false;
        self.waiting = plan.waiting;
        self.wake = plan.wake_at;
        self.pending = plan.writes.into();
        let seen = self.world.services.get(SHOP, SERVICE);
        let generation = seen.and_then(|service| service.metadata.generation).unwrap_or(1);
        self.ask = usize::try_from(generation).unwrap() - 1;
        !self.pending.is_empty()
    }

    /// Carries out the next write of the plan.
    pub(crate) fn write(&mut self, cluster: &mut Cluster, fault: Fault) {
        let Some(write) = self.pending.pop_front() else { return };
        if fault == Fault::Dropped {
            self.give_up();
            return;
        }
        let mut answer = cluster.carry_out(&write, self.ask);
        if fault == Fault::Repeated {
            answer = match (cluster.carry_out(&write, self.ask), answer) {
                (Err(_), Ok(first)) => Ok(first),
                (second, _) => second,
            };
        }
        self.follow(std::mem::take(&mut cluster.events));
        match answer {
            _ if fault == Fault::AnswerLost => {
                for kind in self.behind() {
                    while self.deliver(kind) {}
                }
                self.give_up();
            }
            Ok(seen) => self.see(write.key(), &seen),
            Err(Refused::Exists) => {
                // It is there: look at it rather than at what the watch has not brought yet.
                if let Some(body) = cluster.others.get(write.key()) {
                    self.see(write.key(), &Seen::Other(body.clone()));
                }
                self.give_up();
            }
            Err(Refused::NotFound) => self.see(write.key(), &Seen::Gone),
            Err(Refused::AnotherUid) => self.give_up(),
        }
    }

    fn give_up(&mut self) {
        self.pending.clear();
        self.dirty = true;
    }
}
