//! Requests about invoices.

use stripe_billing::invoice::{
    CreatePreviewInvoice, CreatePreviewInvoiceSubscriptionDetails,
    CreatePreviewInvoiceSubscriptionDetailsItems,
    CreatePreviewInvoiceSubscriptionDetailsProrationBehavior, ListInvoice,
};
use stripe_client_core::{RequestBuilder, StripeMethod, StripeRequest};

use super::{PAGE, canonical, segment};

/// Previews the invoice that charges a change of price at once, prorated to `proration_date`.
pub fn preview_upgrade(
    subscription: &str,
    item: &str,
    price: &str,
    quantity: u64,
    proration_date: i64,
) -> RequestBuilder {
    let details = CreatePreviewInvoiceSubscriptionDetails {
        proration_date: Some(proration_date),
        ..details(
            (item, price, quantity),
            CreatePreviewInvoiceSubscriptionDetailsProrationBehavior::AlwaysInvoice,
        )
    };
    preview(subscription, details)
}

/// Previews the first invoice of a whole period at a price.
pub fn preview_renewal(
    subscription: &str,
    item: &str,
    price: &str,
    quantity: u64,
) -> RequestBuilder {
    let none = CreatePreviewInvoiceSubscriptionDetailsProrationBehavior::None;
    preview(subscription, details((item, price, quantity), none))
}

fn details(
    (item, price, quantity): (&str, &str, u64),
    behavior: CreatePreviewInvoiceSubscriptionDetailsProrationBehavior,
) -> CreatePreviewInvoiceSubscriptionDetails {
    let item = CreatePreviewInvoiceSubscriptionDetailsItems {
        id: Some(item.to_owned()),
        price: Some(price.to_owned()),
        quantity: Some(quantity),
        ..CreatePreviewInvoiceSubscriptionDetailsItems::new()
    };
    CreatePreviewInvoiceSubscriptionDetails {
        items: Some(vec![item]),
        proration_behavior: Some(behavior),
        ..CreatePreviewInvoiceSubscriptionDetails::new()
    }
}

fn preview(subscription: &str, details: CreatePreviewInvoiceSubscriptionDetails) -> RequestBuilder {
    let request = CreatePreviewInvoice::new().subscription(subscription);
    canonical(request.subscription_details(details).build())
}

/// Lists a customer's invoices, newest first, from the page after `after`.
pub fn list_invoices(customer: &str, after: Option<&str>) -> RequestBuilder {
    let list = ListInvoice::new().customer(customer).limit(PAGE);
    after.map_or(list.clone(), |after| list.starting_after(after)).build()
}

pub fn void_invoice(id: &str) -> RequestBuilder {
    RequestBuilder::new(StripeMethod::Post, format!("/invoices/{}/void", segment(id)))
}
