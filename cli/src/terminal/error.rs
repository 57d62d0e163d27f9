//! Errors for people: the operating system's words become a sentence that says what to do.

/// The operating system's words, and the words to print.
const PLAIN: [(&str, &str); 8] = [
    ("No such file or directory", "it does not exist; check the path"),
    ("Permission denied", "permission denied; check its owner and mode"),
    ("Is a directory", "it is a directory; name a file"),
    ("Not a directory", "a part of the path is not a directory; check the path"),
    ("File exists", "a file of this name exists; choose another name"),
    ("No space left on device", "the disk is full; free some space"),
    (
        "Connection refused",
        "connection refused; check the address, and that the service is running",
    ),
    ("Address already in use", "another program uses the address; stop it, or choose another port"),
];

/// The end of the operating system's words: ` (os error 2)`.
const NUMBER: &str = " (os error ";

/// Describes an error and its causes.
pub fn describe(error: &anyhow::Error) -> String {
    plain(&format!("{error:#}"))
}

/// Replaces the operating system's words in a text.
pub fn plain(text: &str) -> String {
    let mut text = text.to_owned();
    while let Some(at) = text.find(NUMBER) {
        let after = &text[at + NUMBER.len()..];
        let Some((number, rest)) = after.split_once(')') else { break };
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            break;
        }
        let before = &text[..at];
        let known =
            PLAIN.iter().find_map(|(words, plain)| Some((before.strip_suffix(words)?, plain)));
        let (before, plain) = known.map_or((before, ""), |(before, plain)| (before, *plain));
        text = format!("{before}{plain}{rest}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_error_shows_the_operating_systems_words() {
        let missing = std::fs::read_to_string("/no/such/file").unwrap_err();
        let missing = anyhow::Error::from(missing).context("cannot read /no/such/file");
        assert_eq!(
            describe(&missing),
            "cannot read /no/such/file: it does not exist; check the path"
        );
        assert_eq!(plain("a: Broken pipe (os error 32): b"), "a: Broken pipe: b");
        assert_eq!(plain("a (os error none): b"), "a (os error none): b");
        let two = "Is a directory (os error 21), Connection refused (os error 111)";
        assert!(!plain(two).contains("os error"), "{}", plain(two));
    }
}
