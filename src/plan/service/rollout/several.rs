//! Which counts, bounds and templates may several Deployments of one service have now?
//!
//! Floor and cap are those of the sum. What a Deployment's controller may make of the numbers that it
//! has at present is reckoned by the worst: the most tasks, and the fewest that stay healthy. Each
//! Deployment in turn then gets the numbers that keep the sum within what the others leave of both;
//! numbers just decided count beside those that they replace, since nobody knows when they come into
//! effect. So no order in which writes arrive and controllers act can break a bound.
//!
//! * Counts come down first, where no template is being replaced, as healthy tasks allow: of providers
//!   that are no longer wanted, then of the others.
//! * Counts go up of those that have the newest template, or no task; then of those that have not yet,
//!   if there are too few tasks in all. A Deployment without tasks gets the newest template at once.
//! * One Deployment at a time replaces its tasks, by the rules that hold for a single one.
//! * A task for which there is no node is neither healthy nor counted, and in a roll not asked for by the
//!   floor: an empty spot market leaves to the others the room that it does not take, and does not keep
//!   them from rolling. No count comes down on its account.
//! * As long as tasks may still become healthy, none of another Deployment is stopped on their account;
//!   where nothing has changed for long, nobody waits for them any more.
//!
//! **Example.** 4 tasks at 100/150 %, two on each of two providers: floor 4, cap 6. The first rolls
//! with a surge of 2, and is held to 2 healthy ones, since the other has no more than 2 to add. Then the
//! second does. With the second provider's nodes gone, 2 are healthy: the first rolls with a surge all
//! the same, and stops no healthy task before another is.

use super::shares::{ReplicaSet, healthy_after, shares};
use super::{Held, Limits, Seen, Step, nearest_safe_count, placeholder, step_within};
use crate::defect::{self, Defect};
use crate::ecs::percent::Percents;

/// One Deployment of several.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its roll.
    pub seen: Seen,
    /// How many tasks it should have.
    pub wanted: i32,
    /// Whether its provider is not in the strategy any more.
    pub is_surplus: bool,
}

/// What several Deployments get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps {
    /// The next step of each.
    pub steps: Vec<Step>,
    /// Whether something waits for tasks to become healthy that may never do so.
    pub waits: bool,
}

/// The next step of each towards what is wanted of it, with the template of the record `target`. Those
/// that are patient wait for all tasks to become healthy.
pub fn steps(
    members: &[Member],
    desired: i32,
    percents: Percents,
    target: i64,
    patient: bool,
) -> Steps {
    let parts: Vec<Part<'_>> = members.iter().map(|member| Part::of(member, target)).collect();
    let mut limits = Limits::of(percents, desired);
    let floor = limits.floor;
    // What lacks a node cannot be asked for.
    let lacking: i32 = members.iter().map(|member| member.seen.lacking_nodes()).sum();
    limits.floor = limits.floor.min((desired - lacking).max(0));
    let mut whole = Whole { parts, limits, floor, desired, target, patient, waits: false };
    if desired == 0 {
        whole.empty();
    } else {
        whole.lower();
        whole.raise_newest();
        whole.roll_on();
        whole.start_roll();
        whole.raise_earlier();
        whole.tell(percents.are_closed(desired));
    }
    let waits = whole.waits;
    Steps { steps: whole.parts.into_iter().map(|part| part.step).collect(), waits }
}

/// A Deployment, what it gets, and the worst that may come of what it had and gets.
struct Part<'a> {
    member: &'a Member,
    step: Step,
    /// The most tasks that there may come to be of it.
    most: i32,
    /// The tasks that are sure to stay healthy.
    sure: i32,
}

impl<'a> Part<'a> {
    /// As it is.
    fn of(member: &'a Member, target: i64) -> Self {
        let seen = &member.seen;
        let rolls = seen.is_rolling();
        let (max_unavailable, max_surge) = if rolls { seen.bounds() } else { placeholder() };
        let step = Step {
            replicas: seen.replicas,
            sequence: seen.sequence.unwrap_or(target),
            max_unavailable,
            max_surge,
            held: None,
        };
        let written = seen.replicas.saturating_add(if rolls { max_surge } else { 0 });
        let sure = sure(seen, seen.replicas, max_surge, rolls.then_some(max_unavailable));
        Self { member, step, most: written.max(seen.size()), sure }
    }

