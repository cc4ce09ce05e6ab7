use std::fmt;
use std::str::FromStr;

/// A subject's compatibility level, with the meaning that schema registries give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// Anything goes.
    None,
    /// The new version reads what the latest one wrote.
    Backward,
    /// The new version reads what every earlier one wrote.
    BackwardTransitive,
    /// The latest version reads what the new one writes.
    Forward,
    /// Every earlier version reads what the new one writes.
    ForwardTransitive,
    /// Both ways, against the latest version.
    Full,
    /// Both ways, against every earlier version.
    FullTransitive,
}

impl Level {
    /// All of them.
    pub const ALL: [Level; 7] = [
        Level::None,
        Level::Backward,
        Level::BackwardTransitive,
        Level::Forward,
        Level::ForwardTransitive,
        Level::Full,
        Level::FullTransitive,
    ];

    /// The word that the registry knows it by.
    pub fn word(self) -> &'static str {
        match self {
            Level::None => "NONE",
            Level::Backward => "BACKWARD",
            Level::BackwardTransitive => "BACKWARD_TRANSITIVE",
            Level::Forward => "FORWARD",
            Level::ForwardTransitive => "FORWARD_TRANSITIVE",
            Level::Full => "FULL",
            Level::FullTransitive => "FULL_TRANSITIVE",
        }
    }

    /// Whether the new version must read what earlier ones wrote.
    pub fn is_backward(self) -> bool {
        matches!(
            self,
            Level::Backward | Level::BackwardTransitive | Level::Full | Level::FullTransitive
        )
    }

    /// Whether earlier versions must read what the new one writes.
    pub fn is_forward(self) -> bool {
        matches!(
            self,
            Level::Forward | Level::ForwardTransitive | Level::Full | Level::FullTransitive
        )
    }

    /// Whether every earlier version counts, or the latest alone.
    pub fn is_transitive(self) -> bool {
        matches!(
            self,
            Level::BackwardTransitive | Level::ForwardTransitive | Level::FullTransitive
        )
    }

    /// Those of the versions, in ascending order, that a new one is held against.
    pub fn binding<T>(self, versions: &[T]) -> &[T] {
        if self == Level::None {
            &[]
        } else if self.is_transitive() {
            versions
        } else {
            &versions[versions.len().saturating_sub(1)..]
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A word that names no compatibility level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownLevel;

impl FromStr for Level {
    type Err = UnknownLevel;

    /// Reads the registry's word or the product file's, which is the same in lower case.
    fn from_str(word: &str) -> Result<Self, UnknownLevel> {
        Level::ALL
            .into_iter()
            .find(|level| level.word().eq_ignore_ascii_case(word))
            .ok_or(UnknownLevel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_read_as_it_is_written() {
        for level in Level::ALL {
            assert_eq!(level.word().parse(), Ok(level));
            assert_eq!(level.word().to_lowercase().parse(), Ok(level));
        }
        assert_eq!("full transitive".parse::<Level>(), Err(UnknownLevel));
    }

    #[test]
    fn the_versions_that_bind() {
        assert_eq!(Level::None.binding(&[1, 2, 3]), &[] as &[i32]);
        assert_eq!(Level::Full.binding(&[1, 2, 3]), &[3]);
        assert_eq!(Level::FullTransitive.binding(&[1, 2, 3]), &[1, 2, 3]);
        assert_eq!(Level::Backward.binding::<i32>(&[]), &[] as &[i32]);
    }
}
