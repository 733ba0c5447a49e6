//! The text of a file, whose bytes nobody says the meaning of. What is not certain is refused: letters that were read wrongly
//! would be stored without a word.

use std::borrow::Cow;
use std::fmt;

use encoding_rs::{Encoding as Decoder, WINDOWS_1252};

/// Bytes that stand for no character in Windows-1252, and for letters in the code pages of consoles.
const UNASSIGNED: [u8; 5] = [0x81, 0x8d, 0x8f, 0x90, 0x9d];
/// The most characters that are shown of a line.
const SHOWN: usize = 40;

/// What the bytes of a file mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// What nearly everything writes.
    Utf8,
    /// What Excel writes as "CSV" in Western Europe; Latin-1 is part of it.
    Windows1252,
}

/// Why bytes were not read as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotText {
    /// A byte that UTF-8 does not have.
    NotUtf8 {
        /// The line, from 1.
        line: u64,
        /// The byte.
        byte: u8,
        /// What the line would say in Windows-1252; nothing where that cannot be.
        as_windows_1252: Option<String>,
    },
    /// A byte that Windows-1252 does not have.
    NotWindows1252 {
        /// The line, from 1.
        line: u64,
        /// The byte.
        byte: u8,
    },
    /// Windows-1252 was asked for, and the bytes are UTF-8 beyond doubt.
    IsUtf8 {
        /// The first line with such a letter, from 1.
        line: u64,
    },
    /// Its mark says UTF-16, and the bytes do not keep to it.
    BadUtf16,
}

impl fmt::Display for NotText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 { line, byte, as_windows_1252: Some(text) } => write!(
                f,
                "line {line}: the byte 0x{byte:02X} is not UTF-8; in Windows-1252, which Excel often writes, the line says: {text}"
            ),
            Self::NotUtf8 { line, byte, as_windows_1252: None } => {
                write!(f, "line {line}: the byte 0x{byte:02X} is neither UTF-8 nor Windows-1252")
            }
            Self::NotWindows1252 { line, byte } => {
                write!(f, "line {line}: the byte 0x{byte:02X} is no character of Windows-1252")
            }
            Self::IsUtf8 { line } => write!(f, "line {line}: its letters are UTF-8, not Windows-1252"),
            Self::BadUtf16 => f.write_str("the file begins as UTF-16 and does not go on so"),
        }
    }
}

impl std::error::Error for NotText {}

/// The text, without the mark that may say how it is encoded (UTF-8 and UTF-16 have one, and it is believed). Without one
/// the bytes are UTF-8 unless `encoding` says otherwise.
///
/// # Errors
///
/// [`NotText`] when the bytes are not what they should be.
pub fn text_of(bytes: &[u8], encoding: Option<Encoding>) -> Result<Cow<'_, str>, NotText> {
    if let Some((marked, length)) = Decoder::for_bom(bytes) {
        let rest = &bytes[length..];
        if marked == encoding_rs::UTF_8 {
            return utf8(rest);
        }
        return marked.decode_without_bom_handling_and_without_replacement(rest).ok_or(NotText::BadUtf16);
    }
    match encoding {
        None | Some(Encoding::Utf8) => utf8(bytes),
        Some(Encoding::Windows1252) => windows_1252(bytes),
    }
}

fn utf8(bytes: &[u8]) -> Result<Cow<'_, str>, NotText> {
    std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|error| {
        let at = error.valid_up_to();
        let as_windows_1252 = first_unassigned(bytes).is_none().then(|| line_around(bytes, at));
        NotText::NotUtf8 { line: line_of(bytes, at), byte: bytes.get(at).copied().unwrap_or_default(), as_windows_1252 }
    })
}

fn windows_1252(bytes: &[u8]) -> Result<Cow<'_, str>, NotText> {
    if let Some(at) = bytes.iter().position(|byte| !byte.is_ascii())
        && std::str::from_utf8(bytes).is_ok()
    {
        return Err(NotText::IsUtf8 { line: line_of(bytes, at) });
    }
    match first_unassigned(bytes) {
        Some(at) => Err(NotText::NotWindows1252 { line: line_of(bytes, at), byte: bytes[at] }),
        None => Ok(WINDOWS_1252.decode_without_bom_handling(bytes).0),
    }
}

fn first_unassigned(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| UNASSIGNED.contains(byte))
}

fn line_of(bytes: &[u8], at: usize) -> u64 {
    let ends = bytes.iter().take(at).filter(|byte| **byte == b'\n').count();
    u64::try_from(ends).unwrap_or(u64::MAX - 1) + 1
}

/// The line around a byte, from a little before it.
fn line_around(bytes: &[u8], at: usize) -> String {
    let ends = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let start = bytes[..at].iter().rposition(ends).map_or(0, |end| end + 1).max(at.saturating_sub(SHOWN / 2));
    let end = bytes[at..].iter().position(ends).map_or(bytes.len(), |length| at + length);
    let (text, _) = WINDOWS_1252.decode_without_bom_handling(&bytes[start..end]);
    text.chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_believed_and_taken_off() {
        let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain("Ærø".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        for bytes in ["Ærø".as_bytes(), "\u{feff}Ærø".as_bytes(), &utf16] {
            assert_eq!(text_of(bytes, None).unwrap(), "Ærø");
        }
        assert_eq!(text_of("\u{feff}Ærø".as_bytes(), Some(Encoding::Windows1252)).unwrap(), "Ærø");
        assert_eq!(text_of(&[0xff, 0xfe, 0x00, 0xdc, 0x20, 0x00], None), Err(NotText::BadUtf16));
    }

    #[test]
    fn other_bytes_are_never_guessed() {
        let error = text_of(b"reference\r\n1;\xc6r\xf8\r\n2;x\r\n", None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 2: the byte 0xC6 is not UTF-8; in Windows-1252, which Excel often writes, the line says: 1;Ærø"
        );
        assert_eq!(text_of(b"\xc6r\xf8 \x80", Some(Encoding::Windows1252)).unwrap(), "Ærø €");
        // The Ø of a console's code page.
        let console = text_of(b"a\n\x9dsterbro \xff\n", None).unwrap_err();
        assert_eq!(console.to_string(), "line 2: the byte 0x9D is neither UTF-8 nor Windows-1252");
        assert!(matches!(text_of(b"a\x9d", Some(Encoding::Windows1252)), Err(NotText::NotWindows1252 { .. })));
    }

    #[test]
    fn what_is_utf8_is_not_read_as_something_else() {
        assert_eq!(text_of("a\nø".as_bytes(), Some(Encoding::Windows1252)), Err(NotText::IsUtf8 { line: 2 }));
        assert_eq!(text_of(b"plain", Some(Encoding::Windows1252)).unwrap(), "plain");
    }
}
