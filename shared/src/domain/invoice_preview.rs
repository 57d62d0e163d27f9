//! The price of a change before it is made, as Stripe computes it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::object::{Object, flag, integer, list, seconds, sum, text};

/// An invoice that Stripe would create.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InvoicePreview {
    currency: String,
    lines: Vec<InvoicePreviewLine>,
    /// True if the invoice has more lines than `lines` shows. The amounts below include them.
    has_more_lines: bool,
    /// The sum of the lines.
    subtotal_minor: i64,
    /// The discounts on the subtotal.
    discount_minor: i64,
    /// The taxes, both those in the prices and those added to them.
    tax_minor: i64,
    /// The total after discounts and taxes. Negative if the change gives back more than it costs.
    total_minor: i64,
    /// The change of the amount due by the customer's balance at Stripe: `totalMinor` plus this is
    /// `amountDueMinor`. Negative if credit pays a part; positive if a debt is added, or if a
    /// negative total becomes credit for later invoices.
    balance_minor: i64,
    /// The amount to be charged.
    amount_due_minor: i64,
    /// The customer's balance before the invoice. Negative if it is credit.
    #[serde(skip)]
    starting_balance: i64,
}

/// A line of an invoice that Stripe would create.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InvoicePreviewLine {
    /// Stripe's text, such as `Unused time on Basic after 14 Feb 2027`.
    description: String,
    quantity: Option<i64>,
    /// The amount before discounts. Negative if it is credit for time that is not used.
    amount_minor: i64,
    discount_minor: i64,
    tax_minor: i64,
    period_start: Option<Timestamp>,
    period_end: Option<Timestamp>,
    /// True if the line credits or charges a part of a period, because of the change.
    is_proration: bool,
}

impl InvoicePreview {
    /// Reads Stripe's preview; returns the name of the field that it lacks.
    pub fn of(invoice: &Object) -> Result<Self, &'static str> {
        let required = |field| integer(invoice, field).ok_or(field);
        let total_minor = required("total")?;
        let amount_due_minor = required("amount_due")?;
        Ok(Self {
            currency: text(invoice, "currency").ok_or("currency")?.to_owned(),
            lines: list(invoice, "lines").iter().map(InvoicePreviewLine::of).collect(),
            has_more_lines: flag(&invoice["lines"], "has_more"),
            subtotal_minor: required("subtotal")?,
            discount_minor: sum(invoice, "total_discount_amounts").unwrap_or(0),
            tax_minor: sum(invoice, "total_taxes").unwrap_or(0),
            total_minor,
            balance_minor: amount_due_minor.saturating_sub(total_minor),
            amount_due_minor,
            starting_balance: integer(invoice, "starting_balance").unwrap_or(0),
        })
    }

    pub fn total_minor(&self) -> i64 {
        self.total_minor
    }

    pub fn amount_due_minor(&self) -> i64 {
        self.amount_due_minor
    }

    /// Applies the customer's balance that `first` leaves, an invoice which is charged before this
    /// one. Stripe previews each of the two with today's balance.
    pub fn after(self, first: &Self) -> Self {
        let left = first.starting_balance.saturating_add(first.total_minor).min(0);
        let amount_due_minor = self.total_minor.saturating_add(left).max(0);
        let balance_minor = amount_due_minor.saturating_sub(self.total_minor);
        Self { amount_due_minor, balance_minor, starting_balance: left, ..self }
    }

    /// Returns the last period that the invoice bills in full.
    pub fn period(&self) -> Option<(Timestamp, Timestamp)> {
        let full = self.lines.iter().filter(|line| !line.is_proration);
        full.filter_map(|line| line.period_start.zip(line.period_end)).max_by_key(|(_, end)| *end)
    }
}

impl InvoicePreviewLine {
    fn of(line: &Object) -> Self {
        let time = |field| Timestamp::from_second(seconds(&line["period"], field)?).ok();
        let kinds = ["subscription_item_details", "invoice_item_details"];
        let is_proration = kinds.iter().any(|kind| flag(&line["parent"][kind], "proration"));
        Self {
            description: text(line, "description").unwrap_or_default().to_owned(),
            quantity: integer(line, "quantity"),
            amount_minor: integer(line, "amount").unwrap_or(0),
            discount_minor: sum(line, "discount_amounts").unwrap_or(0),
            tax_minor: sum(line, "taxes").unwrap_or(0),
            period_start: time("start"),
            period_end: time("end"),
            is_proration,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn invoice(total: i64, due: i64, balance: i64) -> Value {
        let kind = "subscription_item_details";
        let line = |amount: i64, is_proration: bool, end: i64| {
            json!({
                "amount": amount, "description": "a line", "quantity": 2,
                "discount_amounts": [{ "amount": 5 }], "taxes": [{ "amount": 7 }, { "amount": 1 }],
                "period": { "start": 100, "end": end },
                "parent": { "type": kind, kind: { "proration": is_proration } },
            })
        };
        json!({
            "currency": "usd", "subtotal": total, "total": total, "amount_due": due,
            "starting_balance": balance, "total_discount_amounts": [{ "amount": 10 }],
            "total_taxes": [{ "amount": 16 }],
            "lines": {
                "has_more": false,
                "data": [line(-50, true, 300), line(total + 50, false, 200)],
            },
        })
    }

    #[test]
    fn a_preview_has_the_amounts_of_the_invoice() {
        let preview = InvoicePreview::of(&invoice(900, 600, -300)).unwrap();
        let shown = json!(preview);
        assert_eq!(shown["discountMinor"], 10);
        assert_eq!(shown["taxMinor"], 16);
        assert_eq!(shown["balanceMinor"], -300);
        assert_eq!(shown["amountDueMinor"], 600);
        let [credit, charge] = &preview.lines[..] else { panic!("{preview:?}") };
        assert!(credit.is_proration && !charge.is_proration);
        assert_eq!((credit.amount_minor, credit.discount_minor, credit.tax_minor), (-50, 5, 8));
        let second = |at| Timestamp::from_second(at).unwrap();
        assert_eq!(preview.period(), Some((second(100), second(200))), "not that of the proration");
        assert_eq!(InvoicePreview::of(&json!({ "total": 5 })), Err("amount_due"));
    }

    /// The second invoice gets the credit that the first one leaves.
    #[test]
    fn the_balance_pays_the_first_invoice_first() {
        for (first, balance, second, due) in [
            (900, -300, 500, 500),
            (100, -300, 500, 300),
            (-200, 0, 500, 300),
            (-200, -500, 500, 0),
            (100, 300, 500, 500),
        ] {
            let first = InvoicePreview::of(&invoice(first, 0, balance)).unwrap();
            let second = InvoicePreview::of(&invoice(second, 500, balance)).unwrap().after(&first);
            assert_eq!(second.amount_due_minor, due, "{first:?}");
            assert_eq!(second.total_minor + second.balance_minor, due);
        }
    }
}
