//! The engine's replies, command by command. Each test sets the time.

mod scripts;

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use super::Engine;
use super::scripting::Scripting;
use super::store::Store;
use crate::upstash::Command;
use crate::upstash::resp::Reply;

const NOON_US: i64 = 1_700_000_000_000_000;

struct Client {
    scripting: Scripting,
    now_us: i64,
}

impl Client {
    fn new() -> Client {
        Client::with_script_time(Duration::from_secs(60))
    }

    fn with_script_time(max_run_time: Duration) -> Client {
        let store = Rc::new(RefCell::new(Store::default()));
        Client { scripting: Scripting::new(store, max_run_time).unwrap(), now_us: NOON_US }
    }

    fn run(&mut self, words: &[&str]) -> String {
        let reply = self.scripting.run(&command(words), self.now_us);
        shown(&reply)
    }

    /// Runs a command given as words, separated by spaces.
    fn line(&mut self, line: &str) -> String {
        self.run(&line.split(' ').collect::<Vec<_>>())
    }

    fn eval(&mut self, script: &str) -> String {
        self.run(&["EVAL", script, "1", "k", "argument"])
    }
}

fn command(words: &[&str]) -> Command {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

fn shown(reply: &Reply) -> String {
    match reply {
        Reply::Status(text) => format!("+{text}"),
        Reply::Error(text) => format!("-{text}"),
        Reply::Integer(number) => format!(":{number}"),
        Reply::String(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Reply::Nil => "nil".to_owned(),
        Reply::Array(items) => {
            format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(" "))
        }
    }
}

#[track_caller]
fn session(client: &mut Client, steps: &[(&str, &str)]) {
    for (line, reply) in steps {
        assert_eq!(client.line(line), *reply, "{line}");
    }
}

#[test]
fn strings_are_set_under_conditions_and_counted() {
    session(
        &mut Client::new(),
        &[
            ("GET k", "nil"),
            ("SET k 5 XX", "nil"),
            ("SET k 5 NX", "+OK"),
            ("set k 6 nx", "nil"),
            ("SET k 6 GET", "5"),
            ("SET k 6 NX XX", "-ERR syntax error"),
            ("SET k 6 EX 10 KEEPTTL", "-ERR syntax error"),
            ("SET k 6 EX", "-ERR syntax error"),
            ("SET k 6 EX x", "-ERR value is not an integer or out of range"),
            ("SET k 6 EX 0", "-ERR invalid expire time in 'set' command"),
            ("SETEX k -1 v", "-ERR invalid expire time in 'setex' command"),
            ("INCR k", ":7"),
            ("INCRBY k -9", ":-2"),
            ("DECR new", ":-1"),
            ("SET k x", "+OK"),
            ("INCR k", "-ERR value is not an integer or out of range"),
            ("SET k 9223372036854775807", "+OK"),
            ("INCR k", "-ERR increment or decrement would overflow"),
            ("GET", "-ERR wrong number of arguments for 'get' command"),
            ("GET a b", "-ERR wrong number of arguments for 'get' command"),
        ],
    );
}

#[test]
fn a_hash_without_fields_does_not_exist() {
    session(
        &mut Client::new(),
        &[
            ("HSET h b 1 a 2", ":2"),
            ("HSET h b 3", ":0"),
            ("HSET h b", "-ERR wrong number of arguments for 'hset' command"),
            ("HSET h b 1 c", "-ERR wrong number of arguments for 'hset' command"),
            ("HGETALL h", "[a 2 b 3]"),
            ("HMGET h a z", "[2 nil]"),
            ("HINCRBY h a 40", ":42"),
            ("HSETNX h a 1", ":0"),
            ("HSETNX h n x", ":1"),
            ("HINCRBY h n 1", "-ERR hash value is not an integer"),
            ("HEXISTS h n", ":1"),
            ("HLEN h", ":3"),
            ("TYPE h", "+hash"),
            ("HDEL h a b n z", ":3"),
            ("EXISTS h", ":0"),
            ("TYPE h", "+none"),
            ("SET s v", "+OK"),
            ("HGET s f", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("HSET h f v", ":1"),
            ("GET h", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("SET h v", "+OK"),
        ],
    );
}

#[test]
fn a_sorted_set_is_ordered_by_score_and_read_by_rank() {
    session(
        &mut Client::new(),
        &[
            ("ZADD z 2 b 1 c", ":2"),
            ("ZADD z 1 a 3 b", ":1"),
            ("ZADD z 1.5 d", "-ERR value is not an integer or out of range"),
            ("ZADD z NX 1 d", "-ERR syntax error"),
            ("ZCARD z", ":3"),
            ("TYPE z", "+zset"),
            ("ZRANGE z 0 -1", "[a c b]"),
            ("ZRANGE z 0 -1 WITHSCORES", "[a 1 c 1 b 3]"),
            ("ZRANGE z -2 5", "[c b]"),
            ("ZRANGE z 2 1", "[]"),
            ("ZRANGE z 3 9", "[]"),
            ("ZRANGE z 0 1 REV", "-ERR syntax error"),
            ("ZRANGE none 0 -1", "[]"),
            ("ZREM z a nothing", ":1"),
            ("ZREMRANGEBYRANK z 0 -3", ":0"),
            ("ZREMRANGEBYRANK z 0 -2", ":1"),
            ("ZRANGE z 0 -1", "[b]"),
            ("GET z", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("ZREM z b", ":1"),
            ("EXISTS z", ":0"),
            ("SET s v", "+OK"),
            ("ZADD s 1 a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ],
    );
}

#[test]
fn keys_expire_to_the_millisecond() {
    let mut client = Client::new();
    session(
        &mut client,
        &[
            ("SET k v PX 1500", "+OK"),
            ("TTL k", ":2"),
            ("PTTL k", ":1500"),
            ("SET k w KEEPTTL", "+OK"),
            ("PTTL k", ":1500"),
            ("EXPIRE k 1 GT", ":0"),
            ("EXPIRE k 10 NX", ":0"),
            ("EXPIRE k 10 LT", ":0"),
            ("PEXPIRE k 1000 XX", ":1"),
            (
                "EXPIRE k 1 NX GT",
                "-ERR NX and XX, GT or LT options at the same time are not compatible",
            ),
            ("EXPIRE k 9223372036854775807", "-ERR invalid expire time in 'expire' command"),
            ("EXPIRE k 1 SOON", "-ERR Unsupported option SOON"),
            ("SET forever v", "+OK"),
            ("TTL forever", ":-1"),
            ("TTL never", ":-2"),
        ],
    );
    client.now_us += 999_000;
    session(&mut client, &[("GET k", "w"), ("DBSIZE", ":2")]);
    client.now_us += 1_000;
    session(&mut client, &[("GET k", "nil"), ("DBSIZE", ":1"), ("INCR k", ":1"), ("TTL k", ":-1")]);
    session(&mut client, &[("EXPIRE k -1", ":1"), ("EXISTS k", ":0"), ("FLUSHDB", "+OK")]);
    session(&mut client, &[("DBSIZE", ":0"), ("TIME", "[1700000001 0]")]);
}

#[test]
fn a_command_the_engine_lacks_is_refused_by_name() {
    assert_eq!(
        Client::new().line("LPUSH l a"),
        "-ERR Farebox's in-process engine does not have the command 'LPUSH'; install Redis for the \
         full set"
    );
}

#[tokio::test]
async fn an_invalid_command_aborts_a_transaction() {
    let engine = Engine::open(None).unwrap();
    let transaction = async |lines: &[&str]| {
        let commands = lines.iter().map(|line| command(&line.split(' ').collect::<Vec<_>>()));
        shown(&engine.transaction(commands.collect()).await.unwrap())
    };
    let aborted = "-EXECABORT Transaction discarded because of previous errors.";
    assert_eq!(transaction(&["SET k 1", "GET"]).await, aborted);
    assert_eq!(transaction(&["SET k 1", "NOPE"]).await, aborted);
    assert_eq!(transaction(&["GET k"]).await, "[nil]");
    let failed = "[+OK -ERR value is not an integer or out of range :1]";
    assert_eq!(transaction(&["SET k x", "INCR k", "EXISTS k"]).await, failed);
}

#[tokio::test]
async fn data_survives_a_restart() {
    let path = scratch_file("restart");
    let run = async |engine: &Engine, line: &str| {
        let command = command(&line.split(' ').collect::<Vec<_>>());
        shown(&engine.pipeline(vec![command]).await.unwrap()[0])
    };
    let engine = Engine::open(Some(path.clone())).unwrap();
    run(&engine, "SET k v EX 1000").await;
    engine.flush().await.unwrap();
    assert!(std::fs::read_to_string(&path).unwrap().contains("\"k\""));
    run(&engine, "HSET h f v").await;
    drop(engine);

    let engine = Engine::open(Some(path.clone())).unwrap();
    assert_eq!(run(&engine, "GET k").await, "v");
    assert_eq!(run(&engine, "HGETALL h").await, "[f v]");
    assert_eq!(run(&engine, "TTL k").await, ":1000");
    run(&engine, "SET later v").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(std::fs::read_to_string(&path).unwrap().contains("later"));
    drop(engine);

    std::fs::write(&path, "nonsense").unwrap();
    let error = format!("{:#}", Engine::open(Some(path.clone())).unwrap_err());
    assert!(error.contains("is damaged; delete it"), "{error}");
    std::fs::remove_file(path).unwrap();
}

fn scratch_file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("farebox-engine-{name}-{}.json", std::process::id()))
}
