//! Did you mean?

/// Nobody slips with a longer word; the work grows with its square.
const MAX_BYTES: usize = 130;

/// The word that is nearest to a text, if one is near enough to be meant.
pub fn nearest<'w>(text: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let text = normal(text);
    if text.is_empty() || text.len() > MAX_BYTES {
        return None;
    }
    words
        .into_iter()
        .map(|w| (distance(&text, &normal(w)), w))
        .min_by_key(|(d, _)| *d)
        .filter(|(d, w)| *d <= (w.len().max(text.len()) / 3).clamp(1, 3))
        .map(|(_, w)| w)
}

/// Case and the separator do not count: `keyFormat` means `key_format`.
fn normal(text: &str) -> String {
    text.chars()
        .filter(|c| !matches!(c, '_' | '-' | ' '))
        .flat_map(char::to_lowercase)
        .collect()
}

/// Edits between two words, a swap of neighbours counted once.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1)
                .min(rows[i][j - 1] + 1)
                .min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_of_the_hand_is_understood_and_another_word_is_not() {
        let words = || ["description", "key_format", "owner", "status"].into_iter();
        assert_eq!(nearest("discription", words()), Some("description"));
        assert_eq!(nearest("keyFormat", words()), Some("key_format"));
        assert_eq!(nearest("onwer", words()), Some("owner"));
        assert_eq!(nearest("frequency", words()), None);
        assert_eq!(nearest("", words()), None);
    }
}
