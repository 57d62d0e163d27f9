//! Builds requests to Stripe with async-stripe.
//!
//! Each function is pure: the same stored parameters always make the same request. Otherwise Stripe
//! would refuse the idempotency key of a retry. A change here also changes the retries of requests
//! from before a deployment; a test compares the requests for that reason.

mod invoices;

use std::collections::HashMap;
use std::fmt::Write as _;

use stripe_billing::billing_portal_session::CreateBillingPortalSession;
use stripe_billing::subscription::{
    CancelSubscription, CancelSubscriptionCancellationDetails, ListSubscription,
    ListSubscriptionStatus, ResumeSubscription, RetrieveSubscription, UpdateSubscription,
    UpdateSubscriptionCancellationDetails, UpdateSubscriptionItems,
    UpdateSubscriptionPaymentBehavior, UpdateSubscriptionProrationBehavior,
};
use stripe_billing::subscription_schedule::{
    CreateSubscriptionSchedule, ReleaseSubscriptionSchedule, RetrieveSubscriptionSchedule,
    UpdateSubscriptionSchedule, UpdateSubscriptionSchedulePhases,
    UpdateSubscriptionSchedulePhasesDiscounts, UpdateSubscriptionSchedulePhasesDuration,
    UpdateSubscriptionSchedulePhasesDurationInterval, UpdateSubscriptionSchedulePhasesEndDate,
    UpdateSubscriptionSchedulePhasesItems, UpdateSubscriptionSchedulePhasesProrationBehavior,
    UpdateSubscriptionSchedulePhasesStartDate,
};
use stripe_checkout::checkout_session::{
    CreateCheckoutSession, CreateCheckoutSessionAutomaticTax, CreateCheckoutSessionCustomerUpdate,
    CreateCheckoutSessionCustomerUpdateAddress, CreateCheckoutSessionCustomerUpdateName,
    CreateCheckoutSessionInvoiceCreation, CreateCheckoutSessionLineItems,
    CreateCheckoutSessionPaymentIntentData, CreateCheckoutSessionSubscriptionData,
    ExpireCheckoutSession, RetrieveCheckoutSession,
};
use stripe_client_core::{RequestBuilder, StripeMethod, StripeRequest};
use stripe_core::customer::{CreateCustomer, DeleteCustomer, ListCustomer, SearchCustomer};
use stripe_core::event::ListEvent;
use stripe_shared::{
    CheckoutSessionBillingAddressCollection, CheckoutSessionMode, SubscriptionScheduleEndBehavior,
};

pub use self::invoices::{list_invoices, preview_renewal, preview_upgrade, void_invoice};
use super::StripeError;
use crate::domain::object::{Object, integer, link, list};
use crate::domain::{BillingInterval, UserId};
use crate::domain::{CheckoutTerms, Snapshot};

/// Stripe's maximum page size.
const PAGE: i64 = 100;

const LATEST_PAYMENTS: &str = "latest_invoice.payments";

/// Stripe's maximum length of `client_reference_id`. A longer user id is only in the metadata.
const MAX_REFERENCE: usize = 200;

/// Returns the id of an object.
pub fn id(object: &Snapshot) -> Result<&str, StripeError> {
    object.text("id").ok_or_else(|| StripeError::lacks("id"))
}

pub fn create_customer(user: &UserId, email: Option<&str>) -> RequestBuilder {
    let mut request = CreateCustomer::new().metadata(metadata([("userId", Some(user.as_str()))]));
    if let Some(email) = email {
        request = request.email(email);
    }
    canonical(request.build())
}

/// Deletes a customer. Stripe also cancels the customer's subscriptions.
pub fn delete_customer(id: &str) -> RequestBuilder {
    DeleteCustomer::new(segment(id)).build()
}

/// Searches for customers whose metadata names the user. The search ignores case, and finds a new
/// customer only after about a minute.
pub fn search_customers(user: &UserId) -> RequestBuilder {
    let quoted = user.as_str().replace('\\', "\\\\").replace('\'', "\\'");
    SearchCustomer::new(format!("metadata['userId']:'{quoted}'")).limit(PAGE).build()
}

