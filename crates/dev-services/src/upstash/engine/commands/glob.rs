//! Matches the patterns of KEYS: `*`, `?`, `[a-c]`, `[^a]` and a backslash before a literal.

/// Returns true if all of `text` matches `pattern`.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut position) = (0, 0);
    // The position to continue at after a mismatch: after the last `*`, which then takes one more
    // byte.
    let mut retry = None;
    loop {
        if pattern.get(at) == Some(&b'*') {
            at += 1;
            retry = Some((at, position));
            continue;
        }
        let taken = text.get(position).and_then(|byte| one(&pattern[at..], *byte));
        match (taken, retry) {
            (None, _) if at == pattern.len() && position == text.len() => return true,
            (Some(length), _) => {
                at += length;
                position += 1;
            }
            (None, Some((after_star, begun))) if begun < text.len() => {
                at = after_star;
                position = begun + 1;
                retry = Some((after_star, begun + 1));
            }
            (None, _) => return false,
        }
    }
}

/// Returns the length of the part of `pattern` that matches `byte`, or `None` if none does.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'\\', literal, ..] => (*literal == byte).then_some(2),
        [b'[', rest @ ..] => class(rest, byte).map(|length| length + 1),
        [literal, ..] => (*literal == byte).then_some(1),
        [] => None,
    }
}

/// The same for a pattern after its `[`. As in Redis, the end of the pattern closes an open class.
fn class(pattern: &[u8], byte: u8) -> Option<usize> {
    let negated = pattern.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    loop {
        let (range, length) = match &pattern[at.min(pattern.len())..] {
            [] => break,
            [b']', ..] => {
                at += 1;
                break;
            }
            [b'\\', literal, ..] => ((*literal, *literal), 2),
            [from, b'-', to, ..] => ((*from.min(to), *from.max(to)), 3),
            [literal, ..] => ((*literal, *literal), 1),
        };
        found |= (range.0..=range.1).contains(&byte);
        at += length;
    }
    (found != negated).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, text, expected) in [
            ("user:*:entitlement", "user:ann:entitlement", true),
            ("user:*:entitlement", "user:ann:entitlement:x", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-d", false),
            ("h?llo", "hallo", true),
            ("h?llo", "hllo", false),
            ("h[ae]llo", "hello", true),
            ("h[^e]llo", "hello", false),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("h\\?llo", "h?llo", true),
            ("h\\?llo", "hallo", false),
            ("[ab", "b", true),
            ("**a", "bba", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }
}
