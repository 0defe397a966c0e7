//! What does one row of the member table say?

/// The JSON shape of a member, as the API model has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A string; people also write bare numbers (`"cpu": 256`), which are accepted.
    String,
    /// A whole number; a string of digits is accepted.
    Integer,
    /// A number with a fraction.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A point in time: epoch seconds or RFC 3339.
    Timestamp,
    /// An object whose members have rows of their own.
    Object,
    /// A list of objects whose members have rows of their own, under `path[]`.
    Objects,
    /// A list of strings.
    Strings,
    /// A list of whole numbers.
    Integers,
    /// An object with free keys and string values.
    StringMap,
    /// An object with free keys and free values.
    Document,
}

/// What Linkspan does with a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The cluster does what ECS would do.
    Honoured,
    /// The cluster does something close; the text says what differs.
    Approximated(&'static str),
    /// AWS bookkeeping: kept in the object, without effect.
    Recorded,
    /// Not accepted; the text says why, and what to do instead.
    Refused(&'static str),
    /// Kept in the object; this version of Linkspan does nothing with it yet.
    NotYet,
}

/// One member of an ECS input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Where it is: member names joined by `.`, a list's elements marked by `[]`, as in
    /// `containerDefinitions[].portMappings[].containerPort`.
    pub path: &'static str,
    /// Its JSON shape.
    pub shape: Shape,
    /// Whether the API refuses an input without it (where its parent is given).
    pub required: bool,
    /// Whether changing it starts a new deployment of a service.
    pub rolls: bool,
    /// What becomes of it.
    pub verdict: Verdict,
    /// Values with which nothing differs from ECS, whatever the verdict says of others.
    pub harmless: &'static [&'static str],
    /// One line for `kubectl explain` and the support page, with the unit and bounds.
    pub about: &'static str,
}

/// A row: optional, and without effect on deployments unless said otherwise.
pub(super) const fn row(
    path: &'static str,
    shape: Shape,
    verdict: Verdict,
    about: &'static str,
) -> Member {
    Member { path, shape, required: false, rolls: false, verdict, harmless: &[], about }
}

impl Member {
    /// The same row, for a member that the API requires.
    pub(super) const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// The same row, for a member of which these values do what they do in ECS.
    pub(super) const fn harmless(self, values: &'static [&'static str]) -> Self {
        Self { harmless: values, ..self }
    }

    /// The same row, for a member whose change starts a deployment.
    pub(super) const fn rolls(self) -> Self {
        Self { rolls: true, ..self }
    }
}