pub fn create_session(user: &UserId, customer: &str, terms: &CheckoutTerms) -> RequestBuilder {
    let is_subscription = terms.plan.is_some();
    let metadata = session_metadata(user, terms);
    let item = CreateCheckoutSessionLineItems {
        price: Some(terms.price.clone()),
        quantity: Some(terms.quantity),
        ..CreateCheckoutSessionLineItems::new()
    };
    let mut request = CreateCheckoutSession::new()
        .customer(customer)
        .customer_update(customer_update())
        .line_items(vec![item])
        .metadata(metadata.clone())
        .allow_promotion_codes(terms.promotion_codes.unwrap_or(true))
        .billing_address_collection(CheckoutSessionBillingAddressCollection::Required)
        .success_url(terms.success_url.as_str())
        .cancel_url(terms.cancel_url.as_str());
    if user.as_str().len() <= MAX_REFERENCE {
        request = request.client_reference_id(user.as_str());
    }
    if let Some(currency) = terms.currency.as_deref().and_then(|code| code.parse().ok()) {
        let currency: stripe_types::Currency = currency;
        request = request.currency(currency);
    }
    if terms.automatic_tax {
        request = request.automatic_tax(CreateCheckoutSessionAutomaticTax::new(true));
    }
    let request = if is_subscription {
        request.mode(CheckoutSessionMode::Subscription).subscription_data(
            CreateCheckoutSessionSubscriptionData {
                metadata: Some(metadata),
                trial_period_days: terms.trial_days.filter(|days| *days > 0),
                ..CreateCheckoutSessionSubscriptionData::new()
            },
        )
    } else {
        request
            .mode(CheckoutSessionMode::Payment)
            .invoice_creation(CreateCheckoutSessionInvoiceCreation::new(true))
            .payment_intent_data(CreateCheckoutSessionPaymentIntentData {
                metadata: Some(metadata),
                ..CreateCheckoutSessionPaymentIntentData::new()
            })
    };
    canonical(request.build())
}

/// The user and the purchase, as metadata of the session and of its subscription or payment.
fn session_metadata(user: &UserId, terms: &CheckoutTerms) -> HashMap<String, String> {
    let version = terms.plan_version.or(terms.pack_version).map(|version| version.to_string());
    let is_plan = terms.plan.is_some();
    metadata([
        ("userId", Some(user.as_str())),
        ("userEmail", terms.email.as_deref()),
        ("tier", terms.plan.as_deref()),
        ("plan", terms.plan.as_deref().or(terms.pack.as_deref())),
        ("interval", terms.interval.as_deref()),
        ("pack", terms.pack.as_deref()),
        ("planVersion", version.as_deref().filter(|_| is_plan)),
        ("packVersion", version.as_deref().filter(|_| !is_plan)),
    ])
}

/// Saves the name and address from the checkout for the customer's later invoices.
fn customer_update() -> CreateCheckoutSessionCustomerUpdate {
    CreateCheckoutSessionCustomerUpdate {
        address: Some(CreateCheckoutSessionCustomerUpdateAddress::Auto),
        name: Some(CreateCheckoutSessionCustomerUpdateName::Auto),
        shipping: None,
    }
}

/// Retrieves a session with its line items and its subscription expanded.
pub fn retrieve_session(id: &str) -> RequestBuilder {
    let expand = ["line_items", "subscription"].map(str::to_owned);
    RetrieveCheckoutSession::new(segment(id)).expand(expand.to_vec()).build()
}

pub fn expire_session(id: &str) -> RequestBuilder {
    canonical(ExpireCheckoutSession::new(segment(id)).build())
}

pub fn create_portal_session(
    customer: &str,
    return_url: &str,
    configuration: Option<&str>,
) -> RequestBuilder {
    let mut request = CreateBillingPortalSession::new().customer(customer).return_url(return_url);
    if let Some(configuration) = configuration {
        request = request.configuration(configuration);
    }
    canonical(request.build())
}

/// Retrieves a payment intent. It is five levels below a subscription, and Stripe expands only
/// four.
pub fn retrieve_payment_intent(id: &str) -> RequestBuilder {
    RequestBuilder::new(StripeMethod::Get, format!("/payment_intents/{}", segment(id)))
}

/// Retrieves a subscription with the payments of its latest invoice.
pub fn retrieve_subscription(id: &str) -> RequestBuilder {
    RetrieveSubscription::new(segment(id)).expand(vec![LATEST_PAYMENTS.to_owned()]).build()
}

