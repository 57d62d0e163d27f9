//! `cjson.decode`: JSON to Lua values.
//!
//! Written by hand because strings in Redis are bytes, and because scripts see cjson's error
//! messages.

use mlua::{Lua, Table, Value};

use super::MAX_DEPTH;

/// Decodes JSON. The inner error is the message that cjson raises; the outer one comes from the
/// interpreter.
pub fn decode(lua: &Lua, text: &[u8]) -> mlua::Result<Result<Value, String>> {
    if text.len() >= 2 && text[..2].contains(&0) {
        return Ok(Err("JSON parser does not support UTF-16 or UTF-32".to_owned()));
    }
    let mut reader = Reader { lua, text, at: 0, depth: 0 };
    match reader.document() {
        Ok(value) => Ok(Ok(value)),
        Err(Stop::Message(message)) => Ok(Err(message)),
        Err(Stop::Interpreter(error)) => Err(error),
    }
}

enum Stop {
    Message(String),
    Interpreter(mlua::Error),
}

impl From<mlua::Error> for Stop {
    fn from(error: mlua::Error) -> Stop {
        Stop::Interpreter(error)
    }
}

enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    Colon,
    Comma,
    String(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    End,
    Invalid(&'static str),
}

impl Token {
    /// Its name in cjson's messages.
    fn name(&self) -> &'static str {
        match self {
            Token::ObjectBegin => "T_OBJ_BEGIN",
            Token::ObjectEnd => "T_OBJ_END",
            Token::ArrayBegin => "T_ARR_BEGIN",
            Token::ArrayEnd => "T_ARR_END",
            Token::Colon => "T_COLON",
            Token::Comma => "T_COMMA",
            Token::String(_) => "T_STRING",
            Token::Number(_) => "T_NUMBER",
            Token::Boolean(_) => "T_BOOLEAN",
            Token::Null => "T_NULL",
            Token::End => "T_END",
            Token::Invalid(what) => what,
        }
    }
}

