//! Which object is next?
//!
//! Of the objects whose time has come, namespaces take turns, and within a namespace who came first goes
//! first: who asks for 10,000 objects makes them wait for each other, and somebody else's one for no more
//! than a plan of each namespace that waits. Each object is worked on once at a time, and of the places
//! at which objects are worked on, no namespace ever has all.
//!
//! It reads no clock and wakes nobody.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::time::Duration;

use tokio::time::Instant;

use crate::world::ObjectKey;

/// The objects that wait for their turn, and those that are worked on.
pub(super) struct Turns {
    /// How many objects may be worked on at a time; one at least.
    places: usize,
    /// When each object's turn is, of those that wait for it.
    due: BTreeMap<ObjectKey, Instant>,
    /// Those whose time has not come, the soonest first.
    ahead: BTreeSet<(Instant, ObjectKey)>,
    /// Those whose time has come, by namespace, in the order in which it came.
    lines: BTreeMap<String, VecDeque<ObjectKey>>,
    /// The namespace that had the last turn.
    last: String,
    /// Those that are worked on, by namespace.
    running: BTreeMap<String, BTreeSet<ObjectKey>>,
}

impl Turns {
    pub(super) fn new(places: usize) -> Self {
        Self {
            places: places.max(1),
            due: BTreeMap::new(),
            ahead: BTreeSet::new(),
            lines: BTreeMap::new(),
            last: String::new(),
            running: BTreeMap::new(),
        }
    }

    /// An object is asked to be worked on at a time: the earliest counts.
    pub(super) fn ask(&mut self, key: ObjectKey, at: Instant) {
        match self.due.get(&key) {
            Some(earlier) if *earlier <= at => return,
            Some(later) => drop(self.ahead.remove(&(*later, key.clone()))),
            None => {}
        }
        self.due.insert(key.clone(), at);
        self.ahead.insert((at, key));
    }

    /// Takes the next turn, if one can be taken: whose it is, and how long it waited.
    pub(super) fn take(&mut self, now: Instant) -> Option<(ObjectKey, Duration)> {
        while let Some((at, _)) = self.ahead.first()
            && *at <= now
            && let Some((_, key)) = self.ahead.pop_first()
        {
            self.lines.entry(key.namespace.clone()).or_default().push_back(key);
        }
        if self.running() >= self.places {
            return None;
        }
        let after_last = (Bound::Excluded(self.last.as_str()), Bound::Unbounded);
        let up_to_last = (Bound::Unbounded, Bound::Included(self.last.as_str()));
        let round = self.lines.range::<str, _>(after_last);
        let round = round.chain(self.lines.range::<str, _>(up_to_last));
        let (namespace, place) = round
            .filter(|(namespace, _)| !self.is_sated(namespace))
            .find_map(|(namespace, line)| Some((namespace.clone(), self.first(line)?)))?;
        let line = self.lines.get_mut(&namespace)?;
        let key = line.remove(place)?;
        if line.is_empty() {
            self.lines.remove(&namespace);
        }
        self.last.clone_from(&namespace);
        self.running.entry(namespace).or_default().insert(key.clone());
        let due = self.due.remove(&key).unwrap_or(now);
        Some((key, now.saturating_duration_since(due)))
    }

    /// Whether a namespace has as many places as one may have. One in eight is kept from it, 2 of 16: should
    /// all its writes hang, those of others do not wait for them.
    fn is_sated(&self, namespace: &str) -> bool {
        let most = self.places - self.places / 8;
        self.running.get(namespace).is_some_and(|running| running.len() >= most)
    }

    /// The place in its line of the first object that is not worked on.
    fn first(&self, line: &VecDeque<ObjectKey>) -> Option<usize> {
        let is_running = |key: &ObjectKey| {
            self.running.get(&key.namespace).is_some_and(|running| running.contains(key))
        };
        line.iter().position(|key| !is_running(key))
    }

    /// An object is no longer worked on.
    pub(super) fn done(&mut self, key: &ObjectKey) {
        if let Some(running) = self.running.get_mut(&key.namespace) {
            running.remove(key);
            if running.is_empty() {
                self.running.remove(&key.namespace);
            }
        }
    }

    /// How many objects are worked on.
    pub(super) fn running(&self) -> usize {
        self.running.values().map(BTreeSet::len).sum()
    }

