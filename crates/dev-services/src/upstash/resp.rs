//! The Redis protocol, version 2: writes commands and reads replies.
//!
//! Deliberately absent: RESP3, which Farebox never requests, and inline commands.

use std::io;
use std::pin::Pin;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

/// Redis never sends a longer status, error or length line.
const MAX_LINE_BYTES: u64 = 64 * 1024;
/// Redis's own limit on the size of one string.
const MAX_STRING_BYTES: i64 = 512 * 1024 * 1024;
const MAX_ARRAY_LENGTH: i64 = 4 * 1024 * 1024;
const MAX_DEPTH: usize = 64;

/// Redis's answer to a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    Status(String),
    Error(String),
    Integer(i64),
    String(Vec<u8>),
    Nil,
    Array(Vec<Reply>),
}

impl Reply {
    pub fn ok() -> Reply {
        Reply::Status("OK".to_owned())
    }

    /// EXEC's reply if one of the commands is invalid.
    pub fn aborted() -> Reply {
        Reply::Error("EXECABORT Transaction discarded because of previous errors.".to_owned())
    }

    pub fn string(bytes: impl Into<Vec<u8>>) -> Reply {
        Reply::String(bytes.into())
    }
}

/// Appends a command in the form a server reads: an array of strings.
pub fn write_command<A: AsRef<[u8]>>(out: &mut Vec<u8>, command: &[A]) {
    out.extend_from_slice(format!("*{}\r\n", command.len()).as_bytes());
    for argument in command {
        let argument = argument.as_ref();
        out.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        out.extend_from_slice(argument);
        out.extend_from_slice(b"\r\n");
    }
}

/// Reads exactly one reply. After an error the stream is unusable.
pub async fn read_reply<R>(stream: &mut R) -> io::Result<Reply>
where
    R: AsyncBufRead + Unpin + Send,
{
    read_nested(stream, 0).await
}

type Reading<'a> = Pin<Box<dyn Future<Output = io::Result<Reply>> + Send + 'a>>;

/// Boxed because an array's elements are replies themselves.
fn read_nested<R>(stream: &mut R, depth: usize) -> Reading<'_>
where
    R: AsyncBufRead + Unpin + Send,
{
    Box::pin(async move {
        if depth > MAX_DEPTH {
            return Err(malformed("a reply is nested too deeply"));
        }
        let line = read_line(stream).await?;
        let (kind, rest) = line.split_first().ok_or_else(|| malformed("an empty line"))?;
        match kind {
            b'+' => Ok(Reply::Status(lossy(rest))),
            b'-' => Ok(Reply::Error(lossy(rest))),
            b':' => Ok(Reply::Integer(number(rest)?)),
            b'$' => read_string(stream, number(rest)?).await,
            b'*' => {
                let length = number(rest)?;
                if length < 0 {
                    return Ok(Reply::Nil);
                }
                if length > MAX_ARRAY_LENGTH {
                    return Err(malformed("an array is too long"));
                }
                let mut items = Vec::new();
                for _ in 0..length {
                    items.push(read_nested(stream, depth + 1).await?);
                }
                Ok(Reply::Array(items))
            }
            _ => Err(malformed("an unknown kind of reply")),
        }
    })
}

async fn read_string<R>(stream: &mut R, length: i64) -> io::Result<Reply>
where
    R: AsyncBufRead + Unpin + Send,
{
    if length < 0 {
        return Ok(Reply::Nil);
    }
    if length > MAX_STRING_BYTES {
        return Err(malformed("a string is too long"));
    }
    let length = usize::try_from(length).map_err(|_| malformed("a string is too long"))?;
    let mut bytes = vec![0; length + 2];
    stream.read_exact(&mut bytes).await?;
    if !bytes.ends_with(b"\r\n") {
        return Err(malformed("a string without its end"));
    }
    bytes.truncate(length);
    Ok(Reply::String(bytes))
}

async fn read_line<R>(stream: &mut R) -> io::Result<Vec<u8>>
where
    R: AsyncBufRead + Unpin + Send,
{
    let mut line = Vec::new();
    stream.take(MAX_LINE_BYTES).read_until(b'\n', &mut line).await?;
    if line.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if !line.ends_with(b"\r\n") {
        return Err(malformed("a line without its end"));
    }
    line.truncate(line.len() - 2);
    Ok(line)
}

fn number(text: &[u8]) -> io::Result<i64> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| malformed("a length or an integer that is not a number"))
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("Redis sent {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(mut wire: &[u8]) -> io::Result<Reply> {
        read_reply(&mut wire).await
    }

    #[test]
    fn a_command_is_an_array_of_length_prefixed_strings() {
        let mut wire = Vec::new();
        write_command(&mut wire, &[b"SET".as_slice(), b"k", b"\r\n\x00"]);
        assert_eq!(wire, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\n\r\n\x00\r\n");
    }

    #[tokio::test]
    async fn every_kind_of_reply_is_read() {
        assert_eq!(read(b"+OK\r\n").await.unwrap(), Reply::ok());
        assert_eq!(read(b"-ERR no\r\n").await.unwrap(), Reply::Error("ERR no".into()));
        assert_eq!(read(b":-7\r\n").await.unwrap(), Reply::Integer(-7));
        assert_eq!(read(b"$2\r\n\r\n\r\n").await.unwrap(), Reply::string("\r\n"));
        assert_eq!(read(b"$-1\r\n").await.unwrap(), Reply::Nil);
        assert_eq!(read(b"*-1\r\n").await.unwrap(), Reply::Nil);
        assert_eq!(
            read(b"*2\r\n*1\r\n:1\r\n$0\r\n\r\n").await.unwrap(),
            Reply::Array(vec![Reply::Array(vec![Reply::Integer(1)]), Reply::string("")])
        );
    }

    #[tokio::test]
    async fn a_reply_that_is_cut_short_or_malformed_is_an_error() {
        let wires: [&[u8]; 9] = [
            b"",
            b"+OK",
            b"+OK\n",
            b"$5\r\nabc",
            b"$3\r\nabcde",
            b":x\r\n",
            b"?\r\n",
            b"*2\r\n:1\r\n",
            b"$999999999999\r\n",
        ];
        for wire in wires {
            assert!(read(wire).await.is_err(), "{}", String::from_utf8_lossy(wire));
        }
        let nested = "*1\r\n".repeat(1000) + ":1\r\n";
        assert!(read(nested.as_bytes()).await.is_err());
    }
}
