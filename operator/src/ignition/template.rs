//! The part of Go's text/template that ignition templates use: contract section 8.3. Variables with optional blanks and trim
//! marks, and comments; anything else is an error that names the line, because a template half understood boots a machine
//! half configured.

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

/// Why a template cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Nothing but blanks.
    #[error("the template is empty")]
    Empty,
    /// `{{` without `}}`.
    #[error("line {line}: {{{{ without }}}}")]
    Unclosed {
        /// Line of the `{{`, from 1.
        line: usize,
    },
    /// An action that is not a known variable.
    #[error(
        "line {line}: {{{{{action}}}}} is not known; use .Image, .Flags, .SSHPublicKey, .PasswordHash or a comment"
    )]
    Unknown {
        /// Line of the `{{`, from 1.
        line: usize,
        /// What stands between the braces.
        action: String,
    },
}

/// Checks a template without rendering it.
///
/// # Errors
/// [`TemplateError`].
pub fn validate(template: &str) -> Result<(), TemplateError> {
    if template.trim().is_empty() {
        return Err(TemplateError::Empty);
    }
    render(
        template,
        Variables {
            image: "",
            flags: "",
            ssh_public_key: "",
            password_hash: "",
        },
    )
    .map(drop)
}

/// Fills a template.
///
/// # Errors
/// [`TemplateError`].
pub fn render(template: &str, variables: Variables<'_>) -> Result<String, TemplateError> {
    let mut output = String::with_capacity(template.len() + variables.flags.len());
    let mut rest = template;
    let mut line = 1;
    while let Some(start) = rest.find("{{") {
        let text = &rest[..start];
        line += text.matches('\n').count();
        let after = &rest[start + 2..];
        let end = after.find("}}").ok_or(TemplateError::Unclosed { line })?;
        let inside = &after[..end];
        rest = &after[end + 2..];
        // Go wants a blank between trim mark and action, else `{{-3}}` would be ambiguous.
        let (trim_left, inside_left) = match inside.strip_prefix('-') {
            Some(stripped) if stripped.starts_with(char::is_whitespace) => (true, stripped),
            _ => (false, inside),
        };
        let (trim_right, action) = match inside_left.strip_suffix('-') {
            Some(stripped) if stripped.ends_with(char::is_whitespace) => (true, stripped),
            _ => (false, inside_left),
        };
        output.push_str(if trim_left { text.trim_end() } else { text });
        let action = action.trim();
        output.push_str(match action {
            ".Image" => variables.image,
            ".Flags" => variables.flags,
            ".SSHPublicKey" => variables.ssh_public_key,
            ".PasswordHash" => variables.password_hash,
            comment if comment.starts_with("/*") && comment.ends_with("*/") => "",
            other => {
                return Err(TemplateError::Unknown {
                    line,
                    action: other.to_owned(),
                });
            }
        });
        line += inside.matches('\n').count();
        if trim_right {
            let trimmed = rest.trim_start();
            line += rest[..rest.len() - trimmed.len()].matches('\n').count();
            rest = trimmed;
        }
    }
    output.push_str(rest);
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VARIABLES: Variables<'_> = Variables {
        image: "probe:1",
        flags: "--a --b",
        ssh_public_key: "ssh-ed25519 AAAA\n",
        password_hash: "$2b$10$x",
    };

    #[test]
    fn renders_like_go() {
        for (template, wanted) in [
            ("a {{.Image}} b", "a probe:1 b"),
            ("a {{ .Flags }} b", "a --a --b b"),
            ("a \n {{- .Image -}} \n b", "aprobe:1b"),
            ("a {{- .Image }} b", "aprobe:1 b"),
            ("a {{ .Image -}} b", "a probe:1b"),
            ("x{{/* a comment */}}y", "xy"),
            ("x {{- /* a comment */ -}} y", "xy"),
            (
                "k: {{.SSHPublicKey}}h: {{.PasswordHash}}",
                "k: ssh-ed25519 AAAA\nh: $2b$10$x",
            ),
            ("no action }} here", "no action }} here"),
        ] {
            assert_eq!(render(template, VARIABLES).as_deref(), Ok(wanted), "{template}");
        }
    }

    #[test]
    fn says_where_it_does_not_understand() {
        let unknown = |line, action: &str| TemplateError::Unknown {
            line,
            action: action.to_owned(),
        };
        assert_eq!(render("a\nb {{.Nope}}", VARIABLES), Err(unknown(2, ".Nope")));
        assert_eq!(
            render("{{/* \n */}}\n{{ if .Image }}", VARIABLES),
            Err(unknown(3, "if .Image"))
        );
        assert_eq!(
            render("a\n\n{{.Image", VARIABLES),
            Err(TemplateError::Unclosed { line: 3 })
        );
        assert_eq!(validate(" \n"), Err(TemplateError::Empty));
        assert_eq!(validate("x"), Ok(()));
    }
}
