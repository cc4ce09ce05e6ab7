//! Drafts on disk: a file that is there is never overwritten unless that was asked for.

use std::io::Write;
use std::path::Path;

use onramp_finding::codes::discovery as codes;
use onramp_finding::{Failure, Finding, Kind, Place};

/// Writes a file, with the folders above it; false where one is there and may stay.
pub(crate) fn write(path: &Path, text: &str, force: bool) -> Result<bool, Failure> {
    let refused = |e: std::io::Error| {
        Failure::stop(
            Kind::Configuration,
            Finding::error(
                &codes::CANNOT_WRITE,
                Place::Path(path.display().to_string()),
                "the draft cannot be written",
            )
            .because(e.to_string())
            .remedy(codes::CANNOT_WRITE.remedy),
        )
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(refused)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    match force {
        true => options.create(true).truncate(true),
        // One system call decides: what appears meanwhile is not overwritten either.
        false => options.create_new(true),
    };
    let mut file = match options.open(path) {
        Err(e) if !force && e.kind() == std::io::ErrorKind::AlreadyExists => return Ok(false),
        opened => opened.map_err(refused)?,
    };
    file.write_all(text.as_bytes()).map_err(refused)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::write;

    #[test]
    fn what_is_there_stays_unless_it_is_forced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.yaml");
        assert!(write(&path, "one, and longer", false).unwrap());
        assert!(!write(&path, "two", false).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one, and longer");
        assert!(write(&path, "two", true).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two");
        let failure = write(&path.join("c"), "x", false).unwrap_err();
        assert_eq!(failure.findings[0].code.id, "ONR-639");
    }
}
