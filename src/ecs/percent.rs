//! How many tasks do `minimumHealthyPercent` and `maximumPercent` stand for?

use crate::defect::{self, Defect};

/// The two percents of a deployment configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percents {
    /// `minimumHealthyPercent`, in percent of the desired count.
    pub minimum_healthy: i64,
    /// `maximumPercent`, in percent of the desired count.
    pub maximum: i64,
}

impl Percents {
    /// What CreateService takes for a REPLICA service that gives neither.
    pub const REPLICA: Self = Self { minimum_healthy: 100, maximum: 200 };
    /// What CreateService takes for a DAEMON service that gives neither: a node has at most one task,
    /// which stops before its successor starts.
    pub const DAEMON: Self = Self { minimum_healthy: 0, maximum: 100 };

    /// The least number of healthy tasks, rounded up: 50 % of 3 is 2.
    ///
    /// ```
    /// use linkspan::ecs::percent::Percents;
    /// let percents = Percents { minimum_healthy: 75, maximum: 125 };
    /// assert_eq!(percents.floor(2), 2);
    /// assert_eq!(percents.cap(3), 3);
    /// ```
    pub fn floor(self, desired: i32) -> i32 {
        let up = if defect::is(Defect::FloorRoundsDown) { 0 } else { 99 };
        narrow((i64::from(desired) * self.minimum_healthy + up).div_euclid(100))
    }

    /// The greatest number of tasks that run or are on their way, rounded down: 150 % of 3 is 4.
    pub fn cap(self, desired: i32) -> i32 {
        let up = if defect::is(Defect::CapRoundsUp) { 99 } else { 0 };
        narrow((i64::from(desired) * self.maximum + up).div_euclid(100))
    }

    /// Whether there is no room to stop a task first, nor to start one first.
    pub fn are_closed(self, desired: i32) -> bool {
        self.floor(desired) >= desired && self.cap(desired) <= desired
    }
}

fn narrow(count: i64) -> i32 {
    i32::try_from(count.clamp(0, i64::from(i32::MAX))).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_rounds_up_and_the_cap_rounds_down() {
        for (desired, minimum_healthy, maximum, floor, cap) in [
            (3, 50, 150, 2, 4),
            (2, 75, 200, 2, 4),
            (3, 100, 125, 3, 3),
            (1, 100, 200, 1, 2),
            (10, 50, 150, 5, 15),
            (4, 50, 100, 2, 4),
            (0, 100, 200, 0, 0),
        ] {
            let percents = Percents { minimum_healthy, maximum };
            assert_eq!(percents.floor(desired), floor, "{minimum_healthy} % of {desired}");
            assert_eq!(percents.cap(desired), cap, "{maximum} % of {desired}");
        }
    }

    #[test]
    fn one_task_at_a_hundred_percent_has_no_room() {
        let percents = Percents { minimum_healthy: 100, maximum: 100 };
        assert!(percents.are_closed(1) && percents.are_closed(7));
        assert!(!Percents { minimum_healthy: 100, maximum: 125 }.are_closed(4));
        assert!(Percents { minimum_healthy: 100, maximum: 125 }.are_closed(3));
    }
}
