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

use linkspan::names;
use linkspan::plan::{Moment, Waiting, Write, plan};
use linkspan::world::{Kind, ObjectKey, World};
use serde_json::{Value, json};

use crate::ask::Ask;
use crate::bounds::{Margins, judge_stop, judge_sync};
use crate::cluster::{
    Cluster, Deployment, PROVIDERS, Pod, ReplicaSet, SERVICE_UID, Seen, count, instant,
};
use crate::operator::service;
use crate::rollouts::{line, workload};
use crate::stage::{STRATEGIES, Stage, revisions, spec};
use crate::{deployment, kubelet, replica_set};

const MOST_BEHIND: usize = 1;

/// Where the search of one case with several Deployments ends, unless otherwise said: to the end, some
/// take hours.
const MOST_OF_SEVERAL: usize = 30_000;

/// Where the search of one case ends, if it should not go to the end: `LINKSPAN_STATES`.
fn most_states() -> Option<usize> {
    std::env::var_os("LINKSPAN_STATES")?.to_str()?.parse().ok()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Plan,
    Write,
    Deployment(u32),
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
    /// In the order of their providers.
    seen: Vec<Arc<Deployment>>,
    seen_sets: Arc<Vec<ReplicaSet>>,
    deployments: VecDeque<Change>,
    sets: VecDeque<Arc<Vec<ReplicaSet>>>,
    pending: VecDeque<Arc<Write>>,
    /// The ask that the pending writes come from.
    ask: usize,
    /// How much of what the person does is done.
    done: usize,
}

/// A Deployment as it came to be, or that it has gone.
#[derive(Clone)]
enum Change {
    To(Arc<Deployment>),
    Gone(ObjectKey),
}

/// What is searched: an ask at rest at revision 1 over a strategy, and what is asked for then.
struct Case {
    first: Ask,
    strategy: usize,
    then: Vec<(Ask, usize, usize)>,
    /// The providers without nodes.
    no_nodes: Vec<usize>,
}

impl Case {
    /// One Deployment, as of a service without providers.
    fn alone(first: Ask, then: Vec<(Ask, usize)>) -> Self {
        let then = then.into_iter().map(|(ask, revision)| (ask, revision, 0)).collect();
        Self { first, strategy: 0, then, no_nodes: Vec::new() }
    }

    fn has_several(&self) -> bool {
        self.strategy > 0 || self.then.iter().any(|(.., strategy)| *strategy > 0)
    }
}

/// A plan's writes that matter here: those carried out at once, and the Deployments'.
type Planned = (Vec<Arc<Write>>, VecDeque<Arc<Write>>);

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
        i64::try_from(deployment.provider).unwrap(),
        i64::from(deployment.replicas),
        i64::from(deployment.max_unavailable),
        i64::from(deployment.max_surge),
        deployment.sequence,
        i64::from(deployment.observed == deployment.generation),
        i64::from(status.total),
        i64::from(status.updated),
        i64::from(status.available),
    ]);
}

/// ReplicaSets in the order of their providers.
fn in_order(sets: &[ReplicaSet]) -> Vec<&ReplicaSet> {
    let mut sets: Vec<&ReplicaSet> = sets.iter().collect();
    sets.sort_by_key(|set| set.provider);
    sets
}

