//! How much one answer may hold. A message of gRPC may have 4 MiB with most clients, whatever the server sends.

/// The most bytes of the rows of one answer, as they are counted here: the rest of 4 MiB is for what stands around them.
pub const ANSWER_BYTES: usize = 3_500 << 10;

/// What is sent of it, in bytes: its texts, and the most that the rest of it takes.
pub(crate) trait Bulk {
    fn bytes(&self) -> usize;
}

/// How many of the rows that have so many bytes each fit into one answer, from the first on. The first one always does: it
/// would never be seen otherwise.
pub fn fitting(sizes: impl IntoIterator<Item = usize>) -> usize {
    let mut total = 0_usize;
    let fits = |(index, size): &(usize, usize)| {
        total = total.saturating_add(*size);
        *index == 0 || total <= ANSWER_BYTES
    };
    sizes.into_iter().enumerate().take_while(fits).count()
}

/// The bytes of texts that may be absent.
pub(crate) fn texts<'a>(texts: impl IntoIterator<Item = &'a Option<String>>) -> usize {
    texts.into_iter().flatten().map(String::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_rows_as_fit_are_answered_and_one_always() {
        assert_eq!(fitting([]), 0);
        assert_eq!(fitting([ANSWER_BYTES + 1, 1]), 1);
        assert_eq!(fitting([ANSWER_BYTES - 1, 1, 1]), 2);
        assert_eq!(fitting([1, ANSWER_BYTES, 1]), 1);
        assert_eq!(fitting([usize::MAX, usize::MAX]), 1);
    }
}
