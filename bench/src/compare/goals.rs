//! What the figures are to reach, each as a ratio within one round.

use std::time::Duration;

use serde_json::{Value, json};

use super::args::Sizes;
use super::figure::Figure;
use super::names;
use super::table::{Rounds, Spread};
use crate::machine::Database::{Postgres, Sqlite};

/// A goal.
pub(crate) struct Goal {
    what: String,
    /// The ratio in one round, where the round has the figures.
    ratio: Box<Ratio>,
    bound: Bound,
    judged: Judged,
}

/// Which of the rounds decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Judged {
    /// None: the goal is stated for more than was done. Tells what to give.
    Not(&'static str),
    /// The one in the middle: what the machine did to the others is not ours.
    Median,
    /// The worst: what may never happen.
    Worst,
}

/// How long a report is to have been open, at least.
const REPORT: Duration = Duration::from_mins(10);

/// Finds a ratio in a round.
type Ratio = dyn for<'a, 'b> Fn(&'a Round<'b>) -> Option<f64>;

#[derive(Debug, Clone, Copy)]
enum Bound {
    Least(f64),
    Most(f64),
}

/// The figures of one round, by name.
#[derive(Debug)]
pub(crate) struct Round<'a>(&'a [Figure]);

impl Round<'_> {
    fn get(&self, what: &str) -> Option<&Figure> {
        self.0.iter().find(|figure| figure.what == what)
    }

    fn rate(&self, what: &str) -> Option<f64> {
        self.get(what)?.rate
    }

    fn p50(&self, what: &str) -> Option<f64> {
        self.get(what)?.p50
    }

    fn average(&self, what: &str) -> Option<f64> {
        self.get(what)?.average
    }

    fn p99(&self, what: &str) -> Option<f64> {
        self.get(what)?.p99
    }

    /// One rate over another.
    fn over(&self, what: &str, other: &str) -> Option<f64> {
        Some(self.rate(what)? / self.rate(other)?)
    }

    fn best_limit(&self) -> Option<f64> {
        let rates = [1, 8, 32].iter().filter_map(|clients| self.rate(&names::limit_claim(*clients)));
        rates.max_by(f64::total_cmp)
    }

    fn fastest_peer(&self) -> Option<f64> {
        let peers = [names::GRAPHILE_QUEUE, names::PG_BOSS, names::PGQUEUER].map(|peer| self.rate(peer));
        // All of them, or the comparison is none.
        peers.into_iter().collect::<Option<Vec<f64>>>()?.into_iter().max_by(f64::total_cmp)
    }
}

fn goal(what: &str, bound: Bound, ratio: impl Fn(&Round<'_>) -> Option<f64> + 'static) -> Goal {
    Goal { what: what.to_owned(), ratio: Box::new(ratio), bound, judged: Judged::Median }
}

/// What we may not do, not once in any round.
fn never(what: &str, of: impl Fn(&Figure) -> Option<u64> + 'static) -> Goal {
    let sum = move |round: &Round<'_>| {
        let ours = round.0.iter().filter(|figure| figure.what.starts_with("ours"));
        #[expect(clippy::cast_precision_loss, reason = "the goal is zero")]
        ours.filter_map(&of).reduce(|sum, more| sum + more).map(|sum| sum as f64)
    };
    Goal { judged: Judged::Worst, ..goal(what, Bound::Most(0.0), sum) }
}

