//! The local stack's secrets, generated on first use and stored with its data.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use serde::{Deserialize, Serialize};
use shared::auth::service_key;
use shared::domain::hash::hex;

use super::running::start_hint;
use super::{Settings, write_private};
use dev_services::process::random_password;

/// The issuer of the local stack's tokens.
const ISSUER: &str = "farebox-local";

#[derive(Clone, Deserialize, Serialize)]
pub struct Secrets {
    /// The password of the functions' login.
    pub(super) database_password: String,
    /// Empty in a file of an older version, whose owner had no password.
    #[serde(default)]
    pub(super) database_owner_password: String,
    pub(super) redis_token: String,
    pub(super) redis_read_only_token: String,
    pub(super) hs256_secret: String,
    pub(super) cron_secret: String,
    pub service_key: String,
    pub admin_key: String,
    /// Empty in a file of an older version, which had no Stripe simulator.
    #[serde(default)]
    pub(super) stripe_secret_key: String,
    #[serde(default)]
    pub(super) stripe_webhook_secret: String,
}

impl Secrets {
    pub(super) fn keep_in(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join("secrets.json");
        let mut secrets = if path.exists() { Self::read(dir)? } else { Self::generate()? };
        let has_all =
            !secrets.stripe_secret_key.is_empty() && !secrets.database_owner_password.is_empty();
        if !has_all {
            let fill = |secret: &mut String, prefix: &str| {
                if secret.is_empty() {
                    *secret = format!("{prefix}{}", random_password()?);
                }
                anyhow::Ok(())
            };
            fill(&mut secrets.stripe_secret_key, "sk_test_")?;
            fill(&mut secrets.stripe_webhook_secret, "whsec_")?;
            fill(&mut secrets.database_owner_password, "")?;
            write_private(&path, &serde_json::to_string_pretty(&secrets)?)?;
        }
        Ok(secrets)
    }

    /// Reads the secrets of a stack that has been started at least once.
    pub fn read(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join("secrets.json");
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                bail!("no stack has been started in {}: {}", dir.display(), start_hint(dir))
            }
            text => text.with_context(|| format!("cannot read {}", path.display()))?,
        };
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
    }

    fn generate() -> anyhow::Result<Self> {
        let key = || {
            service_key::generate()
                .map_err(|_| anyhow!("the system's random number generator failed"))
        };
        Ok(Self {
            database_password: random_password()?,
            database_owner_password: String::new(),
            redis_token: random_password()?,
            redis_read_only_token: random_password()?,
            hs256_secret: random_password()? + &random_password()?,
            cron_secret: random_password()?,
            service_key: key()?,
            admin_key: key()?,
            stripe_secret_key: String::new(),
            stripe_webhook_secret: String::new(),
        })
    }

    /// The default settings of the local stack; the environment overrides them.
    pub fn settings(&self, base: &str) -> Settings {
        let hash = |key: &str| hex(&service_key::sha256(key));
        let keys = format!("service:{},admin:{}", hash(&self.service_key), hash(&self.admin_key));
        let localhost = base.replace("127.0.0.1", "localhost");
        [
            ("AUTH_HS256_SECRET", self.hs256_secret.clone()),
            ("AUTH_ISSUER", ISSUER.to_owned()),
            ("AUTH_ADMIN_CLAIM", "role=admin".to_owned()),
            ("AUTH_ORG_CLAIM", "org_id".to_owned()),
            ("AUTH_ORG_ROLE_CLAIM", "org_role".to_owned()),
            ("AUTH_ORG_ROLES", "org:admin=buy,org:member=spend".to_owned()),
            ("SERVICE_KEYS", keys),
            ("CRON_SECRET", self.cron_secret.clone()),
            ("ALLOWED_ORIGINS", format!("{base},{localhost}")),
            ("RATE_LIMITS", "review-code=10/1h,review-repo=5/1h,generate-diff=20/1h".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}
