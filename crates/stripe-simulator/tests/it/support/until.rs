use std::time::{Duration, Instant};

/// Longer than any wait takes on a machine that runs all tests.
const START_LIMIT: Duration = Duration::from_secs(60);
/// The pause between two checks, which leaves the processor to the awaited task.
const A_MOMENT: Duration = Duration::from_millis(2);

/// Waits until a condition holds. Panics if it does not hold in time.
pub async fn until(mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < START_LIMIT, "the awaited condition did not become true");
        tokio::time::sleep(A_MOMENT).await;
    }
}
