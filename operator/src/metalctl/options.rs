//! The command line. Names and defaults are those of the Go program.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::{Args, Parser, Subcommand};

use crate::kube_config::kube_config_in;

/// Looks after bare-metal servers from outside of the cluster.
#[derive(Debug, Parser)]
#[command(name = "metalctl", version, max_term_width = 120)]
pub struct Options {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Copy all metal objects, and the Secrets and ConfigMaps they name, to another cluster; all or none
    Move(MoveOptions),
    /// Open the serial console of a server
    Console(ConsoleOptions),
    /// Show servers and racks in a browser
    #[command(visible_alias = "viz")]
    Visualizer(VisualizerOptions),
    /// Keep a server from new claims
    Cordon(CordonOptions),
    /// Offer a server to claims again
    Uncordon(CordonOptions),
}

/// Which cluster.
#[derive(Clone, Debug, Args)]
pub struct ClusterOptions {
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Default: the current one of the kubeconfig
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub struct MoveOptions {
    #[arg(long, value_name = "FILE")]
    pub source_kubeconfig: PathBuf,
    #[arg(long, value_name = "FILE")]
    pub target_kubeconfig: PathBuf,
    /// Of namespaced objects only those in this namespace. Objects of the cluster are moved in any case
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Say what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// Say more about what is done
    #[arg(long)]
    pub verbose: bool,
    /// Also while an operator is at work in one of the clusters: two of them on the same machines harm tenants
    #[arg(long)]
    pub allow_running_operator: bool,
}

#[derive(Clone, Debug, Args)]
pub struct ConsoleOptions {
    pub server: String,
    #[command(flatten)]
    pub cluster: ClusterOptions,
    /// The console of a BMC that has several
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub serial_console_number: u32,
    /// What opens the console in the shell of the BMC; empty for a BMC whose SSH port is the console itself [default: console NUMBER]
    #[arg(long, value_name = "COMMAND")]
    pub command: Option<String>,
    /// Port of SSH, if it is not the one of the BMC's consoleProtocol
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Send the password to whoever answers
    #[arg(long)]
    pub skip_host_key_validation: bool,
    /// Host keys that count where the BMC has no annotation metal.ironcore.dev/ssh-host-key [default: ~/.ssh/known_hosts]
    #[arg(long, value_name = "FILE")]
    pub known_hosts_file: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub struct VisualizerOptions {
    #[command(flatten)]
    pub cluster: ClusterOptions,
    /// On this machine only
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
}

#[derive(Clone, Debug, Args)]
pub struct CordonOptions {
    pub server: String,
    #[command(flatten)]
    pub cluster: ClusterOptions,
    /// Have the API server check it, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

impl ClusterOptions {
    /// # Errors
    /// No kubeconfig, or one that cannot be used.
    pub async fn client(&self) -> anyhow::Result<kube::Client> {
        let given = self.kubeconfig.as_deref().filter(|path| !path.as_os_str().is_empty());
        let path = given.ok_or_else(|| anyhow!("which cluster? Give --kubeconfig FILE, or set KUBECONFIG"))?;
        client(path, self.context.as_deref()).await
    }
}

/// # Errors
/// What is wrong with the kubeconfig.
pub async fn client(kubeconfig: &Path, context: Option<&str>) -> anyhow::Result<kube::Client> {
    let config = kube_config_in(kubeconfig, context).await?;
    kube::Client::try_from(config).context("cannot set up the Kubernetes client")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn names_and_defaults_are_those_of_the_go_program() {
        let parse = |line: &str| Options::try_parse_from(line.split(' ')).expect(line).command;
        let Command::Console(console) = parse("metalctl console a --kubeconfig k --context c") else {
            panic!("no console")
        };
        assert_eq!(
            (console.serial_console_number, console.skip_host_key_validation),
            (1, false)
        );
        let Command::Visualizer(visualizer) = parse("metalctl viz --kubeconfig k") else {
            panic!("no visualizer")
        };
        assert_eq!(visualizer.port, 8080);
        let moved = "metalctl move --source-kubeconfig a --target-kubeconfig b --namespace n --dry-run --verbose";
        assert!(matches!(parse(moved), Command::Move(options) if options.dry_run && options.verbose));
        assert!(matches!(parse("metalctl uncordon a --dry-run"), Command::Uncordon(_)));
        for incomplete in [
            "metalctl move --source-kubeconfig a",
            "metalctl cordon",
            "metalctl console",
        ] {
            assert!(Options::try_parse_from(incomplete.split(' ')).is_err(), "{incomplete}");
        }
    }
}