fn of_sets(numbers: &mut Numbers, sets: &[ReplicaSet]) {
    numbers.push(-1);
    for set in in_order(sets) {
        numbers.extend([
            i64::try_from(set.provider).unwrap(),
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
        numbers.push(i64::try_from(cluster.acted).unwrap());
        numbers.extend(cluster.deployments.iter().map(|found| i64::from(found.meddled)));
        let led_by = |id| i64::try_from(cluster.led_by(id)).unwrap();
        numbers.extend(cluster.deployments.iter().map(|found| led_by(found.id)));
        cluster.deployments.iter().for_each(|found| of_deployment(&mut numbers, found));
        of_sets(&mut numbers, &cluster.sets);
        for set in in_order(&cluster.sets) {
            let ready = count(cluster.active(set.id).filter(|pod| pod.ready_since.is_some()));
            let active = count(cluster.active(set.id));
            let judged = i64::try_from(set.judged).unwrap();
            numbers.extend([ready.into(), active.into(), judged, i64::from(set.misled)]);
        }
        self.view(&mut numbers);
        for later in &self.deployments {
            numbers.push(-2);
            match later {
                Change::To(later) => of_deployment(&mut numbers, later),
                Change::Gone(key) => numbers.push(-5 - provider_of(key)),
            }
        }
        for later in &self.sets {
            of_sets(&mut numbers, later);
        }
        for write in &self.pending {
            numbers.extend([-3, i64::try_from(self.ask).unwrap(), provider_of(write.key())]);
            let Write::Apply(object) = &**write else { continue };
            let spec = &object.body["spec"];
            let rolling = &spec["strategy"]["rollingUpdate"];
            let label = &spec["template"]["metadata"]["labels"]["ecs.linkspan.dev/deployment"];
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
        for provider in 1..PROVIDERS.len() {
            let unplaced = |pod: &&Pod| pod.provider == provider && pod.unplaced;
            numbers.push(count(self.cluster.pods.iter().filter(unplaced)).into());
        }
        let counts = self.newest_record().map(|record| &record["status"]["desiredCounts"]);
        let counts = counts.and_then(Value::as_object).into_iter().flatten();
        numbers.extend(counts.map(|(_, count)| count.as_i64().unwrap_or_default()));
    }

    fn newest_record(&self) -> Option<&Value> {
        let records = self.cluster.others.iter();
        let records = records.filter(|(key, _)| key.kind == Kind::ServiceDeployment);
        records.map(|(_, body)| &**body).max_by_key(|body| body["spec"]["sequence"].as_i64())
    }

    /// The number of the newest record.
    fn newest(&self) -> i64 {
        self.newest_record()
            .and_then(|record| record["spec"]["sequence"].as_i64())
            .unwrap_or_default()
    }

    fn actions(&self, case: &Case) -> Vec<Action> {
        let mut all = vec![if self.pending.is_empty() { Action::Plan } else { Action::Write }];
        all.extend(self.cluster.deployments.iter().map(|found| Action::Deployment(found.id)));
        for set in &self.cluster.sets {
            all.push(Action::ReplicaSet(set.id));
            let waits = |pod: &&Pod| pod.ready_since.is_none() && !pod.unplaced;
            all.extend(self.cluster.active(set.id).find(waits).map(|pod| Action::Ready(pod.id)));
        }
        all.extend((!self.deployments.is_empty()).then_some(Action::SeeDeployment));
        all.extend((!self.sets.is_empty()).then_some(Action::SeeReplicaSets));
        let late = !self.deployments.is_empty() || !self.sets.is_empty();
        all.extend((late || !self.pending.is_empty()).then_some(Action::Restart));
        all.extend((self.done < case.then.len()).then_some(Action::User));
        all
    }

    fn is_told(&mut self, change: Change) {
        self.deployments.push_back(change);
        if self.deployments.len() > MOST_BEHIND {
            self.see_next();
        }
    }

    /// The next change of a Deployment comes into view.
    fn see_next(&mut self) {
        let Some(change) = self.deployments.pop_front() else { return };
        match change {
            Change::To(deployment) => self.see(deployment),
            Change::Gone(key) => self.seen.retain(|seen| deployment::key(seen) != key),
        }
    }

    fn see(&mut self, deployment: Arc<Deployment>) {
        self.seen.retain(|seen| seen.provider != deployment.provider);
        self.seen.push(deployment);
        self.seen.sort_by_key(|seen| seen.provider);
    }

    /// Puts what changed on its way to the operator.
    fn follow(&mut self) {
        let events = std::mem::take(&mut self.cluster.events);
        let mut sets_changed = false;
        for event in events {
            match event.what {
                Seen::Deployment(deployment) => self.is_told(Change::To(deployment)),
                Seen::Gone if event.key.kind == Kind::Deployment => {
                    self.is_told(Change::Gone(event.key));
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
                if next.pending.is_empty() && next.cluster.version == version {
                    return Ok(None);
                }
            }
            Action::Write => {
                let write = next.pending.pop_front().unwrap();
                let answer = next.cluster.carry_out(&write, next.ask);
                next.cluster.events.retain(|event| event.key != *write.key());
                // What is on its way of it is older, and changes nothing any more.
                let of_it = |change: &Change| match change {
                    Change::To(found) => deployment::key(found) == *write.key(),
                    Change::Gone(key) => key == write.key(),
                };
                match answer {
                    Ok(Seen::Deployment(deployment)) => {
                        next.deployments.retain(|change| !of_it(change));
                        next.see(deployment);
                    }
                    Ok(_) => {
                        next.deployments.retain(|change| !of_it(change));
                        next.seen.retain(|seen| deployment::key(seen) != *write.key());
                    }
                    Err(_) => next.pending.clear(),
                }
                next.follow();
                return Ok(Some(next));
            }
            Action::Deployment(id) => {
                if let Some(sync) = deployment::sync(&mut next.cluster, id) {
                    let margins = &mut self.margins;
                    judge_sync(&state.cluster, &mut next.cluster, (id, sync), false, margins)?;
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
            Action::SeeDeployment => next.see_next(),
            Action::SeeReplicaSets => next.seen_sets = next.sets.pop_front().unwrap(),
            Action::Restart => {
                next.seen.clone_from(&next.cluster.deployments);
                next.seen_sets = Arc::new(next.cluster.sets.clone());
                next.deployments.clear();
                next.sets.clear();
                next.pending.clear();
            }
            Action::User => {
                let (ask, revision, strategy) = self.case.then[state.done];
                let intent = json!({"spec": spec("web", ask, revision, strategy)});
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
        for seen in &state.seen {
            let key = deployment::key(seen);
            let body = Seen::Deployment(seen.clone()).body(&key).unwrap();
            world.put(key.kind, body).unwrap();
        }
        for set in state.seen_sets.iter() {
            world.put(Kind::ReplicaSet, Seen::ReplicaSet(*set).body(&set.key()).unwrap()).unwrap();
        }
        // Whether there is a node for a task is seen as it is.
        for pod in state.cluster.pods.iter().filter(|pod| pod.unplaced) {
            world.put(Kind::Pod, Seen::Pod(*pod).body(&pod.key()).unwrap()).unwrap();
        }
        let mut moment = Moment::at(instant(0));
        let mut planned = plan(&world, &service(), &moment);
        if let Some(Waiting { inputs, .. }) = planned.waiting {
            moment.waiting = Some(Waiting { inputs, since: instant(-2) });
            planned = plan(&world, &service(), &moment);
        }
        let (mut at_once, mut later) = (Vec::new(), VecDeque::new());
        for write in planned.writes {
            match &write {
                Write::Apply(_) | Write::Delete { .. } if write.key().kind == Kind::Deployment => {
                    later.push_back(Arc::new(write));
                }
                // How many tasks each provider should have stands in the record.
                Write::Status { key, .. }
                    if key.kind == Kind::ServiceDeployment && self.case.has_several() =>
                {
                    at_once.push(Arc::new(write));
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
        let usual = if self.case.has_several() { MOST_OF_SEVERAL } else { usize::MAX };
        let most = most_states().unwrap_or(usual);
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
        let (ask, revision, strategy) = *self.case.then.last().unwrap();
        let asked = json!(format!("web:{revision}"));
        let record = state.newest_record().unwrap();
        if record["spec"]["taskDefinition"] != asked {
            return Err(format!("the newest record is not of {asked}"));
        }
        let cluster = &state.cluster;
        let newest = record["spec"]["templateFrom"].as_i64().unwrap_or(state.newest());
        let counts = &record["status"]["desiredCounts"];
        let items = STRATEGIES[strategy];
        let providers =
            if items.is_empty() { vec![""] } else { items.iter().map(|one| one.0).collect() };
        let mut sum = 0;
        for provider in &providers {
            let number = PROVIDERS.iter().position(|name| name == provider).unwrap();
            let wanted = counts[provider].as_i64().unwrap_or(ask.desired.into());
            sum += wanted;
            let is_of = |pod: &&Pod| pod.provider == number && !pod.terminating;
            let total = count(cluster.pods.iter().filter(is_of));
            let healthy =
                count(cluster.pods.iter().filter(is_of).filter(|pod| cluster.is_healthy(pod)));
            let has_nodes = !self.case.no_nodes.contains(&number);
            let found = cluster.deployments.iter().find(|found| found.provider == number);
            let written = found.map(|found| found.sequence);
            let rolled = !ask.has_room() || written == Some(newest);
            let healthy_wanted = if has_nodes { wanted } else { 0 };
            if i64::from(total) != wanted || i64::from(healthy) != healthy_wanted || !rolled {
                return Err(format!(
                    "stuck at {healthy} healthy of {total} tasks of provider `{provider}`, which \
                     should have {wanted}; record {written:?}, not {newest}"
                ));
            }
        }
        if sum != i64::from(ask.desired) || cluster.deployments.len() != providers.len() {
            return Err(format!(
                "{sum} of {} on {} Deployments",
                ask.desired,
                cluster.deployments.len()
            ));
        }
        Ok(())
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
    let mut stage = Stage::over(revisions, "web", case.first, false, case.strategy);
    stage.cluster.fates.no_nodes = Arc::new(case.no_nodes.clone());
    stage.rest(|_, _| {}).unwrap();
    let mut cluster = stage.cluster;
    cluster.events.clear();
    cluster.now = 0;
    State {
        seen: cluster.deployments.clone(),
        seen_sets: Arc::new(cluster.sets.clone()),
        cluster,
        deployments: VecDeque::new(),
        sets: VecDeque::new(),
        pending: VecDeque::new(),
        ask: 0,
        done: 0,
    }
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (minimum_healthy, maximum) in [(100, 200), (50, 100), (100, 150), (0, 100), (100, 125)] {
        let ask = |desired| Ask { desired, minimum_healthy, maximum };
        for desired in 1..=4 {
            cases.push(Case::alone(ask(desired), vec![(ask(desired), 2)]));
        }
        for (from, to) in [(4, 2), (3, 1), (4, 3), (2, 4), (1, 2)] {
            cases.push(Case::alone(ask(from), vec![(ask(from), 2), (ask(to), 2)]));
        }
        // More tasks under a lower cap; a roll over a roll.
        let lower = Ask { desired: 4, minimum_healthy, maximum: 125.min(maximum) };
        cases.push(Case::alone(ask(3), vec![(ask(3), 2), (lower, 2)]));
        cases.push(Case::alone(ask(2), vec![(ask(2), 2), (ask(2), 3)]));
    }
    cases
}

/// Rolls, moves and scaling over two or three providers, by the numbers of their strategies.
fn cases_of_several() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |first, strategy, then: &[(Ask, usize, usize)], no_nodes: &[usize]| {
        cases.push(Case { first, strategy, then: then.into(), no_nodes: no_nodes.into() });
    };
    for (minimum_healthy, maximum) in [(100, 200), (50, 100), (100, 150), (0, 100)] {
        let ask = |desired| Ask { desired, minimum_healthy, maximum };
        // Rolls; of two, the second has no nodes.
        add(ask(2), 3, &[(ask(2), 2, 3)], &[]);
        add(ask(3), 4, &[(ask(3), 2, 4)], &[]);
        add(ask(2), 3, &[(ask(2), 2, 3)], &[2]);
        // From nobody's nodes to a provider's, to another, and to both.
        add(ask(2), 0, &[(ask(2), 1, 1)], &[]);
        add(ask(2), 1, &[(ask(2), 1, 2)], &[]);
        add(ask(2), 1, &[(ask(2), 1, 3)], &[]);
        add(ask(2), 3, &[(ask(2), 1, 6)], &[]);
        // With another revision; more and fewer tasks.
        add(ask(2), 1, &[(ask(2), 2, 2)], &[]);
        add(ask(2), 3, &[(ask(4), 1, 3)], &[]);
        add(ask(4), 3, &[(ask(2), 1, 3)], &[]);
        add(ask(2), 3, &[(ask(4), 1, 3)], &[2]);
    }
    cases
}

#[test]
fn no_order_of_actions_breaks_a_bound_or_gets_stuck() {
    let cases = cases();
    let (whole, failed) = search("one Deployment", &cases);
    assert!(most_states().is_some() || whole + failed.len() == cases.len(), "cut short");
    assert!(failed.is_empty(), "{} cases fail:\n{}", failed.len(), failed.join("\n\n"));
}

#[test]
fn no_order_of_actions_over_several_providers_breaks_a_bound_or_gets_stuck() {
    let cases = cases_of_several();
    let (_, failed) = search("several Deployments", &cases);
    assert!(failed.is_empty(), "{} cases fail:\n{}", failed.len(), failed.join("\n\n"));
}

/// Searches all of these. Tells how many to the end, and the stories of those that fail.
fn search(of: &str, cases: &[Case]) -> (usize, Vec<String>) {
    let started = Instant::now();
    let revisions = revisions();
    let half = |from: usize| {
        let revisions = &revisions;
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
        "{of}: {} cases, {} of them to the end: {} states, {} violations in {:.1} s; least healthy \
         above the floor {}, least room below the cap {}; misled by late statuses {}",
        cases.len(),
        one.1 + two.1,
        one.0 + two.0,
        failed.len(),
        started.elapsed().as_secs_f32(),
        margins.healthy,
        margins.total,
        margins.misled
    );
    (one.1 + two.1, failed)
}

/// The number of a Deployment's provider, by its name.
fn provider_of(key: &ObjectKey) -> i64 {
    let is_it = |provider: &&&str| {
        names::workload("frontend", SERVICE_UID, provider, names::FIRST_SLOT) == key.name
    };
    let found =
        PROVIDERS.iter().find(is_it).and_then(|name| PROVIDERS.iter().position(|one| one == name));
    i64::try_from(found.unwrap()).unwrap()
}
