//! Slow clients, and clients that arrive while all connections are in use.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use farebox::server::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::{exchange, serve_within};
use crate::support::until;

const GET: &str = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
const GET_AND_CLOSE: &str = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

/// Much shorter than any timeout for slow clients.
const SOON: Duration = Duration::from_secs(5);

/// `/` answers at once, `/held` when the test allows it, `/body` when the body has arrived.
fn router(held: &Arc<Semaphore>) -> Router {
    let held = Arc::clone(held);
    let wait = move || async move {
        held.acquire().await.unwrap().forget();
        "at last"
    };
    Router::new()
        .route("/", get(|| async { "ok" }))
        .route("/held", get(wait))
        .route("/body", post(|body: String| async { body }))
        .route("/large", get(|| async { vec![b'x'; 1_000_000] }))
}

async fn say(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// Reads one short answer, and leaves the connection open.
async fn read_some(stream: &mut TcpStream) -> String {
    let mut answer = [0; 1_000];
    let length = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[tokio::test]
async fn new_clients_are_served_while_slow_ones_hold_every_place() {
    let held = Arc::new(Semaphore::new(0));
    let limits = Limits { connections: 5, ..Limits::default() };
    let address = serve_within(limits, router(&held)).await;
    let mut answering = say(address, "GET /held HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut kept_open = say(address, GET).await;
    assert!(read_some(&mut kept_open).await.ends_with("ok"));
    let body = "POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf";
    let large = "GET /large HTTP/1.1\r\nhost: x\r\n\r\n".repeat(40);
    let mut slow = Vec::new();
    for text in ["", "GET / HTTP/1.1\r\nx-half", body, &large] {
        slow.push(say(address, text).await);
        // Each kind of slow client arrives several times, more often than there are places, so one
        // has to go.
        for _ in 0..3 {
            let answer = timeout(SOON, exchange(address, GET_AND_CLOSE)).await;
            assert!(answer.expect("the client is not served").ends_with("ok"), "after {text:?}");
        }
    }
    held.add_permits(1);
    let answer = timeout(SOON, read_some(&mut answering)).await.unwrap();
    assert!(answer.ends_with("at last"), "a request in progress is not cut off: {answer}");
}

/// Pipelined requests do not hold a place: while another client waits, the current answer is the
/// connection's last.
#[tokio::test]
async fn a_client_is_served_while_others_pipeline() {
    let held = Arc::new(Semaphore::new(0));
    let limits = Limits { connections: 2, ..Limits::default() };
    let address = serve_within(limits, router(&held)).await;
    let many = "GET /held HTTP/1.1\r\nhost: x\r\n\r\n".repeat(50);
    let _greedy = [say(address, &many).await, say(address, &many).await];
    let client = tokio::spawn(exchange(address, GET_AND_CLOSE));
    let mut answered = 0;
    until(async || {
        if held.available_permits() == 0 {
            held.add_permits(1);
            answered += 1;
        }
        client.is_finished()
    })
    .await;
    assert!(client.await.unwrap().ends_with("ok"));
    assert!(answered < 50, "the client waited for all pipelined requests");
}

/// Requests in progress are not cut off. The next client waits for one of them to end.
#[tokio::test]
async fn a_client_waits_while_every_request_is_in_progress() {
    let held = Arc::new(Semaphore::new(0));
    let limits = Limits { connections: 2, ..Limits::default() };
    let address = serve_within(limits, router(&held)).await;
    let request = "GET /held HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let asking: Vec<_> = (0..6).map(|_| tokio::spawn(exchange(address, request))).collect();
    held.add_permits(6);
    for answer in asking {
        let answer = timeout(SOON, answer).await.unwrap().unwrap();
        assert!(answer.ends_with("at last"), "{answer}");
    }
}

/// A client that pipelines and never reads. The clock is tokio's, which the test advances.
#[tokio::test(start_paused = true)]
async fn a_client_that_reads_no_answer_is_cut_off() {
    let address = serve_within(Limits::default(), router(&Arc::new(Semaphore::new(0)))).await;
    // More than the buffers of both ends hold.
    let large = "GET /large HTTP/1.1\r\nhost: x\r\n\r\n".repeat(40);
    let mut stream = say(address, &large).await;
    let started = Instant::now();
    while stream.write_all(b"G").await.is_ok() {
        assert!(started.elapsed() < Duration::from_secs(40), "the client keeps its place");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly_gets_all_of_its_answer() {
    let address = serve_within(Limits::default(), router(&Arc::new(Semaphore::new(0)))).await;
    let request = "GET /large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let mut stream = say(address, request).await;
    let (mut length, mut part) = (0, vec![0; 100_000]);
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        match stream.read(&mut part).await.unwrap() {
            0 => break,
            read => length += read,
        }
    }
    assert!(length > 1_000_000, "{length} bytes came");
}

/// Load balancers keep connections open for a minute, and must be the first to close them.
#[tokio::test(start_paused = true)]
async fn a_connection_may_be_idle_for_a_minute() {
    let address = serve_within(Limits::default(), router(&Arc::new(Semaphore::new(0)))).await;
    let mut stream = say(address, GET).await;
    assert!(read_some(&mut stream).await.ends_with("ok"));
    tokio::time::sleep(Duration::from_secs(61)).await;
    stream.write_all(GET.as_bytes()).await.unwrap();
    assert!(read_some(&mut stream).await.ends_with("ok"));

    let rested = Instant::now();
    assert_eq!(read_some(&mut stream).await, "", "the server closes the connection");
    assert!((61..80).contains(&rested.elapsed().as_secs()), "{:?}", rested.elapsed());
}

/// A stream of events ends when its reader disconnects, not when a request would time out.
#[tokio::test(start_paused = true)]
async fn an_endless_answer_is_not_cut_off() {
    let events =
        axum::body::Body::from_stream(futures_util::stream::unfold(0, |count| async move {
            tokio::time::sleep(Duration::from_secs(50)).await;
            Some((Ok::<_, std::convert::Infallible>(format!("event {count}\n")), count + 1))
        }));
    let events = Arc::new(std::sync::Mutex::new(Some(events)));
    let take = move || async move { events.lock().unwrap().take().unwrap() };
    let address = serve_within(Limits::default(), Router::new().route("/", get(take))).await;
    let mut stream = say(address, GET).await;
    let mut seen = String::new();
    until(async || {
        seen += &read_some(&mut stream).await;
        seen.contains("event 5")
    })
    .await;
}
