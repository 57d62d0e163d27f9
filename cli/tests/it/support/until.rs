use std::time::{Duration, Instant};

/// Longer than any wait takes on a machine that is busy with all the other tests.
const START_LIMIT: Duration = Duration::from_secs(60);
/// A pause between two checks, because the awaited work needs the processor too.
const A_MOMENT: Duration = Duration::from_millis(2);

/// Waits until the condition holds; the test fails if it never does.
pub async fn until(mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < START_LIMIT, "the condition never held");
        tokio::time::sleep(A_MOMENT).await;
    }
}
