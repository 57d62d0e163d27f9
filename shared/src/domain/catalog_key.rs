use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The key of a plan or a credit pack in the catalog: `pro`, `mail_credits_10`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(try_from = "String")]
#[schemars(extend("pattern" = "^[a-z][a-z0-9_-]{0,49}$"))]
pub struct CatalogKey(String);

/// A currency as Stripe writes it: `usd`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(try_from = "String")]
#[schemars(extend("pattern" = "^[a-z]{3}$"))]
pub struct Currency(String);

impl CatalogKey {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CatalogKey {
    type Error = &'static str;

    fn try_from(key: String) -> Result<Self, Self::Error> {
        let plain =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
        let starts_well = key.starts_with(|c: char| c.is_ascii_lowercase());
        if !starts_well || key.len() > 50 || !key.chars().all(plain) {
            return Err("must be a key of the catalog, such as pro");
        }
        Ok(Self(key))
    }
}

impl Currency {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Currency {
    type Error = &'static str;

    fn try_from(code: String) -> Result<Self, Self::Error> {
        if code.len() != 3 || !code.chars().all(|c| c.is_ascii_lowercase()) {
            return Err("must be a currency's three lower-case letters, such as usd");
        }
        Ok(Self(code))
    }
}
