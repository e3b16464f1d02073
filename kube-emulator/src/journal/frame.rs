//! How entries lie in a file: length, checksum of the length, checksum of the content, content. A process that is killed leaves a
//! beginning of what it wrote last, so what is incomplete was never finished; what is complete and wrong was damaged later.

use super::JournalError;

const HEADER: usize = 12;

/// Appends `content` to `file`.
pub(super) fn write(file: &mut Vec<u8>, content: &[u8]) {
    // No object is nearly as long.
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX).to_le_bytes();
    file.extend_from_slice(&length);
    file.extend_from_slice(&crc32fast::hash(&length).to_le_bytes());
    file.extend_from_slice(&crc32fast::hash(content).to_le_bytes());
    file.extend_from_slice(content);
}

/// All complete entries, and where the last one ends.
///
/// # Errors
/// Something complete is not what was written.
pub(super) fn read(file: &[u8]) -> Result<(Vec<&[u8]>, usize), JournalError> {
    let (mut contents, mut at) = (Vec::new(), 0);
    while let Some(content) = next(&file[at..]).map_err(|()| JournalError::Damaged { at })? {
        contents.push(content);
        at += HEADER + content.len();
    }
    Ok((contents, at))
}

/// `None` at the end of what is complete.
fn next(rest: &[u8]) -> Result<Option<&[u8]>, ()> {
    let number = |at: usize| -> Option<u32> { Some(u32::from_le_bytes(rest.get(at..at + 4)?.try_into().ok()?)) };
    let (Some(length), Some(of_length), Some(of_content)) = (number(0), number(4), number(8)) else {
        return Ok(None);
    };
    if crc32fast::hash(&length.to_le_bytes()) != of_length {
        return Err(());
    }
    match rest.get(HEADER..HEADER + length as usize) {
        Some(content) if crc32fast::hash(content) == of_content => Ok(Some(content)),
        Some(_) => Err(()),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Vec<u8> {
        let mut file = Vec::new();
        for content in ["one", "", "three"] {
            write(&mut file, content.as_bytes());
        }
        file
    }

    #[test]
    fn a_file_that_is_cut_has_what_was_complete() {
        let file = file();
        let ends = [0, HEADER + 3, 2 * HEADER + 3, 3 * HEADER + 8];
        for length in 0..=file.len() {
            let (contents, end) = read(&file[..length]).expect("nothing is damaged");
            let complete = ends.iter().filter(|end| **end <= length).count() - 1;
            assert_eq!((contents.len(), end), (complete, ends[complete]), "cut at {length}");
        }
    }

    #[test]
    fn no_changed_byte_goes_unnoticed() {
        let whole = file();
        for at in 0..whole.len() {
            let mut file = whole.clone();
            file[at] ^= 0x10;
            assert!(
                matches!(read(&file), Err(JournalError::Damaged { .. })),
                "changed at {at}"
            );
        }
    }
}
