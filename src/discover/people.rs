//! Names of people that are common where legacy databases are, without those that are words too.

use std::collections::HashSet;
use std::sync::LazyLock;

static GIVEN_NAMES: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    "ada adam agnes ahmed alan albert alex alexander alice ali amy ana andrea andreas andrew \
    angela ann anna anne anthony antonio barbara ben benjamin bernd betty bob brenda brian \
    carlos carmen carol caroline catherine charles charlotte christian christine christopher \
    claire claudia daniel david deborah diana dieter donald dorothy edward elena elizabeth ella \
    emily emma eric eva fatima fiona francisco frank fred gary george georg gerald grace hannah \
    hans harry heinz helen helga henry ian ingrid isabel jack jacob james jan jane janet jason \
    javier jean jennifer jessica joan joe johan johanna john jonas jonathan jose joseph joshua \
    juan judith julia karen karin karl kate katherine kevin klaus larry laura lena leon lisa \
    louis lucas lucy luis lukas manuel marco margaret maria marie martha martin mary matthew max \
    maya megan mehmet michael michelle miguel mohamed mohammed monika nancy natalie nicole nina \
    noah olivia oscar pablo pamela patricia paul paula pedro peter petra philip pierre rachel \
    ralf rebecca richard robert roger ronald rosa ruth ryan sabine samuel sandra sara sarah sean \
    simon sofia sophie stefan stephen steven susan susanne thomas tim timothy tom ursula uwe \
    victor walter werner william wolfgang yusuf zoe"
        .split_ascii_whitespace()
        .collect()
});

static SURNAMES: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    "adams ahmed allen anderson bauer bernard brown campbell chen clark collins davies davis \
    dubois edwards evans fernandez fischer garcia gonzalez harris hernandez hoffmann hughes \
    ivanov jackson jensen johnson jones khan klein koch kowalski kumar larsen lewis lopez \
    martinez meyer miller mitchell moore moreau morgan morris mueller murphy nguyen nielsen \
    novak okafor patel perez phillips ramirez richter roberts robinson rodriguez rossi sanchez \
    santos schmidt schneider schulz singh smith stewart taylor thompson torres turner wagner \
    walker watson weber williams wilson wright"
        .split_ascii_whitespace()
        .collect()
});

/// Whether a word is a common given name, in whatever case.
pub(super) fn is_given_name(word: &str) -> bool {
    GIVEN_NAMES.contains(word.to_lowercase().as_str())
}

/// Whether a word is a common surname, in whatever case.
pub(super) fn is_surname(word: &str) -> bool {
    SURNAMES.contains(word.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_any_case() {
        assert!(is_given_name("Jane") && is_given_name("JANE") && is_surname("smith"));
        assert!(!is_given_name("paid") && !is_surname(""));
    }
}
