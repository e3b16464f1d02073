//! Programs of this workspace that a command needs, built by the cargo that runs it.

use crate::repository::Repository;
use miette::{Context, IntoDiagnostic};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Together with this program: cargo would choose other features for the other alone, and compile every dependency again.
///
/// # Errors
/// If it does not build; the compiler has said why.
pub(crate) fn build(repository: &Repository, profile: &str, package: &str, binary: &str) -> miette::Result<()> {
    run(
        repository,
        &[
            "--profile",
            profile,
            "--package",
            "xtask",
            "--package",
            package,
            "--bin",
            binary,
        ],
        binary,
    )
}

/// By itself and optimised, as it is installed. Returns where it is.
///
/// # Errors
/// If it does not build; the compiler has said why.
pub(crate) fn build_release(repository: &Repository, package: &str, binary: &str) -> miette::Result<PathBuf> {
    run(
        repository,
        &["--release", "--package", package, "--bin", binary],
        binary,
    )?;
    let beside = beside_this_program(binary)?;
    let target = beside.parent().and_then(Path::parent).unwrap_or(Path::new("target"));
    Ok(target.join("release").join(beside.file_name().unwrap_or_default()))
}

/// A binary of a package.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program {
    pub package: &'static str,
    pub binary: &'static str,
}

/// Optimised, and linked with everything they need; all at once, because what they share is compiled once then. Returns the folder they
/// are in.
///
/// # Errors
/// If they do not build; the compiler has said why.
pub(crate) fn build_static(repository: &Repository, programs: &[Program]) -> miette::Result<PathBuf> {
    let target = static_target();
    let folder = repository.path("target/static");
    let mut cargo = cargo(repository, "build");
    cargo
        .args(["--profile", "image", "--target", &target])
        .args(
            programs
                .iter()
                .flat_map(|program| ["--package", program.package, "--bin", program.binary]),
        )
        // Everything is compiled with other flags: it must not displace what is in the usual folder.
        .arg("--target-dir")
        .arg(&folder)
        // Musl's targets cannot be installed everywhere; glibc's can be linked statically, too.
        .env("RUSTFLAGS", "-C target-feature=+crt-static");
    let names: Vec<&str> = programs.iter().map(|program| program.binary).collect();
    succeeded(cargo, &names.join(", "))?;
    Ok(folder.join(target).join("image"))
}

/// Runs tests; whether all have passed.
///
/// # Errors
/// Cargo cannot be started.
pub(crate) fn test(repository: &Repository, arguments: &[&str]) -> miette::Result<bool> {
    let mut cargo = cargo(repository, "test");
    let status = cargo
        .args(arguments)
        .status()
        .into_diagnostic()
        .wrap_err("cargo cannot be started")?;
    Ok(status.success())
}

/// A target has to be named, or build scripts would be linked statically as well.
pub(crate) fn static_target() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

fn run(repository: &Repository, arguments: &[&str], binary: &str) -> miette::Result<()> {
    let mut cargo = cargo(repository, "build");
    cargo.args(arguments);
    succeeded(cargo, binary)
}

fn cargo(repository: &Repository, command: &str) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What the outer cargo tells this program about itself; ring's build script would take it for a reason to build again.
    for (name, _) in std::env::vars_os() {
        let is_ours = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        if name.to_str().is_some_and(is_ours) {
            cargo.env_remove(name);
        }
    }
    cargo
        .arg(command)
        .arg("--manifest-path")
        .arg(repository.path("Cargo.toml"));
    cargo
}

fn succeeded(mut cargo: Command, binary: &str) -> miette::Result<()> {
    let status = cargo.status().into_diagnostic().wrap_err("cargo cannot be started")?;
    if !status.success() {
        miette::bail!(help = "what the compiler says is above", "building {binary} failed");
    }
    Ok(())
}

/// A program that was built in the same profile as this one.
pub(crate) fn beside_this_program(binary: &str) -> miette::Result<PathBuf> {
    let own = std::env::current_exe()
        .into_diagnostic()
        .wrap_err("this program does not know where it is")?;
    Ok(own.with_file_name(format!("{binary}{}", std::env::consts::EXE_SUFFIX)))
}
