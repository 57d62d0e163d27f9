//! Finds the settings of a command: in the environment, or in the running local stack if the
//! environment names no service.

use std::path::Path;
use std::sync::Arc;

use anyhow::{anyhow, bail};
use farebox::dev::control::Control;
use farebox::dev::{self, Settings, start_clock, start_command};
use shared::app::{App, PoolSize};
use shared::config::Config;

/// The message for a command that finds neither settings nor a local stack.
pub fn no_settings(data: &Path) -> String {
    let start = start_command(data);
    format!(
        "No settings and no local stack: run {start}, or set DATABASE_URL and the other settings \
         that README.md lists."
    )
}

#[derive(Debug)]
pub struct Found {
    /// Describes where the settings come from.
    pub description: String,
    local: Option<Settings>,
    /// False if there are neither settings nor a local stack.
    pub is_some: bool,
}

impl Found {
    pub async fn find(data: &Path) -> Self {
        let set = |name: &str| std::env::var(name).is_ok_and(|value| !value.is_empty());
        let names = ["DATABASE_URL", "UPSTASH_REDIS_REST_URL", "KV_REST_API_URL"];
        let named = names.into_iter().any(set);
        let local = if named { None } else { dev::running(data).await.ok() };
        let description = match (named, &local) {
            (true, _) => "Using the settings of the environment.".to_owned(),
            (_, Some(_)) => format!("Using the local stack in {}.", data.display()),
            (_, None) => no_settings(data),
        };
        Self { description, is_some: named || local.is_some(), local }
    }

    pub fn get(&self, name: &str) -> Option<String> {
        match &self.local {
            Some(local) => local.get(name).cloned(),
            None => std::env::var(name).ok(),
        }
    }

    /// Creates the app as a function does, with the clock of the stack.
    pub async fn app(&self, data: &Path) -> anyhow::Result<Arc<App>> {
        if !self.is_some {
            bail!(self.description.clone());
        }
        let config = Config::from_vars(|name| self.get(name)).map_err(|problems| {
            let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
            anyhow!("{}\n{}", self.description, lines.join("\n"))
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
