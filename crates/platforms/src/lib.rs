//! Vercel and AWS Lambda on this machine, as a function sees them: a process with the settings in its
//! environment, which receives requests in the platform's own form.
//!
//! The tests of the hosts, the benchmark of starts and the check of a deployment use it.
//!
//! Deliberately absent: the platforms' limits on time and memory, and their scaling. One function is
//! one process.

pub mod lambda;
mod process;
mod request;
pub mod vercel;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

pub use lambda::Lambda;
pub use process::{Process, run};
pub use request::{Request, Response};
pub use vercel::Vercel;

/// Settings by name, as a function reads them from its environment.
pub type Settings = BTreeMap<String, String>;

/// The platform of a function.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Platform {
    Vercel,
    Lambda,
}

/// A running function on its platform.
#[derive(Debug)]
pub enum Function {
    Vercel(Vercel),
    Lambda(Lambda),
}

impl Platform {
    pub const ALL: [Self; 2] = [Self::Vercel, Self::Lambda];

    /// The name of a function's binary, which is unique in the workspace.
    pub fn binary(self, function: &str) -> String {
        match self {
            Self::Vercel => format!("vercel-{function}"),
            Self::Lambda => format!("lambda-{function}"),
        }
    }

    /// Starts an executable, and waits until it is ready for a request.
    pub async fn start(self, path: &Path, settings: &Settings) -> anyhow::Result<Function> {
        Ok(match self {
            Self::Vercel => Function::Vercel(Vercel::start(path, settings).await?),
            Self::Lambda => Function::Lambda(Lambda::start(path, settings).await?),
        })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vercel => "Vercel",
            Self::Lambda => "Lambda",
        })
    }
}

impl Function {
    pub async fn send(&self, request: &Request) -> anyhow::Result<Response> {
        match self {
            Self::Vercel(vercel) => vercel.send(request).await,
            Self::Lambda(lambda) => lambda.send(request).await,
        }
    }

    pub fn process(&self) -> &Process {
        match self {
            Self::Vercel(vercel) => &vercel.process,
            Self::Lambda(lambda) => &lambda.process,
        }
    }

    /// The moment at which the function was ready for a request.
    pub fn ready(&self) -> std::time::Instant {
        match self {
            Self::Vercel(vercel) => vercel.ready,
            Self::Lambda(lambda) => lambda.ready,
        }
    }
}
