//! `farebox token`: a bare token of the local stack, to paste behind `Authorization: Bearer`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use farebox::local::control::Control;
use farebox::local::{self, Secrets, token};
use jiff::Timestamp;

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("who").required(true))]
pub struct Args {
    /// For this user, good for a day
    #[arg(long, group = "who", value_name = "ID")]
    user: Option<String>,
    /// An e-mail address to put into the user's token
    #[arg(long, requires = "user")]
    email: Option<String>,
    /// The service key
    #[arg(long, group = "who")]
    service: bool,
    /// The admin key
    #[arg(long, group = "who")]
    admin: bool,
    /// Where the stack keeps its data
    #[arg(long, value_name = "DIR", default_value = ".farebox")]
    data: PathBuf,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let secrets = Secrets::read(&args.data)?;
    let token = match &args.user {
        Some(user) => {
            // A running stack may have been told of another issuer or secret.
            let settings = local::running(&args.data).await;
            let settings = settings.unwrap_or_else(|_| secrets.settings(""));
            token::for_user(&settings, user, args.email.as_deref(), now(&args.data).await)?
        }
        None if args.admin => secrets.admin_key,
        None => secrets.service_key,
    };
    println!("{token}");
    Ok(ExitCode::SUCCESS)
}

/// The time of the running stack, whose clock may have been moved; else the wall's.
async fn now(data: &Path) -> Timestamp {
    let asked = async { Control::of(data).await?.now().await };
    asked.await.unwrap_or_else(|_| Timestamp::now())
}
