//! What the local stack sells: a catalog, published where Stripe is a stand-in on this machine.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use jiff::Timestamp;

use super::Local;
use crate::catalog::{self, Catalog, DEMO, Ids, Stripe};

/// The catalog of a file, or the demo's. The ids it gives are of another Stripe.
pub fn read(file: Option<&Path>) -> anyhow::Result<Catalog> {
    let (name, text) = match file {
        None => ("catalogs/demo.toml".to_owned(), DEMO.to_owned()),
        Some(file) => {
            let text = std::fs::read_to_string(file);
            let text = text.with_context(|| format!("cannot read {}", file.display()))?;
            (file.display().to_string(), text)
        }
    };
    let catalog = Catalog::read(&name, &text, &Ids::Ignored);
    catalog.map_err(|problems| anyhow!("the catalog cannot be used:\n{problems}"))
}

impl Local {
    /// Makes a catalog what is sold, if Stripe is simulated, and has to be served by now. A database
    /// that the environment names may be somebody's: there only what was asked for is published.
    pub async fn sell(
        &mut self,
        catalog: &Catalog,
        asked_for: bool,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        if self.stripe.is_none() || self.postgres.is_none() && !asked_for {
            return Ok(());
        }
        let stripe = Stripe::from_settings(|name| self.settings.get(name).cloned())?;
        let database = self.owned_database()?;
        catalog::publish(catalog, &database, &stripe, now)
            .await
            .context("the catalog cannot be published")?;
        self.described.push(format!("Catalog   {catalog}"));
        Ok(())
    }
}
