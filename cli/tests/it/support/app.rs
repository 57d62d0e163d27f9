use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use dev_services::mail::Mail;
use dev_services::upstash::{self, Tokens};
use farebox::catalog::{self, Catalog, Ids};
use farebox::dev::sql_clock;
use farebox::dev::token;
use farebox::server;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::app::{App, PoolSize};
use shared::auth::service_key;
use shared::clock::Clock;
use shared::config::Config;
use shared::domain::hash::hex;
use shared::{endpoints, http};
use stripe_simulator::{self as simulator, Simulator, Target};
use tokio::net::TcpListener;
use tokio_postgres::Client;

use super::proxy::{self, Proxy};
use super::stack::{self, Stack};
use super::{ApiResponse, Call, TestClock, until};

pub const SECRET: &str = "a-secret-of-the-tests-and-of-nobody-else";
pub const ISSUER: &str = "https://id.example";
pub const CRON_SECRET: &str = "the-scheduler-of-the-tests";
const REDIS_TOKEN: &str = "redis-token";
/// On a busy machine Redis may answer late without an error.
const REDIS_TIMEOUT_MS: &str = "2000";
const STRIPE_KEY: &str = "sk_test_of_the_tests";
pub const WEBHOOK_SECRET: &str = "whsec_of_the_tests";

/// The settings that every test shares.
const SETTINGS: [(&str, &str); 12] = [
    ("UPSTASH_REDIS_REST_TOKEN", REDIS_TOKEN),
    ("REDIS_TIMEOUT_MS", REDIS_TIMEOUT_MS),
    ("AUTH_HS256_SECRET", SECRET),
    ("AUTH_ISSUER", ISSUER),
    ("AUTH_ADMIN_CLAIM", "role=admin"),
    ("CRON_SECRET", CRON_SECRET),
    ("STRIPE_SECRET_KEY", STRIPE_KEY),
    ("STRIPE_WEBHOOK_SECRET", WEBHOOK_SECRET),
    ("EMAIL_FROM", "Acme <billing@acme.example>"),
    ("ALLOWED_ORIGINS", "https://app.example"),
    ("RATE_LIMITS", "review-code=10/1h"),
    ("LOG_LEVEL", "error"),
];

/// The start time of every test, in the middle of a month, a week and a day. It is in the past, so
/// that SQL accepts the times of a clock that a test has advanced.
const BEGINNING: &str = "2026-06-10T10:20:30Z";

/// More messages than any test sends.
const KEPT_MAIL: usize = 20_000;

/// The Farebox of one test.
pub struct TestApp {
    pub base: String,
    pub clock: TestClock,
    pub redis: Proxy,
    pub postgres: Proxy,
    /// Between Farebox and the simulator; tests reach the simulator directly.
    pub stripe: Proxy,
    pub simulator: Simulator,
    /// The e-mails sent to users.
    pub mail: Mail,
    pub settings: BTreeMap<String, String>,
    pub service_key: String,
    pub admin_key: String,
    pub owner_url: String,
    redis_url: String,
    http: reqwest::Client,
}

/// The settings in which a test differs from the others.
#[derive(Default)]
pub struct Setup {
    settings: Vec<(String, String)>,
    sells: Option<&'static str>,
    clock: Option<Clock>,
}

impl Setup {
    /// Publishes the catalog of one of the apps.
    pub fn sells(mut self, catalog: &'static str) -> Self {
        self.sells = Some(catalog);
        self
    }

    pub fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.settings.push((name.to_owned(), value.into()));
        self
    }

    /// Starts the clock at that time.
    pub fn at(mut self, moment: &str) -> Self {
        self.clock = Some(Clock::starting_at(moment.parse().unwrap()));
        self
    }

    /// Uses the machine's clock, as deployed functions do.
    pub fn at_machine_time(mut self) -> Self {
        self.clock = Some(Clock::default());
        self
    }

    pub async fn start(self) -> TestApp {
        TestApp::start(self).await
    }
}

impl TestApp {
    pub async fn new() -> Self {
        Setup::default().start().await
    }

    /// An app with one of the catalogs.
    pub async fn selling(catalog: &'static str) -> Self {
        Setup::default().sells(catalog).start().await
    }

