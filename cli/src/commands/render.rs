//! `farebox render`: writes the files that are generated from the endpoint table.

use std::path::Path;
use std::process::ExitCode;

use anyhow::ensure;
use farebox::outln;

pub fn run() -> anyhow::Result<ExitCode> {
    let root = Path::new(".");
    ensure!(root.join("api/_serve.rs").exists(), "run this in the root folder of the repository");
    for path in farebox::render::write(root)? {
        outln!("wrote {}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}
