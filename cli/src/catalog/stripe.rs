//! The few calls to Stripe that pricing as code makes: find a product or a price, or create one.
//!
//! Requests are async-stripe's; of an answer only what is compared is read. Nothing is edited:
//! whoever pushes again goes on where the last push stopped.

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

/// As many lookup keys as Stripe takes at once.
const LOOKUP_KEYS: usize = 10;

/// The account to push to.
#[derive(Debug)]
pub struct Stripe {
    client: shared::adapters::stripe::Stripe,
    is_live: bool,
}

/// A product of Stripe's, as far as it matters.
#[derive(Debug, Deserialize)]
pub(super) struct StripeProduct {
    pub(super) id: String,
    pub(super) active: bool,
}

/// A price of Stripe's, as far as it matters.
#[derive(Debug, Deserialize)]
pub(super) struct StripePrice {
    pub(super) id: String,
    pub(super) active: bool,
    pub(super) product: String,
    pub(super) lookup_key: Option<String>,
    currency: String,
    unit_amount: Option<u64>,
    recurring: Option<Recurring>,
    /// Where so many units cost the amount, not one.
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

/// A price to be made.
#[derive(Clone, Debug)]
pub(super) struct NewPrice {
    pub(super) product_id: String,
    pub(super) lookup_key: String,
    pub(super) price: Price,
    /// None where it is paid once.
    pub(super) interval: Option<BillingInterval>,
}

impl Stripe {
    /// The one that these settings name.
    pub fn from_settings(vars: impl Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        let config = config::Stripe::from_vars(vars)?;
        let client =
            shared::adapters::stripe::Stripe::new(Arc::new(HttpClient::default()), &config);
        Ok(Self { client: client.map_err(said)?, is_live: config.is_live() })
    }

    /// Whether it is the account with real money in it.
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

    /// Prices by their lookup keys, of those that have one.
    pub(super) async fn prices(&self, lookup_keys: &[String]) -> anyhow::Result<Vec<StripePrice>> {
        #[derive(Deserialize)]
        struct List {
            data: Vec<StripePrice>,
        }
        let mut prices = Vec::new();
        for keys in lookup_keys.chunks(LOOKUP_KEYS) {
            let list = ListPrice::new().lookup_keys(keys.to_vec()).limit(100);
            let list = list.expand(vec!["data.currency_options".to_owned()]);
            let found = self.client.send(&list.build()).await.map_err(said)?;
            prices.extend(parse::<List>(found.object)?.data);
        }
        Ok(prices)
    }

    /// A product under an id that we choose, so that it is made once however often this is called.
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
            Err(error) if is(&error, "resource_already_exists") => Ok(()),
            made => made.map(drop).map_err(said),
        }
    }

    /// A price; answers its id. Its lookup key is taken from the price that had it.
    pub(super) async fn create_price(
        &self,
        new: &NewPrice,
        idempotency_key: &str,
    ) -> anyhow::Result<String> {
        let made =
            self.client.send_idempotent(&new.request(), idempotency_key).await.map_err(said)?;
        let id = made.text("id").context("Stripe answered a price without an id")?;
        Ok(id.to_owned())
    }

    async fn find(&self, request: &RequestBuilder) -> anyhow::Result<Option<Value>> {
        match self.client.send(request).await {
            Err(error) if is(&error, "resource_missing") => Ok(None),
            found => Ok(Some(found.map_err(said)?.object)),
        }
    }
}

fn is(error: &StripeError, code: &str) -> bool {
    error.refusal().is_some_and(|refusal| refusal.code == code)
}

fn said(error: StripeError) -> anyhow::Error {
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
    /// Whether it costs what the catalog says, as often.
    pub(super) fn is(&self, price: &Price, interval: Option<BillingInterval>) -> bool {
        let same_rhythm = match (&self.recurring, interval) {
            (None, None) => true,
            (Some(own), Some(interval)) => {
                let wanted = recurring(interval);
                own.interval == wanted.interval.as_str()
                    && Some(own.interval_count) == wanted.interval_count
                    && own.usage_type == "licensed"
            }
            _ => false,
        };
        let same_elsewhere = price.currency_amounts.iter().all(|(currency, amount)| {
            self.currency_options.get(currency).is_some_and(|own| own.unit_amount == Some(*amount))
        });
        same_rhythm
            && same_elsewhere
            && self.currency == price.currency
            && self.unit_amount == Some(price.amount_minor)
            && self.transform_quantity.is_none()
    }

    /// Whether it costs something in a currency of which the catalog says nothing.
    pub(super) fn knows_others(&self, price: &Price) -> bool {
        let known =
            |code: &String| *code == price.currency || price.currency_amounts.contains_key(code);
        !self.currency_options.keys().all(known)
    }

    /// What it costs, in words.
    pub(super) fn said(&self) -> String {
        let amount =
            self.unit_amount.map_or("no flat amount".to_owned(), |amount| amount.to_string());
        let mut said = format!("{amount} {}", self.currency);
        match &self.recurring {
            None => said += " once",
            Some(own) => said += &format!(" every {} {}", own.interval_count, own.interval),
        }
        if self.transform_quantity.is_some() {
            said += " for several units";
        }
        for (currency, option) in &self.currency_options {
            if let (true, Some(amount)) = (*currency != self.currency, option.unit_amount) {
                said += &format!(", {amount} {currency}");
            }
        }
        said
    }
}

fn parse<T: serde::de::DeserializeOwned>(answer: Value) -> anyhow::Result<T> {
    serde_json::from_value(answer).context("Stripe answered something that is not understood")
}