struct Reader<'a> {
    lua: &'a Lua,
    text: &'a [u8],
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn document(&mut self) -> Result<Value, Stop> {
        let (token, start) = self.next();
        let value = self.value(token, start)?;
        match self.next() {
            (Token::End, _) => Ok(value),
            (token, start) => Err(expected("the end", &token, start)),
        }
    }

    fn value(&mut self, token: Token, start: usize) -> Result<Value, Stop> {
        Ok(match token {
            Token::String(bytes) => Value::String(self.lua.create_string(bytes)?),
            Token::Number(number) => Value::Number(number),
            Token::Boolean(boolean) => Value::Boolean(boolean),
            Token::Null => Value::NULL,
            Token::ObjectBegin => Value::Table(self.nested(start, Self::object)?),
            Token::ArrayBegin => Value::Table(self.nested(start, Self::array)?),
            other => return Err(expected("value", &other, start)),
        })
    }

    fn nested(
        &mut self,
        start: usize,
        read: fn(&mut Self) -> Result<Table, Stop>,
    ) -> Result<Table, Stop> {
        if self.depth >= MAX_DEPTH {
            let (depth, at) = (self.depth + 1, start + 1);
            let message =
                format!("Found too many nested data structures ({depth}) at character {at}");
            return Err(Stop::Message(message));
        }
        self.depth += 1;
        let table = read(self);
        self.depth -= 1;
        table
    }

    fn object(&mut self) -> Result<Table, Stop> {
        let table = self.lua.create_table()?;
        let (mut token, mut start) = self.next();
        if matches!(token, Token::ObjectEnd) {
            return Ok(table);
        }
        loop {
            let Token::String(key) = token else {
                return Err(expected("object key string", &token, start));
            };
            match self.next() {
                (Token::Colon, _) => {}
                (token, start) => return Err(expected("colon", &token, start)),
            }
            let (first, at) = self.next();
            let value = self.value(first, at)?;
            table.raw_set(self.lua.create_string(key)?, value)?;
            match self.next() {
                (Token::ObjectEnd, _) => return Ok(table),
                (Token::Comma, _) => (token, start) = self.next(),
                (token, start) => return Err(expected("comma or object end", &token, start)),
            }
        }
    }

    fn array(&mut self) -> Result<Table, Stop> {
        let table = self.lua.create_table()?;
        let (mut token, mut start) = self.next();
        if matches!(token, Token::ArrayEnd) {
            return Ok(table);
        }
        loop {
            table.raw_push(self.value(token, start)?)?;
            match self.next() {
                (Token::ArrayEnd, _) => return Ok(table),
                (Token::Comma, _) => (token, start) = self.next(),
                (token, start) => return Err(expected("comma or array end", &token, start)),
            }
        }
    }

    /// Returns the next token and its start. For an invalid token, returns the position of the
    /// error.
    fn next(&mut self) -> (Token, usize) {
        while self.text.get(self.at).is_some_and(|byte| b" \t\r\n".contains(byte)) {
            self.at += 1;
        }
        let start = self.at;
        let Some(&first) = self.text.get(self.at) else {
            return (Token::End, start);
        };
        let token = match first {
            b'{' => self.skip(1, Token::ObjectBegin),
            b'}' => self.skip(1, Token::ObjectEnd),
            b'[' => self.skip(1, Token::ArrayBegin),
            b']' => self.skip(1, Token::ArrayEnd),
            b':' => self.skip(1, Token::Colon),
            b',' => self.skip(1, Token::Comma),
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            _ if self.text[start..].starts_with(b"true") => self.skip(4, Token::Boolean(true)),
            _ if self.text[start..].starts_with(b"false") => self.skip(5, Token::Boolean(false)),
            _ if self.text[start..].starts_with(b"null") => self.skip(4, Token::Null),
            _ => Token::Invalid("invalid token"),
        };
        let place = if matches!(token, Token::Invalid(_)) { self.at } else { start };
        (token, place)
    }

    fn skip(&mut self, bytes: usize, token: Token) -> Token {
        self.at += bytes;
        token
    }

    /// Reads the longest text that C parses as a decimal number, so leading zeros are allowed.
    fn number(&mut self) -> Token {
        let digits = |from: usize| {
            let rest = self.text.get(from..).unwrap_or_default();
            from + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
        };
        let mut end = digits(self.at + usize::from(self.text[self.at] == b'-'));
        if self.text.get(end) == Some(&b'.') {
            end = digits(end + 1);
        }
        if matches!(self.text.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(self.text.get(end + 1), Some(b'+' | b'-')));
            let exponent = end + 1 + sign;
            if digits(exponent) > exponent {
                end = digits(exponent);
            }
        }
        let number = std::str::from_utf8(&self.text[self.at..end]).ok();
        match number.and_then(|number| number.parse().ok()) {
            Some(number) => self.skip(end - self.at, Token::Number(number)),
            None => Token::Invalid("invalid number"),
        }
    }

    fn string(&mut self) -> Token {
        let mut bytes = Vec::new();
        self.at += 1;
        loop {
            match self.text.get(self.at) {
                None | Some(0) => return Token::Invalid("unexpected end of string"),
                Some(b'"') => return self.skip(1, Token::String(bytes)),
                Some(b'\\') => {
                    if let Err(what) = self.escape(&mut bytes) {
                        return Token::Invalid(what);
                    }
                }
                Some(&byte) => {
                    bytes.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    fn escape(&mut self, bytes: &mut Vec<u8>) -> Result<(), &'static str> {
        let byte = match self.text.get(self.at + 1) {
            Some(&byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'b') => 0x08,
            Some(b'f') => 0x0c,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                let character = self.unicode().ok_or("invalid unicode escape code")?;
                bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => return Err("invalid escape code"),
        };
        bytes.push(byte);
        self.at += 2;
        Ok(())
    }

    /// `\uXXXX`, or two of them that are a surrogate pair.
    fn unicode(&mut self) -> Option<char> {
        let high = self.hexadecimal(self.at)?;
        if let Some(character) = char::from_u32(high) {
            self.at += 6;
            return Some(character);
        }
        let low = self.hexadecimal(self.at + 6)?;
        let pair = char::decode_utf16([u16::try_from(high).ok()?, u16::try_from(low).ok()?]);
        let character = pair.into_iter().next()?.ok()?;
        self.at += 12;
        Some(character)
    }

    fn hexadecimal(&self, at: usize) -> Option<u32> {
        let digits = self.text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        let digits = std::str::from_utf8(digits).ok()?;
        let all_digits = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        all_digits.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
    }
}

fn expected(what: &str, found: &Token, start: usize) -> Stop {
    let (found, at) = (found.name(), start + 1);
    Stop::Message(format!("Expected {what} but found {found} at character {at}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstash::engine::cjson;

    fn reencoded(text: &str) -> Result<String, String> {
        let lua = Lua::new();
        let value = decode(&lua, text.as_bytes()).unwrap()?;
        Ok(String::from_utf8_lossy(&cjson::encode(&value).unwrap().unwrap()).into_owned())
    }

    #[test]
    fn decoded_json_encodes_to_the_same_text() {
        for text in ["[1,2.5,-3e+20]", r#"{"a":[true,false,null,"\u0001\n"]}"#, "{}", r#""é""#] {
            assert_eq!(reencoded(text).unwrap(), text);
        }
        assert_eq!(reencoded(" [ ] ").unwrap(), "{}");
        assert_eq!(reencoded(r#""\u00e9\ud83d\ude00\/""#).unwrap(), "\"é😀\\/\"");
        assert_eq!(reencoded("[01, 1.]").unwrap(), "[1,1]");
    }

    #[test]
    fn an_error_names_the_token_and_its_position() {
        for (text, message) in [
            ("", "Expected value but found T_END at character 1"),
            ("{", "Expected object key string but found T_END at character 2"),
            (r#"{"a" 1}"#, "Expected colon but found T_NUMBER at character 6"),
            ("[1 2]", "Expected comma or array end but found T_NUMBER at character 4"),
            ("[1,]", "Expected value but found T_ARR_END at character 4"),
            ("nonsense", "Expected value but found invalid token at character 1"),
            ("1 2", "Expected the end but found T_NUMBER at character 3"),
        ] {
            assert_eq!(reencoded(text).unwrap_err(), message, "{text}");
        }
        for text in [r#""abc"#, r#""\x""#, r#""\ud800""#, r#""\u12""#, "-"] {
            assert!(reencoded(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nesting_has_a_limit() {
        // The engine's thread has a larger stack than a test's.
        let read = || reencoded(&"[".repeat(1001));
        let thread = std::thread::Builder::new().stack_size(16 * 1024 * 1024).spawn(read);
        let message = thread.unwrap().join().unwrap().unwrap_err();
        assert!(message.contains("Found too many nested data structures (1001)"));
    }
}
