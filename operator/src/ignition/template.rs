//! Ignition templates: contract section 8.3.

use serde_json::json;

use crate::template::{Template, TemplateError};

/// What a template may use.
const KNOWN: [&str; 4] = ["Image", "Flags", "SSHPublicKey", "PasswordHash"];

/// Values of a template.
#[derive(Clone, Copy, Debug)]
pub struct Variables<'a> {
    /// `{{.Image}}`.
    pub image: &'a str,
    /// `{{.Flags}}`.
    pub flags: &'a str,
    /// `{{.SSHPublicKey}}`: an authorized_keys line with its line break.
    pub ssh_public_key: &'a str,
    /// `{{.PasswordHash}}`: bcrypt.
    pub password_hash: &'a str,
}

/// Checks a template without rendering it.
///
/// # Errors
/// [`TemplateError`].
pub fn validate(template: &str) -> Result<(), TemplateError> {
    Template::parse(template)?.check(&KNOWN)
}

/// Fills a template.
///
/// # Errors
/// [`TemplateError`].
pub fn render(template: &str, variables: Variables<'_>) -> Result<String, TemplateError> {
    Template::parse(template)?.render(&json!({
        "Image": variables.image,
        "Flags": variables.flags,
        "SSHPublicKey": variables.ssh_public_key,
        "PasswordHash": variables.password_hash,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_variables_are_there_and_no_others() {
        let variables = Variables {
            image: "probe:1",
            flags: "--a --b",
            ssh_public_key: "ssh-ed25519 AAAA\n",
            password_hash: "$2b$10$x",
        };
        let template = "i: {{.Image}}\nf: {{ .Flags }}\nk: {{.SSHPublicKey}}h: {{.PasswordHash -}}\n";
        assert_eq!(validate(template), Ok(()));
        assert_eq!(
            render(template, variables).as_deref(),
            Ok("i: probe:1\nf: --a --b\nk: ssh-ed25519 AAAA\nh: $2b$10$x")
        );
        assert_eq!(
            validate("a\nb {{.Nope}}").map_err(|error| error.to_string()),
            Err("line 2: there is no .Nope; there are .Image, .Flags, .SSHPublicKey, .PasswordHash".to_owned())
        );
    }
}
