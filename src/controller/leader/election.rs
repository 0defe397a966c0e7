//! Who leads, and until when? The rules of one claimant, by a clock that is handed in.
//!
//! A Lease names its holder and says how long a renewal lasts. Nobody's wall clock counts: a claimant
//! takes a Lease over once it has itself seen no renewal of it for that long, and a holder counts on its
//! claim from before it sent the renewal. So the holder's claim ends first, whatever their clocks say, as
//! long as they run at the same speed. Which requests are sent, and when, is decided here; sending them
//! is the business of others.

use std::time::Duration;

/// Time since this process began to count, by a clock that never goes back.
pub(crate) type Moment = Duration;

/// What stands in the Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    /// Its resource version: another renewal is another version.
    pub(crate) version: String,
    /// Who holds it; nobody, where it was given back.
    pub(crate) holder: Option<String>,
    /// How long each renewal lasts.
    pub(crate) duration: Duration,
    /// How often it has changed hands.
    pub(crate) transitions: i32,
}

/// What is known of the Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Sight {
    /// It must be looked at.
    Unknown,
    /// There is none.
    Absent,
    /// It stands so.
    Seen(Lease),
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Read the Lease.
    Look,
    /// Make it, in one's own name.
    Make,
    /// Write one's own name into this version of it, which another held or gave back.
    Take { version: String, transitions: i32 },
    /// Renew this version of it.
    Renew { version: String, transitions: i32 },
}

/// One claimant.
#[derive(Clone, Debug)]
pub(crate) struct Election {
    identity: String,
    duration: Duration,
    sight: Sight,
    /// Until when the Lease is certainly its own.
    until: Option<Moment>,
    /// Until when another may count on it.
    others_until: Moment,
}

impl Election {
    /// A claimant whose renewals last so long.
    pub(crate) fn new(identity: &str, duration: Duration) -> Self {
        Self {
            identity: identity.to_owned(),
            duration,
            sight: Sight::Unknown,
            until: None,
            others_until: Moment::ZERO,
        }
    }

    /// What to do now.
    pub(crate) fn step(&self, now: Moment) -> Step {
        match &self.sight {
            Sight::Unknown => Step::Look,
            // Deleted under another who leads: that one may not have noticed yet.
            Sight::Absent if now < self.others_until => Step::Look,
            Sight::Absent => Step::Make,
            Sight::Seen(lease) => {
                let (version, transitions) = (lease.version.clone(), lease.transitions);
                match &lease.holder {
                    Some(holder) if *holder == self.identity => {
                        Step::Renew { version, transitions }
                    }
                    Some(_) if now < self.others_until => Step::Look,
                    _ => Step::Take { version, transitions: transitions.saturating_add(1) },
                }
            }
        }
    }

    /// The Lease was read.
    pub(crate) fn saw(&mut self, lease: Option<Lease>, now: Moment) {
        let Some(lease) = lease else {
            // Somebody deleted it: who makes it anew leads.
            self.sight = Sight::Absent;
            self.until = None;
            return;
        };
        match &lease.holder {
            Some(holder) if *holder == self.identity => self.others_until = Moment::ZERO,
            Some(_) => {
                self.until = None;
                if self.sight != Sight::Seen(lease.clone()) {
                    self.others_until = now + lease.duration;
                }
            }
            None => (self.until, self.others_until) = (None, Moment::ZERO),
        }
        self.sight = Sight::Seen(lease);
    }

    /// What was written in one's own name was taken; it was sent at `sent`.
    pub(crate) fn won(&mut self, lease: Lease, sent: Moment) {
        self.sight = Sight::Seen(lease);
        self.others_until = Moment::ZERO;
        self.until = Some(sent + self.duration);
    }

    /// What was written was not taken, since another has written meanwhile. Whoever that was, the claim
    /// of before goes on to its end: another can only take a Lease whose claim has ended.
    pub(crate) fn lost(&mut self) {
        self.sight = Sight::Unknown;
    }

    /// Until when it leads; none, if it does not.
    pub(crate) fn until(&self) -> Option<Moment> {
        self.until
    }
}

#[cfg(test)]
mod tests;
