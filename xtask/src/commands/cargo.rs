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

/// By itself, optimised, and linked with everything it needs. Returns where it is.
///
/// # Errors
/// If it does not build; the compiler has said why.
pub(crate) fn build_static(repository: &Repository, package: &str, binary: &str) -> miette::Result<PathBuf> {
    let target = static_target();
    let folder = repository.path("target/static");
    let mut cargo = cargo(repository);
    cargo
        .args([
            "--profile",
            "image",
            "--package",
            package,
            "--bin",
            binary,
            "--target",
            &target,
        ])
        // Everything is compiled with other flags: it must not displace what is in the usual folder.
        .arg("--target-dir")
        .arg(&folder)
        // Musl's targets cannot be installed everywhere; glibc's can be linked statically, too.
        .env("RUSTFLAGS", "-C target-feature=+crt-static");
    succeeded(cargo, binary)?;
    Ok(folder.join(target).join("image").join(binary))
}

/// A target has to be named, or build scripts would be linked statically as well.
pub(crate) fn static_target() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

fn run(repository: &Repository, arguments: &[&str], binary: &str) -> miette::Result<()> {
    let mut cargo = cargo(repository);
    cargo.args(arguments);
    succeeded(cargo, binary)
}

fn cargo(repository: &Repository) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What the outer cargo tells this program about itself; ring's build script would take it for a reason to build again.
    for (name, _) in std::env::vars_os() {
        let is_ours = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        if name.to_str().is_some_and(is_ours) {
            cargo.env_remove(name);
        }
    }
    cargo
        .arg("build")
        .arg("--manifest-path")
        .arg(repository.path("Cargo.toml"));
    cargo
}

fn succeeded(mut cargo: Command, binary: &str) -> miette::Result<()> {
    let status = cargo.status().into_diagnostic().wrap_err("cargo cannot be started")?;
    if !status.success() {
        miette::bail!(help = "what the compiler says is above", "{binary} does not build");
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
