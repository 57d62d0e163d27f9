/// One environment variable that Farebox reads.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub name: &'static str,
    /// An alternative name, which some platforms set.
    pub alias: Option<&'static str>,
    pub required: bool,
    pub secret: bool,
    /// Used only by `farebox serve`, not by a platform's functions.
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

/// Every setting, in the order of the README.
pub const SETTINGS: &[Setting] = &[
    required(
        "DATABASE_URL",
        "URL of Postgres, with the login of the functions; a pooler's URL is fine",
    )
    .secret(),
    optional(
        "DATABASE_CA_CERT",
        "PEM of the authority that signed the server's certificate, if it is not a public one",
    ),
    optional(
        "DATABASE_POOL_SIZE",
        "maximum number of connections; default 2 in a function, 20 on a server",
    ),
    optional("FAREBOX_SCHEMA", "Postgres schema of Farebox's tables; default `public`"),
    required("UPSTASH_REDIS_REST_URL", "REST URL of Upstash Redis").alias("KV_REST_API_URL"),
    required("UPSTASH_REDIS_REST_TOKEN", "REST token of Upstash Redis, with write access")
        .secret()
        .alias("KV_REST_API_TOKEN"),
    optional(
        "REDIS_TIMEOUT_MS",
        "milliseconds that Redis may take to answer before Farebox asks Postgres instead; default \
         200",
    ),
    required("STRIPE_SECRET_KEY", "Stripe's secret or restricted key").secret(),
    optional(
        "STRIPE_WEBHOOK_SECRET",
        "`whsec_...` of the webhook endpoint; during a rotation both secrets, comma-separated",
    )
    .secret(),
    optional(
        "STRIPE_ACCOUNT",
        "`acct_...` of the connected account (Connect) to serve; events of other connected \
         accounts are ignored",
    ),
    optional(
        "STRIPE_TRUST_CLIENT_REFERENCE_ID",
        "`true` takes a session's `client_reference_id` as the buyer's user id if nothing else \
         names the buyer; anyone who opens a payment link can set it",
    ),
    optional("STRIPE_API_URL", "base URL of Stripe's API; default `https://api.stripe.com`"),
    optional("STRIPE_AUTOMATIC_TAX", "`true` lets Stripe compute taxes at checkout"),
    optional(
        "STRIPE_PORTAL_CONFIGURATION",
        "`bpc_...` of the customer portal; by default the account's default configuration",
    ),
    optional("AUTH_JWKS_URL", "URL of the identity provider's public keys (RS256, ES256, EdDSA)"),
    optional(
        "AUTH_JWKS",
        "the same keys inline, as JSON, so that the first request fetches nothing",
    ),
    optional("AUTH_HS256_SECRET", "secret of a provider that signs with a shared secret (HS256)")
        .secret(),
    required("AUTH_ISSUER", "the `iss` that every token must have"),
    optional("AUTH_AUDIENCE", "accepted `aud` values, comma-separated; not checked when unset"),
    optional(
        "AUTH_AUTHORIZED_PARTIES",
        "accepted `azp` values, comma-separated; not checked when unset",
    ),
    optional(
        "AUTH_ADMIN_CLAIM",
        "claim and value that make a user an admin: `metadata.role=admin`",
    ),
    optional(
        "AUTH_ORG_CLAIM",
        "claim with the organisation for which the user acts: `o.id` (Clerk), `org_id` (Auth0, \
         WorkOS); set it together with the next two",
    ),
    optional("AUTH_ORG_ROLE_CLAIM", "claim with the member's role, or roles: `o.rol`, `role`"),
    optional(
        "AUTH_ORG_ROLES",
        "what each role may do, `read`, `spend` or `buy`: `admin=buy,member=spend`; other roles \
         only read",
    ),
    optional(
        "AUTH_CLOCK_SKEW_SECONDS",
        "seconds by which the token issuer's clock may differ; default 30",
    ),
    optional(
        "AUTH_TOKEN_LIFETIME_HOURS",
        "longest accepted lifetime of a token; an erased user's id is remembered as \
         long; default 24",
    ),
    optional(
        "SERVICE_KEYS",
        "hashes of service keys, as `service:SHA256` or `admin:SHA256`, comma-separated",
    ),
    optional("CRON_SECRET", "the bearer token of scheduled calls, at least 16 characters").secret(),
    optional(
        "ALLOWED_ORIGINS",
        "origins from which browsers may call Farebox, and to which checkout and the portal may \
         return; comma-separated",
    ),
    optional(
        "TRUSTED_PROXIES",
        "proxies in front of `farebox serve` whose `X-Forwarded-For` is trusted: `10.0.0.0/8,::1`",
    )
    .for_servers(),
    optional(
        "RATE_LIMITS",
        "limits of `POST /api/rate-limit`, by name: `review-code=10/1h,review-repo=5/1h`",
    ),
    optional(
        "SMTP_URL",
        "mail server, `smtp://user:password@host:587` or `smtps://`; if unset, no e-mail is sent",
    )
    .secret(),
    optional(
        "EMAIL_FROM",
        "sender of e-mails to users: `Acme <billing@acme.com>`; required with `SMTP_URL`",
    ),
    optional("EMAIL_SUBJECT_RECEIPT", "subject of the receipt; default `Your receipt`"),
    optional(
        "EMAIL_SUBJECT_PAYMENT_FAILED",
        "subject of the e-mail after a failed payment; default `Your payment did not go through`",
    ),
    optional(
        "EMAIL_SUBJECT_TRIAL_ENDING",
        "subject of the e-mail before a trial ends; default `Your trial ends soon`",
    ),
    optional(
        "EMAIL_SUBJECT_CANCELED",
        "subject of the e-mail after a subscription has ended; default `Your subscription has \
         ended`",
    ),
    optional(
        "EMAIL_SUBJECT_LIMIT_NEAR",
        "subject of the e-mail near a usage limit; default `How much you have used`",
    ),
    optional(
        "EMAIL_SUBJECT_CREDITS_USED",
        "subject of the e-mail when credits run out; default `Your credits are running out`",
    ),
    optional("EMAIL_PRODUCT_NAME", "product name in e-mails; default the name in `EMAIL_FROM`"),
    optional(
        "EMAIL_MANAGE_URL",
        "page where users manage or cancel their subscription, which e-mails link to: the app's \
         billing page, or the login link of Stripe's customer portal",
    ),
    optional(
        "CLERK_SECRET_KEY",
        "Clerk's secret key; if set, Farebox pushes each user's plan and status to Clerk's user \
         metadata",
    )
    .secret(),
    optional("CLERK_API_URL", "base URL of Clerk's API; default `https://api.clerk.com`"),
    optional(
        "APP_WEBHOOK_URL",
        "endpoint of the app's server that gets webhooks, in the form of Standard Webhooks; if \
         unset, none are sent",
    ),
    optional(
        "APP_WEBHOOK_SECRET",
        "`whsec_...` with which they are signed; during a rotation both secrets, comma-separated; \
         required with `APP_WEBHOOK_URL`",
    )
    .secret(),
    optional(
        "ALERT_WEBHOOK_URL",
        "webhook for alerts to operators, in the format of Slack's incoming webhooks",
    )
    .secret(),
    optional(
        "API_LOG",
        "log of API calls in Postgres: `off`, `full`, or a share such as `0.1`, which logs one call \
         in ten; default `off`",
    ),
    optional("LOG_LEVEL", "`error`, `warn`, `info`, `debug` or `trace`; default `info`"),
];
