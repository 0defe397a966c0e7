//! Is there any order at all in which small rolls break a bound, or get stuck?
//!
//! Breadth first over every order of: a plan, the write of its Deployment, a sync of the Deployment
//! controller, a sync of each ReplicaSet's, a pod becoming ready, a change coming into view, a
//! restart of the operator, and what the person does next. The first state that breaks a rule is
//! told by its shortest story; so is one in which nobody has anything to do and the roll is not at
//! its end.
//!
//! # What is left out, so that the states stay few
//! * Pods of one ReplicaSet are interchangeable; a pod that stops is gone at once.
//! * Views of the Deployment and of the ReplicaSets are each up to `MOST_BEHIND` changes old; all
//!   else is seen as it is. Statuses of the operator's kinds are not written: no bound hangs on them.
//! * Inputs are still as soon as they change. A plan that waits for that would write nothing else.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Instant;

use linkspan::plan::{Moment, Waiting, Write, plan};
use linkspan::world::{Kind, World};
use serde_json::{Value, json};

use crate::ask::Ask;
use crate::bounds::{Margins, judge_stop, judge_sync};
use crate::cluster::{Cluster, Deployment, Pod, ReplicaSet, Seen, count, instant};
use crate::operator::service;
use crate::rollouts::{line, workload};
use crate::stage::{Stage, revisions, spec};
use crate::{deployment, kubelet, replica_set};

const MOST_BEHIND: usize = 1;
/// Where the search of one case ends, if it should not go to the end: `LINKSPAN_STATES`.
fn most_states() -> Option<usize> {
    std::env::var_os("LINKSPAN_STATES")?.to_str()?.parse().ok()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Plan,
    Write,
    Deployment,
    ReplicaSet(u32),
    Ready(u32),
    SeeDeployment,
    SeeReplicaSets,
    Restart,
    User,
}

/// The workload as a watch, or the operator, has it.
type Numbers = Vec<i64>;

#[derive(Clone)]
struct State {
    cluster: Cluster,
    seen: Option<Arc<Deployment>>,
    seen_sets: Arc<Vec<ReplicaSet>>,
    deployments: VecDeque<Arc<Deployment>>,
    sets: VecDeque<Arc<Vec<ReplicaSet>>>,
    pending: Option<Arc<Write>>,
    /// The ask that the pending write comes from.
    ask: usize,
    /// How much of what the person does is done.
    done: usize,
}

/// What is searched: an ask at rest at revision 1, and what is asked for then.
struct Case {
    first: Ask,
    then: Vec<(Ask, usize)>,
}

/// A plan's writes that matter here: those carried out at once, and the Deployment's.
type Planned = (Vec<Arc<Write>>, Option<Arc<Write>>);

struct Search<'a> {
    case: &'a Case,
    plans: BTreeMap<Numbers, Arc<Planned>>,
    margins: Margins,
}

/// Stands for the numbers of a state.
fn digest(numbers: &Numbers) -> [u64; 2] {
    [0, 1].map(|salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, numbers).hash(&mut hasher);
        hasher.finish()
    })
}

fn of_deployment(numbers: &mut Numbers, deployment: &Deployment) {
    let status = deployment.status;
    numbers.extend([
        i64::from(deployment.replicas),
        i64::from(deployment.max_unavailable),
        i64::from(deployment.max_surge),
        deployment.sequence,
        i64::from(deployment.observed == deployment.generation),
        i64::from(status.total),
        i64::from(status.updated),
        i64::from(status.available),
        i64::try_from(deployment.acted).unwrap(),
    ]);
}

fn of_sets(numbers: &mut Numbers, sets: &[ReplicaSet]) {
    numbers.push(-1);
    for set in sets {
        numbers.extend([
            set.sequence,
            i64::from(set.size),
            i64::from(set.desired_replicas),
            i64::from(set.max_replicas),
            i64::from(set.observed == set.generation),
            i64::from(set.status.total),
            i64::from(set.status.available),
        ]);
    }
}

