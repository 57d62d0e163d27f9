//! What a user holds, worked out from what happened alone: nothing here is the product's.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, ToSpan, tz::TimeZone};

use super::purchase::Purchase;

/// The plans of the demo catalog: credits a month, and days of grace.
pub const PLANS: [(&str, i64, i64); 2] = [("starter", 10, 7), ("pro", 100, 14)];
/// Its packs: credits, price, and for how many days they last.
pub const PACKS: [(&str, i64, i64, Option<i64>); 2] =
    [("ai_100", 100, 500, None), ("ai_1000", 1_000, 4_000, Some(365))];

#[derive(Clone, Debug)]
pub struct Model {
    pub balance: i64,
    since: Timestamp,
    buckets: Vec<Bucket>,
    pub purchases: [Purchase; 3],
    pub subscriptions: BTreeMap<usize, Subscription>,
    comp: Option<PlanComp>,
    keys: BTreeMap<u8, (String, i64)>,
}

#[derive(Clone, Debug)]
struct Bucket {
    source: Source,
    amount: i64,
    remaining: i64,
    priority: i32,
    expires_at: Option<Timestamp>,
    /// What refunds and disputes of other purchases took of it, and what its own took elsewhere.
    lent: i64,
    borrowed: i64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Source {
    Grant,
    Purchase(usize),
    Plan(Period),
}

/// From the one moment until the other.
type Period = (Timestamp, Timestamp);

#[derive(Clone, Debug)]
pub struct Subscription {
    pub plan: usize,
    pub status: &'static str,
    pub paid_until: Timestamp,
    /// It ends with what is paid.
    pub is_ending: bool,
    /// From when Stripe counts its months.
    pub anchor: Timestamp,
}

/// A plan given by hand: always the second one.
#[derive(Clone, Debug)]
struct PlanComp {
    since: Timestamp,
    until: Option<Timestamp>,
}

/// The plan that counts, from when its months are counted, and whether it gives credits now.
struct Due {
    plan: Option<usize>,
    anchor: Timestamp,
    gives: bool,
}

/// What a call is answered: the balance after it, or why there was none.
pub type ApiResponse = Result<i64, &'static str>;

impl Model {
    pub fn new(since: Timestamp) -> Self {
        Self {
            balance: 0,
            since,
            buckets: Vec::new(),
            purchases: Default::default(),
            subscriptions: BTreeMap::new(),
            comp: None,
            keys: BTreeMap::new(),
        }
    }

    /// What is held, in the order in which it is spent: remaining, priority, expiry.
    pub fn held(&self) -> Vec<(i64, i32, Option<Timestamp>)> {
        let order = self.order(None);
        let open = order.iter().map(|&place| &self.buckets[place]);
        open.map(|bucket| (bucket.remaining, bucket.priority, bucket.expires_at)).collect()
    }

    /// Spends, grants or adjusts. What is refused changes nothing, not even what time brought.
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
        let answer = self.move_once(kind, amount, terms, once);
        if answer.is_err() {
            *self = before;
        }
        answer
    }

