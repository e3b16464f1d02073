//! The iPXE script (contract §11.3).

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::image::ImageReference;

/// Script that asks again with the machine's UUID.
pub(super) fn chain(service_url: &str) -> String {
    format!(
        "#!ipxe\n\nset ipxe-svc {service_url}\nset base-url ${{ipxe-svc}}/ipxe\n\
         chain --replace --autofree ${{base-url}}/${{uuid}}\n"
    )
}

/// Script that boots an image.
pub(crate) fn boot(service_url: &str, image: &ImageReference, with_ignition: bool) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let layer = |layer: &str| {
        format!(
            "${{ipxe-svc}}/image?imageName={}&layer={layer}&version={}",
            encode(&image.name()),
            encode(image.version.as_str())
        )
    };
    let ignition = match with_ignition {
        true => " ignition.firstboot=1 ignition.config.url=${ipxe-svc}/ignition/${uuid} ignition.platform.id=metal",
        false => "",
    };
    format!(
        "#!ipxe\n\n\
         set ipxe-svc {service_url}\n\
         set kernel-url {}\n\
         set initrd-url {}\n\n\
         kernel ${{kernel-url}} initrd=initrd ip=any{ignition} console=ttyS0,115200 console=tty0\n\
         initrd --name initrd ${{initrd-url}}\n\
         boot\n",
        layer("kernel"),
        layer("initrd"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts() {
        let image = ImageReference::parse("ghcr.io/ironcore-dev/os:1.0").expect("a reference");
        insta::assert_snapshot!("chain", chain("http://boot.example:8082"));
        insta::assert_snapshot!("boot", boot("http://boot.example:8082", &image, true));
        insta::assert_snapshot!("boot_without_ignition", boot("http://boot.example:8082", &image, false));
    }
}
