//! The effects of time: renewals, trial ends, retries, expiries.
//!
//! Due dates are read from the objects themselves, so that no task can be lost or outdated. Facts
//! that objects do not contain, such as a warning already sent, are stored in notes.

use serde_json::{Value, json};

use crate::lifecycle::invoicing::{self, lines};
use crate::lifecycle::subscriptions::{self, cancel, items, priced_change, renew};
use crate::lifecycle::{checkout, disputes, refunds, schedules, settlement};
use crate::world::calendar::{DAY, HOUR};
use crate::world::{World, notes, shapes, text};

/// `customer.subscription.trial_will_end` is sent this long before the end of a trial.
const TRIAL_WARNING: i64 = 3 * DAY;

/// `invoice.upcoming` is sent this long before a renewal.
const UPCOMING: i64 = 7 * DAY;

/// An incomplete subscription expires after this time.
const INCOMPLETE_FOR: i64 = 23 * HOUR;

/// More steps than this would mean an endless loop.
const MAX_STEPS: usize = 100_000;

/// A task that runs when its time comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Task {
    SettlePayment,
    SettleRefund,
    DecideDispute,
    ExpireSession,
    FinalizeInvoice,
    RetryInvoice,
    WarnOfTrialEnd,
    AnnounceRenewal,
    ExpirePendingUpdate,
    ExpireIncomplete,
    ResumeCollection,
    AdvanceSchedule,
    EndPeriod,
    Cancel,
}

/// The time, the task and the object's id. Tasks at the same time run in the enum's order.
type Due = (i64, Task, String);

/// Returns the time of the next task.
pub fn next_due(world: &World) -> Option<i64> {
    earliest(world).map(|(at, _, _)| at)
}

/// Runs all tasks due by now, each at its own time.
pub fn run_due(world: &mut World) {
    let now = world.now();
    for _ in 0..MAX_STEPS {
        let Some((at, task, id)) = earliest(world).filter(|(at, _, _)| *at <= now) else { break };
        world.set_now(at);
        run(world, task, &id);
    }
    world.set_now(now);
}

fn earliest(world: &World) -> Option<Due> {
    let mut first: Option<Due> = None;
    let mut offer = |at: Option<i64>, task: Task, object: &Value| {
        let Some(at) = at else { return };
        if first.as_ref().is_none_or(|(soonest, other, _)| (at, task) < (*soonest, *other)) {
            first = Some((at, task, text(object, "id").to_owned()));
        }
    };
    for session in world.all("checkout.session").filter(|session| session["status"] == "open") {
        offer(session["expires_at"].as_i64(), Task::ExpireSession, session);
    }
    for intent in world.all("payment_intent").filter(|intent| intent["status"] == "processing") {
        let settles_at = notes::read(world, text(intent, "id"), "settles_at").as_i64();
        offer(settles_at, Task::SettlePayment, intent);
    }
    for refund in world.all("refund") {
        offer(refunds::due(refund), Task::SettleRefund, refund);
    }
    for dispute in world.all("dispute") {
        offer(disputes::due(world, dispute), Task::DecideDispute, dispute);
    }
    for invoice in world.all("invoice") {
        match text(invoice, "status") {
            "draft" => offer(
                invoice["automatically_finalizes_at"].as_i64(),
                Task::FinalizeInvoice,
                invoice,
            ),
            "open" => offer(invoice["next_payment_attempt"].as_i64(), Task::RetryInvoice, invoice),
            _ => {}
        }
    }
    for schedule in world.all("subscription_schedule") {
        offer(schedules::due(schedule), Task::AdvanceSchedule, schedule);
    }
    for subscription in world.all("subscription") {
        for (at, task) in of_subscription(world, subscription) {
            offer(at, task, subscription);
        }
    }
    first
}

