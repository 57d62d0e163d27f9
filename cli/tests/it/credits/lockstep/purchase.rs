//! Payments for credits, and their refunds and disputes.

use std::collections::BTreeMap;

#[derive(Clone, Debug, Default)]
pub struct Purchase {
    pub pack: Option<usize>,
    /// The most that its charge was said to have been refunded, and each refund that was heard of.
    in_all: i64,
    refunds: BTreeMap<usize, (i64, &'static str)>,
    dispute: Option<(i64, &'static str)>,
    /// What was posted for it: bought, refunded, disputed; and what expired of it.
    pub posted: [i64; 3],
    pub expired: i64,
}

impl Purchase {
    pub fn hear_in_all(&mut self, in_all: i64) {
        self.in_all = self.in_all.max(in_all);
    }

    /// One that failed stays so, and one that succeeded is not pending again.
    pub fn hear_refund(&mut self, number: usize, amount: i64, status: &'static str) {
        let known = self.refunds.entry(number).or_insert((amount, status));
        let is_news = known.1 == "pending" || status == "failed";
        *known = (known.0.max(amount), if is_news { status } else { known.1 });
    }

    /// The greatest amount counts, and the later status, but that a decision stands.
    pub fn hear_dispute(&mut self, amount: i64, status: &'static str) {
        let dispute_is_closed = |status| ["won", "lost"].contains(&status);
        let known = self.dispute.get_or_insert((amount, status));
        let stands = dispute_is_closed(known.1) && !dispute_is_closed(status);
        *known = (known.0.max(amount), if stands { known.1 } else { status });
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