    /// When the next object's time comes.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.ahead.first().map(|(at, _)| *at)
    }

    /// How many objects wait whose time has come.
    pub(super) fn depth(&self, now: Instant) -> usize {
        self.due.values().filter(|due| **due <= now).count()
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "in a test, what must not be ends it"
)]
mod tests {
    use super::*;
    use crate::world::Kind;

    fn key(namespace: &str, number: usize) -> ObjectKey {
        ObjectKey::new(Kind::Service, namespace, &format!("web-{number}"))
    }

    /// Asked at once, in this order, with so many places.
    fn asked(places: usize, now: Instant, keys: impl IntoIterator<Item = ObjectKey>) -> Turns {
        let mut turns = Turns::new(places);
        let microsecond = Duration::from_micros(1);
        let mut at = now - Duration::from_secs(1);
        for key in keys {
            turns.ask(key, at);
            at += microsecond;
        }
        turns
    }

    /// Takes as many turns as it can, to work on one after the other.
    fn in_order(turns: &mut Turns, now: Instant) -> Vec<String> {
        let mut order = Vec::new();
        while let Some((key, _)) = turns.take(now) {
            turns.done(&key);
            order.push(format!("{}/{}", key.namespace, key.name));
        }
        order
    }

    #[test]
    fn namespaces_take_turns_and_the_first_to_come_is_the_first_to_go() {
        let now = Instant::now();
        let keys = [("loud", 3), ("loud", 1), ("loud", 2), ("quiet", 1), ("apart", 1), ("loud", 0)];
        let mut turns = asked(1, now, keys.map(|(namespace, number)| key(namespace, number)));
        let order = in_order(&mut turns, now);
        let expected =
            ["apart/web-1", "loud/web-3", "quiet/web-1", "loud/web-1", "loud/web-2", "loud/web-0"];
        assert_eq!(order, expected);
    }

    #[test]
    fn a_flood_keeps_nobody_waiting_for_more_than_one_turn() {
        let now = Instant::now();
        let mut turns = asked(1, now, (0..10_000).map(|number| key("loud", number)));
        for number in 0..100 {
            turns.ask(key("quiet", number), now);
            let (first, _) = turns.take(now).unwrap();
            turns.done(&first);
            let (second, _) = turns.take(now).unwrap();
            turns.done(&second);
            assert!([first, second].contains(&key("quiet", number)), "turn {number}");
        }
    }

    #[test]
    fn no_namespace_has_the_last_places() {
        let now = Instant::now();
        for (places, of_one) in [(0, 1), (1, 1), (4, 4), (8, 7), (16, 14), (100, 88)] {
            let mut turns = asked(places, now, (0..200).map(|number| key("loud", number)));
            let taken = std::iter::from_fn(|| turns.take(now)).count();
            assert_eq!(taken, of_one, "of {places}");
            for number in 0..200 {
                turns.ask(key("quiet", number), now);
            }
            let taken = std::iter::from_fn(|| turns.take(now)).count();
            assert_eq!(taken, places.max(1) - of_one, "of {places}");
            turns.ask(key("third", 0), now);
            assert_eq!(turns.take(now), None, "all {places} are taken");
        }
    }

    #[test]
    fn an_object_has_one_turn_at_a_time_and_none_is_lost() {
        let now = Instant::now();
        let mut turns = asked(16, now, [key("shop", 0)]);
        assert_eq!(turns.take(now).unwrap().0, key("shop", 0));
        turns.ask(key("shop", 0), now);
        turns.ask(key("shop", 1), now);
        assert_eq!(turns.take(now).unwrap().0, key("shop", 1), "who runs is passed over");
        assert_eq!(turns.take(now), None);
        turns.done(&key("shop", 0));
        assert_eq!(turns.take(now).unwrap().0, key("shop", 0), "what was asked meanwhile");
        assert_eq!((turns.take(now), turns.running()), (None, 2));
    }

    #[test]
    fn the_earliest_time_that_was_asked_counts() {
        let now = Instant::now();
        let after = |seconds| now + Duration::from_secs(seconds);
        let mut turns = Turns::new(1);
        for seconds in [60, 5, 30] {
            turns.ask(key("shop", 0), after(seconds));
        }
        assert_eq!((turns.take(after(4)), turns.next_at()), (None, Some(after(5))));
        assert_eq!((turns.depth(after(4)), turns.depth(after(5))), (0, 1));
        assert_eq!(turns.take(after(7)), Some((key("shop", 0), Duration::from_secs(2))));
        turns.done(&key("shop", 0));
        assert_eq!((turns.take(after(90)), turns.next_at()), (None, None));
    }
}
