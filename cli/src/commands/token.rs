//! `farebox token`: prints a token for the local stack, to paste after `Authorization: Bearer`.

use std::path::PathBuf;
use std::process::ExitCode;

use farebox::dev::token::Member;
use farebox::dev::{self, Secrets, token};
use farebox::outln;

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("who").required(true))]
#[command(after_help = "Examples:
  TOKEN=$(farebox token --user test-123)
  TOKEN=$(farebox token --user test-123 --org acme --role org:member)
  farebox token --service")]
pub struct Args {
    /// Print a token for this user, valid for a day
    #[arg(long, group = "who", value_name = "ID")]
    user: Option<String>,
    /// Organisation for which the user acts
    #[arg(long, requires = "user", value_name = "ID")]
    org: Option<String>,
    /// The user's role in the organisation, as in AUTH_ORG_ROLES
    #[arg(long, requires = "org", value_name = "ROLE", default_value = "org:admin")]
    role: String,
    /// E-mail address for the user's token
    #[arg(long, requires = "user")]
    email: Option<String>,
    /// Print the service key
    #[arg(long, group = "who")]
    service: bool,
    /// Print the admin key
    #[arg(long, group = "who")]
    admin: bool,
    /// Data directory of the stack
    #[arg(long, value_name = "DIR", default_value = ".farebox")]
    data: PathBuf,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let secrets = Secrets::read(&args.data)?;
    let token = match &args.user {
        Some(user) => {
            // A running stack may have another issuer or secret.
            let settings = dev::running(&args.data).await;
            let settings = settings.unwrap_or_else(|_| secrets.settings(""));
            let member =
                args.org.as_deref().map(|organisation| Member { organisation, role: &args.role });
            token::for_member(&settings, user, args.email.as_deref(), member)?
        }
        None if args.admin => secrets.admin_key,
        None => secrets.service_key,
    };
    outln!("{token}");
    Ok(ExitCode::SUCCESS)
}
