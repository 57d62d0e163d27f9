//! Compares calls on an account with many open credit grants and on an account with one.

use std::time::Instant;

use crate::database::Database;
use crate::report::{Report, figure};
use crate::samples::Samples;
use crate::sql::{self, with};

/// Creates two accounts: one with one grant, one with many.
const GRANTS: &str = include_str!("grants.sql");
/// Measured calls of each kind, one after the other.
const CALLS: usize = 30;

/// The calls; `$1` is the account.
const MEASURED: [(&str, &str); 6] = [
    ("spend of one credit", "select spend_credits($1, 'ai_credit', 1, '{}', null, null, now())"),
    (
        "spend of all of 20 grants",
        "select spend_credits($1, 'ai_credit', 200, '{}', null, null, now())",
    ),
    (
        "grant",
        "select grant_credits($1, 'grant', 'ai_credit', 10, now() + random() * interval '9 days',
           null, '{}', 'bench', null, null, now())",
    ),
    ("get the credits", "select get_credits($1, null, null, 20, now())"),
    ("get the entitlements", "select get_entitlements($1, now())"),
    (
        "track",
        r#"select track_usages(
             $1, '[{"feature": "reports", "quantity": 1}]', true, null, null, now())"#,
    ),
];

/// Adds a table of times to the report.
pub async fn measure(database: &Database, grants: u32, report: &mut Report) -> anyhow::Result<()> {
    eprintln!("creating {grants} grants");
    database.execute(&GRANTS.replace("{grants}", &grants.to_string())).await?;
    database.execute("vacuum analyze").await?;
    let many = format!("{grants} grants");
    let head = "one at a time, median and slowest, ms";
    report.table([head, "one grant", "slowest", &many, "slowest", "times"]);
    for (name, sql) in MEASURED {
        let one = times(database, sql, "one_grant").await?;
        let many = times(database, sql, "many_grants").await?;
        let median = |times: &Option<Samples>| times.as_ref().map(Samples::median);
        let slowest = |times: &Option<Samples>| times.as_ref().map(Samples::max);
        report.row([
            name.to_owned(),
            figure(median(&one), 2),
            figure(slowest(&one), 2),
            figure(median(&many), 2),
            figure(slowest(&many), 2),
            figure(median(&many).zip(median(&one)).map(|(many, one)| many / one), 1),
        ]);
    }
    Ok(())
}

/// Measures the milliseconds of each call. The first half of the calls is a warm-up and does not
/// count.
async fn times(
    database: &Database,
    sql: &'static str,
    account: &str,
) -> anyhow::Result<Option<Samples>> {
    let mut times = Vec::new();
    for _ in 0..2 * CALLS {
        let began = Instant::now();
        sql::send(&database.owner, &[with(sql, account)]).await?;
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(Samples::new(times.split_off(CALLS)))
}