    /// Takes a step; the numbers that it replaces still count.
    fn take(&mut self, step: Step) {
        let seen = &self.member.seen;
        let rolls = self.rolls() || (!self.is_idle() && Some(step.sequence) != seen.sequence);
        let surge = if rolls { step.max_surge } else { 0 };
        self.most = self.most.max(step.replicas.saturating_add(surge));
        let unavailable = rolls.then_some(step.max_unavailable);
        self.sure = self.sure.min(sure(seen, step.replicas, step.max_surge, unavailable));
        self.step = step;
    }

    /// Takes the step of a Deployment that replaces no task.
    fn hold_at(&mut self, replicas: i32, sequence: i64) {
        let (max_unavailable, max_surge) = placeholder();
        let held = (replicas != self.member.wanted).then_some(Held::ForHealthyTasks);
        self.take(Step { replicas, sequence, max_unavailable, max_surge, held });
    }

    fn rolls(&self) -> bool {
        self.member.seen.is_rolling()
    }

    /// Whether there is no task of it, so that any template may go in.
    fn is_idle(&self) -> bool {
        !self.member.seen.exists || self.member.seen.is_empty()
    }

    /// Whether its template is this one.
    fn has(&self, target: i64) -> bool {
        self.member.seen.sequence == Some(target)
    }

    /// Whether nothing of it is healthy, or can become so as things are: it may be replaced at once.
    fn is_stuck(&self) -> bool {
        let seen = &self.member.seen;
        seen.stuck && seen.available == 0 && seen.unplaced > 0
    }

    /// Whether all that it lacks are tasks for which there is no node.
    fn waits_for_nodes(&self) -> bool {
        let seen = &self.member.seen;
        seen.unplaced > 0 && seen.total - seen.available <= seen.unplaced
    }

    /// The tasks that count for the cap.
    fn counted(&self) -> i32 {
        let seen = &self.member.seen;
        // What is about to be replaced may find a node as what replaces it; pods beyond the count
        // may be those without one.
        let stay = seen.unplaced - (seen.total - self.most).max(0);
        let stays = Some(self.step.sequence) == seen.sequence;
        self.most - if stays { stay.max(0) } else { 0 }
    }
}

/// The tasks that are sure to stay healthy under a count, and in a roll under its bound.
fn sure(seen: &Seen, replicas: i32, surge: i32, max_unavailable: Option<i32>) -> i32 {
    let sets = &seen.replica_sets;
    let there = sets.iter().map(ReplicaSet::healthy).sum::<i32>().min(seen.available);
    let scaled =
        if replicas < seen.size() && (max_unavailable.is_none() || replicas < seen.replicas) {
            healthy_after(&shares(replicas, surge, sets)).min(there)
        } else {
            there
        };
    scaled.min(replicas - max_unavailable.unwrap_or_default()).max(0)
}

/// All of them.
struct Whole<'a> {
    parts: Vec<Part<'a>>,
    /// What rolls keep within.
    limits: Limits,
    /// The floor, tasks for which there is no node among it.
    floor: i32,
    desired: i32,
    target: i64,
    patient: bool,
    waits: bool,
}

