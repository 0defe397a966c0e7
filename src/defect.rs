//! Mistakes on purpose, so that it can be tried whether the tests notice them.
//!
//! Only builds for tests have them (the feature `defects`, which nothing but this package's own
//! tests turns on); in every other build [`is`] is `false` at compile time and leaves no trace.
//! `LINKSPAN_DEFECT` names those that a process makes.

macro_rules! defects {
    ($($(#[$says:meta])* $name:ident,)*) => {
        /// One mistake, or one way in which another version of this program would differ.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Defect {
            $($(#[$says])* $name,)*
        }

        impl Defect {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// What `LINKSPAN_DEFECT` calls it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }
    };
}

defects! {
    /// `minimumHealthyPercent` rounds down.
    FloorRoundsDown,
    /// `maximumPercent` rounds up.
    CapRoundsUp,
    /// A lower count goes out at once, whatever it does to healthy tasks.
    LowersAtOnce,
    /// Each of several Deployments is held to floor and cap as if there were no others.
    EachByItself,
    /// Bounds without room go out as they are, both 0.
    ClosedBoundsAsTheyAre,
    /// The workload gets the template of a record that is not stored yet.
    ChildrenBeforeRecord,
    /// A child is written by its name, whichever object that is by now.
    NoUidPrecondition,
    /// What has a default, the count, starts a deployment.
    DefaultInHash,
    /// A workload is named after its service alone.
    NameWithoutUid,
    /// The workload selects by deployment.
    SelectorWithDeployment,
    /// What was not made here is taken for ours.
    AdoptsWhatIsThere,
    /// A status is written whether or not it has changed.
    WritesWhatIsThere,
    /// The watch of a kind ends at an object that does not decode.
    NoDecodeGuard,
    /// No mistake: another version, whose pod templates are rendered differently.
    RendersOtherwise,
    /// The workload's template is rendered anew from the record's inputs.
    RendersAnew,
}

/// Whether this process makes the mistake.
#[cfg(not(feature = "defects"))]
pub const fn is(_: Defect) -> bool {
    false
}

/// Whether this process makes the mistake.
#[cfg(feature = "defects")]
#[allow(clippy::disallowed_methods, reason = "only builds for tests have this")]
pub fn is(defect: Defect) -> bool {
    static MADE: std::sync::OnceLock<Vec<Defect>> = std::sync::OnceLock::new();
    let made = MADE.get_or_init(|| {
        let named = std::env::var("LINKSPAN_DEFECT").unwrap_or_default();
        let is_named = |defect: &&Defect| named.split(',').any(|name| name == defect.name());
        Defect::ALL.iter().filter(is_named).copied().collect()
    });
    made.contains(&defect)
}