/// Changes the price and invoices the difference now, prorated to `proration_date` if that is given.
/// The old price stays until the invoice is paid.
pub fn upgrade(
    subscription: &str,
    item: &str,
    price: &str,
    quantity: u64,
    proration_date: Option<i64>,
) -> RequestBuilder {
    let mut request = UpdateSubscription::new(segment(subscription))
        .items(vec![item_with(item, price, quantity)])
        .proration_behavior(UpdateSubscriptionProrationBehavior::AlwaysInvoice)
        .payment_behavior(UpdateSubscriptionPaymentBehavior::PendingIfIncomplete)
        .expand(vec![LATEST_PAYMENTS.to_owned()]);
    if let Some(date) = proration_date {
        request = request.proration_date(date);
    }
    canonical(request.build())
}

/// Changes the price from the next payment on, without a charge for the current period.
pub fn replace(subscription: &str, item: &str, price: &str, quantity: u64) -> RequestBuilder {
    let request = UpdateSubscription::new(segment(subscription))
        .items(vec![item_with(item, price, quantity)])
        .proration_behavior(UpdateSubscriptionProrationBehavior::None);
    canonical(request.build())
}

fn item_with(item: &str, price: &str, quantity: u64) -> UpdateSubscriptionItems {
    UpdateSubscriptionItems {
        id: Some(item.to_owned()),
        price: Some(price.to_owned()),
        quantity: Some(quantity),
        ..UpdateSubscriptionItems::new()
    }
}

pub fn cancel_later(subscription: &str, reason: Option<&str>) -> RequestBuilder {
    let mut request = UpdateSubscription::new(segment(subscription)).cancel_at_period_end(true);
    if let Some(reason) = reason {
        request = request.cancellation_details(UpdateSubscriptionCancellationDetails {
            comment: Some(reason.to_owned()),
            ..UpdateSubscriptionCancellationDetails::new()
        });
    }
    canonical(request.build())
}

pub fn cancel_now(subscription: &str, reason: Option<&str>) -> RequestBuilder {
    let mut request = CancelSubscription::new(segment(subscription));
    if let Some(reason) = reason {
        request = request.cancellation_details(CancelSubscriptionCancellationDetails {
            comment: Some(reason.to_owned()),
            ..CancelSubscriptionCancellationDetails::new()
        });
    }
    canonical(request.build())
}

pub fn undo_cancellation(subscription: &str) -> RequestBuilder {
    canonical(UpdateSubscription::new(segment(subscription)).cancel_at_period_end(false).build())
}

/// Clears `cancel_at`. Stripe clears a field that is sent empty, which async-stripe's type cannot
/// express.
pub fn clear_cancel_at(subscription: &str) -> RequestBuilder {
    let mut request = RequestBuilder::new(
        StripeMethod::Post,
        format!("/subscriptions/{}", segment(subscription)),
    );
    request.body = Some("cancel_at=".to_owned());
    request
}

pub fn unpause(subscription: &str) -> RequestBuilder {
    canonical(ResumeSubscription::new(segment(subscription)).build())
}

pub fn create_schedule(subscription: &str) -> RequestBuilder {
    canonical(CreateSubscriptionSchedule::new().from_subscription(subscription).build())
}

pub fn retrieve_schedule(schedule: &str) -> RequestBuilder {
    RetrieveSubscriptionSchedule::new(segment(schedule)).build()
}

pub fn release_schedule(schedule: &str) -> RequestBuilder {
    canonical(ReleaseSubscriptionSchedule::new(segment(schedule)).build())
}

