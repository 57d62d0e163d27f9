//! Payments for credits, with their refunds and disputes.

use std::collections::BTreeMap;

#[derive(Clone, Debug, Default)]
pub struct Purchase {
    pub pack: Option<usize>,
    /// The largest amount that the charge reported as refunded, and each observed refund.
    in_all: i64,
    refunds: BTreeMap<usize, (i64, &'static str)>,
    dispute: Option<(i64, &'static str)>,
    /// The credits posted for purchase, refunds and disputes, and those that expired.
    pub posted: [i64; 3],
    pub expired: i64,
}

impl Purchase {
    pub fn apply_refunded_total(&mut self, in_all: i64) {
        self.in_all = self.in_all.max(in_all);
    }

    /// A failed refund stays failed, and a succeeded one does not become pending again.
    pub fn apply_refund(&mut self, number: usize, amount: i64, status: &'static str) {
        let known = self.refunds.entry(number).or_insert((amount, status));
        let is_newer = known.1 == "pending" || status == "failed";
        *known = (known.0.max(amount), if is_newer { status } else { known.1 });
    }

    /// The greatest amount counts, and the latest status; a closed dispute stays closed.
    pub fn apply_dispute(&mut self, amount: i64, status: &'static str) {
        let dispute_is_closed = |status| ["won", "lost"].contains(&status);
        let known = self.dispute.get_or_insert((amount, status));
        let keeps_status = dispute_is_closed(known.1) && !dispute_is_closed(status);
        *known = (known.0.max(amount), if keeps_status { known.1 } else { status });
    }

    pub fn refunded(&self) -> i64 {
        let failed: i64 = self.sum(|status| status == "failed");
        let done: i64 = self.sum(|status| status != "failed");
        (self.in_all - failed).max(done)
    }

    fn sum(&self, counts: impl Fn(&str) -> bool) -> i64 {
        let refunds = self.refunds.values().filter(|(_, status)| counts(status));
        refunds.map(|(amount, _)| amount).sum()
    }

    pub fn disputed(&self) -> i64 {
        let withheld = ["needs_response", "under_review", "lost"];
        self.dispute.filter(|(_, status)| withheld.contains(status)).map_or(0, |(amount, _)| amount)
    }
}
