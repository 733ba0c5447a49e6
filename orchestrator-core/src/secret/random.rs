//! Random bytes and the base-62 digits made from them.

use zeroize::Zeroize;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The operating system gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no random bytes from the operating system: {0}")]
pub struct RandomError(getrandom::Error);

/// Fills `bytes` from the operating system's generator.
pub(super) fn fill(bytes: &mut [u8]) -> Result<(), RandomError> {
    getrandom::fill(bytes).map_err(RandomError)
}

/// Writes the big-endian number in `number` as exactly `width` base-62 digits, highest first, and leaves zeroes in `number`.
///
/// Digits above `width` are lost: the caller chooses a width that the number fits in.
pub(super) fn push_base62(text: &mut String, number: &mut [u8], width: usize) {
    let mut digits = vec![0_u8; width];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[usize::from(divide_by_62(number))];
    }
    text.extend(digits.iter().copied().map(char::from));
    digits.zeroize();
    number.zeroize();
}

pub(super) fn is_base62(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Divides in place and returns the remainder.
fn divide_by_62(number: &mut [u8]) -> u8 {
    let mut remainder = 0_u16;
    for byte in number {
        let dividend = remainder * 256 + u16::from(*byte);
        *byte = low_byte(dividend / 62);
        remainder = dividend % 62;
    }
    low_byte(remainder)
}

/// The dividend is at most 61 · 256 + 255, so quotient and remainder both fit in one byte.
fn low_byte(value: u16) -> u8 {
    value.to_be_bytes()[1]
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{is_base62, push_base62};

    #[rstest]
    #[case::zero(&[0, 0], "000")]
    #[case::one_digit(&[0, 61], "00z")]
    #[case::carry(&[0, 62], "010")]
    #[case::two_bytes(&[1, 0], "048")]
    #[case::largest(&[255, 255], "H31")]
    fn base62_counts_as_on_paper(#[case] number: &[u8], #[case] expected: &str) {
        let mut text = String::new();
        push_base62(&mut text, &mut number.to_vec(), 3);
        assert_eq!(text, expected);
    }

    #[test]
    fn the_largest_32_byte_number_fits_in_43_digits() {
        let mut number = [255_u8; 32];
        let mut text = String::new();
        push_base62(&mut text, &mut number, 44);
        assert!(text.starts_with('0') && !text.starts_with("00"));
        assert!(is_base62(&text));
    }

    #[test]
    fn what_was_written_out_is_gone_from_the_number() {
        let mut number = [7_u8; 32];
        push_base62(&mut String::new(), &mut number, 2);
        assert_eq!(number, [0; 32]);
    }
}
