use std::cell::RefCell;
use std::collections::BTreeSet;

use super::{Config, SETTINGS, Scope};
use crate::domain::SampleRate;

const VALID: &[(&str, &str)] = &[
    ("DATABASE_URL", "postgres://farebox:hunter2@db.example/app?sslmode=require"),
    ("UPSTASH_REDIS_REST_URL", "https://eu1.upstash.example"),
    ("UPSTASH_REDIS_REST_TOKEN", "hunter2"),
    ("STRIPE_SECRET_KEY", "sk_test_hunter2"),
    ("AUTH_HS256_SECRET", "hunter2hunter2hunter2hunter2hunter2"),
    ("AUTH_ISSUER", "https://id.example"),
    ("RATE_LIMITS", "review-code=10/1h, review-repo=5/h"),
];

fn parse(changes: &[(&str, &str)]) -> Result<Config, super::Problems> {
    Config::from_vars(|name| {
        let changed = changes.iter().find(|(key, _)| *key == name);
        let given = changed.or_else(|| VALID.iter().find(|(key, _)| *key == name));
        given.map(|(_, value)| (*value).to_owned())
    })
}

fn problems(changes: &[(&str, &str)]) -> String {
    parse(changes).expect_err("the configuration is wrong").to_string()
}

#[test]
fn a_valid_configuration_is_read() {
    let config = parse(&[]).unwrap();
    assert_eq!(config.rate_limits["review-code"].limit, 10);
    assert_eq!(config.database.schema.as_str(), "public");
    assert_eq!(config.auth.clock_skew_seconds, 30);
}

/// CR-4
#[test]
fn the_api_log_is_off_unless_it_is_set() {
    let rate = |value: &str| parse(&[("API_LOG", value)]).unwrap().redis.api_log;
    assert_eq!(parse(&[]).unwrap().redis.api_log, None);
    assert_eq!(rate("off"), None);
    assert_eq!(rate("full"), Some(SampleRate::FULL));
    assert_eq!(rate("0.1"), Some("0.1".parse().unwrap()));
}

#[test]
fn secrets_never_print() {
    let printed = format!(
        "{:?}",
        parse(&[
            ("CRON_SECRET", "hunter2hunter2hunter2"),
            ("APP_WEBHOOK_URL", "https://app.example/hooks"),
            ("APP_WEBHOOK_SECRET", "whsec_hunter2hunter2hunter2hunter2hunter2hunte"),
            ("ALERT_WEBHOOK_URL", "https://hooks.example/hunter2")
        ])
        .unwrap()
    );
    assert!(!printed.contains("hunter2"), "{printed}");
    let problem = problems(&[
        ("DATABASE_URL", "hunter2"),
        ("AUTH_HS256_SECRET", "hunter2"),
        ("STRIPE_SECRET_KEY", "hunter2"),
        ("STRIPE_WEBHOOK_SECRET", "hunter2"),
        ("CRON_SECRET", "hunter2"),
        ("APP_WEBHOOK_SECRET", "hunter2"),
        ("ALERT_WEBHOOK_URL", "hunter2"),
    ]);
    assert!(!problem.contains("hunter2"), "{problem}");
}

#[test]
fn every_problem_is_listed_at_once() {
    let all = Config::from_vars(|_| None).expect_err("nothing is set").to_string();
    for setting in SETTINGS.iter().filter(|setting| setting.required) {
        assert!(all.contains(&format!("{}: must be set", setting.name)), "{all}");
    }
    assert!(all.contains("AUTH_JWKS_URL, AUTH_JWKS or AUTH_HS256_SECRET"), "{all}");

    let two = problems(&[("LOG_LEVEL", "loud"), ("DATABASE_POOL_SIZE", "0")]);
    assert_eq!(two.lines().count(), 2, "{two}");
    let refused = problems(&[("AUTH_HS256_SECRET", "short")]);
    assert_eq!(refused.lines().count(), 1, "{refused}");
}