/// All goals.
pub(crate) fn goals(sizes: &Sizes) -> Vec<Goal> {
    use Bound::{Least, Most};
    let mut goals = vec![
        goal("claims, 256 clients, PostgreSQL / L1", Least(0.50), |r| {
            r.over(&names::claim(Postgres, 256), &names::echo(256))
        }),
        goal("claims, 256 clients, PostgreSQL / best pgbench claim", Least(1.5), |r| {
            Some(r.rate(&names::claim(Postgres, 256))? / r.best_limit()?)
        }),
        goal("claims, 256 clients, PostgreSQL / lanes off", Least(2.5), |r| {
            r.over(&names::claim(Postgres, 256), &names::claim_alone(Postgres))
        }),
        never("elements handed out twice by us, in the worst round", |figure| figure.doubled),
        never("answers of ours that nothing is there although something was, worst round", |figure| figure.overlooked),
        goal("p99 of these claims / p99 of the echo", Most(1.5), |r| {
            Some(r.p99(&names::claim(Postgres, 256))? / r.p99(&names::echo(256))?)
        }),
        goal("claims, 256 clients, SQLite / L1", Least(0.50), |r| {
            r.over(&names::claim(Sqlite, 256), &names::echo(256))
        }),
        goal("one client alone, PostgreSQL, p50 / (echo p50 + pgbench claim, average)", Most(1.3), |r| {
            let limit = r.p50(&names::echo(1))? + r.average(&names::limit_claim(1))?;
            Some(r.p50(&names::claim(Postgres, 1))? / limit)
        }),
        goal("claim + complete in one call, PostgreSQL / L1", Least(0.40), |r| {
            r.over(&names::ride(Postgres), &names::echo(256))
        }),
        goal("claim + complete in one call, SQLite / L1", Least(0.40), |r| {
            r.over(&names::ride(Sqlite), &names::echo(256))
        }),
        goal("batches of 100, PostgreSQL / L2", Least(0.75), |r| r.over(&names::batch(Postgres), names::LIMIT_BATCH)),
        goal("batches of 100, PostgreSQL / fastest peer", Least(2.0), |r| {
            Some(r.rate(&names::batch(Postgres))? / r.fastest_peer()?)
        }),
        goal("creates, 256 clients, PostgreSQL / L1", Least(0.60), |r| {
            r.over(&names::create(Postgres), &names::echo(256))
        }),
        goal("creates, 256 clients, SQLite / L1", Least(0.60), |r| r.over(&names::create(Sqlite), &names::echo(256))),
    ];
    for database in [Postgres, Sqlite] {
        let name = database.name();
        goals.push(goal(
            &format!("created -> spawned, {name}, p50 / graphile-worker's add -> start"),
            Most(1.0),
            move |r| Some(r.p50(&names::spawned(database))? / r.p50(names::GRAPHILE_START)?),
        ));
        goals.push(goal(
            &format!("created -> spawned, {name}, p99 / graphile-worker's add -> start"),
            Most(1.0),
            move |r| Some(r.p99(&names::spawned(database))? / r.p99(names::GRAPHILE_START)?),
        ));
        goals.push(goal(&format!("bulk create of 100,000, {name}, a second"), Least(100_000.0), move |r| {
            r.rate(&names::bulk(database))
        }));
        goals.push(goal(&format!("log lines of 200 bytes, {name}, a second"), Least(100_000.0), move |r| {
            r.rate(&names::logs(database))
        }));
        for rows in sizes.history.iter().copied() {
            let bound = Most(if rows > 1_000_000 { 1.3 } else { 1.1 });
            goals.push(goal(&format!("claim p50, {name}, {rows} finished behind it / none"), bound, move |r| {
                Some(r.p50(&names::history_claim(database, rows))? / r.p50(&names::history_claim(database, 0))?)
            }));
            goals.push(goal(
                &format!("queue trigger p50, {name}, {rows} finished behind it / none"),
                bound,
                move |r| Some(r.p50(&names::history_due(database, rows))? / r.p50(&names::history_due(database, 0))?),
            ));
        }
    }
    for (backlog, least) in [(true, 0.8), (false, 0.5)] {
        let with = if backlog { "with a backlog" } else { "with short queues" };
        let length = sizes.report;
        let what = format!("claims {with}, report open for {} s / none", length.as_secs());
        let ratio = goal(&what, Least(least), move |r| {
            r.over(&names::report(backlog, true, length), &names::report(backlog, false, length))
        });
        let judged = if length < REPORT { Judged::Not("--report-seconds 600") } else { Judged::Median };
        goals.push(Goal { judged, ..ratio });
    }
    goals
}

/// A goal and what was reached.
#[derive(Debug)]
pub(crate) struct Reached {
    what: String,
    bound: Bound,
    judged: Judged,
    seen: Option<Spread>,
}

impl Goal {
    pub(crate) fn reached(self, rounds: &Rounds) -> Reached {
        let ratios = rounds.iter().filter_map(|round| (self.ratio)(&Round(round))).collect();
        Reached { what: self.what, bound: self.bound, judged: self.judged, seen: Spread::of(ratios) }
    }
}

impl Reached {
    fn holds(&self) -> Option<bool> {
        let seen = self.seen?;
        match (self.bound, self.judged) {
            (_, Judged::Not(_)) => None,
            (Bound::Least(least), Judged::Median) => Some(seen.median >= least),
            (Bound::Least(least), Judged::Worst) => Some(seen.least >= least),
            (Bound::Most(most), Judged::Median) => Some(seen.median <= most),
            (Bound::Most(most), Judged::Worst) => Some(seen.most <= most),
        }
    }

    /// What has to be given for it to be judged.
    fn needs(&self) -> Option<&'static str> {
        match self.judged {
            Judged::Not(needs) => Some(needs),
            Judged::Median | Judged::Worst => None,
        }
    }

    pub(crate) fn line(&self) -> String {
        let (sign, bound) = self.bound.parts();
        let seen = self.seen.map(|seen| format!("{:.2} [{:.2}..{:.2}]", seen.median, seen.least, seen.most));
        let verdict = match (self.holds(), self.needs()) {
            (Some(true), _) => "HOLDS".to_owned(),
            (Some(false), _) => "MISSED".to_owned(),
            (None, Some(needs)) => format!("not judged: give {needs}"),
            (None, None) => "not run".to_owned(),
        };
        format!("{:<76} {:>34}   {sign} {bound:<9} {verdict}", self.what, seen.unwrap_or_default())
    }

    pub(crate) fn json(&self) -> Value {
        let (sign, bound) = self.bound.parts();
        json!({
            "goal": self.what,
            "seen": self.seen.map(Spread::json),
            "sign": sign,
            "bound": bound,
            "holds": self.holds(),
            "not_judged_without": self.needs(),
        })
    }
}

