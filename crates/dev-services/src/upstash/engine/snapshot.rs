//! The file that keeps the engine's data between runs.
//!
//! It is JSON, so that a developer can read it; strings that are not UTF-8 are base64. A rename
//! replaces the old file with the new one, so a killed process leaves one of the two, complete.
//! Deliberately absent: waiting for the disk. After a power cut, `farebox dev` may start without
//! data.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::sorted_set::SortedSet;
use super::store::{Store, Value};

const FORMAT: &str = "farebox redis snapshot 1";

#[derive(Debug)]
pub struct SnapshotFile {
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Snapshot {
    format: String,
    keys: Vec<Key>,
}

#[derive(Serialize, Deserialize)]
struct Key {
    key: Bytes,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at_ms: Option<i64>,
    #[serde(flatten)]
    value: StoredValue,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredValue {
    String(Bytes),
    Hash(Vec<(Bytes, Bytes)>),
    #[serde(rename = "sorted_set")]
    SortedSet(Vec<(i64, Bytes)>),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Bytes {
    Text(String),
    Binary { base64: String },
}

impl SnapshotFile {
    pub fn new(path: PathBuf) -> SnapshotFile {
        SnapshotFile { path }
    }

    /// Reads the file. Without a file, the store is empty.
    pub fn load(&self) -> anyhow::Result<Store> {
        let name = self.path.display();
        let text = match fs::read(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Store::default()),
            other => other.with_context(|| format!("cannot read the Redis snapshot {name}"))?,
        };
        parse(&text).with_context(|| {
            format!("the Redis snapshot {name} is damaged; delete it to start with an empty store")
        })
    }

    pub fn save(&self, store: &Store) -> anyhow::Result<()> {
        let text = serde_json::to_vec(&Snapshot::of(store))?;
        let unfinished = self.path.with_extension("unfinished");
        fs::write(&unfinished, text)
            .and_then(|()| fs::rename(&unfinished, &self.path))
            .with_context(|| format!("cannot write the Redis snapshot {}", self.path.display()))
    }
}

impl Snapshot {
    fn of(store: &Store) -> Snapshot {
        let sorted: BTreeMap<_, _> = store.iter().collect();
        let keys = sorted.into_iter().map(|(key, entry)| Key {
            key: Bytes::of(key),
            expires_at_ms: entry.expires_at_ms,
            value: match &entry.value {
                Value::String(bytes) => StoredValue::String(Bytes::of(bytes)),
                Value::Hash(hash) => StoredValue::Hash(
                    hash.iter().map(|(name, value)| (Bytes::of(name), Bytes::of(value))).collect(),
                ),
                Value::SortedSet(set) => StoredValue::SortedSet(
                    set.iter().map(|(score, member)| (*score, Bytes::of(member))).collect(),
                ),
            },
        });
        Snapshot { format: FORMAT.to_owned(), keys: keys.collect() }
    }
}

fn parse(text: &[u8]) -> anyhow::Result<Store> {
    let snapshot: Snapshot = serde_json::from_slice(text)?;
    ensure!(snapshot.format == FORMAT, "its format is '{}'", snapshot.format);
    let mut store = Store::default();
    for stored in snapshot.keys {
        let value = match stored.value {
            StoredValue::String(bytes) => Value::String(bytes.decode()?),
            StoredValue::Hash(pairs) => {
                let pairs = pairs.into_iter();
                let decoded = pairs.map(|(name, value)| Ok((name.decode()?, value.decode()?)));
                Value::Hash(decoded.collect::<anyhow::Result<_>>()?)
            }
            StoredValue::SortedSet(members) => {
                let mut set = SortedSet::default();
                for (score, member) in members {
                    set.insert(member.decode()?, score);
                }
                Value::SortedSet(set)
            }
        };
        store.put(&stored.key.decode()?, value, stored.expires_at_ms);
    }
    Ok(store)
}

impl Bytes {
    fn of(bytes: &[u8]) -> Bytes {
        match std::str::from_utf8(bytes) {
            Ok(text) => Bytes::Text(text.to_owned()),
            Err(_) => Bytes::Binary { base64: STANDARD.encode(bytes) },
        }
    }

    fn decode(self) -> anyhow::Result<Vec<u8>> {
        match self {
            Bytes::Text(text) => Ok(text.into_bytes()),
            Bytes::Binary { base64 } => Ok(STANDARD.decode(base64)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_reads_back_as_it_was_written() {
        let mut store = Store::default();
        store.put(b"text", Value::String("h\u{e9}".into()), Some(1_700_000_000_000));
        store.put(b"\xff\x00", Value::String(vec![0xfe, 0, 10]), None);
        let hash = [(b"f".to_vec(), b"\x80".to_vec()), (b"".to_vec(), b"".to_vec())];
        store.put(b"hash", Value::Hash(hash.into()), None);
        let mut set = SortedSet::default();
        set.insert(b"second".to_vec(), 2);
        set.insert(b"\x80".to_vec(), -1);
        store.put(b"set", Value::SortedSet(set), None);

        let text = serde_json::to_vec(&Snapshot::of(&store)).unwrap();
        let read = parse(&text).unwrap();
        let sorted = |store| -> BTreeMap<_, _> { Store::iter(store).collect() };
        assert_eq!(sorted(&read), sorted(&store));
    }

    #[test]
    fn a_damaged_snapshot_is_an_error() {
        for text in [
            "",
            "{",
            r#"{"format":"farebox redis snapshot 2","keys":[]}"#,
            r#"{"format":"farebox redis snapshot 1","keys":[{"key":"k"}]}"#,
            r#"{"format":"farebox redis snapshot 1","keys":[{"key":{"base64":"!"},"string":"v"}]}"#,
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
