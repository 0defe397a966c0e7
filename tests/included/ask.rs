//! What is asked of a service, and which of a Deployment's numbers keep it: computed here, not taken
//! from the code on trial.

/// A count and the two percents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) desired: i32,
    pub(crate) minimum_healthy: i32,
    pub(crate) maximum: i32,
}

impl Ask {
    /// As many healthy tasks there must be: 50 % of 3 is 2.
    pub(crate) fn floor(self) -> i32 {
        let hundredths = self.desired * self.minimum_healthy;
        hundredths / 100 + i32::from(hundredths % 100 > 0)
    }

    /// As many tasks there may be: 150 % of 3 is 4.
    pub(crate) fn cap(self) -> i32 {
        self.desired * self.maximum / 100
    }

    /// Whether a task can be replaced.
    pub(crate) fn has_room(self) -> bool {
        self.floor() < self.desired || self.cap() > self.desired
    }

    /// Whether a Deployment's `replicas`, `maxUnavailable` and `maxSurge` keep these bounds.
    pub(crate) fn fits(self, replicas: i32, max_unavailable: i32, max_surge: i32) -> bool {
        if !self.has_room() {
            return replicas == self.desired && (max_unavailable, max_surge) == (0, 1);
        }
        replicas - max_unavailable >= self.floor() && replicas + max_surge <= self.cap()
    }
}
