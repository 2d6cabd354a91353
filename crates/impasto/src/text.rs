//! How alike two words are, to ask "did you mean …?".

/// The number of letters to add, drop or replace to make one word of the other (Levenshtein 1966).
pub(crate) fn letters_to_change(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::letters_to_change;

    #[test]
    fn letters_are_counted_as_people_do() {
        for (a, b, count) in [
            ("", "", 0),
            ("", "ink", 3),
            ("dots", "dots", 0),
            ("dots", "dot", 1),
            ("glass", "grass", 1),
            ("kitten", "sitting", 3),
            ("été", "ete", 2),
        ] {
            assert_eq!(letters_to_change(a, b), count, "{a} {b}");
            assert_eq!(letters_to_change(b, a), count, "{b} {a}");
        }
    }
}
