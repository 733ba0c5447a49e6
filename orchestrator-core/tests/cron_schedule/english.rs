//! The sentence beside a schedule.

use rstest::rstest;

use crate::world::cron;

#[rstest]
#[case("* * * * *", "every minute")]
#[case("*/15 * * * *", "every 15 minutes")]
#[case("0-59/20 * * * *", "every 20 minutes")]
#[case("0 * * * *", "every hour")]
#[case("5 * * * *", "at minute 5 past every hour")]
#[case("5/15 * * * *", "at minutes 5, 20, 35 and 50 past every hour")]
#[case("*/25 * * * *", "at minutes 0, 25 and 50 past every hour")]
#[case("0-10 * * * *", "at minutes 0 to 10 past every hour")]
#[case("0 6 * * *", "at 06:00 every day")]
#[case("0,30 6,18 * * *", "at 06:00, 06:30, 18:00 and 18:30 every day")]
#[case("00 06 * * 1-5", "at 06:00 on Monday to Friday")]
#[case("0 7 * * 0,6", "at 07:00 on Saturday and Sunday")]
#[case("0 7 * * 5-7", "at 07:00 on Friday to Sunday")]
#[case("0 7 * * mon,WED", "at 07:00 on Monday and Wednesday")]
#[case("0 7 * * 0-7", "at 07:00 every day")]
#[case("0 8-16 * * 1-5", "every hour from 08:00 to 16:00 on Monday to Friday")]
#[case("0 9/2 * * *", "every 2 hours from 09:00 to 23:00 every day")]
#[case("*/15 8-16 * * *", "every 15 minutes from 08:00 to 16:45 every day")]
#[case("* 2 * * *", "every minute from 02:00 to 02:59 every day")]
#[case("*/5 2 * * *", "every 5 minutes from 02:00 to 02:55 every day")]
#[case("* 2-3 * * *", "every minute from 02:00 to 03:59 every day")]
#[case("5,10 1-3,7 * * *", "at minutes 5 and 10 past hours 1, 2, 3 and 7 every day")]
#[case("0 6 1 * *", "at 06:00 on day 1 of the month")]
#[case("0 6 1,15 * *", "at 06:00 on days 1 and 15 of the month")]
#[case("0 6 L * *", "at 06:00 on the last day of the month")]
#[case("0 6 1,LW * *", "at 06:00 on day 1 of the month and the last working day of the month")]
#[case("0 6 * * 5L", "at 06:00 on the last Friday of the month")]
#[case("0 6 * * 1#1,3#2", "at 06:00 on the first Monday of the month and the second Wednesday of the month")]
#[case("0 6 15 * 1", "at 06:00 on day 15 of the month or on Monday")]
#[case(
    "0 6 1,L * 1,5L",
    "at 06:00 on day 1 of the month and the last day of the month or on Monday and the last Friday of the month"
)]
#[case("0 6 1-31 * 1", "at 06:00 every day")]
#[case("0 6 */15 * 1", "at 06:00 on days 1, 16 and 31 of the month if it is also Monday")]
#[case("0 6 */31 * MON,5L", "at 06:00 on day 1 of the month if it is also Monday or the last Friday of the month")]
#[case("0 6 1 */3 *", "at 06:00 on day 1 of the month in January, April, July and October")]
#[case("0 6 * 6-8 *", "at 06:00 every day in June to August")]
#[case("*/5 * * 12 *", "every 5 minutes in December")]
#[case("*/5 * * * 1", "every 5 minutes on Monday")]
fn reads(#[case] expr: &str, #[case] sentence: &str) {
    assert_eq!(cron(expr).describe(), sentence);
}
