//! Previews changes of subscriptions, and checks that a confirmed change costs what its preview
//! said.
//!
//! Postgres decides how a change is made, and Stripe computes its price. The stored preview has
//! both: the steps, and the time to which Stripe prorated with the price of that. A confirmation
//! takes the same steps with the same time, if Stripe still computes the same price.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::timeout;

use crate::adapters::postgres::{
    ChangePlan, ChangeRequest, ConfirmedPreview, PlannedChange, PreviewKind, PreviewSteps,
};
use crate::adapters::stripe::{StripeError, requests};
use crate::app::App;
use crate::billing::change_subscription::{refused, unpaid};
use crate::billing::checkout::STRIPE_TIME;
use crate::domain::error::{Error, Result};
use crate::domain::object::{Object, integer, link, list, text};
use crate::domain::plan_comparison::{FeatureChange, PlanCreditsChange, SubscribedPlan, compare};
use crate::domain::{BillingInterval, InvoicePreview, PreviewId, Snapshot, UserId};

/// The price and the effects of a change of a subscription.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionPreview {
    /// Confirms the change: send it as `previewId` to `PATCH /api/subscription`.
    preview_id: PreviewId,
    /// From then on the preview cannot be confirmed.
    expires_at: Timestamp,
    effect: PreviewKind,
    /// When the change takes effect; null if nothing changes.
    effective_at: Option<Timestamp>,
    current: PreviewedPlan,
    next: PreviewedPlan,
    /// The invoice that the confirmed change leads to at once, to the cent; null if it leads to none.
    due_now: Option<InvoicePreview>,
    /// When the subscription renews next.
    next_renewal_at: Option<Timestamp>,
    /// The invoice of the next renewal as far as it is known today. Later changes of discounts,
    /// taxes, the balance or the subscription change it.
    next_renewal: InvoicePreview,
    /// The features of which the new plan gives more or less.
    features: Vec<FeatureChange>,
    /// The credits of which the new plan grants more or less in each period.
    credits: Vec<PlanCreditsChange>,
}

/// A plan before or after a change.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviewedPlan {
    plan: Option<String>,
    plan_name: Option<String>,
    interval: Option<BillingInterval>,
    /// The number of seats.
    quantity: i64,
}

impl From<SubscribedPlan> for PreviewedPlan {
    fn from(subscribed: SubscribedPlan) -> Self {
        let SubscribedPlan { plan, plan_name, interval, quantity, .. } = subscribed;
        Self { plan, plan_name, interval, quantity }
    }
}

/// The invoices to which a change leads.
struct Prices {
    due_now: Option<InvoicePreview>,
    renewal: InvoicePreview,
}

/// Previews a change, and stores the preview. Changes nothing else.
pub async fn preview(
    app: &App,
    user: &UserId,
    change: &ChangeRequest,
) -> Result<SubscriptionPreview> {
    let now = app.clock.now();
    let PlannedChange { steps, before, after } =
        match app.postgres.preview_subscription_change(user, change, now).await {
            Ok(planned) => planned,
            Err(error) => return Err(refused(app, change, error).await),
        };
    let plan: PreviewSteps = serde_json::from_value(steps.clone()).map_err(Error::internal)?;
    // Stripe refuses a time before the period, and the clocks may differ.
    let proration_date = now.as_second().max(plan.period_start.unwrap_or(0));
    let asked = timeout(STRIPE_TIME, ask_stripe(app, &plan, proration_date)).await;
    let Prices { due_now, renewal } = match asked {
        Ok(prices) => prices?,
        Err(elapsed) => return Err(StripeError::may_have_run(elapsed).into()),
    };
    let total = due_now.as_ref().map_or(0, InvoicePreview::total_minor);
    let amount_due = due_now.as_ref().map_or(0, InvoicePreview::amount_due_minor);
    let saved = app
        .postgres
        .save_subscription_preview(user, change, &steps, proration_date, total, amount_due, now)
        .await?;
    let at = |second| Timestamp::from_second(second).ok();
    let period_end = plan.period_end.and_then(at);
    let (features, credits) = compare(&before, &after);
    Ok(SubscriptionPreview {
        preview_id: saved.preview_id,
        expires_at: saved.expires_at,
        effect: plan.kind,
        effective_at: match plan.kind {
            PreviewKind::Upgrade | PreviewKind::SwapPrice | PreviewKind::UndoSchedule => {
                at(proration_date)
            }
            PreviewKind::Downgrade => period_end,
            PreviewKind::None => None,
        },
        current: before.into(),
        next: after.into(),
        next_renewal_at: match renewal.period() {
            // The upgrade begins a new period, which the invoice bills.
            Some((start, end)) if plan.kind == PreviewKind::Upgrade && start <= now => Some(end),
            _ => period_end,
        },
        next_renewal: match &due_now {
            Some(first) => renewal.after(first),
            None => renewal,
        },
        due_now,
        features,
        credits,
    })
}

