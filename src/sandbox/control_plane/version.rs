//! Which Kubernetes is run?
//!
//! One pinned patch release for each minor that has a set of Go modules in
//! [`modules`](super::modules). Never "the newest": a test means the same thing every time.

use std::fmt;
use std::str::FromStr;

/// A Kubernetes minor version that a control plane can be started with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// Kubernetes 1.33, the oldest that Linkspan supports.
    V1_33,
    /// Kubernetes 1.36, the newest that Linkspan knows.
    #[default]
    V1_36,
}

impl Version {
    /// Every version, oldest first.
    pub const ALL: [Self; 2] = [Self::V1_33, Self::V1_36];

    /// Major and minor, as written in a setting: `1.36`.
    pub const fn minor(self) -> &'static str {
        match self {
            Self::V1_33 => "1.33",
            Self::V1_36 => "1.36",
        }
    }

    /// The patch release that is built: `1.36.3`.
    pub const fn release(self) -> &'static str {
        match self {
            Self::V1_33 => "1.33.13",
            Self::V1_36 => "1.36.3",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.minor())
    }
}

/// The text is no Kubernetes version that a control plane can be started with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no control plane for Kubernetes {0:?}: choose 1.33 or 1.36")]
pub struct UnknownVersion(pub String);

impl FromStr for Version {
    type Err = UnknownVersion;

    /// Reads `1.36`, `v1.36` or any patch release of it: the minor decides.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let minor = minor_of(text);
        Self::ALL
            .into_iter()
            .find(|version| Some(version.minor()) == minor.as_deref())
            .ok_or_else(|| UnknownVersion(text.to_owned()))
    }
}

/// The major and minor in a version: `1.36` of `v1.36.3`, nothing where there are no two numbers.
pub(super) fn minor_of(text: &str) -> Option<String> {
    let text = text.trim();
    let mut numbers = text.strip_prefix('v').unwrap_or(text).split('.');
    let major: u32 = numbers.next()?.parse().ok()?;
    let minor: u32 = numbers.next()?.parse().ok()?;
    Some(format!("{major}.{minor}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_with_or_without_its_patch_release() {
        for text in ["1.36", "v1.36", "1.36.3", "v1.36.0-rc.1", " 1.36\n"] {
            assert_eq!(text.parse(), Ok(Version::V1_36), "{text:?}");
        }
        assert_eq!("1.33".parse(), Ok(Version::V1_33));
    }

    #[test]
    fn an_unknown_version_is_refused_by_name() {
        for text in ["1.3", "1.363", "latest", "", "2.36"] {
            let error = text.parse::<Version>().unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?}")), "{error}");
        }
    }

    #[test]
    fn a_release_belongs_to_its_minor() {
        for version in Version::ALL {
            assert_eq!(version.release().parse(), Ok(version));
        }
    }
}
