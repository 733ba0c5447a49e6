//! Rows of all rounds side by side.

use serde_json::{Value, json};

use super::figure::Figure;

/// Figures, a list a round.
pub(crate) type Rounds = Vec<Vec<Figure>>;

/// Median, least and most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_unstable_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median =
            if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) };
        Some(Self { median, least, most })
    }

    pub(crate) fn json(self) -> Value {
        json!({ "median": self.median, "least": self.least, "most": self.most })
    }
}

/// One row over all rounds.
#[derive(Debug)]
pub(crate) struct Row {
    what: String,
    rate: Option<Spread>,
    p50: Option<Spread>,
    average: Option<Spread>,
    p99: Option<Spread>,
    doubled: Option<u64>,
    overlooked: Option<u64>,
    shared: Option<Spread>,
}

/// Every row, in the order of the first round that has it.
pub(crate) fn rows(rounds: &Rounds) -> Vec<Row> {
    let mut names: Vec<&str> = Vec::new();
    for figure in rounds.iter().flatten() {
        if !names.contains(&figure.what.as_str()) {
            names.push(&figure.what);
        }
    }
    names.into_iter().map(|what| row(rounds, what)).collect()
}

fn row(rounds: &Rounds, what: &str) -> Row {
    let all: Vec<&Figure> = rounds.iter().flatten().filter(|figure| figure.what == what).collect();
    let spread = |of: fn(&Figure) -> Option<f64>| Spread::of(all.iter().filter_map(|figure| of(figure)).collect());
    let sum =
        |of: fn(&Figure) -> Option<u64>| all.iter().filter_map(|figure| of(figure)).reduce(|sum, more| sum + more);
    Row {
        what: what.to_owned(),
        rate: spread(|figure| figure.rate),
        p50: spread(|figure| figure.p50),
        average: spread(|figure| figure.average),
        p99: spread(|figure| figure.p99),
        shared: spread(|figure| figure.shared),
        doubled: sum(|figure| figure.doubled),
        overlooked: sum(|figure| figure.overlooked),
    }
}

impl Row {
    /// A line for people. `limit` is what one means in the column of ratios.
    pub(crate) fn line(&self, limit: Option<f64>) -> String {
        let rate = self
            .rate
            .map(|rate| format!("{} [{}..{}]", thousands(rate.median), thousands(rate.least), thousands(rate.most)));
        let ratio = self.rate.zip(limit).map(|(rate, limit)| format!("{:.3}", rate.median / limit));
        let time = |spread: Option<Spread>| {
            spread.map(|time| format!("{:.2} [{:.2}..{:.2}]", time.median, time.least, time.most))
        };
        format!(
            "{:<66} {:>27} {:>7} {:>22} {:>22} {:>7} {:>10} {:>8}",
            self.what,
            rate.unwrap_or_default(),
            ratio.unwrap_or_default(),
            time(self.p50).or_else(|| time(self.average).map(|time| format!("~{time}"))).unwrap_or_default(),
            time(self.p99).unwrap_or_default(),
            self.doubled.map(|doubled| doubled.to_string()).unwrap_or_default(),
            self.overlooked.map(|overlooked| overlooked.to_string()).unwrap_or_default(),
            self.shared.map(|shared| format!("{:.1}", shared.median)).unwrap_or_default(),
        )
    }

    pub(crate) fn is(&self, what: &str) -> bool {
        self.what == what
    }

    pub(crate) fn median_rate(&self) -> Option<f64> {
        self.rate.map(|rate| rate.median)
    }
}

/// What the columns are. An average is marked, and stands where a row has no p50.
pub(crate) fn heading() -> String {
    format!(
        "{:<66} {:>27} {:>7} {:>22} {:>22} {:>7} {:>10} {:>8}",
        "", "a second", "/ L1", "p50 (~avg) ms", "p99 ms", "doubled", "overlooked", "calls/tx"
    )
}

fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_average_is_not_shown_as_a_p50() {
        let figure = |p50, average| Figure { p50, average, ..Figure::of_rate("claims".to_owned(), 1.0) };
        let line = |figure| rows(&vec![vec![figure]]).iter().map(|row| row.line(None)).collect::<String>();
        assert!(line(figure(None, Some(0.31))).contains("~0.31 [0.31..0.31]"));
        let line = line(figure(Some(0.31), None));
        assert!(line.contains(" 0.31 [0.31..0.31]") && !line.contains('~'), "{line}");
    }

    #[test]
    fn what_was_doubled_and_overlooked_is_of_all_rounds_together() {
        let round = |count| {
            vec![Figure {
                doubled: Some(count),
                overlooked: Some(2 * count),
                ..Figure::of_rate("claims".to_owned(), 1.0)
            }]
        };
        let rows = rows(&vec![round(0), round(3), round(4)]);
        assert_eq!((rows[0].doubled, rows[0].overlooked), (Some(7), Some(14)));
    }

    #[test]
    fn a_figure_is_read_as_it_was_written() {
        let figure = Figure { average: Some(0.5), overlooked: Some(1), ..Figure::of_rate("claims".to_owned(), 1.0) };
        let read = Figure::read(&figure.json()).expect("a figure");
        assert_eq!(read.json(), figure.json());
        assert_eq!(read.json()["average_ms"], 0.5);
    }
}