async fn ask_stripe(app: &App, plan: &PreviewSteps, proration_date: i64) -> Result<Prices> {
    if plan.is_pending == Some(true) {
        let request = requests::retrieve_subscription(&plan.subscription);
        let found = app.stripe.send(&request).await?;
        if found.object["pending_update"].is_object() {
            return Err(unpaid(app, &found.object).await);
        }
    }
    let id = plan.subscription.as_str();
    let (item, price) = (plan.item.as_deref().unwrap_or_default(), plan.price.as_str());
    let renewal = async {
        let request = requests::preview_renewal(id, item, price, plan.quantity);
        read(app.stripe.send(&request).await)
    };
    let due_now = async {
        if plan.kind != PreviewKind::Upgrade {
            return Ok(None);
        }
        let request = requests::preview_upgrade(id, item, price, plan.quantity, proration_date);
        read(app.stripe.send(&request).await).map(Some)
    };
    let (renewal, due_now) = futures_util::future::try_join(renewal, due_now).await?;
    Ok(Prices { due_now, renewal })
}

/// Reads Stripe's preview. A refusal means that the subscription has changed at Stripe, and its
/// event has not arrived yet.
fn read(answer: Result<Snapshot, StripeError>) -> Result<InvoicePreview> {
    match answer {
        Ok(found) => InvoicePreview::of(&found.object)
            .map_err(|field| Error::from(StripeError::lacks(field))),
        Err(error) if error.is_invalid_request() => {
            Err(Error::subscription_changed().with_cause(error))
        }
        Err(error) => Err(error.into()),
    }
}

/// Checks that a previewed upgrade still costs what its preview said. The customer's balance and
/// discounts may have changed without a change of the subscription.
pub(super) async fn check_price(
    app: &App,
    plan: &ChangePlan,
    preview: &ConfirmedPreview,
) -> Result<(), StripeError> {
    let (id, item, price, quantity) = plan.target();
    let request = requests::preview_upgrade(id, item, price, quantity, preview.proration_date);
    match app.stripe.send(&request).await {
        Ok(invoice)
            if invoice.integer("total") == Some(preview.total)
                && invoice.integer("amount_due") == Some(preview.amount_due) =>
        {
            return Ok(());
        }
        Err(error) if !error.is_invalid_request() => return Err(error),
        _ => {}
    }
    // An earlier attempt may have made the change, and its answer was lost.
    let now = app.stripe.send(&requests::retrieve_subscription(id)).await?;
    let is_made = has_target(list(&now.object, "items"), plan)
        || has_target(list(&now.object["pending_update"], "subscription_items"), plan);
    if is_made { Ok(()) } else { Err(StripeError::StateChanged) }
}

/// Returns whether the plan's item has the new price and quantity.
pub(super) fn has_target(items: &[Object], plan: &ChangePlan) -> bool {
    let (_, id, price, quantity) = plan.target();
    items.iter().any(|item| {
        text(item, "id") == Some(id)
            && link(item, "price") == Some(price)
            && integer(item, "quantity").and_then(|it| u64::try_from(it).ok()) == Some(quantity)
    })
}