    async fn start(setup: Setup) -> Self {
        let stack = Stack::start().await;
        let urls = stack.database().await;
        let tokens = Tokens { full: REDIS_TOKEN.to_owned(), read_only: "read-only".to_owned() };
        let front = listen(upstash::router(stack.redis(), tokens)).await;
        let redis = Proxy::start(front.address, proxy::is_http).await;
        let postgres = Proxy::start(stack.postgres_address(), proxy::is_postgres).await;

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let clock = setup.clock.unwrap_or_else(clock);
        let clock = TestClock::new(clock, stack::settings(&urls.owner)).await;
        let simulator = simulate_stripe(&base, &clock, &urls.owner).await;
        let stripe_address = simulator.base().trim_start_matches("http://").parse().unwrap();
        let stripe = Proxy::start(stripe_address, proxy::is_http).await;

        let mail = Mail::start(KEPT_MAIL).await.unwrap();
        let service_key = service_key::generate().unwrap();
        let admin_key = service_key::generate().unwrap();
        let database = urls
            .app
            .replace(&stack.postgres_address().to_string(), &postgres.address().to_string());
        let redis_url = format!("http://{}", front.address);
        let hash = |key: &str| hex(&service_key::sha256(key));
        let keys = format!("service:{},admin:{}", hash(&service_key), hash(&admin_key));
        let own_settings = [
            ("DATABASE_URL", database),
            ("UPSTASH_REDIS_REST_URL", format!("http://{}", redis.address())),
            ("SERVICE_KEYS", keys),
            ("STRIPE_API_URL", format!("http://{}", stripe.address())),
            ("SMTP_URL", mail.url()),
        ];
        let mut settings: BTreeMap<String, String> =
            SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        settings.extend(own_settings.map(|(name, value)| (name.to_owned(), value)));
        settings.extend(setup.settings);

        let config = Config::from_vars(|name| settings.get(name).cloned()).unwrap();
        let app = App::new(config, clock.clone(), PoolSize::Server).unwrap();
        let router = http::mount_all(endpoints::ALL, &app);
        tokio::spawn(server::serve(listener, router, std::future::pending()));
        let app = Self {
            base,
            clock,
            redis,
            postgres,
            stripe,
            simulator,
            mail,
            settings,
            service_key,
            admin_key,
            owner_url: urls.owner,
            redis_url,
            http: reqwest::Client::new(),
        };
        if let Some(catalog) = setup.sells {
            app.sell(catalog).await;
        }
        app
    }

    /// Publishes the catalog of one of the apps.
    pub async fn sell(&self, name: &str) {
        self.sell_in(&self.owner_url, name).await;
    }

    /// Publishes the catalog at Stripe, and in the database of that owner.
    pub async fn sell_in(&self, owner_url: &str, name: &str) {
        let path = format!("{}/../catalogs/{name}.toml", env!("CARGO_MANIFEST_DIR"));
        self.sell_text(owner_url, name, &std::fs::read_to_string(path).unwrap()).await;
    }

    /// Publishes a catalog from a test's own text.
    pub async fn sell_text(&self, owner_url: &str, name: &str, text: &str) {
        let catalog = Catalog::read(name, text, &Ids::Ignored).unwrap();
        let stripe = catalog::Stripe::from_settings(|name| match name {
            "STRIPE_API_URL" => Some(self.simulator.base().to_owned()),
            name => self.settings.get(name).cloned(),
        });
        let stripe = stripe.unwrap();
        let database = stack::settings(owner_url);
        catalog::publish(&catalog, &database, &stripe, self.now()).await.unwrap();
    }

    pub fn get(&self, path: &str) -> Call {
        self.call("GET", path)
    }

    pub fn post(&self, path: &str) -> Call {
        self.call("POST", path)
    }

    pub fn patch(&self, path: &str) -> Call {
        self.call("PATCH", path)
    }

    pub fn delete(&self, path: &str) -> Call {
        self.call("DELETE", path)
    }

    /// A call without a token.
    pub fn call(&self, method: &str, path: &str) -> Call {
        let request = self.http.request(method.parse().unwrap(), format!("{}{path}", self.base));
        Call::new(request)
    }

    /// A user's token, as the app's identity provider would issue it.
    pub fn token(&self, user: &str) -> String {
        self.token_with(json!({ "sub": user }))
    }

