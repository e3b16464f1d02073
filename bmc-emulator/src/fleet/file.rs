//! Fleet files: how one is read, and the schema by which editors and CI check one.

use super::error::FleetError;
use super::spec::FleetSpec;

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
                .with_model()
                .check()
                .map_err(|message| at(place.referenced.line(), place.referenced.column(), message))?;
        }
        Ok(spec)
    }

    /// The JSON Schema of fleet files.
    pub fn json_schema() -> schemars::Schema {
        schemars::schema_for!(FleetSpec)
    }
}

/// The same file once more, only to learn where each machine stands.
#[derive(serde::Deserialize)]
struct Places {
    machines: Vec<serde_saphyr::Spanned<serde::de::IgnoredAny>>,
}
