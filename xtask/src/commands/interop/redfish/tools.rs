//! The validators and clients: which, in which version, and how each is called.

use super::verdict::Verdict;
use miette::{Context, IntoDiagnostic};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Who judges: the account every emulated BMC is delivered with.
const USER: &str = "admin";

/// A validator of the DMTF, or a client.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tool {
    /// Its name in the table, and of its folder of reports.
    pub name: &'static str,
    pub package: &'static str,
    pub version: &'static str,
    run: Run,
}

/// What is run of a package.
#[derive(Debug, PartialEq, Eq)]
enum Run {
    ProtocolValidator,
    ServiceValidator,
    UseCaseCheckers,
    /// A script of ours that uses the package.
    Script(&'static str),
}

impl Tool {
    pub(super) const ALL: [&'static Tool; 4] = [
        &Tool {
            name: "protocol-validator",
            package: "redfish-protocol-validator",
            version: "1.3.2",
            run: Run::ProtocolValidator,
        },
        &Tool {
            name: "service-validator",
            package: "redfish-service-validator",
            version: "3.1.8",
            run: Run::ServiceValidator,
        },
        &Tool {
            name: "use-case-checkers",
            package: "redfish-use-case-checkers",
            version: "2.1.1",
            run: Run::UseCaseCheckers,
        },
        &Tool {
            name: "sushy",
            package: "sushy",
            version: "5.14.0",
            run: Run::Script(include_str!("sushy_client.py")),
        },
    ];
}

/// A service to be judged.
pub(super) struct Judged<'a> {
    pub url: &'a str,
    pub password: &'a str,
    pub ca_file: &'a Path,
    pub schemas: &'a Path,
    pub report: &'a Path,
}

/// All of them, in a Python environment of their own.
pub(super) struct Tools {
    venv: PathBuf,
}

impl Tools {
    /// Reuses the environment if it is there; what is installed already in the right version stays.
    pub(super) fn install(venv: &Path) -> miette::Result<Self> {
        let tools = Self { venv: venv.to_owned() };
        if !tools.python().exists() {
            eprintln!("making a Python environment in {}", venv.display());
            let made = Command::new("python3").args(["-m", "venv"]).arg(venv).output();
            let output = made.into_diagnostic().map_err(|error| {
                error.context(
                    "python3 cannot be started: install Python 3.9 or newer, the DMTF's tools are written in it",
                )
            })?;
            demand(
                &output,
                "python3 cannot make an environment: install its venv module (Debian: python3-venv)",
            )?;
        }
        let pins = Tool::ALL.map(|tool| format!("{}=={}", tool.package, tool.version));
        let output = Command::new(tools.python())
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(&pins)
            .output()
            .into_diagnostic()
            .wrap_err("pip cannot be started")?;
        demand(
            &output,
            "pip cannot install the tools: make a package index reachable (pip.conf), or name an environment that has them by --venv",
        )?;
        Ok(tools)
    }

    pub(super) fn python(&self) -> PathBuf {
        self.program("python3")
    }

    fn program(&self, name: &str) -> PathBuf {
        let folder = if cfg!(windows) { "Scripts" } else { "bin" };
        self.venv.join(folder).join(name)
    }

    /// Runs one tool to its end. Its reports, and all it has printed, are in the folder of reports.
    pub(super) fn judge(&self, tool: &Tool, judged: &Judged<'_>) -> miette::Result<Verdict> {
        // Reports of earlier runs would be mistaken for this one's.
        std::fs::remove_dir_all(judged.report).ok();
        std::fs::create_dir_all(judged.report)
            .into_diagnostic()
            .wrap_err_with(|| format!("cannot create {}", judged.report.display()))?;
        let mut command = self.command(tool, judged);
        // Authorities of the host have not signed the emulator's certificates.
        for variable in ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"] {
            command.env_remove(variable);
        }
        let output = command
            .current_dir(judged.report)
            .output()
            .into_diagnostic()
            .wrap_err_with(|| format!("{} cannot be started", tool.name))?;
        let printed = String::from_utf8_lossy(&output.stdout);
        let log = judged.report.join("output.txt");
        let all = [printed.as_bytes(), &output.stderr].concat();
        std::fs::write(&log, all)
            .into_diagnostic()
            .wrap_err_with(|| format!("cannot write {}", log.display()))?;
        Verdict::read(&printed).ok_or_else(|| {
            miette::miette!(
                help = format!("{} has all it printed", log.display()),
                "{} has not finished its work against {}",
                tool.name,
                judged.url
            )
        })
    }

    fn command(&self, tool: &Tool, judged: &Judged<'_>) -> Command {
        let named = |program: &str| {
            let mut command = Command::new(self.program(program));
            command.args(["-u", USER, "-p", judged.password, "-r", judged.url]);
            command
        };
        match tool.run {
            Run::ProtocolValidator => {
                let mut command = named("rf_protocol_validator");
                // There is no plain HTTP that could redirect.
                command
                    .args(["--report-type", "both", "--avoid-http-redirect", "--ca-bundle"])
                    .arg(judged.ca_file)
                    .arg("--report-dir")
                    .arg(judged.report);
                command
            }
            Run::ServiceValidator => {
                let mut command = named("rf_service_validator");
                command
                    .args([
                        "--authtype",
                        "Session",
                        "--nooemcheck",
                        "--skipschema",
                        "--schema_directory",
                    ])
                    .arg(judged.schemas)
                    .arg("--logdir")
                    .arg(judged.report);
                command
            }
            Run::UseCaseCheckers => {
                let mut command = named("rf_use_case_checkers");
                command.arg("--report-dir").arg(judged.report);
                command
            }
            Run::Script(text) => {
                let mut command = Command::new(self.python());
                command.args(["-W", "ignore", "-c", text, judged.url, USER, judged.password]);
                command
            }
        }
    }
}

/// Fails with `advice` and what the program said, unless it succeeded.
fn demand(output: &Output, advice: &'static str) -> miette::Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    Err(miette::miette!(
        help = advice,
        "{}",
        String::from_utf8_lossy(&said).trim()
    ))
}
