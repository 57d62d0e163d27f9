//! Scripts: their results, their errors and their limits.

use std::time::Duration;

use super::Client;

#[test]
fn scripts_are_called_by_text_or_by_hash() {
    let mut client = Client::new();
    let sha = client.run(&["SCRIPT", "LOAD", "return ARGV[1]"]);
    assert_eq!(client.run(&["EVALSHA", &sha, "0", "hello"]), "hello");
    assert_eq!(client.run(&["SCRIPT", "EXISTS", &sha, "other"]), "[:1 :0]");
    assert_eq!(client.line("SCRIPT FLUSH"), "+OK");
    let missing = client.run(&["EVALSHA", &sha, "0"]);
    assert_eq!(missing, "-NOSCRIPT No matching script. Please use EVAL.");
    client.run(&["EVAL", "return ARGV[1]", "0", "a"]);
    assert_eq!(client.run(&["EVALSHA", &sha.to_uppercase(), "0", "b"]), "b");
    assert_eq!(
        client.run(&["EVAL", "return 1", "2", "a"]),
        "-ERR Number of keys can't be greater than number of args"
    );
}

#[test]
fn values_are_converted_by_redis_rules() {
    let mut client = Client::new();
    for (script, reply) in [
        ("return {KEYS[1], ARGV[1]}", "[k argument]"),
        ("return 3.99", ":3"),
        ("return -3.99", ":-3"),
        ("return {1, 'two', nil, 4}", "[:1 two]"),
        ("return {true, false, {}}", "[:1 nil []]"),
        ("return nil", "nil"),
        ("return redis.status_reply('FINE')", "+FINE"),
        ("return redis.error_reply('MY problem')", "-MY problem"),
        ("return redis.error_reply('problem')", "-ERR problem"),
        ("return redis.call('GET', 'none') == false", ":1"),
        ("return redis.call('SET', 'k', 3.3).ok", "OK"),
        ("return redis.call('GET', 'k')", "3.2999999999999998"),
        (
            "return redis.pcall('HGET', 'k', 'f').err",
            "WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
        (
            "local ok, e = pcall(redis.call, 'NOPE') return {ok, e}",
            "[nil ERR Unknown Redis command called from script]",
        ),
        (
            "local ok, e = pcall(cjson.decode, '{') return e",
            "Expected object key string but found T_END at character 2",
        ),
        ("return cjson.encode({a = {}, b = cjson.null})", r#"{"a":{},"b":null}"#),
        ("return cjson.decode('[1,[2]]')[2][1]", ":2"),
        ("return redis.sha1hex('')", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
    ] {
        let shown = client.eval(script);
        let sorted = shown == r#"{"b":null,"a":{}}"#;
        assert!(shown == reply || sorted, "{script}: {shown}");
    }
}

#[test]
fn a_script_that_fails_keeps_what_it_wrote() {
    let mut client = Client::new();
    let reply =
        client.eval("redis.call('SET', KEYS[1], '1')\nlocal x = redis.call('HGET', 'k', 'f')");
    let message = "-WRONGTYPE Operation against a key holding the wrong kind of value script: ";
    assert!(reply.starts_with(message) && reply.ends_with(", on @user_script:2."), "{reply}");
    assert_eq!(client.line("GET k"), "1");
}

#[test]
fn a_script_cannot_leave_its_sandbox() {
    let mut client = Client::new();
    for script in [
        "return os.time()",
        "return io.open('/etc/passwd')",
        "return require('os')",
        "return loadstring('return 1')()",
        "return dofile('/etc/passwd')",
        "return debug.getinfo(1)",
        "return coroutine.create(function() end)",
        "undeclared = 1",
        "redis.call = nil",
        "KEYS = nil",
        "return undeclared",
        "setmetatable(_G, nil)",
        "return redis.call('EVAL', 'return 1', 0)",
        "return string.rep('x', 1e9)",
        "return",
        "local t = {} t[1] = t return cjson.encode(t)",
        "error(nil)",
        "return {",
        "return redis.call()",
        "return redis.call('GET', {})",
    ] {
        let reply = client.eval(script);
        let allowed = script == "return";
        assert_eq!(reply.starts_with("-ERR"), !allowed, "{script}: {reply}");
    }
    assert!(client.eval("local t = {} t[1] = t return t").contains("ERR reached lua stack limit"));
    assert_eq!(client.eval("return 1"), ":1");
}

#[test]
fn a_script_that_does_not_end_is_stopped() {
    let mut client = Client::with_script_time(Duration::from_millis(500));
    let reply = client.eval("while true do pcall(function() while true do end end) end");
    assert!(reply.starts_with("-ERR the script ran for more than 500ms"), "{reply}");
    assert_eq!(client.eval("local n = 0 for i = 1, 1e6 do n = n + 1 end return n"), ":1000000");
}

#[test]
fn a_key_locking_script_can_use_only_declared_keys() {
    let mut client = Client::new();
    let script = |key: &str| {
        format!("#!lua flags=allow-key-locking\nreturn redis.call('SET', '{key}', 'v')")
    };
    assert_eq!(client.eval(&script("k")), "+OK");
    assert!(client.eval(&script("other")).contains("undeclared key: 'other'"));
    assert!(client.eval("#!lua flags=nonsense\nreturn 1").starts_with("-ERR Unexpected flag"));
    assert!(client.eval("#!python\nreturn 1").starts_with("-ERR Unexpected engine"));
}
