//! A model of a user's credits, computed from the steps alone, without any of Farebox's code.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, ToSpan, tz::TimeZone};

use super::purchase::Purchase;

/// The plans of the demo catalog: monthly credits and days of grace.
pub const PLANS: [(&str, i64, i64); 2] = [("starter", 10, 7), ("pro", 100, 14)];
/// The catalog's packs: credits, price and days until they expire.
pub const PACKS: [(&str, i64, i64, Option<i64>); 2] =
    [("ai_100", 100, 500, None), ("ai_1000", 1_000, 4_000, Some(365))];

#[derive(Clone, Debug)]
pub struct Model {
    pub balance: i64,
    since: Timestamp,
    grants: Vec<ModelGrant>,
    pub purchases: [Purchase; 3],
    pub subscriptions: BTreeMap<usize, Subscription>,
    comp: Option<PlanComp>,
    keys: BTreeMap<u8, (String, i64)>,
}

#[derive(Clone, Debug)]
struct ModelGrant {
    source: Source,
    amount: i64,
    remaining: i64,
    priority: i32,
    expires_at: Option<Timestamp>,
    /// Credits that clawbacks of other purchases took from this grant, and that this purchase's
    /// clawbacks took elsewhere.
    lent: i64,
    borrowed: i64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Source {
    Grant,
    Purchase(usize),
    Plan(Period),
}

/// Start and end.
type Period = (Timestamp, Timestamp);

#[derive(Clone, Debug)]
pub struct Subscription {
    pub plan: usize,
    pub status: &'static str,
    pub paid_until: Timestamp,
    /// The subscription ends with its paid period.
    pub is_ending: bool,
    /// The start from which Stripe counts the subscription's months.
    pub anchor: Timestamp,
}

/// A plan given by an operator: always the second plan.
#[derive(Clone, Debug)]
struct PlanComp {
    since: Timestamp,
    until: Option<Timestamp>,
}

/// The effective plan, the anchor of its months, and whether it grants credits now.
struct Due {
    plan: Option<usize>,
    anchor: Timestamp,
    gives: bool,
}

/// The result of a call: the new balance, or the error code.
pub type ApiResponse = Result<i64, &'static str>;

impl Model {
    pub fn new(since: Timestamp) -> Self {
        Self {
            balance: 0,
            since,
            grants: Vec::new(),
            purchases: Default::default(),
            subscriptions: BTreeMap::new(),
            comp: None,
            keys: BTreeMap::new(),
        }
    }

    /// The open grants in the order in which they are spent: remaining, priority, expiry.
    pub fn held(&self) -> Vec<(i64, i32, Option<Timestamp>)> {
        let order = self.order(None);
        let open = order.iter().map(|&place| &self.grants[place]);
        open.map(|grant| (grant.remaining, grant.priority, grant.expires_at)).collect()
    }

    /// Spends, grants or adjusts. A refused call changes nothing, not even the effects of time.
    pub fn by_hand(
        &mut self,
        kind: &str,
        amount: i64,
        terms: (i32, Option<Timestamp>),
        once: Option<(u8, String)>,
        now: Timestamp,
    ) -> ApiResponse {
        let before = self.clone();
        self.settle(now);
        let answer = self.change_once(kind, amount, terms, once);
        if answer.is_err() {
            *self = before;
        }
        answer
    }

    /// A repeated key returns the answer of its first request.
    fn change_once(
        &mut self,
        kind: &str,
        amount: i64,
        (priority, expires_at): (i32, Option<Timestamp>),
        once: Option<(u8, String)>,
    ) -> ApiResponse {
        if let Some((key, request)) = &once
            && let Some((first, answer)) = self.keys.get(key)
        {
            return if first == request { Ok(*answer) } else { Err("FB002") };
        }
        match kind {
            "spend" if self.balance < amount => return Err("FB008"),
            "spend" => self.consume(amount, None),
            _ if amount < 0 => self.consume(-amount, None),
            _ => self.fill(Source::Grant, amount, priority, expires_at),
        }
        if let Some((key, request)) = once {
            self.keys.insert(key, (request, self.balance));
        }
        Ok(self.balance)
    }

    /// Gives the second plan as a comp, or ends the comp.
    pub fn give_plan(&mut self, until: Option<Option<Timestamp>>, now: Timestamp) {
        self.settle(now);
        let running = self.comp.as_ref().map(|comp| comp.until);
        if running != until {
            let since = self.comp.as_ref().map_or(now, |comp| comp.since);
            self.comp = until.map(|until| PlanComp { since, until });
        }
        self.settle(now);
    }

