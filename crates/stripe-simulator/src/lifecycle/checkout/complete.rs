//! Completes a paid session: creates the customer and the subscription or payment, then closes it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::error::StripeError;
use crate::lifecycle::cards::Payer;
use crate::lifecycle::checkout::items::{line_items, redemptions};
use crate::lifecycle::checkout::trial_end;
use crate::lifecycle::invoicing::{self, Draft, lines};
use crate::lifecycle::payments::{self, NewPayment};
use crate::lifecycle::subscriptions::begin::{self, NewSubscription, PaymentBehavior};
use crate::lifecycle::subscriptions::items::NewItem;
use crate::lifecycle::{customers, discounts, payment_methods, setup_intents};
use crate::world::{World, notes, shapes, text};

/// The payer's details: the page's fields, with defaults from the session and the customer.
#[derive(Clone, Debug)]
pub struct Buyer {
    pub email: Value,
    pub name: Value,
    pub phone: Value,
    pub address: Value,
}

impl Buyer {
    pub fn of(world: &World, session: &Value, details: PayerDetails) -> Self {
        let customer = world.get(text(session, "customer")).unwrap_or(&Value::Null);
        let first = |given: Option<Value>, others: &[&Value]| {
            given
                .or_else(|| {
                    others.iter().find(|other| !other.is_null()).map(|other| (*other).clone())
                })
                .unwrap_or_default()
        };
        Self {
            email: first(
                details.email.map(Value::from),
                &[&session["customer_email"], &customer["email"]],
            ),
            name: first(details.name.map(Value::from), &[&customer["name"]]),
            phone: first(details.phone.map(Value::from), &[&customer["phone"]]),
            address: first(details.address, &[&customer["address"]]),
        }
    }
}

/// The objects created for a completed session.
#[derive(Debug, Default)]
struct Made {
    fields: Value,
    /// The payment intent of the session.
    intent: Option<String>,
    invoice: Option<String>,
}

/// Completes a session. The caller has checked that the payment is not declined.
pub fn run(
    world: &mut World,
    session: &Value,
    buyer: Buyer,
    method: Value,
) -> Result<(), StripeError> {
    let customer = customer(world, session, &buyer);
    let made = match text(session, "mode") {
        "subscription" => subscribe(world, session, &customer, method)?,
        "payment" => pay(world, session, &customer, method)?,
        _ => set_up(world, session, &customer, method),
    };
    finish(world, session, &customer, buyer, made);
    Ok(())
}

/// Returns the session's customer, and creates one if needed. A guest has none: an empty id.
fn customer(world: &mut World, session: &Value, buyer: &Buyer) -> String {
    let id = text(session, "customer").to_owned();
    if !id.is_empty() {
        update_customer(world, session, &id, buyer);
        return id;
    }
    let needed = session["mode"] != "payment" || session["customer_creation"] == "always";
    if !needed {
        return String::new();
    }
    customers::create(
        world,
        json!({
            "address": buyer.address, "email": buyer.email, "name": buyer.name,
            "phone": buyer.phone,
        }),
    )
}

/// Copies the payer's details to the customer, as `customer_update` allows.
fn update_customer(world: &mut World, session: &Value, id: &str, buyer: &Buyer) {
    let update = notes::read(world, text(session, "id"), "customer_update").clone();
    let lacks_email = world.get(id).is_some_and(|customer| customer["email"].is_null());
    let previous = world.edit(id, |customer| {
        if update["name"] == "auto" && !buyer.name.is_null() {
            customer["name"] = buyer.name.clone();
        }
        if update["address"] == "auto" && !buyer.address.is_null() {
            customer["address"] = buyer.address.clone();
        }
        if lacks_email {
            customer["email"] = buyer.email.clone();
        }
    });
    if !previous.is_empty() {
        world.emit_change("customer.updated", id, previous);
    }
}

fn wanted_item(world: &World, item: &Value) -> NewItem {
    NewItem {
        price: lines::full_price(world, item),
        quantity: item["quantity"].as_i64().unwrap_or(1),
        metadata: item["metadata"].clone(),
    }
}

