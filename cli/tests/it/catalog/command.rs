//! The `farebox catalog` commands.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};
use tokio::process::Command;

use super::shop::{SMALL, Shop};
use super::stripe::{self, count};

fn file(name: &str, text: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("catalog");
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn farebox(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farebox"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    command.arg("catalog").args(args).env_clear().current_dir(root).kill_on_drop(true);
    command
}

async fn run(shop: &Shop, args: &[&str]) -> Output {
    let mut command = farebox(args);
    command.env("DIRECT_URL", shop.database.url.expose());
    command.env("STRIPE_API_URL", &shop.url).env("STRIPE_SECRET_KEY", stripe::KEY);
    command.output().await.unwrap()
}

fn output_text(output: &Output) -> String {
    String::from_utf8([&output.stdout[..], &output.stderr].concat()).unwrap()
}

/// `check` as CI runs it: no network, no settings.
#[tokio::test]
async fn check_reports_the_problems_of_each_file() {
    let all = ["aira", "coderev", "credits", "dearme", "demo", "paintracker"];
    let files = all.map(|name| format!("catalogs/{name}.toml"));
    let mut args = vec!["check"];
    args.extend(files.iter().map(String::as_str));
    let good = farebox(&args).output().await.unwrap();
    assert!(good.status.success(), "{}", output_text(&good));
    let last = output_text(&good).lines().last().unwrap().to_owned();
    assert_eq!(last, "catalogs/paintracker.toml: PainTracker (plans: 4, packs: 0)");

    let broken = file("broken.toml", &SMALL.replace("= 999", "= 9.99").replace("= 14", "= 900"));
    let broken = broken.to_str().unwrap();
    let bad = farebox(&["check", broken, "catalogs/demo.toml"]).output().await.unwrap();
    assert!(!bad.status.success());
    let output = output_text(&bad);
    assert!(output.contains("Farebox Demo (plans: 5, packs: 2)"), "{output}");
    assert!(output.contains(&format!("{broken}:19: plans.pro.trial_days must be")), "{output}");
    assert!(
        output.contains(&format!("{broken}:20: plans.pro.prices.monthly.amount must be")),
        "{output}"
    );
}

#[tokio::test]
async fn a_missing_file_is_reported_in_plain_words() {
    let missing = farebox(&["check", "catalogs/none.toml"]).output().await.unwrap();
    assert!(!missing.status.success());
    let expected = "farebox: cannot read catalogs/none.toml: it does not exist; check the path\n";
    assert_eq!(output_text(&missing), expected);
}

#[tokio::test]
async fn a_push_prints_its_changes_asks_and_applies_once() {
    let shop = Shop::new().await;
    let file = file("small.toml", SMALL);
    let file = file.to_str().unwrap();
    for args in [&["diff", file][..], &["push", file, "--dry-run"]] {
        let shown = run(&shop, args).await;
        assert!(shown.status.success(), "{}", output_text(&shown));
        let shown = output_text(&shown);
        let price =
            "+  stripe    price farebox_small_plan_pro_yearly          -    9590 usd yearly\n";
        assert!(shown.contains(price), "{shown}");
        assert!(!shown.contains('\x1b'), "a pipe has no colour: {shown}");
    }
    let json = run(&shop, &["diff", file, "--json"]).await;
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    let free = json!({
        "target": "database", "change": "added", "object": "plan", "name": "free",
        "field": null, "now": null, "after": "sold from now on",
    });
    assert!(json["changes"].as_array().unwrap().contains(&free), "{json}");
    let unanswered = run(&shop, &["push", file]).await;
    assert!(!unanswered.status.success());
    assert!(output_text(&unanswered).contains("pass --yes"), "{}", output_text(&unanswered));
    assert_eq!(count(&shop.url).await, (0, 0));

    let pushed = run(&shop, &["push", file, "--yes"]).await;
    assert!(pushed.status.success(), "{}", output_text(&pushed));
    assert!(output_text(&pushed).ends_with("Done.\n"), "{}", output_text(&pushed));
    assert_eq!(count(&shop.url).await, (2, 3));
    let again = run(&shop, &["push", file, "--yes"]).await;
    assert_eq!(output_text(&again), "Nothing to do: Stripe and the database match this catalog.\n");
}

#[tokio::test]
async fn a_push_without_settings_names_the_missing_ones() {
    let file = file("unset.toml", SMALL);
    let file = file.to_str().unwrap();
    let bare = farebox(&["push", file]).output().await.unwrap();
    let bare = output_text(&bare);
    assert!(bare.contains("run `cargo run`, or set DATABASE_URL"), "{bare}");
    let half = farebox(&["push", file]).env("DIRECT_URL", "postgres://h/d").output().await.unwrap();
    assert!(
        output_text(&half).contains("STRIPE_SECRET_KEY: must be set"),
        "{}",
        output_text(&half)
    );
}
