//! The rules one by one, and claimants against each other under a virtual clock.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;

const LEASE: Duration = Duration::from_secs(15);
/// That of the claimants who are drawn by lot, so that it often runs out.
const SHORT: Duration = Duration::from_secs(3);

fn at(seconds: u64) -> Moment {
    Duration::from_secs(seconds)
}

fn lease(version: &str, holder: Option<&str>) -> Lease {
    Lease {
        version: version.to_owned(),
        holder: holder.map(str::to_owned),
        duration: LEASE,
        transitions: 3,
    }
}

#[test]
fn each_sight_has_its_step() {
    let take = |version: &str| Step::Take { version: version.to_owned(), transitions: 4 };
    let renew = |version: &str| Step::Renew { version: version.to_owned(), transitions: 3 };
    for (what, seen, now, step) in [
        ("there is none", None, 0, Step::Make),
        ("it was given back", Some(lease("1", None)), 0, take("1")),
        ("another has it", Some(lease("1", Some("b"))), 14, Step::Look),
        ("another has let it lapse", Some(lease("1", Some("b"))), 15, take("1")),
        ("it is one's own", Some(lease("1", Some("a"))), 1, renew("1")),
        ("it is one's own and has lapsed", Some(lease("1", Some("a"))), 100, renew("1")),
    ] {
        let mut election = Election::new("a", LEASE);
        assert_eq!(election.step(at(0)), Step::Look, "{what}: nothing is known at first");
        election.saw(seen, at(0));
        assert_eq!(election.step(at(now)), step, "{what}");
        assert_eq!(election.until(), None, "{what}: what is only read is no claim");
    }
}

#[test]
fn a_claim_counts_from_before_it_was_sent() {
    let mut election = Election::new("a", LEASE);
    election.won(lease("2", Some("a")), at(10));
    assert_eq!(election.until(), Some(at(25)));
}

#[test]
fn a_renewal_of_another_starts_its_time_anew() {
    let mut election = Election::new("a", LEASE);
    election.saw(Some(lease("1", Some("b"))), at(0));
    election.saw(Some(lease("1", Some("b"))), at(14));
    election.saw(Some(lease("2", Some("b"))), at(14));
    assert_eq!(election.step(at(28)), Step::Look);
    assert!(matches!(election.step(at(29)), Step::Take { .. }));
}

#[test]
fn who_reads_that_another_leads_leads_no_more() {
    let mut election = Election::new("a", LEASE);
    election.won(lease("2", Some("a")), at(0));
    election.lost();
    assert_eq!(election.until(), Some(at(15)), "a conflict alone says nothing of the claim");
    assert_eq!(election.step(at(1)), Step::Look);
    election.saw(Some(lease("3", Some("b"))), at(2));
    assert_eq!(election.until(), None);
    election.won(lease("4", Some("a")), at(20));
    election.saw(None, at(21));
    assert_eq!((election.until(), election.step(at(21))), (None, Step::Make));
}

#[test]
fn a_lease_that_is_deleted_under_another_is_made_anew_when_that_ones_time_is_over() {
    let mut election = Election::new("a", LEASE);
    election.saw(Some(lease("1", Some("b"))), at(10));
    election.saw(None, at(12));
    assert_eq!(election.step(at(24)), Step::Look);
    assert_eq!(election.step(at(25)), Step::Make);
}

/// Another has written meanwhile.
#[derive(Clone, Copy, Debug)]
struct Conflict;

/// The Lease after a step, where there is one.
type Answer = Result<Option<Lease>, Conflict>;

/// The Lease as an API server keeps it.
#[derive(Clone, Debug, Default)]
struct Server {
    lease: Option<Lease>,
    versions: u64,
    duration: Duration,
}

impl Server {
    fn write(&mut self, holder: Option<&str>, transitions: i32) -> Lease {
        self.versions += 1;
        let written = Lease {
            version: self.versions.to_string(),
            holder: holder.map(str::to_owned),
            duration: self.duration,
            transitions,
        };
        self.lease = Some(written.clone());
        written
    }

    /// Carries a step out as the API server does; the answer, where it is not a conflict.
    fn serve(&mut self, by: &str, step: &Step) -> Answer {
        match step {
            Step::Look => Ok(self.lease.clone()),
            Step::Make if self.lease.is_none() => Ok(Some(self.write(Some(by), 0))),
            Step::Make => Err(Conflict),
            Step::Take { version, transitions } | Step::Renew { version, transitions } => {
                let is_current = self.lease.as_ref().is_some_and(|one| one.version == *version);
                if !is_current {
                    return Err(Conflict);
                }
                Ok(Some(self.write(Some(by), *transitions)))
            }
        }
    }
}

