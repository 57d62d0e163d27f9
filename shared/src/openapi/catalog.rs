//! The operations of the tag "Catalog".

use serde_json::json;

use super::operation::Operation;
use super::schemas::Schemas;
use crate::adapters::postgres::catalog::Catalog;
use crate::domain::error::ErrorCode::DatabaseUnavailable;
use crate::endpoints::PLANS;
use crate::http::Method::Get;

pub(super) fn operations(schemas: &mut Schemas) -> Vec<Operation> {
    vec![
        Operation::new(
            &PLANS,
            Get,
            "listPlans",
            "List plans and credit packs",
            "Returns the plans and credit packs on sale, for a pricing page. No authentication is \
             needed. The response is the same for every caller and may be cached for a minute. \
             With `If-None-Match`, an unchanged catalog is not sent again.",
        )
        .header(
            "If-None-Match",
            json!({ "type": "string" }),
            "The `ETag` of an earlier response. If the catalog is unchanged, the status is 304.",
        )
        .response::<Catalog>(
            schemas,
            "The catalog.",
            json!({
                "plans": [{
                    "key": "pro", "version": 2, "name": "Pro", "description": "For daily writers",
                    "default": false, "trialDays": 14,
                    "prices": [{
                        "interval": "monthly", "currency": "usd", "amountMinor": 900,
                        "currencies": { "eur": 900 }, "perSeat": false,
                    }],
                    "history": { "keepDays": 365, "maxEntries": 10000 },
                    "features": {
                        "letters": {
                            "type": "metered", "name": "Letters", "unit": "letter", "reset": "month",
                            "limit": null, "overage": "hard",
                        },
                    },
                }],
                "packs": [{
                    "key": "mail_credits_10", "version": 1, "name": "10 mail credits",
                    "description": "Ten letters on paper", "unit": "mail_credit", "credits": 10,
                    "expiresAfterDays": null, "maxQuantity": 5, "currency": "usd", "amountMinor": 1500,
                    "currencies": {},
                }],
            }),
        )
        .empty("304", "The catalog is unchanged since the `ETag` in `If-None-Match`.")
        .codes(&[DatabaseUnavailable]),
    ]
}
