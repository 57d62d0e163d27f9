//! A line about each event that can be triggered, for `farebox trigger --list`.

/// Describes how an event is caused. Empty for an unknown event.
pub fn describe(event: &str) -> &'static str {
    match event {
        "checkout.session.completed" => "The user pays at checkout and gets the plan or pack",
        "checkout.session.async_payment_succeeded" => {
            "A checkout with a delayed payment method, whose payment arrives"
        }
        "checkout.session.async_payment_failed" => {
            "A checkout with a delayed payment method, whose payment fails"
        }
        "checkout.session.expired" => "The user leaves checkout, and the session expires",
        "customer.subscription.created" => "A new subscription, paid by card",
        "customer.subscription.updated" => "The subscription changes to the plan of --plan",
        "customer.subscription.deleted" => "The subscription is canceled now",
        "customer.subscription.paused" => "A trial ends without a card: the subscription pauses",
        "customer.subscription.resumed" => "A paused subscription gets a card and resumes",
        "customer.subscription.trial_will_end" => "A trial that ends in three days",
        "invoice.paid" => "A new period begins, and its invoice is paid",
        "invoice.payment_succeeded" => "The same, named by the payment of the invoice",
        "invoice.payment_failed" => "A new period begins, and the card is declined",
        "invoice.payment_action_required" => {
            "A new period begins, and the bank asks for authentication"
        }
        "invoice.finalized" => "The same as invoice.paid, named by the final invoice",
        "invoice_payment.paid" => "The same as invoice.paid, named by the payment object",
        "customer.updated" => "The metadata of the customer changes",
        "customer.deleted" => "The customer is deleted, and the subscription ends",
        "payment_intent.succeeded" => "A one-time payment succeeds",
        "payment_intent.payment_failed" => "A one-time payment is declined",
        "charge.refunded" => "The last payment is refunded",
        "refund.updated" => "A refund changes",
        "charge.dispute.created" => "The cardholder disputes the last payment",
        "charge.dispute.updated" => "A dispute gets evidence",
        "charge.dispute.closed" => "A dispute is lost",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::trigger::EVENTS;

    #[test]
    fn every_event_has_its_own_description() {
        let mut all: Vec<_> = EVENTS.iter().map(|event| describe(event)).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), EVENTS.len());
        assert!(!all.contains(&""));
    }
}