/// What happens to one claimant in one tenth of a second.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// It takes its step and hears the answer.
    Steps,
    /// Its step is carried out and the answer is late by so many tenths.
    HearsLate(u64),
    /// Its step is carried out, and it never hears of it.
    NeverHears,
    /// It gives the Lease back, if it has it, and starts anew.
    Stops,
    /// It is killed and starts anew under another name.
    Dies,
    /// It does nothing.
    Sleeps,
    /// It does nothing for so many tenths, as one that is frozen or cut off.
    Freezes(u64),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        40 => Just(Fate::Steps),
        5 => (1..60_u64).prop_map(Fate::HearsLate),
        3 => Just(Fate::NeverHears),
        1 => Just(Fate::Stops),
        1 => Just(Fate::Dies),
        50 => Just(Fate::Sleeps),
        2 => (1..80_u64).prop_map(Fate::Freezes),
    ]
}

struct Claimant {
    name: String,
    election: Election,
    late: Vec<(u64, Moment, Lease)>,
    frozen_until: u64,
}

impl Claimant {
    fn new(name: String) -> Self {
        Self::lasting(name, SHORT)
    }

    fn lasting(name: String, duration: Duration) -> Self {
        let election = Election::new(&name, duration);
        Self { election, name, late: Vec::new(), frozen_until: 0 }
    }

    fn takes(&mut self, step: &Step, answer: Answer, sent: Moment, now: Moment) {
        match (step, answer) {
            (Step::Look, Ok(seen)) => self.election.saw(seen, now),
            (_, Ok(Some(written))) => self.election.won(written, sent),
            _ => self.election.lost(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever is late, lost, stopped or killed: of two claims that are counted on, none overlap.
    #[test]
    fn never_do_two_lead(fates in prop::collection::vec((0..3_usize, fate()), 1..1500)) {
        let mut server = Server { duration: SHORT, ..Server::default() };
        let mut all: Vec<Claimant> = (0..3).map(|n| Claimant::new(format!("c{n}"))).collect();
        let mut born = 3;
        for (tick, (who, fate)) in fates.into_iter().enumerate() {
            let now = Duration::from_millis(u64::try_from(tick).unwrap() * 100);
            for one in &mut all {
                let due = |late: &(u64, Moment, Lease)| late.0 <= u64::try_from(tick).unwrap();
                while let Some(at) = one.late.iter().position(due) {
                    let (_, sent, written) = one.late.remove(at);
                    one.election.won(written, sent);
                }
            }
            let claimant = &mut all[who];
            let step = claimant.election.step(now);
            match fate {
                // One request at a time.
                _ if !claimant.late.is_empty() => {}
                _ if u64::try_from(tick).unwrap() < claimant.frozen_until => {}
                Fate::Freezes(tenths) => {
                    claimant.frozen_until = u64::try_from(tick).unwrap() + tenths;
                }
                Fate::Steps => {
                    let answer = server.serve(&claimant.name.clone(), &step);
                    claimant.takes(&step, answer, now, now);
                }
                Fate::HearsLate(tenths) => {
                    let answer = server.serve(&claimant.name.clone(), &step);
                    match (&step, answer) {
                        (Step::Look, _) => {}
                        (_, Ok(Some(written))) => {
                            claimant.late.push((u64::try_from(tick).unwrap() + tenths, now, written));
                        }
                        _ => claimant.election.lost(),
                    }
                }
                Fate::NeverHears => {
                    let _ = server.serve(&claimant.name.clone(), &step);
                    claimant.election.lost();
                }
                Fate::Stops => {
                    let is_own = |one: &Lease| one.holder.as_ref() == Some(&claimant.name);
                    if claimant.election.until().is_some() && server.lease.as_ref().is_some_and(is_own) {
                        let transitions = server.lease.as_ref().unwrap().transitions;
                        server.write(None, transitions);
                    }
                    all[who] = Claimant::new(format!("c{born}"));
                    born += 1;
                }
                Fate::Dies => {
                    all[who] = Claimant::new(format!("c{born}"));
                    born += 1;
                }
                Fate::Sleeps => {}
            }
            let leading = all.iter().filter(|one| one.election.until().is_some_and(|until| now < until));
            let leading: Vec<&str> = leading.map(|one| one.name.as_str()).collect();
            prop_assert!(leading.len() <= 1, "{now:?}: {leading:?} lead");
        }
    }
}

#[test]
fn somebody_leads_soon_after_a_stop_and_within_the_lease_after_a_kill() {
    for (stops, within) in [(true, 2), (false, 15 + 2)] {
        let mut server = Server { duration: LEASE, ..Server::default() };
        let mut first = Claimant::lasting("a".to_owned(), LEASE);
        let mut second = Claimant::lasting("b".to_owned(), LEASE);
        for second_of in 0..30 {
            for one in [&mut first, &mut second] {
                let step = one.election.step(at(second_of));
                let answer = server.serve(&one.name.clone(), &step);
                one.takes(&step, answer, at(second_of), at(second_of));
            }
        }
        assert!(first.election.until().is_some() && second.election.until().is_none());
        if stops {
            server.write(None, 0);
        }
        let took = (30..90).find(|now| {
            let step = second.election.step(at(*now));
            let answer = server.serve("b", &step);
            second.takes(&step, answer, at(*now), at(*now));
            second.election.until().is_some()
        });
        assert!(took.unwrap() <= 30 + within, "{took:?}");
    }
}
