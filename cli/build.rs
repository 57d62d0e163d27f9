//! The SQL files are part of the binary: a change of one is a change of it.

fn main() {
    println!("cargo::rerun-if-changed=../migrations");
}