impl State {
    fn numbers(&self) -> Numbers {
        let mut numbers = vec![i64::try_from(self.done).unwrap(), self.newest()];
        let cluster = &self.cluster;
        numbers.extend(cluster.deployment.iter().map(|found| i64::from(found.meddled)));
        cluster.deployment.iter().for_each(|found| of_deployment(&mut numbers, found));
        of_sets(&mut numbers, &cluster.sets);
        for set in &cluster.sets {
            let ready = count(cluster.active(set.id).filter(|pod| pod.ready_since.is_some()));
            let active = count(cluster.active(set.id));
            let judged = i64::try_from(set.judged).unwrap();
            numbers.extend([ready.into(), active.into(), judged, i64::from(set.misled)]);
        }
        self.view(&mut numbers);
        for later in &self.deployments {
            numbers.push(-2);
            of_deployment(&mut numbers, later);
        }
        for later in &self.sets {
            of_sets(&mut numbers, later);
        }
        if let Some(Write::Apply(object)) = self.pending.as_deref() {
            let spec = &object.body["spec"];
            let rolling = &spec["strategy"]["rollingUpdate"];
            let label = &spec["template"]["metadata"]["labels"]["ecs.linkspan.dev/deployment"];
            numbers.extend([-3, i64::try_from(self.ask).unwrap()]);
            let counts = [&spec["replicas"], &rolling["maxUnavailable"], &rolling["maxSurge"]];
            numbers.extend(counts.map(|number| number.as_i64().unwrap_or_default()));
            numbers.push(label.as_str().unwrap().parse().unwrap());
        }
        numbers
    }

    fn view(&self, numbers: &mut Numbers) {
        numbers.push(-4);
        self.seen.iter().for_each(|seen| of_deployment(numbers, seen));
        of_sets(numbers, &self.seen_sets);
    }

    /// The number of the newest record.
    fn newest(&self) -> i64 {
        let of_kind = |kind| kind == Kind::ServiceDeployment;
        let records = self.cluster.others.iter().filter(|(key, _)| of_kind(key.kind));
        records.filter_map(|(_, body)| body["spec"]["sequence"].as_i64()).max().unwrap_or_default()
    }

    fn actions(&self, case: &Case) -> Vec<Action> {
        let mut all = vec![if self.pending.is_some() { Action::Write } else { Action::Plan }];
        all.push(Action::Deployment);
        for set in &self.cluster.sets {
            all.push(Action::ReplicaSet(set.id));
            let waits = |pod: &&Pod| pod.ready_since.is_none();
            all.extend(self.cluster.active(set.id).find(waits).map(|pod| Action::Ready(pod.id)));
        }
        all.extend((!self.deployments.is_empty()).then_some(Action::SeeDeployment));
        all.extend((!self.sets.is_empty()).then_some(Action::SeeReplicaSets));
        let late = !self.deployments.is_empty() || !self.sets.is_empty();
        all.extend((late || self.pending.is_some()).then_some(Action::Restart));
        all.extend((self.done < case.then.len()).then_some(Action::User));
        all
    }

    /// Puts what changed on its way to the operator.
    fn follow(&mut self) {
        let events = std::mem::take(&mut self.cluster.events);
        let mut sets_changed = false;
        for event in events {
            match event.what {
                Seen::Deployment(deployment) => {
                    self.deployments.push_back(deployment);
                    if self.deployments.len() > MOST_BEHIND {
                        self.seen = self.deployments.pop_front();
                    }
                }
                _ => sets_changed |= event.key.kind == Kind::ReplicaSet,
            }
        }
        if sets_changed {
            self.sets.push_back(Arc::new(self.cluster.sets.clone()));
            if self.sets.len() > MOST_BEHIND {
                self.seen_sets = self.sets.pop_front().unwrap();
            }
        }
        self.cluster.pods.retain(|pod| !pod.terminating);
    }
}