impl Whole<'_> {
    /// What the others leave of floor and cap to the one at this place.
    fn room(&self, at: usize) -> Limits {
        let others = || self.parts.iter().enumerate().filter(|(other, _)| *other != at);
        let healthy: i32 = others().map(|(_, part)| part.sure).sum();
        let there: i32 = others().map(|(_, part)| part.counted()).sum();
        if defect::is(Defect::EachByItself) {
            return self.limits;
        }
        Limits {
            floor: (self.limits.floor - healthy).max(0),
            cap: (self.limits.cap - there).max(0),
        }
    }

    /// Whether every roll goes by the numbers that were written last.
    fn is_calm(&self) -> bool {
        self.parts.iter().all(|part| part.member.seen.settled || !part.rolls())
    }

    /// The places at which this is so, in order.
    fn places(&self, of: impl Fn(&Part<'_>) -> bool) -> Vec<usize> {
        let found = self.parts.iter().enumerate().filter(|(_, part)| of(part));
        found.map(|(at, _)| at).collect()
    }

    /// No task is wanted: nothing is to be kept.
    fn empty(&mut self) {
        let target = self.target;
        for part in &mut self.parts {
            let sequence = if part.member.is_surplus { part.step.sequence } else { target };
            part.hold_at(0, sequence);
        }
    }

    fn lower(&mut self) {
        if !self.is_calm() {
            return;
        }
        let mut places = self.places(|part| {
            let seen = &part.member.seen;
            seen.exists && seen.settled && !part.rolls() && seen.replicas > part.member.wanted
        });
        // The last first, as scale-in takes them; those that nobody wants before all others.
        places.reverse();
        places.sort_by_key(|at| self.parts.get(*at).map(|part| !part.member.is_surplus));
        for at in places {
            let mut room = self.room(at);
            // A healthy task stays as long as the one that is to stand in for it has no node.
            room.floor += self.floor - self.limits.floor;
            let Some(part) = self.parts.get_mut(at) else { continue };
            let (wanted, seen) = (part.member.wanted, &part.member.seen);
            let safe = nearest_safe_count(wanted, room, seen, part.step.sequence);
            // Any of its tasks may be healthy by the time at which some are stopped.
            let least = room.floor.min(seen.replicas - seen.hopeless);
            let count = if self.patient { safe.max(least) } else { safe };
            self.waits |= count > safe;
            part.hold_at(count, part.step.sequence);
        }
    }

    /// Those whose tasks are the newest, and those that have none.
    fn raise_newest(&mut self) {
        let (calm, target) = (self.is_calm(), self.target);
        let newest = |part: &Part<'_>| {
            !part.member.is_surplus && (part.is_idle() || (part.has(target) && !part.rolls()))
        };
        for at in self.places(newest) {
            let room = self.room(at);
            let Some(part) = self.parts.get_mut(at) else { continue };
            let now = part.step.replicas;
            let most = if calm { room.cap.max(now) } else { now };
            if part.member.wanted >= now {
                part.hold_at(part.member.wanted.min(most), target);
            }
        }
    }

    /// Those that replace tasks go on, under what there is now.
    fn roll_on(&mut self) {
        for at in self.places(|part| part.member.seen.is_rolling()) {
            let mut room = self.room(at);
            let target = self.target;
            let Some(part) = self.parts.get_mut(at) else { continue };
            let seen = &part.member.seen;
            let now = seen.replicas;
            let (_, surge) = seen.bounds();
            let wanted = part.member.wanted;
            let target = if part.member.is_surplus { seen.healthiest(target) } else { target };
            if seen.available == 0
                && seen.max_unavailable >= Some(now)
                && surge == 0
                && now <= wanted
            {
                // It had nothing to protect when it began, and is done before it has.
                part.take(Step { sequence: target, ..part.step });
                continue;
            }
            // A count below the floor protects no more than itself: it comes down as others can stand
            // in, of which any may do so by the time at which tasks are stopped.
            let may_be_healthy =
                if self.patient { seen.size() - seen.hopeless } else { seen.ready() };
            let least = room.floor.min(may_be_healthy).min(now);
            let desired = if wanted > now && seen.settled {
                wanted.min(room.cap.max(now))
            } else {
                wanted.min(now).max(least)
            };
            self.waits |= desired > wanted;
            if part.member.is_surplus {
                // What ends needs no room to grow.
                room.cap = room.cap.min(now);
            }
            let step = step_within(room, desired, seen, target);
            part.take(narrowed(&step, part));
        }
    }

    /// One that has an earlier template begins to replace its tasks, if none does so.
    fn start_roll(&mut self) {
        let busy = self.parts.iter().any(|part| part.rolls() && !part.waits_for_nodes());
        if busy || !self.is_calm() {
            return;
        }
        let mut places = self.places(|part| {
            let earlier = part.member.seen.exists && !part.has(self.target) && !part.is_idle();
            let is_itself = part.step.replicas == part.member.seen.replicas;
            let settled = part.member.seen.settled && !part.rolls() && is_itself;
            !part.member.is_surplus && earlier && settled && part.step.replicas > 0
        });
        // Those without a node first, since nobody has to wait for them; then those that should have
        // more tasks, which go up afterwards; last those that should have fewer.
        places.sort_by_key(|at| {
            let part = self.parts.get(*at);
            part.map(|part| (!part.is_stuck(), (part.step.replicas - part.member.wanted).signum()))
        });
        if self.start_one(&places, |floor, count| floor <= count) {
            return;
        }
        // With more healthy tasks asked for than it has, the old ones stop early.
        if self.patient {
            self.waits |= !places.is_empty();
        } else {
            self.start_one(&places, |_, _| true);
        }
    }

    /// The first of these whose floor and count allow it begins to replace its tasks.
    fn start_one(&mut self, places: &[usize], allows: impl Fn(i32, i32) -> bool) -> bool {
        let target = self.target;
        for at in places.iter().copied() {
            let room = self.room(at);
            let Some(part) = self.parts.get_mut(at) else { continue };
            let count = part.step.replicas;
            // A task that replaces another counts, also where that one stops first, or has no node.
            if room.cap < count {
                continue;
            }
            if part.is_stuck() {
                let held = part.step.held;
                let (max_unavailable, max_surge) = (count, 0);
                let sequence = target;
                part.take(Step { replicas: count, sequence, max_unavailable, max_surge, held });
                return true;
            }
            if !allows(room.floor, count) {
                continue;
            }
            let step = step_within(room, count, &part.member.seen, target);
            if step.sequence == target && step.replicas == count {
                part.take(narrowed(&step, part));
                return true;
            }
        }
        false
    }

    /// Those that wait for their turn, where there are too few tasks in all.
    fn raise_earlier(&mut self) {
        if !self.is_calm() {
            return;
        }
        let target = self.target;
        let waits = |part: &Part<'_>| {
            let seen = &part.member.seen;
            let stays = Some(part.step.sequence) == seen.sequence && !part.rolls();
            seen.exists && stays && !part.has(target) && !part.is_idle()
        };
        for at in self.places(waits) {
            let room = self.room(at);
            let there: i32 = self.parts.iter().map(|part| part.step.replicas).sum();
            let lacking = (self.desired - there).max(0);
            let Some(part) = self.parts.get_mut(at) else { continue };
            let now = part.step.replicas;
            let most = room.cap.max(now).min(now + lacking);
            if part.member.wanted > now && most > now {
                part.hold_at(part.member.wanted.min(most), part.step.sequence);
            }
        }
    }

    /// Says of what stays behind why.
    fn tell(&mut self, closed: bool) {
        let target = self.target;
        let acts = self.parts.iter().any(|part| {
            let seen = &part.member.seen;
            part.rolls()
                || !seen.settled
                || part.step.replicas != seen.replicas
                || Some(part.step.sequence) != seen.sequence
        });
        for part in &mut self.parts {
            let behind = !part.member.is_surplus && part.step.sequence != target;
            let short = part.step.replicas != part.member.wanted;
            if closed && !acts && (behind || short) {
                part.step.held = Some(Held::NoRoom);
            } else if behind && part.step.held.is_none() {
                part.step.held = Some(Held::UntilRolled);
            }
        }
    }
}