#[test]
fn each_bad_value_is_named() {
    for (name, value) in [
        ("DATABASE_URL", "mysql://db.example/app"),
        ("DATABASE_CA_CERT", "not a certificate"),
        ("DATABASE_POOL_SIZE", "many"),
        ("FAREBOX_SCHEMA", "public; drop table users"),
        ("UPSTASH_REDIS_REST_URL", "redis://localhost:6379"),
        ("REDIS_TIMEOUT_MS", "0"),
        ("API_LOG", "on"),
        ("API_LOG", "0"),
        ("STRIPE_SECRET_KEY", "pk_test_published"),
        ("STRIPE_WEBHOOK_SECRET", "we_the_endpoint"),
        ("STRIPE_API_URL", "api.stripe.com"),
        ("STRIPE_AUTOMATIC_TAX", "yes"),
        ("AUTH_JWKS_URL", "id.example/keys"),
        ("AUTH_JWKS", "{}"),
        ("AUTH_HS256_SECRET", "short"),
        ("AUTH_ADMIN_CLAIM", "admin"),
        ("AUTH_CLOCK_SKEW_SECONDS", "301"),
        ("AUTH_TOKEN_LIFETIME_HOURS", "0"),
        ("CRON_SECRET", "fifteen letters"),
        ("SERVICE_KEYS", "fbx_the_key_itself"),
        ("SERVICE_KEYS", "root:0000000000000000000000000000000000000000000000000000000000000000"),
        ("ALLOWED_ORIGINS", "https://app.example/path"),
        ("ALLOWED_ORIGINS", "*"),
        ("RATE_LIMITS", "review-code"),
        ("RATE_LIMITS", "review-code=0/1h"),
        ("APP_WEBHOOK_URL", "app.example/hooks"),
        ("APP_WEBHOOK_URL", "https://user@app.example/hooks"),
        ("APP_WEBHOOK_SECRET", "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"),
        ("APP_WEBHOOK_SECRET", "whsec_too+short"),
        ("APP_WEBHOOK_SECRET", "whsec_not base64 at all, really not"),
        ("LOG_LEVEL", "loud"),
    ] {
        let problem = problems(&[(name, value)]);
        assert!(problem.starts_with(&format!("{name}: ")), "{name}={value}: {problem}");
    }
}

/// Tokens, keys and alerts leave this machine only over an encrypted connection.
#[test]
fn plain_http_is_allowed_only_for_this_machine() {
    let addresses = [
        "UPSTASH_REDIS_REST_URL",
        "STRIPE_API_URL",
        "AUTH_JWKS_URL",
        "CLERK_API_URL",
        "ALERT_WEBHOOK_URL",
        "ALLOWED_ORIGINS",
    ];
    for name in addresses {
        for host in ["127.0.0.1:8079", "127.8.0.1", "localhost:3000", "app.localhost", "[::1]:1"] {
            assert!(parse(&[(name, &format!("http://{host}"))]).is_ok(), "{name} {host}");
        }
        for host in ["redis.example", "10.0.0.1", "127.0.0.1.example", "localhost.example", "[::2]"]
        {
            let problem = problems(&[(name, &format!("http://{host}"))]);
            assert!(problem.starts_with(&format!("{name}: must be https")), "{problem}");
            assert!(parse(&[(name, &format!("https://{host}"))]).is_ok(), "{name} {host}");
        }
    }
}

/// The front of Redis in `deploy/compose.yaml` has no TLS. Nothing else may be reached in this way.
#[test]
fn redis_on_a_network_of_containers_may_use_plain_http() {
    for url in ["http://redis-front:8079", "http://redis"] {
        assert!(parse(&[("UPSTASH_REDIS_REST_URL", url)]).is_ok(), "{url}");
        assert!(parse(&[("UPSTASH_REDIS_REST_URL", ""), ("KV_REST_API_URL", url)]).is_ok());
        for name in ["STRIPE_API_URL", "AUTH_JWKS_URL", "CLERK_API_URL", "ALERT_WEBHOOK_URL"] {
            assert!(problems(&[(name, url)]).contains("must be https"), "{name} {url}");
        }
    }
    // Addresses in other notations, and names that a public resolver could answer.
    for host in ["167772161", "0x0a000001", "redis.internal", "redis.", "[fd00::1]"] {
        let problem = problems(&[("UPSTASH_REDIS_REST_URL", &format!("http://{host}"))]);
        assert!(problem.contains("the name of a container"), "{host}: {problem}");
    }
}

