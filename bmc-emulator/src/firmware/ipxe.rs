//! The part of the iPXE command language that boot scripts for servers use.

use std::collections::BTreeMap;

/// iPXE settings, built in or set by the script.
#[derive(Debug, Default)]
pub(super) struct Variables(BTreeMap<String, String>);

/// How a script ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Script {
    Boot { kernel_arguments: String },
    Chain { url: String },
    Exit,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ScriptError {
    #[error("it does not begin with #!ipxe")]
    NotAScript,
    #[error("line {line}: {command:?} is not a command this firmware knows")]
    UnknownCommand { line: usize, command: String },
    #[error("line {line}: {command} needs an argument")]
    MissingArgument { line: usize, command: String },
    #[error("boot without a kernel")]
    NoKernel,
}

impl Variables {
    pub(super) fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// Replaces `${name}` and `${name:type}`. An unknown name expands to nothing, as in iPXE.
    fn expand(&self, text: &str) -> String {
        let mut result = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let Some(length) = rest[start..].find('}') else { break };
            let name = &rest[start + 2..start + length];
            let name = name.split(':').next().unwrap_or(name);
            result.push_str(&rest[..start]);
            result.push_str(self.0.get(name).map_or("", String::as_str));
            rest = &rest[start + length + 1..];
        }
        result.push_str(rest);
        result
    }
}

/// Runs a script until it boots, chains or exits.
pub(super) fn interpret(script: &str, variables: &mut Variables) -> Result<Script, ScriptError> {
    if !script.starts_with("#!ipxe") {
        return Err(ScriptError::NotAScript);
    }
    let mut kernel = None;
    for (index, raw) in script.lines().enumerate().skip(1) {
        let text = raw.trim();
        if text.is_empty() || text.starts_with('#') || text.starts_with(':') {
            continue;
        }
        let expanded = variables.expand(text);
        let (command, arguments) = expanded.split_once(char::is_whitespace).unwrap_or((&expanded, ""));
        let arguments = arguments.trim();
        let missing = || ScriptError::MissingArgument {
            line: index + 1,
            command: command.to_owned(),
        };
        match command {
            "set" => {
                let (name, value) = arguments.split_once(char::is_whitespace).unwrap_or((arguments, ""));
                if name.is_empty() {
                    return Err(missing());
                }
                variables.set(name, value.trim());
            }
            "kernel" => {
                let (_, kernel_arguments) = uri_and_rest(arguments).ok_or_else(missing)?;
                kernel = Some(kernel_arguments);
            }
            "initrd" => {
                uri_and_rest(arguments).ok_or_else(missing)?;
            }
            "chain" => {
                let (url, _) = uri_and_rest(arguments).ok_or_else(missing)?;
                return Ok(Script::Chain { url });
            }
            "boot" => {
                return kernel
                    .map(|kernel_arguments| Script::Boot { kernel_arguments })
                    .ok_or(ScriptError::NoKernel);
            }
            "exit" => return Ok(Script::Exit),
            "echo" | "dhcp" | "imgfree" | "ifopen" => {}
            unknown => {
                return Err(ScriptError::UnknownCommand {
                    line: index + 1,
                    command: unknown.to_owned(),
                });
            }
        }
    }
    // iPXE falls off the end of a script back into the firmware.
    Ok(Script::Exit)
}

/// Splits off leading options (`--name value`, `--replace`, `--autofree`) and the URI.
fn uri_and_rest(arguments: &str) -> Option<(String, String)> {
    let mut words = arguments.split_whitespace();
    let mut word = words.next()?;
    while let Some(option) = word.strip_prefix("--") {
        if matches!(option, "name" | "timeout") {
            words.next()?;
        }
        word = words.next()?;
    }
    Some((word.to_owned(), words.collect::<Vec<_>>().join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str) -> Result<Script, ScriptError> {
        let mut variables = Variables::default();
        variables.set("uuid", "38947555-7742-3448-3784-823347823834");
        interpret(script, &mut variables)
    }

    #[test]
    fn the_default_script_of_a_boot_operator() {
        let script = "#!ipxe\n\nset ipxe-svc http://boot.example:8082\nset kernel-url ${ipxe-svc}/image?layer=kernel\n\
            set initrd-url ${ipxe-svc}/image?layer=initrd\n\n\
            kernel ${kernel-url} initrd=initrd ip=any ignition.config.url=${ipxe-svc}/ignition/${uuid} console=tty0\n\
            initrd --name initrd ${initrd-url}\nboot\n";
        assert_eq!(
            run(script),
            Ok(Script::Boot {
                kernel_arguments: "initrd=initrd ip=any ignition.config.url=http://boot.example:8082/ignition/\
                                   38947555-7742-3448-3784-823347823834 console=tty0"
                    .to_owned()
            })
        );
    }

    #[test]
    fn endings() {
        assert_eq!(
            run("#!ipxe\nset base-url http://b/ipxe\nchain --replace --autofree ${base-url}/${uuid}\n"),
            Ok(Script::Chain {
                url: "http://b/ipxe/38947555-7742-3448-3784-823347823834".to_owned()
            })
        );
        assert_eq!(run("#!ipxe\necho nothing to do\nexit\n"), Ok(Script::Exit));
        assert_eq!(run("#!ipxe\nkernel http://k\n"), Ok(Script::Exit));
        assert_eq!(run("#!ipxe\nboot\n"), Err(ScriptError::NoKernel));
        assert_eq!(run("<html>"), Err(ScriptError::NotAScript));
        assert_eq!(
            run("#!ipxe\n\nfrobnicate now\n"),
            Err(ScriptError::UnknownCommand {
                line: 3,
                command: "frobnicate".to_owned()
            })
        );
        assert_eq!(
            run("#!ipxe\nkernel\n"),
            Err(ScriptError::MissingArgument {
                line: 2,
                command: "kernel".to_owned()
            })
        );
    }

    #[test]
    fn unknown_variables_are_empty_and_broken_ones_stay() {
        let variables = Variables::default();
        assert_eq!(variables.expand("a${nope}b${open"), "ab${open");
    }
}