/// A step as the API takes it, with no more surge than there are tasks to replace.
fn narrowed(step: &Step, part: &Part<'_>) -> Step {
    let (unavailable, surge) = part.member.seen.bounds();
    let max_surge = step.max_surge.min(step.replicas.max(1));
    if (step.max_unavailable, max_surge) != (0, 0) {
        return Step { max_surge, ..*step };
    }
    // No room as things are: it keeps within what it has.
    let replicas = part.member.seen.replicas;
    let held = Some(Held::ForHealthyTasks);
    Step { replicas, max_unavailable: unavailable, max_surge: surge, held, ..*step }
}

impl Seen {
    /// The tasks that it lacks since there is no node for them.
    fn lacking_nodes(&self) -> i32 {
        self.unplaced.min((self.replicas - self.available).max(0))
    }

    /// The record of which it has the most healthy tasks, of several the one that it rolls to.
    fn healthiest(&self, target: i64) -> i64 {
        let written = self.sequence.unwrap_or(target);
        let known = self.replica_sets.iter().filter_map(|set| Some((set.sequence?, set)));
        let best = known.max_by_key(|(sequence, set)| (set.healthy(), *sequence == written));
        best.map_or(written, |(sequence, _)| sequence)
    }
}

#[cfg(test)]
mod tests;
