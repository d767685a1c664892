//! Passwords: texts that are never shown, and where they come from.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// A password. It is in no log: `Debug` does not show it.
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
    #[must_use]
    pub fn expose(&self) -> &str {
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
    ///
    /// # Errors
    /// The sentence, which names the file and not what is in it.
    pub fn now(&self) -> Result<Option<Secret>, String> {
        match self {
            Self::None => Ok(None),
            Self::Text(secret) => Ok(Some(secret.clone())),
            Self::File(path) => Secret::read(path)
                .map(Some)
                .map_err(|error| format!("the password file {} cannot be read: {error}", path.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let password = Password::Text(Secret::new("ge heim"));
        assert_eq!(format!("{password:?}"), "Text(***)");
    }

    #[test]
    fn a_file_is_read_anew_each_time() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let password = Password::File(file.path().to_owned());
        for text in ["first", "second"] {
            std::fs::write(file.path(), format!("{text}\n")).expect("written");
            assert_eq!(password.now(), Ok(Some(Secret::new(text))));
        }
        drop(file);
        assert!(password.now().expect_err("it is gone").contains("cannot be read"));
    }
}