fn subscribe(
    world: &mut World,
    session: &Value,
    customer: &str,
    method: Value,
) -> Result<Made, StripeError> {
    let session_id = text(session, "id");
    let data = notes::read(world, session_id, "subscription_data").clone();
    let (recurring, once): (Vec<Value>, Vec<Value>) = line_items(world, session_id)
        .into_iter()
        .partition(|item| !item["price"]["recurring"].is_null());
    let free = session["amount_total"].as_i64() == Some(0);
    let asks_for_card = session["payment_method_collection"] == "always" || !free;
    let mut fields = json!({
        "automatic_tax": {
            "disabled_reason": null, "enabled": session["automatic_tax"]["enabled"],
            "liability": session["automatic_tax"]["liability"],
        },
        "description": data["description"],
    });
    if data["metadata"].is_object() {
        fields["metadata"] = data["metadata"].clone();
    }
    for name in ["billing_mode", "trial_settings"] {
        if data[name].is_object() {
            fields[name] = data[name].clone();
        }
    }
    let mut wanted = NewSubscription {
        customer: customer.to_owned(),
        currency: text(session, "currency").to_owned(),
        items: recurring.iter().map(|item| wanted_item(world, item)).collect(),
        trial_end: trial_end(world, session),
        discounts: redemptions(world, session_id),
        behavior: PaymentBehavior::Checkout(Payer::Authenticated),
        extras: once.iter().map(|item| wanted_item(world, item)).collect(),
        checkout_session: Some(session_id.to_owned()),
        ..NewSubscription::default()
    };
    wanted.check(world)?;
    if asks_for_card {
        let method_id = payment_methods::attach(world, method, customer);
        fields["default_payment_method"] = json!(method_id);
        wanted.payment_method = Some(method_id);
    }
    wanted.fields = fields;
    let id = begin::begin(world, wanted)?;
    let invoice = world
        .get(&id)
        .map(|subscription| text(subscription, "latest_invoice").to_owned())
        .unwrap_or_default();
    let intent = invoicing::intent_of(world, &invoice).to_owned();
    Ok(Made {
        fields: json!({ "invoice": invoice, "subscription": id }),
        intent: Some(intent).filter(|intent| !intent.is_empty()),
        invoice: Some(invoice),
    })
}

fn pay(
    world: &mut World,
    session: &Value,
    customer: &str,
    method: Value,
) -> Result<Made, StripeError> {
    let session_id = text(session, "id");
    let amount = session["amount_total"].as_i64().unwrap_or(0);
    let data = notes::read(world, session_id, "payment_intent_data").clone();
    let reuses = !data["setup_future_usage"].is_null() && !customer.is_empty();
    let method_id = if reuses {
        payment_methods::attach(world, method, customer)
    } else {
        payment_methods::insert_if_new(world, method)
    };
    let invoiced = notes::read(world, session_id, "invoice_data")["enabled"] == true;
    if invoiced {
        return pay_invoice(world, session, customer, &data, method_id);
    }
    for one in redemptions(world, session_id) {
        discounts::redeem(world, &one, customer, json!({ "checkout_session": session_id }));
    }
    if amount == 0 {
        return Ok(Made::default());
    }
    let other = json!({
        "receipt_email": data["receipt_email"],
        "setup_future_usage": data["setup_future_usage"],
        "statement_descriptor": data["statement_descriptor"],
        "statement_descriptor_suffix": data["statement_descriptor_suffix"],
        "transfer_group": data["transfer_group"],
    });
    let wanted = NewPayment {
        amount,
        currency: text(session, "currency").to_owned(),
        customer: if customer.is_empty() { Value::Null } else { json!(customer) },
        description: data["description"].clone(),
        metadata: data["metadata"].clone(),
        payment_method: json!(method_id),
        other,
    };
    let tried = notes::read_text(world, session_id, "tried_intent");
    let intent_id = if tried.is_empty() {
        payments::create(world, wanted)
    } else {
        again(world, tried, wanted)
    };
    payments::confirm(world, &intent_id, Payer::Authenticated)?;
    Ok(Made {
        fields: json!({ "payment_intent": intent_id }),
        intent: Some(intent_id),
        invoice: None,
    })
}

/// Reuses the payment intent of a declined attempt with another payment method.
fn again(world: &mut World, intent_id: String, wanted: NewPayment) -> String {
    world.edit(&intent_id, |intent| {
        let fields = json!({
            "amount": wanted.amount, "customer": wanted.customer,
            "payment_method": wanted.payment_method, "status": "requires_confirmation",
        });
        shapes::set(intent, fields);
    });
    intent_id
}

