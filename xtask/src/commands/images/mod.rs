//! `cargo xtask images`: what is shipped, as container images from scratch: one static binary each, and nothing else.
//!
//! | module | subject |
//! |---|---|
//! | [`archive`] | an image as an archive that Docker, containerd and OCI tools load |
//! | [`sbom`] | what a binary is made of, as CycloneDX |

mod archive;
mod sbom;

use super::cargo::{self, Program};
use crate::repository::Repository;
use archive::Image;
use miette::{Context, IntoDiagnostic};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// No image is larger, as it is stored and pulled.
const LIMIT: u64 = 30 << 20;

const EXAMPLES: &str = "\
Examples:
  cargo xtask images
  cargo xtask images metal-operator --tag v1.2.3 --load

Images are written to target/images: NAME.tar for `docker load`, `ctr image import` or `skopeo copy oci-archive:`, NAME.cdx.json
as bill of materials. No Docker is needed.";

/// Build container images: static binaries on nothing, with a bill of materials
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Which images; default: all.
    #[arg(value_name = "IMAGE")]
    images: Vec<String>,
    /// Tag of the images.
    #[arg(long, value_name = "TAG", default_value = "latest")]
    tag: String,
    /// Where they are written; default: target/images of this repository.
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Load them into the local Docker, too.
    #[arg(long)]
    load: bool,
}

/// What is shipped: image and binary have the same name.
struct Product {
    name: &'static str,
    package: &'static str,
    /// The probe reads the host's hardware and wipes its drives.
    as_root: bool,
}

impl Product {
    fn program(&self) -> Program {
        Program {
            package: self.package,
            binary: self.name,
        }
    }
}

const PRODUCTS: [Product; 4] = [
    Product {
        name: "metal-operator",
        package: "operator",
        as_root: false,
    },
    Product {
        name: "metaldata",
        package: "operator",
        as_root: false,
    },
    Product {
        name: "bmc-emulator",
        package: "bmc-emulator",
        as_root: false,
    },
    Product {
        name: "metalprobe",
        package: "probe",
        as_root: true,
    },
];

impl Arguments {
    /// All images, in Docker.
    pub(super) fn loaded() -> Self {
        Self {
            images: Vec::new(),
            tag: "latest".to_owned(),
            output: None,
            load: true,
        }
    }
}

pub(crate) fn run(repository: &Repository, arguments: &Arguments) -> miette::Result<ExitCode> {
    build(repository, arguments).map(|()| ExitCode::SUCCESS)
}

pub(super) fn build(repository: &Repository, arguments: &Arguments) -> miette::Result<()> {
    let output = arguments
        .output
        .clone()
        .unwrap_or_else(|| repository.path("target/images"));
    std::fs::create_dir_all(&output)
        .into_diagnostic()
        .wrap_err_with(|| format!("{} cannot be made", output.display()))?;
    let products = chosen(&arguments.images)?;
    let programs: Vec<Program> = products.iter().map(|product| product.program()).collect();
    let binaries = cargo::build_static(repository, &programs)?;
    for product in products {
        let binary = binaries.join(product.name);
        let image = Image {
            name: format!("{}:{}", product.name, arguments.tag),
            binary: product.name,
            as_root: product.as_root,
        };
        let content = std::fs::read(&binary)
            .into_diagnostic()
            .wrap_err_with(|| format!("{} cannot be read", binary.display()))?;
        let archive = image
            .archive(&content)
            .into_diagnostic()
            .wrap_err("the image cannot be written")?;
        let path = output.join(format!("{}.tar", product.name));
        write(&path, &archive)?;
        let bill = sbom::of(repository, product.package, product.name)?;
        write(&output.join(format!("{}.cdx.json", product.name)), bill.as_bytes())?;
        println!(
            "{}  {} KiB binary, {} KiB image",
            path.display(),
            content.len() >> 10,
            archive.len() >> 10
        );
        miette::ensure!(
            (archive.len() as u64) < LIMIT,
            "{} is larger than {} MiB",
            product.name,
            LIMIT >> 20
        );
        if arguments.load {
            load(&path)?;
        }
    }
    Ok(())
}

fn chosen(names: &[String]) -> miette::Result<Vec<&'static Product>> {
    if let Some(unknown) = names
        .iter()
        .find(|name| PRODUCTS.iter().all(|product| product.name != **name))
    {
        let known: Vec<&str> = PRODUCTS.iter().map(|product| product.name).collect();
        miette::bail!("there is no image `{unknown}`; there are {}", known.join(", "));
    }
    let wanted = |product: &&Product| names.is_empty() || names.iter().any(|name| name == product.name);
    Ok(PRODUCTS.iter().filter(wanted).collect())
}

fn write(path: &Path, content: &[u8]) -> miette::Result<()> {
    std::fs::write(path, content)
        .into_diagnostic()
        .wrap_err_with(|| format!("{} cannot be written", path.display()))
}

fn load(archive: &Path) -> miette::Result<()> {
    let status = Command::new("docker")
        .args(["load", "--input"])
        .arg(archive)
        .status()
        .into_diagnostic()
        .wrap_err("docker cannot be started; the archive is written nevertheless")?;
    miette::ensure!(status.success(), "docker does not take {}", archive.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_chosen_by_name() {
        let names = |names: &[&str]| -> miette::Result<Vec<&str>> {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            Ok(chosen(&names)?.into_iter().map(|product| product.name).collect())
        };
        assert_eq!(
            names(&[]).expect("all"),
            ["metal-operator", "metaldata", "bmc-emulator", "metalprobe"]
        );
        assert_eq!(names(&["metalprobe"]).expect("one"), ["metalprobe"]);
        assert!(
            names(&["nginx"])
                .expect_err("unknown")
                .to_string()
                .contains("metal-operator, metaldata, bmc-emulator, metalprobe")
        );
    }
}