/// Schedules a change of price for the end of the running phase.
///
/// The running phase does not change. In the next phase `price` replaces `current`; the
/// discounts and the other items stay. After one period of that phase, Stripe releases the
/// schedule.
pub fn schedule_change(
    schedule: &str,
    running: &Object,
    (current, price): (&str, &str),
    quantity: u64,
    interval: BillingInterval,
) -> RequestBuilder {
    let at = |field| integer(running, field);
    let discounts: Vec<_> = list(running, "discounts").iter().map(same_discount).collect();
    let discounts = Some(discounts).filter(|discounts| !discounts.is_empty());
    let phase = |items| UpdateSubscriptionSchedulePhases {
        discounts: discounts.clone(),
        proration_behavior: Some(UpdateSubscriptionSchedulePhasesProrationBehavior::None),
        ..UpdateSubscriptionSchedulePhases::new(items)
    };
    let item = |price: Option<&str>, quantity| UpdateSubscriptionSchedulePhasesItems {
        price: price.map(str::to_owned),
        quantity,
        ..UpdateSubscriptionSchedulePhasesItems::new()
    };
    let same = |running: &Object| {
        let quantity = integer(running, "quantity").and_then(|it| u64::try_from(it).ok());
        item(link(running, "price"), quantity)
    };
    let running_items = list(running, "items").iter();
    let others =
        running_items.clone().filter(|item| link(item, "price") != Some(current)).map(same);
    let later_items = std::iter::once(item(Some(price), Some(quantity))).chain(others);
    let start = at("start_date").map(UpdateSubscriptionSchedulePhasesStartDate::Timestamp);
    let end = at("end_date").map(UpdateSubscriptionSchedulePhasesEndDate::Timestamp);
    let phases = vec![
        UpdateSubscriptionSchedulePhases {
            start_date: start,
            end_date: end,
            ..phase(running_items.map(same).collect::<Vec<_>>())
        },
        UpdateSubscriptionSchedulePhases {
            duration: Some(one(interval)),
            ..phase(later_items.collect::<Vec<_>>())
        },
    ];
    let request = UpdateSubscriptionSchedule::new(segment(schedule))
        .phases(phases)
        .end_behavior(SubscriptionScheduleEndBehavior::Release);
    canonical(request.build())
}

/// Repeats a discount of the running phase. An update replaces whole phases, including their
/// discounts.
fn same_discount(running: &Object) -> UpdateSubscriptionSchedulePhasesDiscounts {
    let id = |field| link(running, field).map(str::to_owned);
    let mut same = UpdateSubscriptionSchedulePhasesDiscounts::new();
    same.discount = id("discount");
    if same.discount.is_none() {
        same.coupon = id("coupon");
    }
    same
}

/// A phase of one billing period.
fn one(interval: BillingInterval) -> UpdateSubscriptionSchedulePhasesDuration {
    use UpdateSubscriptionSchedulePhasesDurationInterval::{Month, Week, Year};
    let (interval, count) = match interval {
        BillingInterval::Weekly => (Week, 1),
        BillingInterval::Monthly => (Month, 1),
        BillingInterval::Quarterly => (Month, 3),
        BillingInterval::Yearly => (Year, 1),
    };
    UpdateSubscriptionSchedulePhasesDuration { interval, interval_count: Some(count) }
}

/// Lists events since `since` that a webhook endpoint did not receive, from the page after `after`.
pub fn list_undelivered_events(since: i64, after: Option<&str>) -> RequestBuilder {
    let since = stripe_types::RangeQueryTs::gte(since);
    let list = ListEvent::new().delivery_success(false).created(since).limit(PAGE);
    after.map_or(list.clone(), |after| list.starting_after(after)).build()
}

/// Lists every subscription, including ended ones, from the page after `after`.
pub fn list_subscriptions(after: Option<&str>) -> RequestBuilder {
    let list = ListSubscription::new().status(ListSubscriptionStatus::All).limit(PAGE);
    after.map_or(list.clone(), |after| list.starting_after(after)).build()
}

/// Lists every customer that was not deleted, from the page after `after`.
pub fn list_customers(after: Option<&str>) -> RequestBuilder {
    let list = ListCustomer::new().limit(PAGE);
    after.map_or(list.clone(), |after| list.starting_after(after)).build()
}

fn metadata<const N: usize>(fields: [(&str, Option<&str>); N]) -> HashMap<String, String> {
    let given = fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
    given.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Encodes an id as one path segment, so that it cannot change the path. Stripe's ids stay
/// unchanged.
fn segment(id: &str) -> String {
    let mut segment = String::with_capacity(id.len());
    for byte in id.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'-' => segment.push(byte.into()),
            // Writing to a string cannot fail.
            _ => drop(write!(segment, "%{byte:02X}")),
        }
    }
    segment
}

/// Sorts the form fields, since the order of metadata is random.
fn canonical(request: RequestBuilder) -> RequestBuilder {
    let body = request.body.map(|body| {
        let mut fields: Vec<&str> = body.split('&').collect();
        fields.sort_unstable();
        fields.join("&")
    });
    RequestBuilder { body, ..request }
}

#[cfg(test)]
mod tests;
