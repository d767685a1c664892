//! A text that is never shown, and where it comes from.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// A password. It is in no log: neither `Debug` nor an error of this crate shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret that somebody has in hand.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The content of a file without the line break at its end: as Kubernetes and Docker hand secrets over.
    pub fn read(path: &Path) -> std::io::Result<Self> {
        let text = std::fs::read_to_string(path)?;
        Ok(Self(text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    /// The text itself, for whoever has to present it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What proves who we are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Password {
    /// Nothing: the server does not ask.
    #[default]
    None,
    /// This.
    Text(Secret),
    /// What is in this file at the moment of connecting: a secret that was changed counts from the next connection on.
    File(PathBuf),
}

impl Password {
    /// What is to be presented now; a file that cannot be read is a sentence.
    pub(crate) fn now(&self) -> Result<Option<Secret>, String> {
        match self {
            Self::None => Ok(None),
            Self::Text(secret) => Ok(Some(secret.clone())),
            Self::File(path) => Secret::read(path)
                .map(Some)
                .map_err(|error| format!("the password file {} cannot be read: {error}", path.display())),
        }
    }
}
