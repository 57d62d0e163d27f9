//! The catalog that a local stack publishes.

use std::fs;
use std::path::Path;

use super::{Dev, directory, farebox, processes_in, run, stdout_of};

/// With the simulator, the catalog is published at the first start.
#[tokio::test]
async fn a_stack_sells_the_demo_or_the_named_catalog() {
    let dir = directory("sells");
    let catalogs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalogs");
    let dearme = catalogs.join("dearme.toml");
    for (catalog, line, listed) in [
        (None, "Catalog   Farebox Demo (plans: 5, packs: 2)", 4),
        (Some(&dearme), "Catalog   DearMe (plans: 2, packs: 0)", 2),
    ] {
        let mut command = farebox(&dir, &["dev", "--port", "0"]);
        if let Some(catalog) = catalog {
            command.env("FAREBOX_CATALOG", catalog);
        }
        let dev = Dev::ready(command).await;
        assert!(
            dev.printed_lines.iter().any(|printed| printed == line),
            "{line}: {:#?}",
            dev.printed_lines
        );
        let page = dev.call("GET", "/api/plans", "", None).await.expect_status(200);
        assert_eq!(page.body["plans"].as_array().unwrap().len(), listed, "{}", page.text);
        let sold = catalog.unwrap_or(&catalogs.join("demo.toml")).display().to_string();
        let difference = stdout_of(&dir, &["catalog", "diff", &sold]).await;
        assert_eq!(difference, "Nothing to do: Stripe and the database match this catalog.");
        dev.stop(&dir).await;
    }

    let broken = dir.join("broken.toml");
    fs::write(&broken, "[product]\nkey = 'x'\n").unwrap();
    let refused = run(&dir, &["dev", "--port", "0", "--catalog", "broken.toml"]).await;
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success());
    assert!(message.contains("broken.toml:1: product.name is missing"), "{message}");
    assert_eq!(processes_in(&dir), [""; 0]);
}
