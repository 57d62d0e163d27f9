//! The known word that a mistyped one probably means.

/// At most so many valid values are listed in a message.
const MAX_LISTED: usize = 8;

/// The maximum number of characters of the input that a message repeats.
const MAX_QUOTED_CHARS: usize = 60;

/// Says that a value names nothing, and which value may be meant: `reprots: no such feature; did
/// you mean reports?` If none is similar, the message lists the valid values, unless they are many.
pub fn no_such<'a>(
    kind: &str,
    value: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> String {
    let quoted: String = value.chars().take(MAX_QUOTED_CHARS).collect();
    let problem = format!("{quoted}: no such {kind}");
    if let Some(near) = nearest(value, known.clone()) {
        return format!("{problem}; did you mean {near}?");
    }
    let mut all: Vec<&str> = known.into_iter().collect();
    all.dedup();
    match &all[..] {
        [] => problem,
        [only] => format!("{problem}; the only one is {only}"),
        few if few.len() <= MAX_LISTED => format!("{problem}; choose one of {}", few.join(", ")),
        _ => problem,
    }
}

/// Returns the known word most similar to `word`, ignoring case. Of three characters, one may be
/// wrong, missing, added or swapped with the next.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let length = word.chars().count();
    if length > MAX_QUOTED_CHARS {
        return None;
    }
    let distances =
        known.into_iter().map(|one| (strsim::osa_distance(&word, &one.to_lowercase()), one));
    let (distance, one) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance < length && distance <= (length / 3).max(1)).then_some(one)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FEATURES: [&str; 3] = ["reports", "seats", "api_calls"];

    #[test]
    fn a_mistyped_word_is_recognized() {
        for (word, expected) in [
            ("reprots", "reports"),
            ("report", "reports"),
            ("Reports", "reports"),
            ("seat", "seats"),
            ("api-calls", "api_calls"),
        ] {
            assert_eq!(nearest(word, FEATURES), Some(expected), "{word}");
        }
        for word in ["", "x", "letters", "rprtss", &"reports".repeat(20)] {
            assert_eq!(nearest(word, FEATURES), None, "{word}");
        }
    }

    #[test]
    fn a_message_names_the_value_and_the_way_out() {
        let said = |value: &str, known: &[&str]| no_such("plan", value, known.iter().copied());
        assert_eq!(said("prp", &["pro", "team"]), "prp: no such plan; did you mean pro?");
        assert_eq!(said("gold", &["pro", "team"]), "gold: no such plan; choose one of pro, team");
        assert_eq!(said("gold", &["pro"]), "gold: no such plan; the only one is pro");
        assert_eq!(said("gold", &[]), "gold: no such plan");
        let many = ["a1", "b1", "c1", "d1", "e1", "f1", "g1", "h1", "i1"];
        assert_eq!(said("gold", &many), "gold: no such plan");
        assert!(said(&"x".repeat(3_000), &many).len() < MAX_QUOTED_CHARS + 30);
    }

    proptest! {
        #[test]
        fn a_word_is_nearest_to_itself(word in "[a-z_]{2,60}", other in "[a-z_]{2,60}") {
            prop_assert_eq!(nearest(&word, [other.as_str(), word.as_str()]), Some(word.as_str()));
        }

        #[test]
        fn one_typing_error_is_forgiven(word in "[a-y]{3,50}", place in 0..3_usize) {
            let mut letters: Vec<char> = word.chars().collect();
            letters[place] = 'z';
            let wrong: String = letters.iter().collect();
            prop_assert_eq!(nearest(&wrong, [word.as_str()]), Some(word.as_str()));
        }
    }
}