impl Bound {
    fn parts(self) -> (&'static str, f64) {
        match self {
            Self::Least(bound) => (">=", bound),
            Self::Most(bound) => ("<=", bound),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::load::Window;

    fn sizes() -> Sizes {
        Sizes {
            rounds: 3,
            window: Window { warm_up: Duration::from_secs(1), measured: Duration::from_secs(3) },
            bulk: 100_000,
            spawned: 100,
            history: Vec::new(),
            report: Duration::from_mins(10),
            report_queues: Vec::new(),
            seed: 42,
        }
    }

    /// Whether a goal holds, found by what it begins with.
    fn holds(goal: &str, sizes: &Sizes, rounds: &Rounds) -> Option<bool> {
        goals(sizes).into_iter().find(|one| one.what.starts_with(goal)).expect("the goal").reached(rounds).holds()
    }

    fn ours() -> Figure {
        Figure::of_rate(names::claim(Postgres, 256), 50.0)
    }

    #[test]
    fn one_element_handed_out_twice_in_one_round_of_three_misses_the_goal() {
        let round = |doubled| vec![Figure { doubled: Some(doubled), ..ours() }];
        let goal = "elements handed out twice by us";
        assert_eq!(holds(goal, &sizes(), &vec![round(0), round(1), round(0)]), Some(false));
        assert_eq!(holds(goal, &sizes(), &vec![round(0), round(0), round(0)]), Some(true));
    }

    #[test]
    fn one_element_overlooked_in_one_round_of_three_misses_the_goal() {
        let round = |overlooked| vec![Figure { overlooked: Some(overlooked), ..ours() }];
        let goal = "answers of ours that nothing is there";
        assert_eq!(holds(goal, &sizes(), &vec![round(0), round(0), round(1)]), Some(false));
        assert_eq!(holds(goal, &sizes(), &vec![round(0), round(0), round(0)]), Some(true));
    }

    #[test]
    fn what_a_peer_hands_out_twice_is_no_goal_of_ours() {
        let peer = Figure { doubled: Some(7), ..Figure::of_rate(names::PGQUEUER.to_owned(), 1.0) };
        let ours = Figure { doubled: Some(0), ..ours() };
        assert_eq!(holds("elements handed out twice by us", &sizes(), &vec![vec![peer, ours]]), Some(true));
    }

    #[test]
    fn a_ratio_is_judged_by_the_round_in_the_middle() {
        let round = |claims| {
            vec![Figure::of_rate(names::claim(Postgres, 256), claims), Figure::of_rate(names::echo(256), 100.0)]
        };
        let goal = "claims, 256 clients, PostgreSQL / L1";
        assert_eq!(holds(goal, &sizes(), &vec![round(10.0), round(51.0), round(60.0)]), Some(true));
        assert_eq!(holds(goal, &sizes(), &vec![round(10.0), round(49.0), round(60.0)]), Some(false));
    }

    #[test]
    fn a_report_that_was_open_for_less_than_the_goal_says_is_not_judged() {
        let after = |seconds| {
            let length = Duration::from_secs(seconds);
            let figure = |open, rate| Figure::of_rate(names::report(true, open, length), rate);
            let rounds = vec![vec![figure(false, 100.0), figure(true, 90.0)]];
            let sizes = Sizes { report: length, ..sizes() };
            let goal = goals(&sizes).into_iter().find(|goal| goal.what.starts_with("claims with a backlog"));
            goal.expect("the goal").reached(&rounds)
        };
        assert_eq!(after(599).holds(), None);
        assert!(after(599).line().ends_with("not judged: give --report-seconds 600"), "{}", after(599).line());
        assert_eq!(after(600).holds(), Some(true));
    }

    #[test]
    fn an_earlier_run_with_a_shorter_report_is_not_taken_for_a_longer_one() {
        let figure = |open| Figure::of_rate(names::report(true, open, Duration::from_mins(1)), 1.0);
        let rounds = vec![vec![figure(false), figure(true)]];
        assert_eq!(holds("claims with a backlog", &sizes(), &rounds), None);
    }

    #[test]
    fn a_goal_without_its_figures_is_not_judged() {
        assert_eq!(holds("claims, 256 clients, PostgreSQL / L1", &sizes(), &vec![vec![ours()]]), None);
    }
}
