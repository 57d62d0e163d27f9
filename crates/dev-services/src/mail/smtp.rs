//! Serves one sender's connection, from the greeting to QUIT.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Mail, Mode};

const IDLE: Duration = Duration::from_secs(60);
/// RFC 5321 limits a line to 1,000 bytes, but the line that carries a password may be longer.
const MAX_LINE_BYTES: u64 = 4_096;
const MAX_MESSAGE_BYTES: usize = 1024 * 1024;
const MAX_RECIPIENTS: usize = 100;

struct Connection {
    stream: BufReader<TcpStream>,
}

/// The sender and the recipients of the message in progress.
#[derive(Default)]
struct Envelope {
    from: Option<String>,
    to: Vec<String>,
}

pub(super) async fn serve(stream: TcpStream, mail: &Mail) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut connection = Connection { stream: BufReader::new(stream) };
    let mut envelope = Envelope::default();
    connection.say("220 farebox: captures mail and delivers none").await?;
    loop {
        let line = connection.line().await?;
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        let (verb, rest) = line.split_once([' ', ':']).unwrap_or((line, ""));
        match (verb.to_ascii_uppercase().as_str(), mail.mode()) {
            ("EHLO", _) => {
                let size = format!("250-SIZE {MAX_MESSAGE_BYTES}");
                for line in ["250-farebox", "250-8BITMIME", &size, "250 AUTH PLAIN"] {
                    connection.say(line).await?;
                }
            }
            ("AUTH", _) => {
                if rest.eq_ignore_ascii_case("plain") {
                    connection.say("334 ").await?;
                    connection.line().await?;
                }
                connection.say("235 authenticated").await?;
            }
            ("MAIL", Mode::Refuses(code)) => connection.say(&format!("{code} refused")).await?,
            ("MAIL", _) => {
                envelope = Envelope { from: Some(address(rest)), to: Vec::new() };
                connection.say("250 OK").await?;
            }
            ("RCPT", _) if envelope.from.is_none() || envelope.to.len() >= MAX_RECIPIENTS => {
                connection.say("503 MAIL first, or too many recipients").await?;
            }
            ("RCPT", _) => {
                envelope.to.push(address(rest));
                connection.say("250 OK").await?;
            }
            ("DATA", _) if envelope.to.is_empty() => connection.say("503 RCPT first").await?,
            ("DATA", mode) => {
                connection.say("354 end with a dot").await?;
                let raw = connection.data().await?;
                let Envelope { from, to } = std::mem::take(&mut envelope);
                mail.keep(&from.unwrap_or_default(), &to, &raw);
                if mode == Mode::DropsReply {
                    return Ok(());
                }
                connection.say("250 kept").await?;
            }
            ("RSET", _) => {
                envelope = Envelope::default();
                connection.say("250 reset").await?;
            }
            ("HELO" | "NOOP", _) => connection.say("250 farebox").await?,
            ("QUIT", _) => return connection.say("221 bye").await,
            // The peer does not speak SMTP. A browser's request could contain SMTP commands in its
            // body.
            _ => return connection.say("502 unknown command").await,
        }
    }
}

/// The address in `FROM:<ann@app.example> SIZE=100`.
fn address(rest: &str) -> String {
    let inner = rest.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or(rest, |(address, _)| address).to_owned()
}

impl Connection {
    async fn say(&mut self, line: &str) -> io::Result<()> {
        self.stream.write_all(format!("{line}\r\n").as_bytes()).await
    }

    /// Reads one line, including its line break.
    async fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        let mut limited = (&mut self.stream).take(MAX_LINE_BYTES);
        timeout(IDLE, limited.read_until(b'\n', &mut line)).await??;
        if line.ends_with(b"\n") { Ok(line) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// Reads a message up to the line that is a single dot. SMTP doubles a dot at the start of a
    /// line.
    async fn data(&mut self) -> io::Result<Vec<u8>> {
        let mut message = Vec::new();
        loop {
            let line = self.line().await?;
            if line == b".\r\n" {
                return Ok(message);
            }
            message.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
            if message.len() > MAX_MESSAGE_BYTES {
                self.say("552 message too large").await?;
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
    }
}
