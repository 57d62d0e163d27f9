//! Rebuilds the binary when a migration changes, because it embeds the SQL files.

fn main() {
    println!("cargo::rerun-if-changed=../migrations");
}