    /// A token with changed claims; null removes a claim.
    pub fn token_with(&self, changes: Value) -> String {
        token::sign(SECRET, &claims(self.now(), changes))
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Moves this test's clock to the next day, this long after midnight UTC.
    pub fn to_next_day(&self, after_midnight: SignedDuration) {
        let now = self.now();
        let zoned = now.to_zoned(jiff::tz::TimeZone::UTC);
        let midnight = zoned.date().tomorrow().unwrap().to_zoned(jiff::tz::TimeZone::UTC).unwrap();
        let target = midnight.timestamp() + after_midnight;
        self.clock.advance(target.duration_since(now));
    }

    pub async fn stats(&self, user: &str) -> Value {
        let answer = self.get("/api/dashboard").bearer(&self.token(user)).send().await;
        answer.expect_status(200).body
    }

    /// Waits until Farebox has noticed that Redis answers again.
    pub async fn redis_is_back(&self) {
        let token = self.token("waiting");
        until(async || self.get("/api/dashboard").bearer(&token).send().await.status == 200).await;
    }

    /// Sends a Redis command, bypassing every proxy.
    pub async fn redis_command(&self, command: &[&str]) -> Value {
        let request = self.http.post(&self.redis_url).bearer_auth(REDIS_TOKEN).json(command);
        let answer = ApiResponse::of(request.send().await.unwrap()).await;
        answer.expect_status(200).body["result"].clone()
    }

    /// The user's stats and last login in Redis, which a refused call must not change.
    pub async fn redis_contents(&self, user: &str) -> Value {
        let stats = self.redis_command(&["HGETALL", &format!("user:{user}:stats")]).await;
        let last_login = self.redis_command(&["GET", &format!("user:{user}:last_login")]).await;
        json!([stats, last_login])
    }

    /// The app itself, for calls without a route.
    pub fn inside(&self) -> Arc<App> {
        let config = Config::from_vars(|name| self.settings.get(name).cloned()).unwrap();
        App::new(config, self.clock.clone(), PoolSize::Server).unwrap()
    }

    /// Every row of every table, by table name.
    pub async fn tables(&self) -> BTreeMap<String, String> {
        let client = self.owner().await;
        let names = "select tablename::text from pg_tables where schemaname = 'public'";
        let mut tables = BTreeMap::new();
        for row in client.query_typed(names, &[]).await.unwrap() {
            let name: String = row.get(0);
            let rows = format!(
                "select coalesce(string_agg(t::text, E'\\n' order by t::text), '') from {name} t"
            );
            let row = client.query_typed_one(&rows, &[]).await.unwrap();
            tables.insert(name, row.get(0));
        }
        tables
    }

    /// A connection as the owner of this test's database.
    pub async fn owner(&self) -> Client {
        shared::adapters::postgres::connect(&stack::settings(&self.owner_url)).await.unwrap()
    }

    pub fn database_name(&self) -> String {
        let url = url::Url::parse(&self.owner_url).unwrap();
        url.path().trim_start_matches('/').to_owned()
    }

    /// The result of a count query, run as the owner.
    pub async fn count(&self, sql: &str) -> i64 {
        self.owner().await.query_typed_one(sql, &[]).await.unwrap().get(0)
    }
}

/// The clock of one test. `FAREBOX_DEV_CLOCK` sets another start time for all tests.
pub fn clock() -> Clock {
    let beginning = std::env::var("FAREBOX_DEV_CLOCK").unwrap_or_else(|_| BEGINNING.to_owned());
    Clock::starting_at(beginning.parse().unwrap())
}

/// A simulated Stripe for one test, which sends all its webhooks to the app.
async fn simulate_stripe(app: &str, clock: &Clock, owner_url: &str) -> Simulator {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("{app}/api/stripe/webhook");
    let options = simulator::Options {
        base: format!("http://{}", listener.local_addr().unwrap()),
        secret_key: STRIPE_KEY.to_owned(),
        webhook: Some(Target { url, secret: WEBHOOK_SECRET.to_owned() }),
        clock: stripe_simulator::Clock::with_shift(clock.shared_shift()),
        snapshot: None,
        before_moving: Some(sql_clock::follow(stack::settings(owner_url))),
    };
    let simulator = Simulator::start(options).await.unwrap();
    tokio::spawn(server::serve(listener, simulator.router(), std::future::pending()));
    simulator
}

/// The claims of a valid token, with changes; null removes a claim.
pub fn claims(now: Timestamp, changes: Value) -> Value {
    let issued = now.as_second();
    let mut claims =
        json!({ "iss": ISSUER, "sub": "user_1", "iat": issued, "exp": issued + 3_600 });
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

pub struct Served {
    pub address: std::net::SocketAddr,
}

/// Serves a router for the rest of the test.
pub async fn listen(router: Router) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(server::serve(listener, router, std::future::pending()));
    Served { address }
}
