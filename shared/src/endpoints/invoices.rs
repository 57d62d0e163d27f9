//! `GET /api/invoices`: a user's invoices, with links to Stripe's pages (FX-9).

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::routing::{MethodRouter, get};
use axum::{Extension, Json};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::adapters::postgres::InvoiceCursor;
use crate::app::App;
use crate::auth::Caller;
use crate::billing::invoices;
use crate::domain::error::Result;
use crate::domain::stripe_page;
use crate::domain::vocabulary::InvoiceStatus;
use crate::http::{Actor, Owner, Query};

/// A page of a user's invoices.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InvoicesPage {
    /// Invoices, newest first. Drafts are left out.
    data: Vec<Invoice>,
    /// The cursor of the next page; null on the last page.
    next_cursor: Option<String>,
}

/// An invoice of Stripe.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct Invoice {
    /// The invoice's id at Stripe.
    id: String,
    number: Option<String>,
    #[schemars(with = "InvoiceStatus")]
    status: String,
    currency: Option<String>,
    /// The total in minor units, after discounts and taxes. Negative if it became credit.
    total_minor: Option<i64>,
    /// The taxes in the total; null if Stripe did not report them.
    tax_minor: Option<i64>,
    /// The amount that was or is to be paid: the total less the customer's credit.
    amount_due_minor: Option<i64>,
    amount_paid_minor: Option<i64>,
    /// The key of the plan whose period it bills; null for a change within a period.
    plan: Option<String>,
    /// The key of the credit pack that was bought.
    pack: Option<String>,
    /// The display name of the plan or the pack.
    name: Option<String>,
    /// The subscription's id at Stripe; null for a single purchase.
    subscription_id: Option<String>,
    /// The period of the subscription that it bills; null if it bills none.
    period_start: Option<Timestamp>,
    period_end: Option<Timestamp>,
    created_at: Timestamp,
    paid_at: Option<Timestamp>,
    /// Stripe's page of the invoice, on which the customer can pay it. It opens without a login:
    /// null for members of an organisation who may not buy.
    hosted_url: Option<String>,
    /// The PDF. Null as `hostedUrl` is.
    pdf_url: Option<String>,
}

pub fn routes() -> MethodRouter<Arc<App>> {
    get(list_invoices)
}

async fn list_invoices(
    State(app): State<Arc<App>>,
    Owner(owner): Owner,
    Actor(actor): Actor,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Json<InvoicesPage>> {
    let query = Query::of(&uri);
    let behind = query.cursor(InvoiceCursor::is_valid)?;
    let limit = query.limit()?;
    let found = invoices::list_invoices(&app, &owner, behind.as_ref(), limit.more()).await?;
    let (data, next_cursor) = limit.page(found, |last: &Invoice| InvoiceCursor {
        created_at: last.created_at,
        id: last.id.clone(),
    });
    let api = &app.config.stripe.api_url;
    let has_links = caller.may_buy(actor.as_ref());
    let link =
        |link: Option<String>| link.filter(|_| has_links).and_then(|it| stripe_page(it, api));
    let with_links = |invoice: Invoice| Invoice {
        hosted_url: link(invoice.hosted_url),
        pdf_url: link(invoice.pdf_url),
        ..invoice
    };
    Ok(Json(InvoicesPage { data: data.into_iter().map(with_links).collect(), next_cursor }))
}
