//! The types that the checker knows. CEL has more (unsigned numbers, bytes, optional values), but
//! no property of a booking needs them, so expressions do without.

use std::fmt;

/// The kind of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// True or false.
    Bool,
    /// A whole number.
    Int,
    /// A number with a fraction.
    Double,
    /// A text.
    Text,
    /// A length of time.
    Duration,
    /// An instant.
    Time,
    /// No value.
    Null,
    /// Known only when the value is read: answers, metadata, lookups.
    Dyn,
}

/// The number that an expression gives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NumberValue {
    /// A whole number.
    Whole(i64),
    /// A number of floating point, which may be whole, too.
    Double(f64),
}

/// The type of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// One value of this kind.
    Scalar(ValueKind),
    /// Values of this kind, in order.
    List(ValueKind),
    /// Keys are strings.
    Map(ValueKind),
}

impl Type {
    pub(super) const BOOL: Self = Self::Scalar(ValueKind::Bool);
    pub(super) const INT: Self = Self::Scalar(ValueKind::Int);
    pub(super) const DOUBLE: Self = Self::Scalar(ValueKind::Double);
    pub(super) const TEXT: Self = Self::Scalar(ValueKind::Text);
    pub(super) const DURATION: Self = Self::Scalar(ValueKind::Duration);
    pub(super) const TIME: Self = Self::Scalar(ValueKind::Time);
    pub(super) const DYN: Self = Self::Scalar(ValueKind::Dyn);

    pub(super) fn is_dyn(self) -> bool {
        self == Self::DYN
    }

    pub(super) fn is_number(self) -> bool {
        self == Self::INT || self == Self::DOUBLE
    }

    /// Returns the kind of the elements of a list or map that holds values of this type.
    pub(super) fn kind_as_element(self) -> ValueKind {
        match self {
            Self::Scalar(kind) => kind,
            Self::List(_) | Self::Map(_) => ValueKind::Dyn,
        }
    }

    /// Returns true if `==` between the two can ever be true.
    pub(super) fn is_comparable_with(self, other: Self) -> bool {
        match (self, other) {
            (a, b) if a.is_dyn() || b.is_dyn() => true,
            (a, b) if a.is_number() && b.is_number() => true,
            (Self::Scalar(a), Self::Scalar(b)) => a == b,
            (Self::List(a), Self::List(b)) | (Self::Map(a), Self::Map(b)) => {
                Self::Scalar(a).is_comparable_with(Self::Scalar(b))
            }
            (Self::Scalar(_), Self::List(_) | Self::Map(_))
            | (Self::List(_), Self::Scalar(_) | Self::Map(_))
            | (Self::Map(_), Self::Scalar(_) | Self::List(_)) => false,
        }
    }

    /// Returns true if a value of this type may be used where the expected type is required.
    pub(super) fn is_assignable_to(self, expected: Self) -> bool {
        self == expected
            || self.is_dyn()
            || expected.is_dyn()
            || matches!(
                (self, expected),
                (Self::List(_), Self::List(ValueKind::Dyn))
                    | (Self::Map(_), Self::Map(ValueKind::Dyn))
            )
    }
}

impl fmt::Display for ValueKind {
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
            Self::Scalar(kind) => kind.fmt(f),
            Self::List(kind) => write!(f, "list({kind})"),
            Self::Map(kind) => write!(f, "map(string, {kind})"),
        }
    }
}
