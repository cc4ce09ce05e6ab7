use std::path::PathBuf;

/// Where a secret is: never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// `{ env: NAME }`.
    Env(String),
    /// `{ file: PATH }`: read again at each use, so that it can be rotated.
    File(PathBuf),
}

impl Secret {
    /// Reads it; one line end at a file's end does not count. The error names where it was looked
    /// for, and nothing of what was found.
    pub fn read(&self) -> Result<String, String> {
        match self {
            Secret::Env(name) => std::env::var(name)
                .map_err(|_| format!("the environment variable {name} is not set or not UTF-8")),
            Secret::File(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|e| format!("the file {} cannot be read: {e}", path.display()))?;
                let text = text.strip_suffix('\n').unwrap_or(&text);
                Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
            }
        }
    }
}