    /// A key stands for the first request that came with it.
    fn move_once(
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
            "spend" => self.burn(amount, None),
            _ if amount < 0 => self.burn(-amount, None),
            _ => self.fill(Source::Grant, amount, priority, expires_at),
        }
        if let Some((key, request)) = once {
            self.keys.insert(key, (request, self.balance));
        }
        Ok(self.balance)
    }

    /// Gives the second plan, or takes it away.
    pub fn give_plan(&mut self, until: Option<Option<Timestamp>>, now: Timestamp) {
        self.settle(now);
        let running = self.comp.as_ref().map(|comp| comp.until);
        if running != until {
            let since = self.comp.as_ref().map_or(now, |comp| comp.since);
            self.comp = until.map(|until| PlanComp { since, until });
        }
        self.settle(now);
    }

    /// Posts what follows from what is known of a payment, and was not posted before.
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
                    let rest = self.give_back(place, difference);
                    self.fill(Source::Purchase(place), rest, 50, expires_at);
                } else {
                    let back = self.purchases[place].expired.min(-difference);
                    self.purchases[place].expired -= back;
                    self.fill(Source::Purchase(place), back, 50, expires_at);
                    self.burn(-difference, Some(place));
                }
                self.purchases[place].posted[kind] += difference;
            }
        }
        self.settle(now);
    }

    /// What time alone changes.
    pub fn settle(&mut self, now: Timestamp) {
        self.comp.take_if(|comp| comp.until.is_some_and(|until| until <= now));
        for bucket in &mut self.buckets {
            if bucket.expires_at.is_some_and(|at| at <= now) {
                self.balance -= bucket.remaining;
                match bucket.source {
                    Source::Purchase(place) => self.purchases[place].expired += bucket.remaining,
                    // Should the period run on after all, it gives what was not spent of it.
                    Source::Plan(_) => bucket.amount -= bucket.remaining,
                    Source::Grant => {}
                }
                bucket.remaining = 0;
            }
        }
        let due = self.due(now);
        let given = due.plan.filter(|_| due.gives).map_or(0, |plan| PLANS[plan].1);
        self.post_plan_grant(month(due.anchor, now), given, now);
    }

    /// What was given in a period that is not over was given in the one that takes its place.
    fn post_plan_grant(&mut self, period: Period, given: i64, now: Timestamp) {
        let in_period = |bucket: &Bucket| matches!(bucket.source, Source::Plan((starts, _)) if starts == period.0);
        let own = self.buckets.iter().position(in_period);
        let runs = |bucket: &Bucket| matches!(bucket.source, Source::Plan((_, end)) if end > now);
        if let Some(running) = self.buckets.iter().position(runs) {
            match own.filter(|own| *own != running && given > 0) {
                // The period that was thought to be over runs still, and this one never began.
                Some(own) => self.give_up_period(running, own, now),
                None => {
                    if given > 0 {
                        self.buckets[running].source = Source::Plan(period);
                        self.buckets[running].expires_at = Some(period.1);
                    }
                    let bucket = &mut self.buckets[running];
                    let taken = (bucket.amount - given).clamp(0, bucket.remaining);
                    bucket.amount -= taken;
                    bucket.remaining -= taken;
                    self.balance -= taken;
                }
            }
        }
        let own = self.buckets.iter_mut().find(|bucket| in_period(bucket));
        let had = own.map_or(0, |own| {
            own.source = Source::Plan(period);
            own.expires_at = Some(period.1);
            own.amount
        });
        if given > had {
            self.fill(Source::Plan(period), given - had, 50, Some(period.1));
        }
    }

    /// What was spent of it was spent of the other.
    fn give_up_period(&mut self, place: usize, own: usize, now: Timestamp) {
        let bucket = &mut self.buckets[place];
        let spent = bucket.amount - bucket.remaining;
        self.balance -= bucket.remaining;
        (bucket.amount, bucket.remaining) = (0, 0);
        if let Source::Plan((_, ends)) = &mut bucket.source {
            *ends = now;
        }
        self.buckets[own].amount += spent;
    }

    fn due(&self, now: Timestamp) -> Due {
        if let Some(comp) = &self.comp {
            return Due { plan: Some(1), anchor: comp.since, gives: true };
        }
        // The larger plan, and of two alike the newer.
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

    /// What is owed for purchases is owed no more; then to the lender that is the last to expire. Answers
    /// what is the purchase's own.
    fn give_back(&mut self, purchase: usize, amount: i64) -> i64 {
        let debt = self.owed_for_purchases();
        let Some(own) =
            self.buckets.iter().position(|own| own.source == Source::Purchase(purchase))
        else {
            return amount;
        };
        let borrowed = self.buckets[own].borrowed.min(amount);
        self.buckets[own].borrowed -= borrowed;
        let mut left = borrowed - borrowed.min(debt);
        self.balance += borrowed - left;
        while left > 0 {
            let lenders = (0..self.buckets.len()).filter(|&place| self.buckets[place].lent > 0);
            let last = lenders.max_by_key(|&place| {
                let bucket = &self.buckets[place];
                (bucket.expires_at.unwrap_or(Timestamp::MAX), bucket.priority, place)
            });
            let lender = &mut self.buckets[last.expect("what was borrowed was lent or is owed")];
            let back = lender.lent.min(left);
            lender.lent -= back;
            lender.remaining += back - back.min((-self.balance).max(0));
            self.balance += back;
            left -= back;
        }
        amount - borrowed
    }

    fn owed_for_purchases(&self) -> i64 {
        self.buckets.iter().map(|bucket| bucket.borrowed - bucket.lent).sum()
    }

    /// What is owed is paid first, for purchases before anything else.
    fn fill(&mut self, source: Source, amount: i64, priority: i32, expires_at: Option<Timestamp>) {
        if amount == 0 {
            return;
        }
        let own = match source {
            Source::Grant => self.latest_with_terms(priority, expires_at),
            _ => self.buckets.iter().position(|own| own.source == source),
        };
        let place = own.unwrap_or_else(|| {
            let (amount, remaining, lent, borrowed) = (0, 0, 0, 0);
            let bucket = Bucket { source, amount, remaining, priority, expires_at, lent, borrowed };
            self.buckets.push(bucket);
            self.buckets.len() - 1
        });
        let paid = amount.min((-self.balance).max(0));
        let lent = paid.min(self.owed_for_purchases());
        let bucket = &mut self.buckets[place];
        bucket.amount += amount;
        bucket.remaining += amount - paid;
        bucket.lent += lent;
        self.balance += amount;
    }

    /// Of the open ones of the same terms the latest, if it is a grant: the two are one.
    fn latest_with_terms(&self, priority: i32, expires_at: Option<Timestamp>) -> Option<usize> {
        let is_like = |bucket: &Bucket| {
            bucket.remaining > 0 && (bucket.priority, bucket.expires_at) == (priority, expires_at)
        };
        let latest = self.buckets.iter().rposition(is_like)?;
        (self.buckets[latest].source == Source::Grant).then_some(latest)
    }

    fn burn(&mut self, amount: i64, own: Option<usize>) {
        self.balance -= amount;
        let mut left = amount;
        let mut borrowed = 0;
        for place in self.order(own) {
            let bucket = &mut self.buckets[place];
            let taken = left.min(bucket.remaining);
            bucket.remaining -= taken;
            left -= taken;
            if own.is_some_and(|own| bucket.source != Source::Purchase(own)) {
                bucket.lent += taken;
                borrowed += taken;
            }
        }
        let own = own.map(Source::Purchase);
        if let Some(own) = self.buckets.iter_mut().find(|bucket| Some(bucket.source) == own) {
            own.borrowed += borrowed + left;
        }
    }

    /// A payment's own bucket, the soonest to expire, the lowest priority, the oldest.
    fn order(&self, own: Option<usize>) -> Vec<usize> {
        let mut open: Vec<usize> =
            (0..self.buckets.len()).filter(|&place| self.buckets[place].remaining > 0).collect();
        open.sort_by_key(|&place| {
            let bucket = &self.buckets[place];
            let is_own = own.is_some_and(|own| bucket.source == Source::Purchase(own));
            let expires_at = bucket.expires_at.unwrap_or(Timestamp::MAX);
            (!is_own, expires_at, bucket.priority, place)
        });
        open
    }
}

impl Subscription {
    /// Whether that is a period of its own: by time alone only what is paid for, and goes on, has a next one.
    fn begins(&self, (starts, _): Period, since: Timestamp) -> bool {
        match self.status {
            "past_due" => starts <= since,
            "active" if !self.is_ending => true,
            _ => starts < self.paid_until,
        }
    }
}

/// The month, counted from an anchor, in which that moment is.
fn month(anchor: Timestamp, now: Timestamp) -> Period {
    let anchor = anchor.to_zoned(TimeZone::UTC);
    let starts = |number: i32| anchor.checked_add(number.months()).unwrap().timestamp();
    let next = (-2..).find(|number| starts(*number) > now).unwrap();
    (starts(next - 1), starts(next))
}
