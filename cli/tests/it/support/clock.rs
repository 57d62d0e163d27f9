use std::ops::Deref;

use farebox::dev::sql_clock::{self, SqlClock};
use jiff::SignedDuration;
use shared::clock::Clock;
use shared::config::Database;

/// A test's clock. SQL follows it, and would refuse the times of an app that is ahead of SQL.
pub struct TestClock {
    clock: Clock,
    database: Database,
}

impl TestClock {
    /// `database` is the owner's connection, because only the owner may move SQL's clock.
    pub async fn new(clock: Clock, database: Database) -> Self {
        sql_clock::set(&database, &clock).await.unwrap();
        Self { clock, database }
    }

    pub fn advance(&self, by: SignedDuration) {
        let shift = self.clock.shift() + by;
        let set = async || SqlClock::connect(&self.database).await?.set(shift).await;
        // The test's own runtime cannot block here.
        std::thread::scope(|scope| {
            scope.spawn(|| tokio::runtime::Runtime::new().unwrap().block_on(set()).unwrap());
        });
        self.clock.advance(by);
    }

    /// For tests that pass their own times to SQL.
    pub async fn let_sql_take_any_time(&self) {
        let sql = SqlClock::connect(&self.database).await.unwrap();
        sql.set(SignedDuration::from_hours(100 * 366 * 24)).await.unwrap();
    }
}

impl Deref for TestClock {
    type Target = Clock;

    fn deref(&self) -> &Clock {
        &self.clock
    }
}
