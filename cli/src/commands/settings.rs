//! Where a command that speaks to everything finds its settings: in the environment; if that names
//! nothing, at the running local stack.

use std::path::Path;

use anyhow::anyhow;
use farebox::local::control::Control;
use farebox::local::{self, Settings, start_clock};
use shared::app::{App, PoolSize};
use shared::config::Config;

#[derive(Debug)]
pub struct Found {
    /// Which they are, in words.
    pub said: String,
    local: Option<Settings>,
}

impl Found {
    pub async fn find(data: &Path) -> Self {
        let set = |name: &str| std::env::var(name).is_ok_and(|value| !value.is_empty());
        let names = ["DATABASE_URL", "UPSTASH_REDIS_REST_URL", "KV_REST_API_URL"];
        let named = names.into_iter().any(set);
        let local = if named { None } else { local::running(data).await.ok() };
        let dir = data.display();
        let said = match (named, &local) {
            (true, _) => "Looking at the settings of the environment.".to_owned(),
            (_, Some(_)) => format!("Looking at the local stack in {dir}."),
            (_, None) => {
                format!("The environment names nothing, and no local stack is running in {dir}.")
            }
        };
        Self { said, local }
    }

    pub fn get(&self, name: &str) -> Option<String> {
        match &self.local {
            Some(local) => local.get(name).cloned(),
            None => std::env::var(name).ok(),
        }
    }

    /// What a function would be given, with the time of the stack.
    pub async fn app(&self, data: &Path) -> anyhow::Result<App> {
        let config = Config::from_vars(|name| self.get(name)).map_err(|problems| {
            let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
            anyhow!("{}\n{}", self.said, lines.join("\n"))
        })?;
        let clock = start_clock::from_environment()?;
        if self.local.is_some()
            && let Ok(control) = Control::of(data).await
        {
            clock.advance(control.now().await?.duration_since(clock.now()));
        }
        Ok(App::new(config, clock, PoolSize::Function)?)
    }
}
