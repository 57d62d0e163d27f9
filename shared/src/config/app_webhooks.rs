use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use url::Url;

use super::parse::{self, Reader};

/// During a rotation there are two. Each adds a signature to every request.
const MAX_KEYS: usize = 4;

/// The endpoint of the app's server that gets webhooks.
#[derive(Clone, Debug)]
pub struct AppWebhooks {
    pub url: Url,
    /// Every webhook is signed with each of these.
    pub keys: Vec<SigningKey>,
}

/// A signing secret as Standard Webhooks has it, decoded.
#[derive(Clone)]
pub struct SigningKey(hmac::Key);

impl SigningKey {
    pub fn sign(&self, message: &[u8]) -> String {
        STANDARD.encode(hmac::sign(&self.0, message))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Parses `whsec_` and 24 to 64 bytes in base64.
fn signing_key(value: &str) -> Result<SigningKey, &'static str> {
    const FORM: &str = "must be whsec_ and 24 to 64 random bytes in base64; to make one: echo \
                        whsec_$(openssl rand -base64 32)";
    let bytes = value.strip_prefix("whsec_").and_then(|text| STANDARD.decode(text).ok());
    let bytes = bytes.filter(|bytes| (24..=64).contains(&bytes.len())).ok_or(FORM)?;
    Ok(SigningKey(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
}

/// Parses the URL. Its user name and password would not be sent.
fn endpoint(value: &str) -> Result<Url, &'static str> {
    let url = parse::http_url(value)?;
    if url.username().is_empty() && url.password().is_none() {
        Ok(url)
    } else {
        Err("must not have a user name or a password")
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<AppWebhooks> {
    let url = reader.parsed("APP_WEBHOOK_URL", endpoint);
    let keys = reader.list("APP_WEBHOOK_SECRET", signing_key);
    let is_set = |name| reader.is_set(name);
    match (is_set("APP_WEBHOOK_URL"), is_set("APP_WEBHOOK_SECRET")) {
        (true, false) => {
            reader.problem("APP_WEBHOOK_SECRET", "must be set, because APP_WEBHOOK_URL is");
        }
        (false, true) => {
            reader.problem("APP_WEBHOOK_URL", "must be set, because APP_WEBHOOK_SECRET is");
        }
        _ => {}
    }
    if keys.len() > MAX_KEYS {
        reader.problem("APP_WEBHOOK_SECRET", "must be at most four secrets");
    }
    Some(AppWebhooks { url: url?, keys })
}
