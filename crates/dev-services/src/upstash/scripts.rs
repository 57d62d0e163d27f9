//! Computes script hashes, and rewrites scripts with Upstash's flag for a real Redis.
//!
//! Upstash runs a script without stopping the database if its first line is `#!lua
//! flags=allow-key-locking`. Redis 7 refuses a script with an unknown flag, so a real server
//! receives the script without it. That changes the script's SHA-1. This module maps one hash to
//! the other, so that clients see only the hash of their own text.
//!
//! Deliberately absent: a record of the scripts that the server has loaded. It answers NOSCRIPT
//! itself.

use std::collections::HashMap;

use ring::digest;

use super::Command;
use super::resp::Reply;

const KEY_LOCKING: &str = "allow-key-locking";
/// Only a program that builds scripts from data has more.
const MAX_REMEMBERED: usize = 4096;

/// Redis's name for a script: the SHA-1 of its text, in lower-case hexadecimal.
pub fn sha1_hex(script: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, script);
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Maps the hash that a client knows to the hash of the text that the server received.
#[derive(Debug, Default)]
pub struct ScriptHashes {
    given: HashMap<String, String>,
}

impl ScriptHashes {
    /// Rewrites a command for the server. Returns the hash that the client expects in the reply, if
    /// the reply contains a hash that differs.
    pub fn rewrite(&mut self, command: &mut Command) -> Option<String> {
        let upper = |index: usize| -> String {
            let name = command.get(index).map(Vec::as_slice).unwrap_or_default();
            String::from_utf8_lossy(name).to_ascii_uppercase()
        };
        match (upper(0).as_str(), upper(1).as_str()) {
            ("EVAL" | "EVAL_RO", _) => {
                self.rewrite_script(command.get_mut(1)?);
                None
            }
            ("SCRIPT", "LOAD") => self.rewrite_script(command.get_mut(2)?),
            ("EVALSHA" | "EVALSHA_RO", _) => {
                self.rewrite_hash(command.get_mut(1)?);
                None
            }
            ("SCRIPT", "EXISTS") => {
                command.iter_mut().skip(2).for_each(|hash| self.rewrite_hash(hash));
                None
            }
            _ => None,
        }
    }

    fn rewrite_script(&mut self, script: &mut Vec<u8>) -> Option<String> {
        let given = without_key_locking(script)?;
        let original_hash = sha1_hex(script);
        if self.given.len() >= MAX_REMEMBERED {
            self.given.clear();
        }
        self.given.insert(original_hash.clone(), sha1_hex(&given));
        *script = given;
        Some(original_hash)
    }

    fn rewrite_hash(&self, hash: &mut Vec<u8>) {
        let known = String::from_utf8_lossy(hash).to_ascii_lowercase();
        if let Some(given) = self.given.get(&known) {
            *hash = given.clone().into_bytes();
        }
    }
}

/// Replaces the server's hashes in its replies with the client's.
pub fn restore(hashes: Vec<Option<String>>, replies: &mut [Reply]) {
    for (hash, reply) in hashes.into_iter().zip(replies) {
        if let (Some(hash), Reply::String(shown)) = (hash, reply) {
            *shown = hash.into_bytes();
        }
    }
}

/// Returns the script without the flag, or `None` if it does not have the flag. The first line
/// remains, blank if necessary, so that line numbers in error messages are correct.
fn without_key_locking(script: &[u8]) -> Option<Vec<u8>> {
    let end = script.iter().position(|byte| *byte == b'\n').unwrap_or(script.len());
    let (line, body) = script.split_at(end);
    let line = std::str::from_utf8(line).ok()?.trim_end();
    let flags = line.strip_prefix("#!lua")?.trim_start().strip_prefix("flags=")?;
    if !flags.split(',').any(|flag| flag == KEY_LOCKING) {
        return None;
    }
    let kept: Vec<&str> = flags.split(',').filter(|flag| *flag != KEY_LOCKING).collect();
    let mut given = Vec::new();
    if !kept.is_empty() {
        given.extend_from_slice(format!("#!lua flags={}", kept.join(",")).as_bytes());
    }
    given.extend_from_slice(body);
    Some(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: &[&str]) -> Command {
        words.iter().map(|word| word.as_bytes().to_vec()).collect()
    }

    #[test]
    fn the_flag_is_taken_out_and_the_line_kept() {
        let given = without_key_locking(b"#!lua flags=allow-key-locking\nreturn 1").unwrap();
        assert_eq!(given, b"\nreturn 1");
        let given = without_key_locking(b"#!lua flags=no-writes,allow-key-locking\nreturn 1");
        assert_eq!(given.unwrap(), b"#!lua flags=no-writes\nreturn 1");
        assert_eq!(without_key_locking(b"return '#!lua flags=allow-key-locking'"), None);
        assert_eq!(without_key_locking(b"#!lua flags=no-writes\nreturn 1"), None);
    }

    #[test]
    fn a_client_only_ever_sees_its_own_hash() {
        let script = "#!lua flags=allow-key-locking\nreturn 1";
        let own = sha1_hex(script.as_bytes());
        let given = sha1_hex(b"\nreturn 1");
        let mut hashes = ScriptHashes::default();

        let mut before = command(&["evalsha", &own, "0"]);
        hashes.rewrite(&mut before);
        assert_eq!(before, command(&["evalsha", &own, "0"]));

        let mut load = command(&["script", "load", script]);
        let shown = hashes.rewrite(&mut load);
        assert_eq!(load, command(&["script", "load", "\nreturn 1"]));
        let mut replies = [Reply::string(given.clone())];
        restore(vec![shown], &mut replies);
        assert_eq!(replies, [Reply::string(own.clone())]);

        let mut after = command(&["EVALSHA", &own.to_uppercase(), "0"]);
        hashes.rewrite(&mut after);
        assert_eq!(after, command(&["EVALSHA", &given, "0"]));
        let mut exists = command(&["SCRIPT", "EXISTS", "other", &own]);
        hashes.rewrite(&mut exists);
        assert_eq!(exists, command(&["SCRIPT", "EXISTS", "other", &given]));
    }
}