fn of_subscription(world: &World, subscription: &Value) -> Vec<(Option<i64>, Task)> {
    let status = text(subscription, "status");
    let created = subscription["created"].as_i64().unwrap_or(0);
    if status == "incomplete" {
        return vec![(Some(created + INCOMPLETE_FOR), Task::ExpireIncomplete)];
    }
    if subscriptions::is_over(subscription) {
        return Vec::new();
    }
    let cancel = (subscription["cancel_at"].as_i64(), Task::Cancel);
    if status == "paused" {
        return vec![cancel];
    }
    let (start, end) = items::period(subscription);
    let mut due = vec![
        cancel,
        (Some(end), Task::EndPeriod),
        (subscription["pending_update"]["expires_at"].as_i64(), Task::ExpirePendingUpdate),
        (subscription["pause_collection"]["resumes_at"].as_i64(), Task::ResumeCollection),
    ];
    if !already(world, subscription, "renewal_announced", end)
        && subscription["cancel_at"].is_null()
    {
        due.push((Some((end - UPCOMING).max(start)), Task::AnnounceRenewal));
    }
    if let Some(trial_end) = subscription["trial_end"].as_i64().filter(|_| status == "trialing")
        && !already(world, subscription, "trial_end_warned", trial_end)
    {
        due.push((Some((trial_end - TRIAL_WARNING).max(start)), Task::WarnOfTrialEnd));
    }
    due
}

/// Returns true if this notice was already sent for this moment.
fn already(world: &World, subscription: &Value, name: &str, moment: i64) -> bool {
    notes::read(world, text(subscription, "id"), name).as_i64() == Some(moment)
}

fn run(world: &mut World, task: Task, id: &str) {
    match task {
        Task::SettlePayment => settlement::settle(world, id),
        Task::SettleRefund => refunds::settle(world, id),
        Task::DecideDispute => disputes::run_due(world, id),
        Task::ExpireSession => checkout::expire(world, id),
        Task::FinalizeInvoice => finalize(world, id),
        Task::RetryInvoice => invoicing::collect_automatically(world, id),
        Task::WarnOfTrialEnd => warn_of_trial_end(world, id),
        Task::AnnounceRenewal => announce_renewal(world, id),
        Task::ExpirePendingUpdate => priced_change::expire_pending(world, id),
        Task::ExpireIncomplete => cancel::expire_incomplete(world, id),
        Task::ResumeCollection => resume_collection(world, id),
        Task::AdvanceSchedule => schedules::advance(world, id),
        Task::EndPeriod => renew::period_ended(world, id),
        Task::Cancel => cancel::now(world, id, None),
    }
}

/// Finalizes a draft after its hour and charges it, unless collection is paused.
fn finalize(world: &mut World, invoice_id: &str) {
    invoicing::finalize(world, invoice_id);
    let Some(invoice) = world.get(invoice_id).filter(|it| it["status"] == "open").cloned() else {
        return;
    };
    let subscription = world.get(invoicing::subscription_of(&invoice)).unwrap_or(&Value::Null);
    match text(&subscription["pause_collection"], "behavior") {
        "void" => invoicing::write_off(world, invoice_id, "void"),
        "mark_uncollectible" => invoicing::write_off(world, invoice_id, "uncollectible"),
        _ => invoicing::collect_automatically(world, invoice_id),
    }
}

fn warn_of_trial_end(world: &mut World, id: &str) {
    let trial_end =
        world.get(id).map_or(Value::Null, |subscription| subscription["trial_end"].clone());
    notes::write(world, id, "trial_end_warned", trial_end);
    world.emit("customer.subscription.trial_will_end", id);
}

/// Emits `invoice.upcoming` with a preview of the next invoice. The preview is not stored.
fn announce_renewal(world: &mut World, id: &str) {
    let Some(subscription) = world.get(id).cloned() else { return };
    let (_, end) = items::period(&subscription);
    notes::write(world, id, "renewal_announced", json!(end));
    let preview = upcoming(world, &subscription);
    let preview_id = world.insert(preview);
    world.emit("invoice.upcoming", &preview_id);
    world.remove(&preview_id);
}

/// Previews the invoice of the next period.
pub fn upcoming(world: &World, subscription: &Value) -> Value {
    let ended = items::period(subscription);
    let anchor = subscription["billing_cycle_anchor"].as_i64().unwrap_or(ended.1);
    let next = items::interval(items::of(subscription)).period_at(anchor, ended.1);
    let mut invoice =
        invoicing::build(world, renew::next_invoice(world, subscription, ended, next));
    shapes::set(
        &mut invoice,
        json!({
            "id": world.new_id("upcoming_in"),
            "automatically_finalizes_at": null,
            "billing_reason": "upcoming",
            "created": ended.1,
            "next_payment_attempt": ended.1 + invoicing::DRAFT_FOR,
        }),
    );
    lines::rename(&mut invoice);
    invoice
}

fn resume_collection(world: &mut World, id: &str) {
    let previous = world.edit(id, |subscription| subscription["pause_collection"] = Value::Null);
    subscriptions::emit_updated(world, id, previous);
}