/// Pays a one-time purchase through an invoice, for `invoice_creation`.
fn pay_invoice(
    world: &mut World,
    session: &Value,
    customer: &str,
    data: &Value,
    method_id: String,
) -> Result<Made, StripeError> {
    let session_id = text(session, "id");
    let invoice_data = notes::read(world, session_id, "invoice_data").clone();
    let currency = text(session, "currency").to_owned();
    let now = world.now();
    let about = json!({ "checkout_session": session_id });
    let redeemed = redemptions(world, session_id);
    let discounts =
        redeemed.iter().map(|one| discounts::redeem(world, one, customer, about.clone())).collect();
    let bought = line_items(world, session_id);
    let line = |item: &Value| {
        let price = lines::full_price(world, item);
        let line = lines::InvoiceLine {
            price: &price,
            quantity: item["quantity"].as_i64().unwrap_or(1),
            amount: item["amount_subtotal"].as_i64().unwrap_or(0),
            currency: &currency,
            description: text(item, "description").to_owned(),
            period: (now, now),
        };
        lines::plain(world, &line)
    };
    let bought: Vec<Value> = bought.iter().map(line).collect();
    let metadata = match &invoice_data["metadata"] {
        Value::Null => json!({}),
        given => given.clone(),
    };
    let draft = Draft {
        customer: customer.to_owned(),
        currency,
        reason: "manual",
        lines: bought,
        period: (now, now),
        discounts,
        other: json!({
            "description": invoice_data["description"], "footer": invoice_data["footer"],
            "metadata": metadata,
        }),
        ..Draft::default()
    };
    let invoice_id = invoicing::draft(world, draft);
    world.emit("invoice.created", &invoice_id);
    invoicing::finalize(world, &invoice_id);
    let intent_id = invoicing::intent_of(world, &invoice_id).to_owned();
    if intent_id.is_empty() {
        return Ok(Made {
            fields: json!({ "invoice": invoice_id }),
            intent: None,
            invoice: Some(invoice_id),
        });
    }
    world.edit(&intent_id, |intent| {
        for name in ["description", "metadata"] {
            if !data[name].is_null() {
                intent[name] = data[name].clone();
            }
        }
    });
    invoicing::collect(world, &invoice_id, Some(method_id), Payer::Authenticated)?;
    let fields = json!({ "invoice": invoice_id, "payment_intent": intent_id });
    Ok(Made { fields, intent: Some(intent_id), invoice: Some(invoice_id) })
}

fn set_up(world: &mut World, session: &Value, customer: &str, method: Value) -> Made {
    let method_id = payment_methods::attach(world, method, customer);
    let id = setup_intents::succeeded(world, customer, &method_id, &session["metadata"]);
    Made { fields: json!({ "setup_intent": id }), ..Made::default() }
}

/// Completes the session and emits `checkout.session.completed`.
fn finish(world: &mut World, session: &Value, customer: &str, buyer: Buyer, made: Made) {
    let session_id = text(session, "id");
    let intent = made.intent.as_deref().and_then(|id| world.get(id));
    let waits = intent.is_some_and(|intent| intent["status"] == "processing");
    let total = session["amount_total"].as_i64().unwrap_or(0);
    let payment_status = match total {
        _ if waits => "unpaid",
        0 => "no_payment_required",
        _ => "paid",
    };
    let mut details = shapes::part("customer_details");
    shapes::set(
        &mut details,
        json!({
            "address": buyer.address, "email": buyer.email, "name": buyer.name,
            "phone": buyer.phone,
        }),
    );
    let consent = &session["consent_collection"];
    let terms = (consent["terms_of_service"] == "required").then_some("accepted");
    let consent = match consent {
        Value::Null => Value::Null,
        _ => json!({ "promotions": null, "terms_of_service": terms }),
    };
    world.edit(session_id, |session| {
        shapes::set(session, made.fields);
        shapes::set(
            session,
            json!({
                "consent": consent,
                "customer": if customer.is_empty() { Value::Null } else { json!(customer) },
                "customer_details": details,
                "payment_status": payment_status,
                "status": "complete",
                "url": null,
            }),
        );
        if session["automatic_tax"]["enabled"] == true {
            session["automatic_tax"]["status"] = json!("complete");
        }
    });
    if let Some(intent_id) = &made.intent {
        let about = made.invoice.as_deref().unwrap_or(intent_id);
        notes::write(world, about, "session", json!(session_id));
        notes::write(world, session_id, "payment_intent", json!(intent_id));
    }
    world.emit("checkout.session.completed", session_id);
}

/// The fields that the payer fills in.
#[derive(Clone, Debug, Default)]
pub struct PayerDetails {
    pub email: Option<String>,
    pub name: Option<String>,
    pub phone: Option<String>,
    pub address: Option<Value>,
    pub promotion_code: Option<String>,
    /// The token of the test payment method. Default: `pm_card_visa`.
    pub payment_method: Option<String>,
    /// Quantities by line item, for items with an adjustable quantity.
    pub quantities: BTreeMap<String, i64>,
}
