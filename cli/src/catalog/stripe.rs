//! The requests to Stripe of a push: they find or create products and prices.
//!
//! Requests are built with async-stripe; from a response only the compared fields are read.
//! Deliberately absent: edits of existing objects.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use serde::Deserialize;
use serde_json::Value;
use shared::adapters::http_client::HttpClient;
use shared::adapters::stripe::StripeError;
use shared::config;
use shared::domain::catalog::BillingInterval;
use stripe_client_core::{RequestBuilder, StripeRequest as _};
use stripe_product::price::{
    CreatePrice, CreatePriceCurrencyOptions, CreatePriceRecurring, CreatePriceRecurringInterval,
    ListPrice, RetrievePrice,
};
use stripe_product::product::{CreateProduct, RetrieveProduct};

use super::Price;

/// The number of lookup keys that Stripe accepts in one request.
const LOOKUP_KEYS: usize = 10;

/// The Stripe account to push to.
#[derive(Debug)]
pub struct Stripe {
    client: shared::adapters::stripe::Stripe,
    is_live: bool,
}

/// The compared fields of a Stripe product.
#[derive(Debug, Deserialize)]
pub(super) struct StripeProduct {
    pub(super) id: String,
    pub(super) active: bool,
}

/// The compared fields of a Stripe price.
#[derive(Debug, Deserialize)]
pub(super) struct StripePrice {
    pub(super) id: String,
    pub(super) active: bool,
    pub(super) product: String,
    pub(super) lookup_key: Option<String>,
    currency: String,
    unit_amount: Option<u64>,
    recurring: Option<Recurring>,
    /// Present if one amount pays for several units.
    transform_quantity: Option<Value>,
    #[serde(default)]
    currency_options: BTreeMap<String, CurrencyOption>,
}

#[derive(Debug, Deserialize)]
struct Recurring {
    interval: String,
    interval_count: u64,
    usage_type: String,
}

#[derive(Debug, Deserialize)]
struct CurrencyOption {
    unit_amount: Option<u64>,
}

/// A price to create.
#[derive(Clone, Debug)]
pub(super) struct NewPrice {
    pub(super) product_id: String,
    pub(super) lookup_key: String,
    pub(super) price: Price,
    /// None for a one-time payment.
    pub(super) interval: Option<BillingInterval>,
}

impl Stripe {
    /// Creates the client of the account that the settings name.
    pub fn from_settings(vars: impl Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        let config = config::Stripe::from_vars(vars)?;
        let client =
            shared::adapters::stripe::Stripe::new(Arc::new(HttpClient::default()), &config);
        Ok(Self { client: client.map_err(describe_error)?, is_live: config.is_live() })
    }

    /// Returns true if the key is a live-mode key.
    pub fn is_live(&self) -> bool {
        self.is_live
    }

    pub(super) async fn product(&self, id: &str) -> anyhow::Result<Option<StripeProduct>> {
        self.find(&RetrieveProduct::new(id).build()).await?.map(parse).transpose()
    }

    pub(super) async fn price(&self, id: &str) -> anyhow::Result<Option<StripePrice>> {
        let expand = vec!["currency_options".to_owned()];
        self.find(&RetrievePrice::new(id).expand(expand).build()).await?.map(parse).transpose()
    }

    /// The existing prices with these lookup keys.
    pub(super) async fn prices(&self, lookup_keys: &[String]) -> anyhow::Result<Vec<StripePrice>> {
        #[derive(Deserialize)]
        struct List {
            data: Vec<StripePrice>,
        }
        let mut prices = Vec::new();
        for keys in lookup_keys.chunks(LOOKUP_KEYS) {
            let list = ListPrice::new().lookup_keys(keys.to_vec()).limit(100);
            let list = list.expand(vec!["data.currency_options".to_owned()]);
            let found = self.client.send(&list.build()).await.map_err(describe_error)?;
            prices.extend(parse::<List>(found.object)?.data);
        }
        Ok(prices)
    }

    /// Creates a product with a chosen id, so that repeated calls create one product.
    pub(super) async fn create_product(
        &self,
        id: &str,
        name: &str,
        description: &str,
    ) -> anyhow::Result<()> {
        let mut create = CreateProduct::new(name).id(id);
        if !description.is_empty() {
            create = create.description(description);
        }
        match self.client.send(&create.build()).await {
            Err(error) if has_code(&error, "resource_already_exists") => Ok(()),
            made => made.map(drop).map_err(describe_error),
        }
    }

