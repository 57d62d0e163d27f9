//! The ledger and a model of it: after every step, both have the same state.

mod model;
mod player;
mod purchase;
mod steps;

use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use shared::billing::ledger_audit::{self, LedgerAuditPosition};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use self::model::{PACKS, PLANS};
use self::player::{Player, Shop};
use self::steps::steps;
use crate::support::TestApp;
use crate::webhook::guards::without;

/// The number of stories, each of at most 80 steps, unless `LEDGER_STORIES` sets another.
const STORIES: u32 = 60;

fn stories(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

/// Plays the stories until the ledger and the model differ.
async fn play_stories(app: &TestApp, config: Config) -> Result<(), String> {
    app.clock.let_sql_take_any_time().await;
    let mut shop = Shop { plans: Vec::new(), packs: Vec::new() };
    for (plan, ..) in PLANS {
        shop.plans.push(app.plan_sold(plan).await);
    }
    for (pack, ..) in PACKS {
        shop.packs.push(app.pack_sold(pack).await);
    }
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let (inside, client) = (app.inside(), app.owner().await);
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let played = TestRunner::new_with_rng(config, random).run(&steps(), |steps| {
        block_in_place(|| {
            Handle::current().block_on(async {
                let user = format!("s{}", NEXT.fetch_add(1, Ordering::Relaxed));
                let mut player = Player::new(&inside, &client, &shop, user).await;
                for step in &steps {
                    player.take(step).await;
                }
                player.end().await;
            });
        });
        Ok(())
    });
    played.map_err(|error| error.to_string())
}

/// CP-3, CP-4: thousands of steps in random order. `LEDGER_STORIES` sets a larger number of
/// stories.
#[tokio::test(flavor = "multi_thread")]
async fn every_change_of_credits_agrees_with_a_model() {
    let app = TestApp::selling("demo").await;
    let asked = std::env::var("LEDGER_STORIES").ok();
    let cases = asked.map_or(STORIES, |stories| stories.parse().unwrap());
    play_stories(&app, stories(cases)).await.unwrap();
    let mut next = Some(LedgerAuditPosition::default());
    while let Some(position) = next {
        let found = ledger_audit::verify(&app.inside(), position).await.unwrap();
        assert!(found.problems.is_empty(), "{:?}", found.problems);
        next = found.next;
    }
}

/// Each rule is needed: with one rule broken, the ledger and the model soon differ.
#[tokio::test(flavor = "multi_thread")]
async fn the_model_detects_each_broken_rule() {
    let mut unseen = Vec::new();
    for (function, rule, instead) in [
        ("amount_owed", "greatest(-balance, 0)", "0"),
        ("add_to_grant", "lent + least(v_paid, owed_for_clawbacks(user_id, unit))", "lent"),
        ("reverse_clawback", "expires_at desc, priority desc, id desc", "id"),
        ("reverse_clawback", "v_paid := least(v_back, v_owed);", "v_paid := 0;"),
        (
            "consume_grants",
            "set borrowed = borrowed + v_borrowed + v_left",
            "set borrowed = borrowed",
        ),
        ("consume_grants", "when not v_is_clawback then 0", "when true then 0"),
        ("consume_grants", "if v_grant.taken > 0 then", "if false then"),
        ("consume_grants", "expires_at, priority", "expires_at"),
        ("close_wallets", "g.expires_at, g.priority", "g.expires_at"),
        ("open_wallets", "set remaining = v_head.head_left", "set remaining = remaining"),
        ("spend_credits", "and due_at > p_now", ""),
        ("spend_from_grants", "order by expires_at, priority, id", "order by id"),
        ("add_to_grant", "and priority = p_credits.priority", ""),
        ("add_to_grant", "and expires_at = p_credits.expires_at", ""),
        (
            "add_to_grant",
            "case when kind = p_credits.kind and payment_id is null then id end",
            "null",
        ),
        ("expire_credits", "expires_at <= p_now", "false"),
        ("expire_credits", "case e.kind when 'plan' then e.remaining else 0 end", "0"),
        ("post_payment", "perform reinstate_expired(v_grant, -v_part.difference, p_now);", ""),
        ("post_payment", "due.credits < coalesce(posted.credits, 0), ", ""),
        ("apply_observation", "perform lock_and_refresh_user(", "perform ensure_account("),
        ("recompute_entitlement", "next_credit_expiry(p_user_id)", "null"),
        ("recompute_entitlement", "v_next_grant_at, ", ""),
        ("recompute_entitlement", "case when v_due.grants then v_due.plan end", "v_due.plan"),
        ("begins_period", "v_until is null or", "v_until is null or true or"),
        (
            "begins_period",
            "return v_until is null or",
            "return coalesce(p_subscription.current_period_end > p_now, true) and v_until is null or",
        ),
        ("resolve_plan", "d.rank desc, ", ""),
        ("resolve_plan", "grace_end(s) > p_now", "true"),
        ("period_at", "make_interval(months => v_months + 1)", "make_interval(days => 30)"),
        ("grant_plan_credits", "period_end > p_now", "period_start = v_period.starts_at"),
        ("take_from_grant", "amount = amount - v_taken", "amount = amount"),
        ("replayed_entry", "is distinct from p_fingerprint", "is null"),
    ] {
        let app = without(function, rule, instead).await;
        let config = Config { max_shrink_iters: 0, ..stories(8 * STORIES) };
        if play_stories(&app, config).await.is_ok() {
            unseen.push(format!("{function} without {rule}"));
        }
    }
    assert!(unseen.is_empty(), "{unseen:#?}");
}
