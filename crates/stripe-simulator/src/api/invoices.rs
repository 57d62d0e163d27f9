//! `/v1/invoices`: lists, previews, pays, voids and writes off invoices.
//!
//! The API does not create invoices here: subscriptions and checkout sessions do.

use serde_json::{Value, json};

use crate::api::{Call, Route, list, metadata};
use crate::error::StripeError;
use crate::lifecycle::cards::Payer;
use crate::lifecycle::invoicing::{self, KIND, subscription_of};
use crate::lifecycle::{payment_methods, settlement};
use crate::world::{World, shapes, text};

pub mod preview;

pub const ROUTES: &[Route] = &[
    Route::get("/v1/invoices", index),
    Route::post("/v1/invoices/create_preview", preview::run),
    Route::get("/v1/invoices/{id}", retrieve),
    Route::post("/v1/invoices/{id}", update),
    Route::get("/v1/invoices/{id}/lines", lines),
    Route::post("/v1/invoices/{id}/finalize", finalize),
    Route::post("/v1/invoices/{id}/pay", pay),
    Route::post("/v1/invoices/{id}/void", void),
    Route::post("/v1/invoices/{id}/mark_uncollectible", mark_uncollectible),
    Route::get("/v1/invoice_payments", payments),
    Route::get("/v1/invoice_payments/{id}", payment),
    Route::get("/v1/invoiceitems", items),
    Route::get("/v1/invoiceitems/{id}", item),
];

fn index(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let form = &call.form;
    let customer = form.text("customer")?;
    let subscription = form.text("subscription")?;
    let status = form.choice("status", &["draft", "open", "paid", "uncollectible", "void"])?;
    form.ignore(&["collection_method"]);
    let wanted = |invoice: &&Value| {
        customer.as_ref().is_none_or(|id| invoice["customer"] == **id)
            && subscription.as_ref().is_none_or(|id| subscription_of(invoice) == id)
            && status.is_none_or(|status| invoice["status"] == status)
    };
    list::response(call, "/v1/invoices", world.all(KIND).filter(wanted))
}

fn retrieve(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    call.form.finish()?;
    world.find(KIND, call.id(), "id").cloned()
}

fn update(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let form = &call.form;
    let invoice = world.find(KIND, call.id(), "id")?;
    let mut changes = json!({ "metadata": metadata::merged(form, &invoice["metadata"])? });
    for name in ["description", "footer"] {
        if let Some(value) = form.text_or_unset(name)? {
            changes[name] = value;
        }
    }
    if let Some(advances) = form.boolean("auto_advance")? {
        changes["auto_advance"] = json!(advances);
        if !advances {
            shapes::set(
                &mut changes,
                json!({ "automatically_finalizes_at": null, "next_payment_attempt": null }),
            );
        }
    }
    if let Some(method) = form.text("default_payment_method")? {
        let customer = text(invoice, "customer");
        payment_methods::of_customer(world, &method, customer, "default_payment_method")?;
        changes["default_payment_method"] = json!(method);
    }
    form.finish()?;
    let previous = world.edit(call.id(), |invoice| shapes::set(invoice, changes));
    if !previous.is_empty() {
        world.emit_change("invoice.updated", call.id(), previous);
    }
    world.find(KIND, call.id(), "id").cloned()
}

