//! Random steps that change a user's credits.

use proptest::prelude::*;

const REFUNDS: [&str; 3] = ["pending", "succeeded", "failed"];
const DISPUTES: [&str; 4] = ["needs_response", "under_review", "won", "lost"];
const STATUSES: [&str; 5] = ["active", "trialing", "past_due", "unpaid", "canceled"];

/// Amounts of refunds and disputes are percentages of the price.
#[derive(Clone, Debug)]
pub enum Step {
    Buy {
        place: usize,
        pack: usize,
    },
    /// The charge's total refunded amount.
    RefundedInAll {
        place: usize,
        hundredths: i64,
    },
    Refund {
        place: usize,
        number: usize,
        hundredths: i64,
        status: &'static str,
    },
    Dispute {
        place: usize,
        hundredths: i64,
        status: &'static str,
    },
    /// A spend, a grant or an adjustment.
    ByHand(ByHand),
    Subscribe(Bought),
    GivePlan {
        hours: Option<i64>,
    },
    TakePlan,
    Pass {
        hours: i64,
    },
    RunJob,
    Look,
}

/// A subscription that is paid until this many months after the start.
#[derive(Clone, Debug)]
pub struct Bought {
    pub number: usize,
    pub plan: usize,
    pub status: &'static str,
    pub months: i32,
    /// The subscription ends with its paid period.
    pub is_ending: bool,
    /// The anchor of its months, in days after the start.
    pub anchor: i64,
}

#[derive(Clone, Debug)]
pub struct ByHand {
    pub kind: &'static str,
    pub amount: i64,
    pub hours: Option<i64>,
    pub priority: Option<i32>,
    pub key: Option<u8>,
}

/// Two in five stories are mostly about payments, because effects of clawbacks need many payments
/// to appear.
pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop_oneof![3 => steps_with(8), 2 => steps_with(30)]
}

fn steps_with(payments: u32) -> impl Strategy<Value = Vec<Step>> {
    let hours = prop::option::of(1..2_000i64);
    let step = prop_oneof![
        payments => payment(),
        14 => by_hand().prop_map(Step::ByHand),
        3 => bought().prop_map(Step::Subscribe),
        1 => hours.prop_map(|hours| Step::GivePlan { hours }),
        1 => Just(Step::TakePlan),
        6 => prop_oneof![4 => 1..48i64, 4 => 48..600i64, 1 => 600..6_000i64]
            .prop_map(|hours| Step::Pass { hours }),
        2 => Just(Step::RunJob),
        3 => Just(Step::Look),
    ];
    prop::collection::vec(step, 1..80)
}

/// A month from 28 February and one from 31 January may begin together, and the former ends first.
fn bought() -> impl Strategy<Value = Bought> {
    let anchor = prop_oneof![4 => Just(0), 2 => Just(28), 1 => Just(10)];
    let status = prop_oneof![3 => Just("active"), 4 => prop::sample::select(&STATUSES[..])];
    (0..2usize, 0..2usize, status, 1..14i32, prop::bool::weighted(0.2), anchor).prop_map(
        |(number, plan, status, months, is_ending, anchor)| Bought {
            number,
            plan,
            status,
            months,
            is_ending,
            anchor,
        },
    )
}

fn payment() -> impl Strategy<Value = Step> {
    let place = || 0..3usize;
    let (refund, dispute) =
        (prop::sample::select(&REFUNDS[..]), prop::sample::select(&DISPUTES[..]));
    prop_oneof![
        (place(), 0..2usize).prop_map(|(place, pack)| Step::Buy { place, pack }),
        (place(), 0..130i64)
            .prop_map(|(place, hundredths)| Step::RefundedInAll { place, hundredths }),
        (place(), 0..3usize, 1..60i64, refund).prop_map(|(place, number, hundredths, status)| {
            Step::Refund { place, number, hundredths, status }
        }),
        (place(), 1..130i64, dispute).prop_map(|(place, hundredths, status)| Step::Dispute {
            place,
            hundredths,
            status
        }),
    ]
}

fn by_hand() -> impl Strategy<Value = ByHand> {
    let kind = prop_oneof![
        4 => (Just("spend"), 1..150i64, Just(None), Just(None)),
        2 => (Just("grant"), 1..200i64, prop::option::of(1..2_000i64), (0..4i32).prop_map(Some)),
        1 => (Just("adjust"), (-150..150i64).prop_filter("0", |amount| *amount != 0), Just(None), Just(None)),
    ];
    (kind, prop::option::weighted(0.4, 0..4u8)).prop_map(
        |((kind, amount, hours, priority), key)| ByHand { kind, amount, hours, priority, key },
    )
}
