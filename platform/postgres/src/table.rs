//! A table whose rows are written many at once: what the statements are made of.

/// A table. Its rows have a key and a version, both `bigint`.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// The column that names a row.
    pub key: &'static str,
    /// The column that counts the changes of a row: no change leaves it as it was.
    pub version: &'static str,
    /// What never changes.
    pub fixed: &'static [Column],
    /// What may change.
    pub changing: &'static [Column],
    /// The columns of the unique index in which new rows of different processes may meet. New rows are written in
    /// its sequence: two processes that wait for each other would wait for ever.
    pub meeting: &'static str,
    /// Who else may write a new row with the same key.
    pub keys: Keys,
}

/// Whose the keys of new rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Drawn from a sequence by who writes the row: if it is there, it is the writer's.
    Own,
    /// Given from outside: any process may write a row with the same key, so that it is there says nothing about who
    /// has written it, nor about what was said with it.
    Shared,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number (`bigint`, or what it can be assigned to), or none.
    Number,
    /// A text, or none.
    Text,
    /// Yes or no.
    Flag,
}

/// What is in a column of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// For [`Kind::Number`].
    Number(Option<i64>),
    /// For [`Kind::Text`].
    Text(Option<String>),
    /// For [`Kind::Flag`].
    Flag(bool),
}

impl Column {
    /// A column of numbers.
    #[must_use]
    pub const fn number(name: &'static str) -> Self {
        Self { name, kind: Kind::Number }
    }

    /// A column of texts.
    #[must_use]
    pub const fn text(name: &'static str) -> Self {
        Self { name, kind: Kind::Text }
    }

    /// A column of flags.
    #[must_use]
    pub const fn flag(name: &'static str) -> Self {
        Self { name, kind: Kind::Flag }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(Some(number))
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(str::to_owned))
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}