fn lines(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let invoice = world.find(KIND, call.id(), "id")?;
    let all = invoice["lines"]["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    list::response(call, &format!("/v1/invoices/{}/lines", call.id()), all.iter())
}

fn finalize(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let invoice = world.find(KIND, call.id(), "id")?;
    let advances = call.form.boolean("auto_advance")?;
    call.form.finish()?;
    if invoice["status"] != "draft" {
        let message =
            "This invoice is already finalized, you can't re-finalize a non-draft invoice.";
        return Err(StripeError::invalid("invoice_not_editable", "id", message));
    }
    let now = world.now();
    invoicing::finalize(world, call.id());
    let tries = advances.unwrap_or(true);
    world.edit(call.id(), |invoice| {
        if invoice["status"] == "open" {
            invoice["auto_advance"] = json!(tries);
            // Stripe charges an invoice about an hour after it was finalized through the API.
            let attempt = tries.then_some(now + invoicing::DRAFT_FOR);
            invoice["next_payment_attempt"] = json!(attempt);
        }
    });
    world.find(KIND, call.id(), "id").cloned()
}

fn pay(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let invoice = world.find(KIND, call.id(), "id")?.clone();
    let method = call.form.text("payment_method")?;
    let off_session = call.form.boolean("off_session")?.unwrap_or(false);
    let elsewhere = call.form.boolean("paid_out_of_band")?.unwrap_or(false);
    call.form.ignore(&["forgive"]);
    call.form.finish()?;
    let method =
        method.map(|id| payment_methods::resolve(world, &id, "payment_method")).transpose()?;
    match text(&invoice, "status") {
        "draft" => invoicing::finalize(world, call.id()),
        "open" | "uncollectible" => {}
        "paid" => {
            return Err(StripeError::invalid(
                "invoice_already_paid",
                "id",
                "Invoice is already paid",
            ));
        }
        _ => {
            let message = "This invoice can no longer be paid because it is voided.";
            return Err(StripeError::invalid("invoice_not_payable", "id", message));
        }
    }
    if elsewhere {
        settlement::invoice_paid(world, call.id(), None);
    } else if world.get(call.id()).is_some_and(|invoice| invoice["status"] != "paid") {
        // An uncollectible invoice can still be paid.
        world.edit(call.id(), |invoice| invoice["status"] = json!("open"));
        let method = method.map(|method| payment_methods::insert_if_new(world, method));
        let payer = if off_session { Payer::Absent } else { Payer::Present };
        invoicing::collect(world, call.id(), method, payer)?;
        require_completed(world, call.id())?;
    }
    world.find(KIND, call.id(), "id").cloned()
}

/// Returns Stripe's error if the payment needs authentication.
fn require_completed(world: &World, invoice_id: &str) -> Result<(), StripeError> {
    let intent = world.get(invoicing::intent_of(world, invoice_id));
    match intent.filter(|intent| intent["status"] == "requires_action") {
        None => Ok(()),
        Some(intent) => {
            let message = "Payment for this invoice requires additional user action before it \
                can be completed successfully.";
            let mut error =
                StripeError::invalid("invoice_payment_intent_requires_action", "", message);
            error.status = axum::http::StatusCode::PAYMENT_REQUIRED;
            error.body["type"] = json!("card_error");
            error.body["payment_intent"] = intent.clone();
            Err(error)
        }
    }
}

fn void(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    write_off(world, call, "void", &["open", "uncollectible"])
}

fn mark_uncollectible(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    write_off(world, call, "uncollectible", &["open"])
}

fn write_off(
    world: &mut World,
    call: &Call,
    status: &str,
    from: &[&str],
) -> Result<Value, StripeError> {
    let invoice = world.find(KIND, call.id(), "id")?;
    call.form.finish()?;
    if !from.contains(&text(invoice, "status")) {
        let message = format!(
            "You can only pass in open invoices. This invoice isn't open: it is {}.",
            text(invoice, "status")
        );
        return Err(StripeError::invalid("invoice_not_editable", "id", message));
    }
    invoicing::write_off(world, call.id(), status);
    world.find(KIND, call.id(), "id").cloned()
}

fn payments(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let invoice = call.form.text("invoice")?;
    let status = call.form.choice("status", &["canceled", "open", "paid"])?;
    let payment = call.form.object("payment")?;
    let intent = match &payment {
        Some(payment) => {
            payment.ignore(&["type"]);
            payment.text("payment_intent")?
        }
        None => None,
    };
    let wanted = |payment: &&Value| {
        invoice.as_ref().is_none_or(|id| payment["invoice"] == **id)
            && intent.as_ref().is_none_or(|id| payment["payment"]["payment_intent"] == **id)
            && status.is_none_or(|status| payment["status"] == status)
    };
    list::response(call, "/v1/invoice_payments", world.all("invoice_payment").filter(wanted))
}

fn payment(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    call.form.finish()?;
    world.find("invoice_payment", call.id(), "id").cloned()
}

fn items(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let customer = call.form.text("customer")?;
    let invoice = call.form.text("invoice")?;
    let pending = call.form.boolean("pending")?;
    let wanted = |item: &&Value| {
        customer.as_ref().is_none_or(|id| item["customer"] == **id)
            && invoice.as_ref().is_none_or(|id| item["invoice"] == **id)
            && pending.is_none_or(|pending| item["invoice"].is_null() == pending)
    };
    list::response(call, "/v1/invoiceitems", world.all("invoiceitem").filter(wanted))
}

fn item(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    call.form.finish()?;
    world.find("invoiceitem", call.id(), "id").cloned()
}
