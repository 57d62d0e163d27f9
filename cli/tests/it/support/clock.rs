use std::ops::Deref;

use farebox::dev::sql_clock::{self, SqlClock};
use jiff::SignedDuration;
use shared::clock::Clock;
use shared::config::Database;

/// A test's clock. SQL goes by it too, and would refuse the time of an app that is ahead of it.
pub struct TestClock {
    clock: Clock,
    database: Database,
}

impl TestClock {
    /// `database` names its owner, who alone may move the clock of SQL.
    pub async fn new(clock: Clock, database: Database) -> Self {
        sql_clock::set(&database, &clock).await.unwrap();
        Self { clock, database }
    }

    pub fn advance(&self, by: SignedDuration) {
        let shift = self.clock.shift() + by;
        let set = async || SqlClock::connect(&self.database).await?.set(shift).await;
        // A test's own runtime cannot wait here.
        std::thread::scope(|scope| {
            scope.spawn(|| tokio::runtime::Runtime::new().unwrap().block_on(set()).unwrap());
        });
        self.clock.advance(by);
    }

    /// For tests that hand SQL moments of their own.
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
