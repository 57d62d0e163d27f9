//! The known word that a mistyped one probably means.

/// Ends a message about an unknown word: with the word that was probably meant, or with all words.
pub(crate) fn suggestion<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> String {
    let distances = known.clone().into_iter().map(|one| (strsim::osa_distance(word, one), one));
    let nearest = distances.min_by_key(|(distance, _)| *distance);
    match nearest.filter(|(distance, _)| *distance <= (word.chars().count() / 3).max(1)) {
        Some((_, near)) => format!("did you mean {near}?"),
        None => format!("available: {}", known.into_iter().collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::suggestion;

    #[test]
    fn a_mistyped_word_is_recognized() {
        let known = ["duplicate", "drop"];
        assert_eq!(suggestion("dupliacte", known), "did you mean duplicate?");
        assert_eq!(suggestion("late", known), "available: duplicate, drop");
    }
}