/// AI-8: Vercel's own names for the same store.
#[test]
fn the_kv_names_are_accepted_beside_upstashs() {
    let config = parse(&[
        ("UPSTASH_REDIS_REST_URL", ""),
        ("UPSTASH_REDIS_REST_TOKEN", ""),
        ("KV_REST_API_URL", "https://kv.example"),
        ("KV_REST_API_TOKEN", "kv-token"),
    ])
    .unwrap();
    assert_eq!(config.redis.url.as_str(), "https://kv.example/");
    assert_eq!(config.redis.token.expose(), "kv-token");
}

#[test]
fn service_keys_are_known_by_their_hash() {
    let hash = "ab".repeat(32);
    let config = parse(&[("SERVICE_KEYS", &format!("service:{hash},admin:{hash}"))]).unwrap();
    assert_eq!(config.auth.service_keys[0].sha256, [0xab; 32]);
    assert_eq!(config.auth.service_keys[1].scope, Scope::Admin);
}

#[test]
fn the_secret_key_decides_between_test_and_live_mode() {
    assert!(!parse(&[]).unwrap().stripe.is_live());
    assert!(parse(&[("STRIPE_SECRET_KEY", "rk_live_x")]).unwrap().stripe.is_live());
    let rotating = parse(&[("STRIPE_WEBHOOK_SECRET", "whsec_new, whsec_old")]).unwrap();
    assert_eq!(rotating.stripe.webhook_secrets.len(), 2);
}

#[test]
fn every_setting_that_is_read_is_listed_and_no_other() {
    let read = RefCell::new(BTreeSet::new());
    let _ = Config::from_vars(|name| {
        read.borrow_mut().insert(name.to_owned());
        None
    });
    let listed: BTreeSet<String> = SETTINGS
        .iter()
        .flat_map(|setting| [Some(setting.name), setting.alias])
        .flatten()
        .map(str::to_owned)
        .collect();
    assert_eq!(*read.borrow(), listed);
}

#[test]
fn a_stripe_account_must_be_an_account_id() {
    assert_eq!(parse(&[]).unwrap().stripe.account, None);
    let set = |account| parse(&[("STRIPE_ACCOUNT", account)]);
    assert_eq!(set("acct_1A2b").unwrap().stripe.account.as_deref(), Some("acct_1A2b"));
    for account in ["acct_", "1A2b", "acct_1 2", "cus_1"] {
        assert!(set(account).is_err(), "{account}");
    }
}

#[test]
fn the_apps_endpoint_needs_its_url_and_a_secret() {
    assert!(parse(&[]).unwrap().app_webhooks.is_none());
    let url = ("APP_WEBHOOK_URL", "https://app.example/hooks");
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    assert_eq!(problems(&[url]), "APP_WEBHOOK_SECRET: must be set, because APP_WEBHOOK_URL is");
    assert_eq!(
        problems(&[("APP_WEBHOOK_SECRET", secret)]),
        "APP_WEBHOOK_URL: must be set, because APP_WEBHOOK_SECRET is"
    );
    let rotating = format!("{secret}, {secret}");
    let config = parse(&[url, ("APP_WEBHOOK_SECRET", &rotating)]).unwrap();
    assert_eq!(config.app_webhooks.unwrap().keys.len(), 2);
    let five = [secret; 5].join(",");
    assert!(problems(&[url, ("APP_WEBHOOK_SECRET", &five)]).contains("at most four"));
    let plain = [("APP_WEBHOOK_URL", "http://app.example/hooks"), ("APP_WEBHOOK_SECRET", secret)];
    assert!(problems(&plain).contains("must be https"));
}

/// The example of the Standard Webhooks specification's libraries.
#[test]
fn a_signature_is_that_of_standard_webhooks() {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let url = ("APP_WEBHOOK_URL", "https://app.example/hooks");
    let webhooks = parse(&[url, ("APP_WEBHOOK_SECRET", secret)]).unwrap().app_webhooks.unwrap();
    let signed = br#"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}"#;
    assert_eq!(webhooks.keys[0].sign(signed), "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}
