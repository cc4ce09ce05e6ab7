//! Patterns under `products`.

use onramp_finding::codes::files;

use crate::definition::Complaint;

/// `**` crosses folders, `*` and `?` do not, and none of them shows hidden files.
pub(super) const OPTIONS: glob::MatchOptions = glob::MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// Whether it is a pattern that stays inside the gateway's folder.
pub(crate) fn check(text: &str) -> Result<(), Complaint> {
    let outside = text.starts_with('/') || text.split('/').any(|part| part == "..");
    if outside {
        return Err(Complaint::new(
            &files::OUTSIDE,
            format!("`{text}` leads out of the gateway's folder"),
            "write a path below the gateway file's folder, without `..` and without a `/` in front",
        ));
    }
    let trouble = match glob::Pattern::new(text) {
        Err(e) => e.msg.to_owned(),
        Ok(_) if text.trim().is_empty() => "it is empty".to_owned(),
        Ok(_) if text.len() > 1024 => "it is too long".to_owned(),
        Ok(_) => return Ok(()),
    };
    Err(Complaint::new(
        &files::BAD_VALUE,
        format!("this is not a path or pattern: {trouble}"),
        "write it like `products/**/*.yaml`",
    ))
}

/// The folders at the pattern's beginning that hold no wildcard.
pub(super) fn literal_folder(text: &str) -> &str {
    let wild = text.find(['*', '?', '[']).unwrap_or(text.len());
    text[..wild].rfind('/').map_or("", |at| &text[..at])
}