    /// Posts the ledger entries that follow from a payment's state and were not posted before.
    pub fn apply_payment_event(&mut self, place: usize, now: Timestamp) {
        self.settle(now);
        let purchase = self.purchases[place].clone();
        if let Some(pack) = purchase.pack {
            let (_, credits, price, days) = PACKS[pack];
            let (refunded, disputed) = (purchase.refunded(), purchase.disputed());
            let by_refunds = credits * refunded.min(price) / price;
            let gone = credits * (refunded + disputed).min(price) / price;
            let due = [credits, -by_refunds, by_refunds - gone];
            let expires_at = days.map(|days| self.since + SignedDuration::from_hours(24 * days));
            let mut moves: Vec<(usize, i64)> =
                (0..3).map(|kind| (kind, due[kind] - purchase.posted[kind])).collect();
            moves.sort_by_key(|(_, difference)| -difference.signum());
            for (kind, difference) in moves {
                if difference > 0 {
                    let rest = self.return_clawback(place, difference);
                    self.fill(Source::Purchase(place), rest, 50, expires_at);
                } else {
                    let back = self.purchases[place].expired.min(-difference);
                    self.purchases[place].expired -= back;
                    self.fill(Source::Purchase(place), back, 50, expires_at);
                    self.consume(-difference, Some(place));
                }
                self.purchases[place].posted[kind] += difference;
            }
        }
        self.settle(now);
    }

    /// Applies the effects of time.
    pub fn settle(&mut self, now: Timestamp) {
        self.comp.take_if(|comp| comp.until.is_some_and(|until| until <= now));
        for grant in &mut self.grants {
            if grant.expires_at.is_some_and(|at| at <= now) {
                self.balance -= grant.remaining;
                match grant.source {
                    Source::Purchase(place) => self.purchases[place].expired += grant.remaining,
                    // If the period is later extended, it grants only its unspent credits again.
                    Source::Plan(_) => grant.amount -= grant.remaining,
                    Source::Grant => {}
                }
                grant.remaining = 0;
            }
        }
        let due = self.due(now);
        let given = due.plan.filter(|_| due.gives).map_or(0, |plan| PLANS[plan].1);
        self.post_plan_grant(month(due.anchor, now), given, now);
    }

    /// Credits granted in a period that has not ended count for the period that replaces it.
    fn post_plan_grant(&mut self, period: Period, given: i64, now: Timestamp) {
        let in_period = |grant: &ModelGrant| matches!(grant.source, Source::Plan((starts, _)) if starts == period.0);
        let own = self.grants.iter().position(in_period);
        let runs = |grant: &ModelGrant| matches!(grant.source, Source::Plan((_, end)) if end > now);
        if let Some(running) = self.grants.iter().position(runs) {
            match own.filter(|own| *own != running && given > 0) {
                // The period that had ended is running again, and this one never began.
                Some(own) => self.revoke_period(running, own, now),
                None => {
                    if given > 0 {
                        self.grants[running].source = Source::Plan(period);
                        self.grants[running].expires_at = Some(period.1);
                    }
                    let grant = &mut self.grants[running];
                    let taken = (grant.amount - given).clamp(0, grant.remaining);
                    grant.amount -= taken;
                    grant.remaining -= taken;
                    self.balance -= taken;
                }
            }
        }
        let own = self.grants.iter_mut().find(|grant| in_period(grant));
        let had = own.map_or(0, |own| {
            own.source = Source::Plan(period);
            own.expires_at = Some(period.1);
            own.amount
        });
        if given > had {
            self.fill(Source::Plan(period), given - had, 50, Some(period.1));
        }
    }

    /// Usage of the revoked period counts as usage of the other.
    fn revoke_period(&mut self, place: usize, own: usize, now: Timestamp) {
        let grant = &mut self.grants[place];
        let spent = grant.amount - grant.remaining;
        self.balance -= grant.remaining;
        (grant.amount, grant.remaining) = (0, 0);
        if let Source::Plan((_, ends)) = &mut grant.source {
            *ends = now;
        }
        self.grants[own].amount += spent;
    }

    fn due(&self, now: Timestamp) -> Due {
        if let Some(comp) = &self.comp {
            return Due { plan: Some(1), anchor: comp.since, gives: true };
        }
        // The higher plan, or the newer of two equal ones.
        let best = |counts: &dyn Fn(&Subscription) -> bool| {
            let counting =
                self.subscriptions.iter().filter(|(_, subscription)| counts(subscription));
            counting.max_by_key(|(number, subscription)| (subscription.plan, **number))
        };
        let bought = |(_, subscription): (&usize, &Subscription)| Due {
            plan: Some(subscription.plan),
            anchor: subscription.anchor,
            gives: subscription.begins(month(subscription.anchor, now), self.since),
        };
        let in_grace = |subscription: &Subscription| {
            let days = PLANS[subscription.plan].2;
            subscription.status == "past_due"
                && self.since + SignedDuration::from_hours(24 * days) > now
        };
        best(&|subscription| ["active", "trialing"].contains(&subscription.status))
            .or_else(|| best(&in_grace))
            .map(bought)
            .unwrap_or(Due { plan: None, anchor: self.since, gives: true })
    }

