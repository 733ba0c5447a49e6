//! A small set of the numbers a cron field can name.

/// Numbers from 0 to 63, in ascending order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct NumberSet(u64);

impl NumberSet {
    /// Every `step`-th number from `start` to `end`, both included.
    pub(super) fn stepped(start: u32, end: u32, step: u32) -> Self {
        let step = usize::try_from(step).unwrap_or(usize::MAX).max(1);
        (start..=end).step_by(step).collect()
    }

    pub(super) fn range(start: u32, end: u32) -> Self {
        Self::stepped(start, end, 1)
    }

    pub(super) fn contains(self, number: u32) -> bool {
        1_u64.checked_shl(number).is_some_and(|bit| self.0 & bit != 0)
    }

    pub(super) fn insert(&mut self, number: u32) {
        self.0 |= 1_u64.checked_shl(number).unwrap_or_default();
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn len(self) -> u32 {
        self.0.count_ones()
    }

    pub(super) fn first(self) -> Option<u32> {
        self.iter().next()
    }

    pub(super) fn last(self) -> Option<u32> {
        self.iter().last()
    }

    pub(super) fn iter(self) -> impl Iterator<Item = u32> {
        (0..u64::BITS).filter(move |&number| self.contains(number))
    }

    /// Keeps every `step`-th of the numbers, counted from the smallest.
    pub(super) fn every(self, step: u32) -> Self {
        self.iter().step_by(usize::try_from(step).unwrap_or(usize::MAX).max(1)).collect()
    }

    /// The distance between neighbours, when it is the same everywhere and there are at least two numbers.
    pub(super) fn even_step(self) -> Option<u32> {
        let (first, last) = (self.first()?, self.last()?);
        let step = self.iter().nth(1)? - first;
        (Self::stepped(first, last, step) == self).then_some(step)
    }
}

impl FromIterator<u32> for NumberSet {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        let mut set = Self::default();
        numbers.into_iter().for_each(|number| set.insert(number));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::NumberSet;

    #[test]
    fn holds_what_was_put_in_and_ignores_what_does_not_fit() {
        let set: NumberSet = [0, 5, 63, 64, 1000].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 5, 63]);
        assert!(!set.contains(64));
    }

    #[test]
    fn even_step_needs_two_numbers_at_equal_distances() {
        assert_eq!(NumberSet::stepped(5, 59, 15).even_step(), Some(15));
        assert_eq!(NumberSet::range(3, 3).even_step(), None);
        assert_eq!([1, 2, 4].into_iter().collect::<NumberSet>().even_step(), None);
    }
}