    /// Creates a price and returns its id. Its lookup key is transferred from the price that has
    /// it.
    pub(super) async fn create_price(
        &self,
        new: &NewPrice,
        idempotency_key: &str,
    ) -> anyhow::Result<String> {
        let made = self
            .client
            .send_idempotent(&new.request(), idempotency_key)
            .await
            .map_err(describe_error)?;
        let id = made.text("id").context("Stripe returned a price without an id")?;
        Ok(id.to_owned())
    }

    async fn find(&self, request: &RequestBuilder) -> anyhow::Result<Option<Value>> {
        match self.client.send(request).await {
            Err(error) if has_code(&error, "resource_missing") => Ok(None),
            found => Ok(Some(found.map_err(describe_error)?.object)),
        }
    }
}

fn has_code(error: &StripeError, code: &str) -> bool {
    error.refusal().is_some_and(|refusal| refusal.code == code)
}

fn describe_error(error: StripeError) -> anyhow::Error {
    anyhow!(error.in_words())
}

impl NewPrice {
    fn request(&self) -> RequestBuilder {
        let currency = |code: &str| {
            let Ok(currency) = code.parse::<stripe_types::Currency>();
            currency
        };
        let mut create = CreatePrice::new(currency(&self.price.currency))
            .unit_amount(self.price.amount_minor.cast_signed())
            .product(&self.product_id)
            .lookup_key(&self.lookup_key)
            .transfer_lookup_key(true);
        if let Some(interval) = self.interval {
            create = create.recurring(recurring(interval));
        }
        if !self.price.currency_amounts.is_empty() {
            let options = self.price.currency_amounts.iter().map(|(code, amount)| {
                let mut option = CreatePriceCurrencyOptions::new();
                option.unit_amount = Some(amount.cast_signed());
                (currency(code), option)
            });
            create = create.currency_options(options.collect::<HashMap<_, _>>());
        }
        create.build()
    }
}

fn recurring(interval: BillingInterval) -> CreatePriceRecurring {
    use CreatePriceRecurringInterval::{Month, Week, Year};
    let (unit, count) = match interval {
        BillingInterval::Weekly => (Week, 1),
        BillingInterval::Monthly => (Month, 1),
        BillingInterval::Quarterly => (Month, 3),
        BillingInterval::Yearly => (Year, 1),
    };
    let mut recurring = CreatePriceRecurring::new(unit);
    recurring.interval_count = Some(count);
    recurring
}

impl StripePrice {
    /// Returns true if the amount, the currencies and the interval match the catalog.
    pub(super) fn matches(&self, price: &Price, interval: Option<BillingInterval>) -> bool {
        let same_interval = match (&self.recurring, interval) {
            (None, None) => true,
            (Some(own), Some(interval)) => {
                let wanted = recurring(interval);
                own.interval == wanted.interval.as_str()
                    && Some(own.interval_count) == wanted.interval_count
                    && own.usage_type == "licensed"
            }
            _ => false,
        };
        let same_currencies = price.currency_amounts.iter().all(|(currency, amount)| {
            self.currency_options.get(currency).is_some_and(|own| own.unit_amount == Some(*amount))
        });
        same_interval
            && same_currencies
            && self.currency == price.currency
            && self.unit_amount == Some(price.amount_minor)
            && self.transform_quantity.is_none()
    }

    /// Returns true if the price has an amount in a currency that the catalog does not list.
    pub(super) fn has_other_currencies(&self, price: &Price) -> bool {
        let known =
            |code: &String| *code == price.currency || price.currency_amounts.contains_key(code);
        !self.currency_options.keys().all(known)
    }

    /// Describes the amount and the interval.
    pub(super) fn describe(&self) -> String {
        let amount =
            self.unit_amount.map_or("no flat amount".to_owned(), |amount| amount.to_string());
        let mut text = format!("{amount} {}", self.currency);
        match &self.recurring {
            None => text += " once",
            Some(own) => text += &format!(" every {} {}", own.interval_count, own.interval),
        }
        if self.transform_quantity.is_some() {
            text += " for several units";
        }
        for (currency, option) in &self.currency_options {
            if let (true, Some(amount)) = (*currency != self.currency, option.unit_amount) {
                text += &format!(", {amount} {currency}");
            }
        }
        text
    }
}

fn parse<T: serde::de::DeserializeOwned>(answer: Value) -> anyhow::Result<T> {
    serde_json::from_value(answer).context("Stripe returned an unexpected response")
}
