//! How often passwords may be guessed: for one account, and from one address.
//!
//! Each is a bucket that a failure takes from and time fills again; a success gives back what it took, so that only
//! failures count. Taken before the password is compared, so that guesses at the same time cannot slip past.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use orchestrator_core::clock::Timestamp;

/// The most buckets that are remembered.
const MOST_BUCKETS: usize = 20_000;

/// So many failures at once, then one for each interval.
#[derive(Debug, Clone, Copy)]
struct Limit {
    burst: i32,
    interval: TimeDelta,
}

const PER_ACCOUNT: Limit = Limit { burst: 10, interval: TimeDelta::minutes(1) };
const PER_ADDRESS: Limit = Limit { burst: 30, interval: TimeDelta::seconds(10) };

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Account(String),
    Address(IpAddr),
}

impl Key {
    fn limit(&self) -> Limit {
        match self {
            Self::Account(_) => PER_ACCOUNT,
            Self::Address(_) => PER_ADDRESS,
        }
    }
}

/// What one try took; given back when it was no failure.
#[derive(Debug)]
pub(super) struct Taken(Vec<Key>);

/// The buckets. Each holds the instant at which it is full again.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    full_at: Mutex<HashMap<Key, Timestamp>>,
}

impl Throttle {
    /// Takes one try for an account and from an address, where they are given; or says when there is one again.
    pub(super) fn take(&self, account: Option<&str>, from: Option<IpAddr>, now: Timestamp) -> Result<Taken, Duration> {
        let account = account.map(|name| Key::Account(name.to_owned()));
        let keys: Vec<Key> = account.into_iter().chain(from.map(|from| Key::Address(network(from)))).collect();
        let mut full_at = self.lock();
        let wait = keys.iter().filter_map(|key| wait(full_at.get(key).copied(), key.limit(), now)).max();
        if let Some(wait) = wait {
            return Err(wait);
        }
        make_room(&mut full_at, now);
        for key in &keys {
            let level = full_at.entry(key.clone()).or_insert(now);
            *level = (*level).max(now) + key.limit().interval;
        }
        Ok(Taken(keys))
    }

    /// It was no failure.
    pub(super) fn give_back(&self, taken: &Taken) {
        let mut full_at = self.lock();
        for key in &taken.0 {
            if let Some(level) = full_at.get_mut(key) {
                *level -= key.limit().interval;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Timestamp>> {
        self.full_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long until a bucket has something to take.
fn wait(full_at: Option<Timestamp>, limit: Limit, now: Timestamp) -> Option<Duration> {
    // A clock that was set back must not close an account for longer than the limit does.
    let missing = (full_at? - now).min(limit.interval * limit.burst);
    let over = missing - limit.interval * (limit.burst - 1);
    (over > TimeDelta::zero()).then(|| over.to_std().unwrap_or_default())
}

/// One who has an IPv6 network of their own has its 2⁶⁴ addresses.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX))),
        address @ IpAddr::V4(_) => address,
    }
}

/// Forgets full buckets when there are many, and then the fuller half: those that matter least.
fn make_room(full_at: &mut HashMap<Key, Timestamp>, now: Timestamp) {
    if full_at.len() < MOST_BUCKETS {
        return;
    }
    full_at.retain(|_, level| *level > now);
    if full_at.len() < MOST_BUCKETS {
        return;
    }
    let mut levels: Vec<Timestamp> = full_at.values().copied().collect();
    let middle = levels.len() / 2;
    let (_, median, _) = levels.select_nth_unstable(middle);
    let median = *median;
    let mut surplus = middle;
    full_at.retain(|_, level| {
        let stays = *level > median || (*level == median && surplus == 0);
        surplus = surplus.saturating_sub(usize::from(!stays));
        stays
    });
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    const HERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));

    fn at(seconds: i64) -> Timestamp {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn from(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn an_account_takes_ten_failures_from_anywhere_then_one_a_minute() {
        let throttle = Throttle::default();
        for number in 0..10 {
            throttle.take(Some("anna"), Some(from(number)), at(0)).unwrap();
        }
        assert_eq!(throttle.take(Some("anna"), Some(from(99)), at(0)).unwrap_err(), Duration::from_mins(1));
        assert_eq!(throttle.take(Some("anna"), Some(from(99)), at(59)).unwrap_err(), Duration::from_secs(1));
        throttle.take(Some("anna"), Some(from(99)), at(60)).unwrap();
        throttle.take(Some("anna"), Some(from(99)), at(60)).unwrap_err();
        throttle.take(Some("bert"), Some(from(99)), at(60)).unwrap();
    }

    #[test]
    fn an_address_takes_thirty_failures_whatever_the_accounts() {
        let throttle = Throttle::default();
        for number in 0..30 {
            throttle.take(Some(&format!("user{number}")), HERE, at(0)).unwrap();
        }
        assert_eq!(throttle.take(Some("another"), HERE, at(0)).unwrap_err(), Duration::from_secs(10));
        throttle.take(None, HERE, at(0)).unwrap_err();
        throttle.take(Some("another"), Some(from(1)), at(0)).unwrap();
    }

    #[test]
    fn a_success_takes_nothing() {
        let throttle = Throttle::default();
        for _ in 0..100 {
            let taken = throttle.take(Some("anna"), HERE, at(0)).unwrap();
            throttle.give_back(&taken);
        }
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one() {
        let throttle = Throttle::default();
        let in_network = |host: u128| Some(IpAddr::V6(((0x2001_0db8_u128 << 96) | host).into()));
        for host in 0..30 {
            throttle.take(None, in_network(host), at(0)).unwrap();
        }
        throttle.take(None, in_network(77), at(0)).unwrap_err();
        throttle.take(None, in_network(1 << 64), at(0)).unwrap();
    }

    #[test]
    fn a_clock_that_was_set_back_closes_nothing_for_longer() {
        let throttle = Throttle::default();
        for _ in 0..10 {
            throttle.take(Some("anna"), HERE, at(100_000)).unwrap();
        }
        assert_eq!(throttle.take(Some("anna"), HERE, at(0)).unwrap_err(), Duration::from_mins(1));
    }

    #[test]
    fn however_many_guess_the_memory_is_bounded_and_the_attacked_account_stays_closed() {
        let throttle = Throttle::default();
        for _ in 0..10 {
            throttle.take(Some("anna"), HERE, at(0)).unwrap();
        }
        for number in 0..u32::try_from(MOST_BUCKETS).unwrap() {
            throttle.take(Some(&format!("user{number}")), Some(from(number)), at(0)).unwrap();
        }
        assert!(throttle.lock().len() <= MOST_BUCKETS + 2);
        throttle.take(Some("anna"), Some(from(7)), at(0)).unwrap_err();
    }
}
