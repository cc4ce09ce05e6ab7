//! The token that callers show.

use axum::http::{HeaderMap, header};
use onramp_finding::codes::running;
use onramp_finding::{Failure, Finding, Kind, Place};
use onramp_language::Secret;
use sha2::{Digest, Sha256};

/// A token's hash. Hashes are compared, and whole: how long that takes tells nothing of the token,
/// its length included.
pub(super) struct Token([u8; 32]);

impl Token {
    /// Reads it from where the gateway file says.
    pub(super) fn read(secret: &Secret) -> Result<Token, Failure> {
        let refused = |reason: String| {
            Failure::stop(
                Kind::Configuration,
                Finding::error(
                    &running::SECRET_UNREADABLE,
                    Place::Setting("admin.token".into()),
                    "the secret cannot be read",
                )
                .because(reason)
                .remedy("set the environment variable, or make the file readable to the gateway"),
            )
        };
        match secret.read() {
            Ok(text) if text.trim().is_empty() => Err(refused("it is empty".to_owned())),
            Ok(text) => Ok(Token(Sha256::digest(text.as_bytes()).into())),
            Err(reason) => Err(refused(reason)),
        }
    }

    /// Whether a request shows it.
    pub(super) fn shown_in(&self, headers: &HeaderMap) -> bool {
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return false;
        };
        let Some((scheme, shown)) = value.to_str().ok().and_then(|v| v.split_once(' ')) else {
            return false;
        };
        let shown: [u8; 32] = Sha256::digest(shown.as_bytes()).into();
        let differing = shown
            .iter()
            .zip(&self.0)
            .fold(0, |all, (a, b)| all | (a ^ b));
        // Not to be taken apart into comparisons that end early.
        scheme.eq_ignore_ascii_case("bearer") && std::hint::black_box(differing) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_and_nothing_else_lets_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "s3cret\n").unwrap();
        let token = Token::read(&Secret::File(path.clone())).unwrap();
        let shown = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            token.shown_in(&headers)
        };
        assert!(shown("Bearer s3cret") && shown("bearer s3cret"));
        for wrong in [
            "Bearer s3cre",
            "Bearer s3crets",
            "Bearer ",
            "Basic s3cret",
            "s3cret",
        ] {
            assert!(!shown(wrong), "{wrong}");
        }
        assert!(!token.shown_in(&HeaderMap::new()));
        std::fs::write(&path, "\n").unwrap();
        assert!(
            Token::read(&Secret::File(path)).is_err(),
            "an empty one lets nobody in"
        );
    }
}
