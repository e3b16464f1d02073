//! `multipart/form-data` (RFC 7578), as much of it as a firmware upload needs.

/// One part of a form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    pub name: String,
    pub file_name: Option<String>,
    pub content: &'a [u8],
}

/// The parts of `body`, or nothing if it is no form of this content type.
pub(super) fn parts<'a>(content_type: &str, body: &'a [u8]) -> Option<Vec<Part<'a>>> {
    if !content_type.to_ascii_lowercase().starts_with("multipart/form-data") {
        return None;
    }
    let boundary = parameter(content_type, "boundary")?;
    if boundary.is_empty() {
        return None;
    }
    // What stands before the first delimiter is no part; every later one begins with a line break.
    let delimiter = format!("\r\n--{boundary}");
    let mut rest = body.strip_prefix(&delimiter.as_bytes()[2..])?;
    let mut parts = Vec::new();
    while !rest.starts_with(b"--") {
        let content = rest.strip_prefix(b"\r\n")?;
        let end = find(content, delimiter.as_bytes())?;
        parts.push(part(&content[..end])?);
        rest = &content[end + delimiter.len()..];
    }
    Some(parts)
}

fn part(text: &[u8]) -> Option<Part<'_>> {
    let end = find(text, b"\r\n\r\n")?;
    let headers = std::str::from_utf8(&text[..end]).ok()?;
    let disposition = headers.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    Some(Part {
        name: parameter(disposition, "name")?,
        file_name: parameter(disposition, "filename"),
        content: &text[end + 4..],
    })
}

/// A parameter of a header, with or without quotes.
fn parameter(header: &str, name: &str) -> Option<String> {
    header.split(';').skip(1).find_map(|parameter| {
        let (known, value) = parameter.trim().split_once('=')?;
        known
            .eq_ignore_ascii_case(name)
            .then(|| value.trim_matches('"').to_owned())
    })
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=\"x\"";

    #[test]
    fn forms() {
        let body = b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n{}\r\n\
            --x\r\ncontent-disposition: form-data; name=b; filename=\"f.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n\r\n--\r\n--x--\r\n";
        let parts = parts(TYPE, body).expect("a form");
        assert_eq!(
            parts,
            [
                Part {
                    name: "a".to_owned(),
                    file_name: None,
                    content: b"{}"
                },
                Part {
                    name: "b".to_owned(),
                    file_name: Some("f.bin".to_owned()),
                    content: b"\r\n--"
                },
            ]
        );
    }

    #[test]
    fn no_forms() {
        for (content_type, body) in [
            ("application/json", "{}"),
            ("multipart/form-data", "--x--"),
            ("multipart/form-data; boundary=", "----"),
            (TYPE, ""),
            (TYPE, "--x\r\nno header\r\n--x--"),
            (TYPE, "--x\r\n\r\n\r\nno name\r\n--x--"),
            (TYPE, "--x\r\nContent-Disposition: form-data; name=a\r\n\r\nno end"),
        ] {
            assert_eq!(parts(content_type, body.as_bytes()), None, "{body:?}");
        }
    }
}
