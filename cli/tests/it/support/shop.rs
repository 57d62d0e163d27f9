//! The prices of a catalog, with the ids that Stripe's events use.

use super::TestApp;
use super::events::Sold;

impl TestApp {
    /// A plan's monthly price.
    pub async fn plan_sold(&self, plan: &str) -> Sold {
        let sql = "select stripe_price_id, stripe_product_id, amount_minor
                   from pricing_plans where plan = $1 and interval = 'monthly'";
        self.sold(sql, plan).await
    }

    pub async fn pack_sold(&self, pack: &str) -> Sold {
        let sql = "select stripe_price_id, stripe_product_id, amount_minor
                   from credit_packs where pack = $1";
        self.sold(sql, pack).await
    }

    async fn sold(&self, sql: &str, key: &str) -> Sold {
        let key: &(dyn tokio_postgres::types::ToSql + Sync) = &key;
        let params = [(key, tokio_postgres::types::Type::TEXT)];
        let row = self.owner().await.query_typed_one(sql, &params).await.unwrap();
        Sold { price: row.get(0), product: row.get(1), amount: row.get(2) }
    }
}
