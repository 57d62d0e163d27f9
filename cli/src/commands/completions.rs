//! `farebox completions`: prints a script that completes commands and options in a shell.

use std::process::ExitCode;

use clap_complete::Shell;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  farebox completions bash > ~/.local/share/bash-completion/completions/farebox
  farebox completions zsh > ~/.zfunc/_farebox
  farebox completions fish > ~/.config/fish/completions/farebox.fish")]
pub struct Args {
    /// The shell to complete in
    shell: Shell,
}

pub fn run(args: &Args, mut cli: clap::Command) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut cli, "farebox", &mut script);
    farebox::terminal::print(format_args!("{}", String::from_utf8_lossy(&script)));
    ExitCode::SUCCESS
}
