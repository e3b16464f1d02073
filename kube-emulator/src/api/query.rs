//! Query parameters.

use std::collections::BTreeMap;

use super::field_error::FieldError;
use super::status::ApiError;

/// Longest field manager name.
const MAX_MANAGER: usize = 128;

/// What to do about fields nobody declared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    Ignore,
    #[default]
    Warn,
    Strict,
}

/// The query of a request; of repeated parameters the first counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(BTreeMap<String, String>);

impl Query {
    pub(crate) fn parse(query: Option<&str>) -> Self {
        let mut parameters = BTreeMap::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            parameters.entry(decode(name)).or_insert_with(|| decode(value));
        }
        Self(parameters)
    }

    /// The query of a controller of this program, which has a name but no User-Agent.
    pub(crate) fn with_manager(manager: &str) -> Self {
        Self(BTreeMap::from([("fieldManager".to_owned(), manager.to_owned())]))
    }

    /// A parameter that is present and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(
            self.0.get(name).map(String::as_str),
            Some("true" | "1" | "t" | "T" | "TRUE" | "True" | "")
        )
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, ApiError> {
        self.get(name)
            .map(|value| {
                value
                    .parse()
                    .map_err(|_| ApiError::bad_request(format!("strconv.ParseInt: parsing {value:?}: invalid syntax")))
            })
            .transpose()
    }

    /// What is wrong with the name of the field manager.
    pub(crate) fn manager_too_long(&self) -> Option<FieldError> {
        let manager = self.get("fieldManager")?;
        (manager.len() > MAX_MANAGER)
            .then(|| FieldError::too_long("fieldManager", format!("may not be more than {MAX_MANAGER} bytes")))
    }

    /// Whether the write shall only be tried.
    pub(crate) fn dry_run(&self, options: &str) -> Result<bool, ApiError> {
        match self.get("dryRun") {
            None => Ok(false),
            Some("All") => Ok(true),
            Some(other) => {
                let value = serde_json::json!([other]);
                Err(ApiError::invalid_options(
                    options,
                    &[FieldError::not_supported("dryRun", &value, ["All"])],
                ))
            }
        }
    }

    pub(crate) fn field_validation(&self, options: &str) -> Result<FieldValidation, ApiError> {
        match self.get("fieldValidation") {
            None => Ok(FieldValidation::default()),
            Some("Ignore") => Ok(FieldValidation::Ignore),
            Some("Warn") => Ok(FieldValidation::Warn),
            Some("Strict") => Ok(FieldValidation::Strict),
            Some(other) => {
                let supported = ["", "Ignore", "Strict", "Warn"];
                let error = FieldError::not_supported("fieldValidation", &serde_json::json!(other), supported);
                Err(ApiError::invalid_options(options, &[error]))
            }
        }
    }
}

/// `application/x-www-form-urlencoded` decoding.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits: Vec<u8> = rest.clone().take(2).collect();
                match std::str::from_utf8(&digits)
                    .ok()
                    .and_then(|digits| u8::from_str_radix(digits, 16).ok())
                {
                    Some(decoded) if digits.len() == 2 => {
                        bytes.push(decoded);
                        rest.nth(1);
                    }
                    _ => bytes.push(b'%'),
                }
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let query = Query::parse(Some(
            "labelSelector=a%3Db%2Cc+in+%28d%29&watch=true&limit=5&empty=&x=%zz",
        ));
        assert_eq!(query.get("labelSelector"), Some("a=b,c in (d)"));
        assert!(query.flag("watch"));
        assert_eq!(query.number("limit").unwrap(), Some(5));
        assert_eq!(query.get("empty"), None);
        assert_eq!(query.get("x"), Some("%zz"));
        assert!(Query::parse(Some("limit=abc")).number("limit").is_err());
        assert!(Query::parse(Some("dryRun=Some")).dry_run("CreateOptions").is_err());
    }
}
