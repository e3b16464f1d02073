//! What can be wrong with a fleet file.

use super::spec::FleetSpec;

/// A fleet that cannot be built.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FleetError {
    #[error("{file}:{line}:{column}: {message}")]
    Parse {
        file: String,
        line: u64,
        column: u64,
        message: String,
    },
    #[error("two machines are called {0:?}; names must be unique (a template with count makes them so with {{index}})")]
    DuplicateName(String),
    #[error("{first} and {second} both have the BMC address {address}; leave bmc.address out to get one each")]
    DuplicateAddress {
        address: String,
        first: String,
        second: String,
    },
    #[error("bootOrder of {machine} names {device:?}, which is neither a drive nor a NIC of it")]
    UnknownBootDevice { machine: String, device: String },
    #[error("machine {machine}: {message}")]
    Invalid { machine: String, message: String },
    #[error("a time scale of {0} is not a positive number")]
    BadTimeScale(f64),
}

impl FleetSpec {
    /// Reads a fleet file. `file_name` only serves the error messages.
    ///
    /// # Errors
    /// [`FleetError::Parse`] with the place of the mistake, also for machines that contradict themselves.
    pub fn from_yaml(text: &str, file_name: &str) -> Result<FleetSpec, FleetError> {
        let at = |line: u64, column: u64, message: String| FleetError::Parse {
            file: file_name.to_owned(),
            line,
            column,
            message,
        };
        let spec: FleetSpec = serde_saphyr::from_str(text).map_err(|error| {
            let text = error.without_snippet().to_string();
            let Some(place) = error.location() else {
                return at(1, 1, text);
            };
            let (line, column) = (place.line(), place.column());
            // The place stands in front already.
            let text = text
                .strip_suffix(&format!(" at line {line}, column {column}"))
                .unwrap_or(&text);
            at(line, column, text.to_owned())
        })?;
        let places: Places = serde_saphyr::from_str(text).map_err(|error| at(1, 1, error.to_string()))?;
        for (machine, place) in spec.machines.iter().zip(&places.machines) {
            machine
                .check()
                .map_err(|message| at(place.referenced.line(), place.referenced.column(), message))?;
        }
        Ok(spec)
    }
}

/// The same file once more, only to learn where each machine stands.
#[derive(serde::Deserialize)]
struct Places {
    machines: Vec<serde_saphyr::Spanned<serde::de::IgnoredAny>>,
}
