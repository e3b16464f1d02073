//! The validators and clients: which, in which version, and how each is called.

use super::verdict::Verdict;
use crate::commands::venv::Venv;
use crate::repository::Repository;
use miette::{Context, IntoDiagnostic};
use std::path::{Path, PathBuf};
use std::process::Command;

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
    /// A script of ours that uses the package, `steps.py` before it.
    Script(&'static str),
    /// A program of ours in Go that uses the package, in `bmc-emulator/interop`.
    Go,
}

impl Tool {
    pub(super) const ALL: [&'static Tool; 7] = [
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
            run: Run::Script(concat!(include_str!("steps.py"), include_str!("sushy_client.py"))),
        },
        &Tool {
            name: "redfish",
            package: "redfish",
            version: "3.4.2",
            run: Run::Script(concat!(include_str!("steps.py"), include_str!("redfish_client.py"))),
        },
        &Tool {
            name: "redfishtool",
            package: "redfishtool",
            version: "1.1.8",
            run: Run::Script(concat!(include_str!("steps.py"), include_str!("redfishtool_client.py"))),
        },
        &Tool {
            name: "gofish",
            package: "github.com/stmcginnis/gofish",
            // The same as in go.mod. 0.21.0 sends a reset to the target of another action.
            version: "0.20.0",
            run: Run::Go,
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

/// All of them that this host can run: in a Python environment of their own, and the one in Go, where there is Go.
pub(super) struct Tools {
    venv: Venv,
    go_program: Option<PathBuf>,
}

impl Tools {
    /// Reuses the environment if it is there; what is installed already in the right version stays.
    pub(super) fn install(repository: &Repository, venv: &Path, folder: &Path) -> miette::Result<Self> {
        let venv = Venv::open(venv)?;
        let python = Tool::ALL.into_iter().filter(|tool| tool.run != Run::Go);
        let pins: Vec<String> = python
            .map(|tool| format!("{}=={}", tool.package, tool.version))
            .collect();
        venv.install(&pins)?;
        Ok(Self {
            venv,
            go_program: build_go(repository, folder),
        })
    }

    pub(super) fn all(&self) -> Vec<&'static Tool> {
        let can_run = |tool: &&Tool| tool.run != Run::Go || self.go_program.is_some();
        Tool::ALL.into_iter().filter(can_run).collect()
    }

    pub(super) fn python(&self) -> PathBuf {
        self.venv.python()
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
            let mut command = Command::new(self.venv.program(program));
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
            Run::Go => {
                let mut command = Command::new(self.go_program.as_deref().unwrap_or(Path::new("gofish-interop")));
                command.args([judged.url, USER, judged.password]);
                command
            }
        }
    }
}

/// Says so and goes on without it where there is no Go, or no way to its modules.
fn build_go(repository: &Repository, folder: &Path) -> Option<PathBuf> {
    let program = folder.join(format!("gofish-interop{}", std::env::consts::EXE_SUFFIX));
    let built = Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(repository.path("bmc-emulator/interop/gofish"))
        .output();
    let reason = match built {
        Ok(output) if output.status.success() => return Some(program),
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    eprintln!("gofish is left out, because its client cannot be built: {reason}");
    None
}
