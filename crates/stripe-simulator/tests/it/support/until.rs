use std::time::{Duration, Instant};

/// Longer than anything takes on a machine that is busy with all the other tests.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks: what is waited for needs the processor too.
const A_MOMENT: Duration = Duration::from_millis(2);

/// Waits until something holds; a test in which it never does fails.
pub async fn until(mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < PATIENCE, "what the test waits for does not come about");
        tokio::time::sleep(A_MOMENT).await;
    }
}