impl Search<'_> {
    /// The state after an action; none, if it changes nothing.
    fn act(&mut self, state: &State, action: Action) -> Result<Option<State>, String> {
        let mut next = state.clone();
        let version = next.cluster.version;
        match action {
            Action::Plan => {
                let planned = self.plan(state);
                for write in &planned.0 {
                    next.cluster.carry_out(write, state.done).ok();
                }
                next.pending.clone_from(&planned.1);
                next.ask = state.done;
                if next.pending.is_none() && next.cluster.version == version {
                    return Ok(None);
                }
            }
            Action::Write => {
                let write = next.pending.take().unwrap();
                let answer = next.cluster.carry_out(&write, next.ask);
                next.cluster.events.clear();
                if let Ok(Seen::Deployment(deployment)) = answer {
                    // What is on its way is older, and changes nothing any more.
                    next.seen = Some(deployment);
                    next.deployments.clear();
                }
                next.follow();
                return Ok(Some(next));
            }
            Action::Deployment => {
                if let Some(sync) = deployment::sync(&mut next.cluster) {
                    let margins = &mut self.margins;
                    judge_sync(&state.cluster, &mut next.cluster, sync, false, margins)?;
                }
            }
            Action::ReplicaSet(id) => {
                let set = next.cluster.set(id).copied();
                replica_set::sync(&mut next.cluster, id);
                if let Some(set) = set.filter(|set| !set.misled) {
                    judge_stop(&state.cluster, &next.cluster, set.judged)?;
                }
            }
            Action::Ready(id) => {
                kubelet::step(&mut next.cluster, id);
                kubelet::step(&mut next.cluster, id);
            }
            Action::SeeDeployment => next.seen = next.deployments.pop_front(),
            Action::SeeReplicaSets => next.seen_sets = next.sets.pop_front().unwrap(),
            Action::Restart => {
                next.seen.clone_from(&next.cluster.deployment);
                next.seen_sets = Arc::new(next.cluster.sets.clone());
                next.deployments.clear();
                next.sets.clear();
                next.pending = None;
            }
            Action::User => {
                let (ask, revision) = self.case.then[state.done];
                let intent = json!({"spec": spec("web", ask, revision)});
                next.cluster.apply(&service(), &intent);
                Arc::make_mut(&mut next.cluster.asks).push(ask);
                next.done += 1;
            }
        }
        let changed = next.cluster.version != version;
        next.follow();
        let seen = matches!(
            action,
            Action::Plan | Action::SeeDeployment | Action::SeeReplicaSets | Action::Restart
        );
        Ok((changed || seen).then_some(next))
    }

    /// What the operator plans from what it sees.
    fn plan(&mut self, state: &State) -> Arc<Planned> {
        let mut view = vec![i64::try_from(state.done).unwrap(), state.newest()];
        state.view(&mut view);
        if let Some(planned) = self.plans.get(&view) {
            return planned.clone();
        }
        let mut world = World { server_minor: Some(36), ..World::default() };
        for (key, body) in state.cluster.others.iter() {
            world.put(key.kind, (**body).clone()).unwrap();
        }
        if let Some(seen) = &state.seen {
            let key = deployment::key(seen);
            let body = Seen::Deployment(seen.clone()).body(&key).unwrap();
            world.put(key.kind, body).unwrap();
        }
        for set in state.seen_sets.iter() {
            world.put(Kind::ReplicaSet, Seen::ReplicaSet(*set).body(&set.key()).unwrap()).unwrap();
        }
        let mut moment = Moment::at(instant(0));
        let mut planned = plan(&world, &service(), &moment);
        if let Some(Waiting { inputs, .. }) = planned.waiting {
            moment.waiting = Some(Waiting { inputs, since: instant(-2) });
            planned = plan(&world, &service(), &moment);
        }
        let (mut at_once, mut later) = (Vec::new(), None);
        for write in planned.writes {
            match &write {
                Write::Apply(object) if object.key.kind == Kind::Deployment => {
                    later = Some(Arc::new(write));
                }
                Write::Create(_) | Write::Apply(_) => at_once.push(Arc::new(write)),
                _ => {}
            }
        }
        let planned = Arc::new((at_once, later));
        self.plans.insert(view, planned.clone());
        planned
    }

    /// Every state that can be reached; how many, and whether that is all.
    fn explore(&mut self, start: &State) -> Result<(usize, bool), String> {
        let most = most_states().unwrap_or(usize::MAX);
        let mut known = BTreeSet::from([digest(&start.numbers())]);
        let mut queue = VecDeque::from([(start.clone(), 0)]);
        let mut steps: Vec<(usize, Action)> = vec![(0, Action::Plan)];
        while let Some((state, at)) = queue.pop_front() {
            let mut idle = true;
            for action in state.actions(self.case) {
                let next = match self.act(&state, action) {
                    Ok(None) => continue,
                    Ok(Some(next)) => next,
                    Err(why) => return Err(self.story(start, &steps, at, Some(action), &why)),
                };
                idle = false;
                if known.len() < most && known.insert(digest(&next.numbers())) {
                    steps.push((at, action));
                    queue.push_back((next, steps.len() - 1));
                }
            }
            if idle && let Err(why) = self.has_ended(&state) {
                return Err(self.story(start, &steps, at, None, &why));
            }
        }
        Ok((known.len(), known.len() < most))
    }

    fn has_ended(&self, state: &State) -> Result<(), String> {
        let (ask, revision) = *self.case.then.last().unwrap();
        let healthy = state.cluster.healthy();
        let asked = json!(format!("web:{revision}"));
        let is_newest = |body: &Value| body["spec"]["sequence"] == json!(state.newest());
        let newest = state.cluster.others.values().find(|body| is_newest(body));
        if newest.is_none_or(|record| record["spec"]["taskDefinition"] != asked) {
            return Err(format!("the newest record is not of {asked}"));
        }
        let written = state.cluster.deployment.as_ref().map(|found| found.sequence);
        let wanted = !ask.has_room() || written == Some(state.newest());
        if healthy == ask.desired && state.cluster.total() == healthy && wanted {
            return Ok(());
        }
        Err(format!("stuck at {healthy} of {} tasks, record {written:?}", ask.desired))
    }

    /// The shortest way to a state, told.
    fn story(
        &mut self,
        start: &State,
        steps: &[(usize, Action)],
        mut at: usize,
        last: Option<Action>,
        why: &str,
    ) -> String {
        let mut actions: Vec<Action> = last.into_iter().collect();
        while at != 0 {
            actions.push(steps[at].1);
            at = steps[at].0;
        }
        let mut text = format!("{why}\n{:?} {:?}\n", self.case.first, self.case.then);
        let mut state = start.clone();
        for action in actions.into_iter().rev() {
            match self.act(&state, action) {
                Ok(Some(next)) => state = next,
                other => {
                    let outcome = other.map(|_| ());
                    let _ = writeln!(text, "{action:?}: {outcome:?}");
                    break;
                }
            }
            let who = match action {
                Action::ReplicaSet(id) => {
                    format!("ReplicaSet of {:?}", state.cluster.set(id).map(|set| set.sequence))
                }
                _ => format!("{action:?}"),
            };
            line(&state.cluster, &who, &mut text);
        }
        text.push_str(&workload(&state.cluster));
        text
    }
}

