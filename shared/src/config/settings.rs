/// One environment variable that Farebox reads.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub name: &'static str,
    /// Another name for the same thing, as some platforms set it.
    pub alias: Option<&'static str>,
    pub required: bool,
    pub secret: bool,
    /// Read by `farebox serve` alone: a platform's functions have no use for it.
    pub for_servers: bool,
    pub about: &'static str,
}

const fn required(name: &'static str, about: &'static str) -> Setting {
    Setting { name, alias: None, required: true, secret: false, for_servers: false, about }
}

const fn optional(name: &'static str, about: &'static str) -> Setting {
    Setting { required: false, ..required(name, about) }
}

impl Setting {
    const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    const fn for_servers(self) -> Self {
        Self { for_servers: true, ..self }
    }

    const fn alias(self, alias: &'static str) -> Self {
        Self { alias: Some(alias), ..self }
    }
}

/// Every setting of a function, in the order the README lists them.
pub const SETTINGS: &[Setting] = &[
    required("DATABASE_URL", "Postgres, as the role that functions use; a pooler's URL is fine")
        .secret(),
    optional("DATABASE_CA_CERT", "PEM of the server's authority, where it is not a public one"),
    optional("DATABASE_POOL_SIZE", "connections at most; 2 in a function, 20 on a server"),
    optional("FAREBOX_SCHEMA", "the schema Farebox lives in; `public`"),
    required("UPSTASH_REDIS_REST_URL", "Upstash Redis over REST").alias("KV_REST_API_URL"),
    required("UPSTASH_REDIS_REST_TOKEN", "its token, with write access")
        .secret()
        .alias("KV_REST_API_TOKEN"),
    optional("REDIS_TIMEOUT_MS", "how long it has to answer before Postgres is asked instead; 200"),
    required("STRIPE_SECRET_KEY", "Stripe's secret or restricted key").secret(),
    optional(
        "STRIPE_WEBHOOK_SECRET",
        "`whsec_...` of the webhook endpoint; while it is being rotated both, comma-separated",
    )
    .secret(),
    optional(
        "STRIPE_ACCOUNT",
        "`acct_...`; events that name an account count if they name this one; unset, none of them",
    ),
    optional(
        "STRIPE_TRUST_CLIENT_REFERENCE_ID",
        "`true` takes a session's `client_reference_id` for its buyer's user id where nothing else \
         names them; anyone who opens a payment link can write it",
    ),
    optional("STRIPE_API_URL", "where Stripe answers; `https://api.stripe.com`"),
    optional("STRIPE_AUTOMATIC_TAX", "`true` lets Stripe compute taxes at checkout"),
    optional("STRIPE_PORTAL_CONFIGURATION", "`bpc_...`; the account's default"),
    optional("AUTH_JWKS_URL", "the identity provider's public keys (RS256, ES256, EdDSA)"),
    optional("AUTH_JWKS", "the same keys inline, as JSON; saves the first request a fetch"),
    optional("AUTH_HS256_SECRET", "for providers that sign with a shared secret (HS256)").secret(),
    required("AUTH_ISSUER", "the `iss` every token must carry"),
    optional("AUTH_AUDIENCE", "accepted `aud` values, comma-separated; not checked when unset"),
    optional(
        "AUTH_AUTHORIZED_PARTIES",
        "accepted `azp` values, comma-separated; not checked when unset",
    ),
    optional("AUTH_ADMIN_CLAIM", "the claim that makes an admin: `metadata.role=admin`"),
    optional("AUTH_CLOCK_SKEW_SECONDS", "how far clocks may differ; 30"),
    optional(
        "AUTH_TOKEN_LIFETIME_HOURS",
        "the longest life of a token, and how long an erased id is remembered; 24",
    ),
    optional("SERVICE_KEYS", "`service:SHA256` or `admin:SHA256`, comma-separated"),
    optional("CRON_SECRET", "the bearer token of scheduled calls, at least 16 characters").secret(),
    optional("ALLOWED_ORIGINS", "browser origins that may call, and that checkout may return to"),
    optional(
        "TRUSTED_PROXIES",
        "proxies in front of `farebox serve`, whose `X-Forwarded-For` is believed: `10.0.0.0/8,::1`",
    )
    .for_servers(),
    optional("RATE_LIMITS", "named limits: `review-code=10/1h,review-repo=5/1h`"),
    optional(
        "SMTP_URL",
        "the mail server, `smtp://user:password@host:587` or `smtps://`; unset, no e-mail is sent",
    )
    .secret(),
    optional("EMAIL_FROM", "who writes to users: `Acme <billing@acme.com>`; with `SMTP_URL`"),
    optional("EMAIL_SUBJECT_RECEIPT", "`Your receipt`"),
    optional("EMAIL_SUBJECT_PAYMENT_FAILED", "`Your payment did not go through`"),
    optional("EMAIL_SUBJECT_TRIAL_ENDING", "`Your trial ends soon`"),
    optional("EMAIL_SUBJECT_CANCELED", "`Your subscription has ended`"),
    optional("EMAIL_SUBJECT_LIMIT_NEAR", "`How much you have used`"),
    optional("EMAIL_SUBJECT_CREDITS_USED", "`Your credits are running out`"),
    optional("EMAIL_PRODUCT_NAME", "what e-mails are signed with"),
    optional("CLERK_SECRET_KEY", "shows each user's plan and status in Clerk's metadata").secret(),
    optional("CLERK_API_URL", "where Clerk answers; `https://api.clerk.com`"),
    optional(
        "ALERT_WEBHOOK_URL",
        "where operators are told that something is wrong, as Slack's incoming webhooks take it",
    )
    .secret(),
    optional("LOG_LEVEL", "`error`, `warn`, `info`, `debug` or `trace`; `info`"),
];
