//! The types that the checker knows. CEL has more (unsigned numbers, bytes, optional values);
//! nothing of a booking needs them, so expressions go without.

use std::fmt;

/// What one value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Int,
    Double,
    Text,
    Duration,
    Time,
    Null,
    /// Known only when it is looked at: answers, metadata, lookups.
    Dyn,
}

/// What an expression gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    One(Kind),
    List(Kind),
    /// Keys are strings.
    Map(Kind),
}

impl Type {
    pub(super) const BOOL: Self = Self::One(Kind::Bool);
    pub(super) const INT: Self = Self::One(Kind::Int);
    pub(super) const DOUBLE: Self = Self::One(Kind::Double);
    pub(super) const TEXT: Self = Self::One(Kind::Text);
    pub(super) const DURATION: Self = Self::One(Kind::Duration);
    pub(super) const TIME: Self = Self::One(Kind::Time);
    pub(super) const DYN: Self = Self::One(Kind::Dyn);

    pub(super) fn is_dyn(self) -> bool {
        self == Self::DYN
    }

    pub(super) fn is_number(self) -> bool {
        self == Self::INT || self == Self::DOUBLE
    }

    /// What stands in a list or map of this, when it is taken out one by one.
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::One(kind) => kind,
            Self::List(_) | Self::Map(_) => Kind::Dyn,
        }
    }

    /// Whether `==` between the two can ever be true.
    pub(super) fn equals(self, other: Self) -> bool {
        match (self, other) {
            (a, b) if a.is_dyn() || b.is_dyn() => true,
            (a, b) if a.is_number() && b.is_number() => true,
            (Self::One(a), Self::One(b)) => a == b,
            (Self::List(a), Self::List(b)) | (Self::Map(a), Self::Map(b)) => {
                Self::One(a).equals(Self::One(b))
            }
            (Self::One(_), Self::List(_) | Self::Map(_))
            | (Self::List(_), Self::One(_) | Self::Map(_))
            | (Self::Map(_), Self::One(_) | Self::List(_)) => false,
        }
    }

    /// One of these where that is wanted.
    pub(super) fn fits(self, wanted: Self) -> bool {
        self == wanted
            || self.is_dyn()
            || wanted.is_dyn()
            || matches!(
                (self, wanted),
                (Self::List(_), Self::List(Kind::Dyn)) | (Self::Map(_), Self::Map(Kind::Dyn))
            )
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Double => "double",
            Self::Text => "string",
            Self::Duration => "duration",
            Self::Time => "timestamp",
            Self::Null => "null",
            Self::Dyn => "dyn",
        })
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(kind) => kind.fmt(f),
            Self::List(kind) => write!(f, "list({kind})"),
            Self::Map(kind) => write!(f, "map(string, {kind})"),
        }
    }
}