fn start(case: &Case, revisions: &[(linkspan::world::ObjectKey, serde_json::Value)]) -> State {
    let mut stage = Stage::new(revisions, "web", case.first, false);
    stage.rest(|_, _| {}).unwrap();
    let mut cluster = stage.cluster;
    cluster.events.clear();
    cluster.now = 0;
    State {
        seen: cluster.deployment.clone(),
        seen_sets: Arc::new(cluster.sets.clone()),
        cluster,
        deployments: VecDeque::new(),
        sets: VecDeque::new(),
        pending: None,
        ask: 0,
        done: 0,
    }
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (minimum_healthy, maximum) in [(100, 200), (50, 100), (100, 150), (0, 100), (100, 125)] {
        let ask = |desired| Ask { desired, minimum_healthy, maximum };
        for desired in 1..=4 {
            cases.push(Case { first: ask(desired), then: vec![(ask(desired), 2)] });
        }
        for (from, to) in [(4, 2), (3, 1), (4, 3), (2, 4), (1, 2)] {
            cases.push(Case { first: ask(from), then: vec![(ask(from), 2), (ask(to), 2)] });
        }
        // More tasks under a lower cap; a roll over a roll.
        let lower = Ask { desired: 4, minimum_healthy, maximum: 125.min(maximum) };
        cases.push(Case { first: ask(3), then: vec![(ask(3), 2), (lower, 2)] });
        cases.push(Case { first: ask(2), then: vec![(ask(2), 2), (ask(2), 3)] });
    }
    cases
}

#[test]
fn no_order_of_actions_breaks_a_bound_or_gets_stuck() {
    let started = Instant::now();
    let revisions = revisions();
    let cases = cases();
    let half = |from: usize| {
        let (cases, revisions) = (&cases, &revisions);
        move || {
            let (mut states, mut whole, mut margins) = (0, 0, Margins::default());
            let mut failed = Vec::new();
            for case in cases.iter().skip(from).step_by(2) {
                let start = start(case, revisions);
                let plans = BTreeMap::new();
                let mut search = Search { case, plans, margins: Margins::default() };
                match search.explore(&start) {
                    Ok((more, all)) => {
                        states += more;
                        whole += usize::from(all);
                    }
                    Err(story) => failed.push(story),
                }
                margins = margins.with(&search.margins);
            }
            (states, whole, margins, failed)
        }
    };
    let (one, two) = std::thread::scope(|scope| {
        let other = scope.spawn(half(1));
        (half(0)(), other.join().unwrap())
    });
    let failed: Vec<String> = one.3.into_iter().chain(two.3).collect();
    let margins = one.2.with(&two.2);
    tell!(
        "{} cases, {} of them to the end: {} states, {} violations in {:.1} s; misled by late \
         statuses {}",
        cases.len(),
        one.1 + two.1,
        one.0 + two.0,
        failed.len(),
        started.elapsed().as_secs_f32(),
        margins.misled
    );
    assert!(most_states().is_some() || one.1 + two.1 + failed.len() == cases.len(), "cut short");
    assert!(failed.is_empty(), "{} cases fail:\n{}", failed.len(), failed.join("\n\n"));
}
