//! Renders the README's table of settings.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use shared::config::SETTINGS;

use super::Rendered;

const START: &str = "<!-- settings: rendered by `farebox render` -->\n";
const END: &str = "<!-- end of settings -->\n";

pub(super) fn file(root: &Path) -> anyhow::Result<Rendered> {
    let path = Path::new("README.md");
    let current = fs::read_to_string(root.join(path)).context("cannot read README.md")?;
    let (before, rest) = current.split_once(START).context("README.md has no start of settings")?;
    let (_, after) = rest.split_once(END).context("README.md has no end of settings")?;
    let mut table = "| setting | | description |\n|---|---|---|\n".to_owned();
    for setting in SETTINGS {
        let alias = setting.alias.map(|alias| format!(" or `{alias}`")).unwrap_or_default();
        let required = if setting.required { "required" } else { "" };
        table += &format!("| `{}`{alias} | {required} | {} |\n", setting.name, setting.about);
    }
    let text = format!("{before}{START}\n{table}\n{END}{after}");
    Ok(Rendered { path: path.into(), text })
}
