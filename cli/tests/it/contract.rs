//! docs/CONTRACT.md names tests, and each of them must exist.

use std::fs;
use std::path::{Path, PathBuf};

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .collect()
}

#[test]
fn every_test_that_the_contract_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let sources: String = ["cli", "shared"]
        .iter()
        .flat_map(|folder| rust_files(&root.join(folder)))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let contract = fs::read_to_string(root.join("docs/CONTRACT.md")).unwrap();
    let rows = contract.lines().filter(|line| line.starts_with("| ") && line.contains("-"));
    let mut named = 0;
    for row in rows {
        let id = row.split(" | ").next().unwrap().trim_start_matches("| ");
        let proofs = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        for test in proofs.split('`').skip(1).step_by(2) {
            assert!(
                sources.contains(&format!("fn {test}()")),
                "no test is named {test}, in row: {row}"
            );
            let carries = |rest: &str| !rest.starts_with(|next: char| next.is_ascii_digit());
            let carried = sources.split(id).skip(1).any(carries);
            assert!(carried, "no comment carries {id}");
            named += 1;
        }
    }
    assert!(named > 20, "docs/CONTRACT.md has too few rows with tests");
}
