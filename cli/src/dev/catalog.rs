//! The catalog of the local stack, published if Stripe is simulated.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use jiff::Timestamp;

use super::Local;
use crate::catalog::{self, Catalog, DEMO, Ids, Stripe};

/// Reads a catalog from a file, or the demo catalog. Stripe ids in it are ignored: the simulator
/// does not have them.
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
    /// Publishes a catalog if Stripe is simulated. This process must already serve the simulator.
    /// If the environment names the database, only an explicitly named catalog is published.
    pub async fn sell(
        &mut self,
        catalog: &Catalog,
        is_explicit: bool,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        if self.stripe.is_none() || self.postgres.is_none() && !is_explicit {
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