    /// Reduces the debt from clawbacks first, then returns credits to the grants they were taken
    /// from, the last to expire first. Returns the rest, which the purchase keeps.
    fn return_clawback(&mut self, purchase: usize, amount: i64) -> i64 {
        let debt = self.owed_for_purchases();
        let Some(own) = self.grants.iter().position(|own| own.source == Source::Purchase(purchase))
        else {
            return amount;
        };
        let borrowed = self.grants[own].borrowed.min(amount);
        self.grants[own].borrowed -= borrowed;
        let mut left = borrowed - borrowed.min(debt);
        self.balance += borrowed - left;
        while left > 0 {
            let lenders = (0..self.grants.len()).filter(|&place| self.grants[place].lent > 0);
            let last = lenders.max_by_key(|&place| {
                let grant = &self.grants[place];
                (grant.expires_at.unwrap_or(Timestamp::MAX), grant.priority, place)
            });
            let lender =
                &mut self.grants[last.expect("borrowed credits were lent by a grant or are owed")];
            let back = lender.lent.min(left);
            lender.lent -= back;
            lender.remaining += back - back.min((-self.balance).max(0));
            self.balance += back;
            left -= back;
        }
        amount - borrowed
    }

    fn owed_for_purchases(&self) -> i64 {
        self.grants.iter().map(|grant| grant.borrowed - grant.lent).sum()
    }

    /// Pays off a negative balance first, and debt from clawbacks before other debt.
    fn fill(&mut self, source: Source, amount: i64, priority: i32, expires_at: Option<Timestamp>) {
        if amount == 0 {
            return;
        }
        let own = match source {
            Source::Grant => self.latest_with_terms(priority, expires_at),
            _ => self.grants.iter().position(|own| own.source == source),
        };
        let place = own.unwrap_or_else(|| {
            let (amount, remaining, lent, borrowed) = (0, 0, 0, 0);
            let grant =
                ModelGrant { source, amount, remaining, priority, expires_at, lent, borrowed };
            self.grants.push(grant);
            self.grants.len() - 1
        });
        let paid = amount.min((-self.balance).max(0));
        let lent = paid.min(self.owed_for_purchases());
        let grant = &mut self.grants[place];
        grant.amount += amount;
        grant.remaining += amount - paid;
        grant.lent += lent;
        self.balance += amount;
    }

    /// The latest open grant with these terms, if it is a grant: the new grant is added to it.
    fn latest_with_terms(&self, priority: i32, expires_at: Option<Timestamp>) -> Option<usize> {
        let is_like = |grant: &ModelGrant| {
            grant.remaining > 0 && (grant.priority, grant.expires_at) == (priority, expires_at)
        };
        let latest = self.grants.iter().rposition(is_like)?;
        (self.grants[latest].source == Source::Grant).then_some(latest)
    }

    fn consume(&mut self, amount: i64, own: Option<usize>) {
        self.balance -= amount;
        let mut left = amount;
        let mut borrowed = 0;
        for place in self.order(own) {
            let grant = &mut self.grants[place];
            let taken = left.min(grant.remaining);
            grant.remaining -= taken;
            left -= taken;
            if own.is_some_and(|own| grant.source != Source::Purchase(own)) {
                grant.lent += taken;
                borrowed += taken;
            }
        }
        let own = own.map(Source::Purchase);
        if let Some(own) = self.grants.iter_mut().find(|grant| Some(grant.source) == own) {
            own.borrowed += borrowed + left;
        }
    }

    /// The payment's own grant, then the first to expire, the lowest priority, the oldest.
    fn order(&self, own: Option<usize>) -> Vec<usize> {
        let mut open: Vec<usize> =
            (0..self.grants.len()).filter(|&place| self.grants[place].remaining > 0).collect();
        open.sort_by_key(|&place| {
            let grant = &self.grants[place];
            let is_own = own.is_some_and(|own| grant.source == Source::Purchase(own));
            let expires_at = grant.expires_at.unwrap_or(Timestamp::MAX);
            (!is_own, expires_at, grant.priority, place)
        });
        open
    }
}

impl Subscription {
    /// True if the period has begun: by time alone, only an active subscription that is not ending
    /// begins a new one.
    fn begins(&self, (starts, _): Period, since: Timestamp) -> bool {
        match self.status {
            "past_due" => starts <= since,
            "active" if !self.is_ending => true,
            _ => starts < self.paid_until,
        }
    }
}

/// The month, counted from an anchor, that contains `now`.
fn month(anchor: Timestamp, now: Timestamp) -> Period {
    let anchor = anchor.to_zoned(TimeZone::UTC);
    let starts = |number: i32| anchor.checked_add(number.months()).unwrap().timestamp();
    let next = (-2..).find(|number| starts(*number) > now).unwrap();
    (starts(next - 1), starts(next))
}
