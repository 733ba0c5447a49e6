"""Writes cron.tsv, the oracle of the cron tests: what cronsim 2.6 accepts, and when it fires.

    python3 -m venv VENV && VENV/bin/pip install cronsim==2.6 tzdata && VENV/bin/python generate_cron.py

Run again only when the table of expressions changes; the seed is fixed, so the diff shows just that change.

Lines, tab-separated; times are minutes since 1970 in UTC, a firing is written as its distance from the one before:

    A <expression>                                     accepted
    R <expression>                                     refused when parsed
    N <expression>                                     parsed, but never fires
    F <zone> <start> <distances, blank-separated> <expression>

In the frame UTC cronsim gets naive times, as OpenOrchestrator gives them. Two of cronsim's own limits are left out: fixed
times asked for in the second pass of an overlap (it forgets the pass and answers with the past), and zones whose shift is
not a whole hour or happens at midnight (Lord_Howe, Havana).
"""

import random
from datetime import datetime, timedelta, timezone
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

SEED = 20261122
FIRINGS = 24
RANDOM_CASES = 4000
EPOCH = datetime(1970, 1, 1)
ZONES = {"UTC": None, "Europe/Copenhagen": ZoneInfo("Europe/Copenhagen"), "America/New_York": ZoneInfo("America/New_York")}

TABLE = """
* * * * *|*/5 * * * *|*/15 * * * *|5/15 * * * *|0-59/20 * * * *|7,37 * * * *|*/25 * * * *|59 * * * *|0 * * * *|0 */2 * * *
0 9/2 * * *|0 6 * * *|30 2 * * *|0 2 * * *|0 2-4 * * *|*/15 2 * * *|* 2 * * *|15,45 1-3 * * *|30 1 * * *|5 0 * * *
00 06 * * 1-5|0 8-16 * * 1-5|0 7 * * 1|0 7 * * 0|0 7 * * 7|0 7 * * 5-7|0 7 * * 0-6|0 7 * * 1,3,5|0 7 * * 1-5/2|0 7 * * MON-FRI
0 7 * * mon,Wed,fri|0 7 * * SUN-2|0 7 * * */2|0 7 * * 3/2|0 6 15 * 1|0 6 1-7 * 1|0 6 13 * FRI|0 6 */2 * 1|0 6 */100 * MON|0 6 1-7 * */7
0 6 1 * *|0 6 1,15 * *|0 6 31 * *|0 6 1-31/2 * *|0 6 1 */3 *|0 6 1 JAN,jul *|0 6 29 2 *|0 6 L * *|0 6 LW * *|0 6 1,L * *
0 6 L/3 * *|0 6 L,LW * *|0 6 * * 5L|0 6 * * 1#1|0 6 * * MON#2|0 6 * * 5#5|0 6 * * 1#1,3#2|0 6 15 * 5L|0 6 L * 7#2|0 6 LW 2 0L
16 21-21/1 * * *|0 0 * 2 MON#5|0 0 29 2 */2|0 12 LW 1-6 1-5|*,5 3 * * *|5,* 3 * * *|0 6 5,* * 1|0 6 * 11/1 *|0 6 * * 7L|45 23 31 12 *
""".replace("\n", "|").strip("|").split("|")

MALFORMED = """
60 * * * *|-1 * * * *|* 24 * * *|* * 0 * *|* * 32 * *|* * * 0 *|* * * 13 *|* * * * 8|0 6 30 2 *|0 6 31 4,6 *|0 6 30 2 MON|0 6 31 2 L
0 6 * * FRIL|0 6 * * L|0 6 * * L5|0 6 * * 8L|0 6 15W * *|0 6 W * *|0 22-2 * * *|0 6 * * FRI-MON|0 0 6 * * *|0 0 6 * * * 2026|0 6 ? * 1
@daily|@reboot|* * * *|*|1,,2 * * * *|,1 * * * *|1, * * * *|1- * * * *|-5 * * * *|1-2-3 * * * *|*/0 * * * *|*/ * * * *|/5 * * * *
*/5/2 * * * *|** * * * *|*-5 * * * *|1-* * * * *|*/-5 * * * *|+5 * * * *|1.5 * * * *|0x5 * * * *|0 6 * * 1#0|0 6 * * 1#6|0 6 * * #2
0 6 * * 1#|0 6 * * 1-2#2|0 6 * * 1#2/2|0 6 * * 5L/2|0 6 * MONDAY *|0 6 * JANUARY *|0 6 * * MONDAY|0 6 MON * *|0 6 * MON *|0 6 L-3 * *
0 6 1-L * *|0 6 LL * *|0 6 L/0 * *|0 6 WL * *|JAN * * * *|0 6 1#2 * *|0 L * * *|~ * * * *|H * * * *|0 6 * * 1..5|0 6 * * 1;2|0 6 * 2 1#
""".replace("\n", "|").strip("|").split("|")

ODD = """
*/99 * * * *|*/99999999999999999999999999 * * * *|007 06 * * *|5-5/2 * * * *|0 6 * * 0007|0 6 * * 5-7/2|0 6 L/99 * *|0 6 LW/2 * *
0 6 */100 * 1#2|0 6 */100 * 2L|0 6 1-31 * 1|0 6 * * 0,7|0 6 * * 07L|0 6 * * 1#05|0 6 30 4,2 *|0 6 31 1-2 *|0 6 30,L 2 *|0 6 * 2 1#5
0 6 */15 4 1#3|0 6 */30 2 1#2|0 6 */31 * 5L|0 6 LW * */7|0 6 L 2 */9|0 6 29-31 2 */3
""".replace("\n", "|").strip("|").split("|")


def verdict(expression):
    try:
        next(CronSim(expression, datetime(2026, 1, 1)))
    except CronSimError:
        return "R"
    except StopIteration:
        return "N"
    return "A"


def pick(rng, low, high):
    return rng.randint(low, high)


def element(rng, field):
    low, high = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)][field]
    names = [None, None, None, "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC", "SUN MON TUE WED THU FRI SAT"][field]
    kind = rng.random()
    if field == 2 and kind < 0.08:
        return rng.choice(["L", "LW", "L/2"])
    if field == 4 and kind < 0.10:
        return f"{pick(rng, 0, 7)}L"
    if field == 4 and kind < 0.22:
        day = rng.choice(names.split()) if rng.random() < 0.3 else pick(rng, 0, 7)
        return f"{day}#{pick(rng, 1, 5)}"
    if names and kind < 0.35:
        return rng.choice(names.split() + names.lower().split())
    if kind < 0.65:
        return str(pick(rng, low, high))
    if kind < 0.75:
        return f"{pick(rng, low, high)}/{pick(rng, 1, high)}"
    start = pick(rng, low, high)
    text = f"{start}-{pick(rng, start, high)}"
    return text if kind < 0.90 else f"{text}/{pick(rng, 1, max(2, high // 3))}"


def any_field(rng, field):
    stars = [0.15, 0.40, 0.50, 0.70, 0.55][field]
    kind = rng.random()
    if kind < stars:
        return "*"
    if kind < stars + 0.12:
        return f"*/{pick(rng, 1, [30, 12, 15, 6, 4][field])}"
    text = ",".join(element(rng, field) for _ in range(rng.choice([1, 1, 1, 1, 2, 3])))
    return f"*,{text}" if rng.random() < 0.02 else text


def around_transition(rng):
    """Expressions that fire in the hours when clocks change."""
    minute = rng.choice(["*/15", "*", "0", "30", "15,45", "0-59/20", "5/10", "59", str(pick(rng, 0, 59))])
    hour = rng.choice(["*", "1", "2", "3", "1-3", "2-4", "1,2", "0-3", "*/2", "1/1", "0", str(pick(rng, 0, 5))])
    day = rng.choice(["* * *", "* * *", "* * 0", "* * 7", "* 3,10,11 *", "25-31 * 0", "* * 0L", "* * 7#2", "1-8 * *"])
    return f"{minute} {hour} {day}"


def random_expression(rng):
    if rng.random() < 0.35:
        return around_transition(rng)
    return " ".join(any_field(rng, field) for field in range(5))


def mutated(rng, expression):
    """One character changed: mostly malformed, in ways nobody thinks of."""
    at = rng.randrange(len(expression))
    letter = rng.choice("0123456789*/,-#LW? FRISUNJA@")
    return rng.choice([expression[:at] + letter + expression[at:], expression[:at] + expression[at + 1 :],
                       expression[:at] + letter + expression[at + 1 :]])


def transitions(zone):
    """The instants, in UTC, at which the zone changes its offset from 2024 to 2030."""
    hour, end = datetime(2024, 1, 1, tzinfo=timezone.utc), datetime(2031, 1, 1, tzinfo=timezone.utc)
    while hour < end:
        following = hour + timedelta(hours=1)
        if hour.astimezone(zone).utcoffset() != following.astimezone(zone).utcoffset():
            yield following
        hour = following


def minutes(moment):
    if moment.tzinfo is not None:
        moment = moment.astimezone(timezone.utc).replace(tzinfo=None)
    return (moment - EPOCH) // timedelta(minutes=1)


def start_near(rng, changes):
    """Mostly near a change of the clock: the same night, the days around it, or the month; else any time."""
    if rng.random() < 0.25:
        return datetime(2024, 1, 1, tzinfo=timezone.utc) + timedelta(minutes=rng.randrange(6 * 365 * 24 * 60))
    span = rng.choice([3, 36, 30 * 24]) * 60
    return rng.choice(changes) + timedelta(minutes=pick(rng, -span, span))


def firings(name, start, expression):
    """The line for one case, or None when cronsim is out of its depth."""
    zone = ZONES[name]
    local = start.replace(tzinfo=None) if zone is None else start.astimezone(zone)
    fields = expression.split()
    fixed = not fields[0].startswith("*") and not fields[1].startswith("*")
    if zone is not None and fixed and local.fold:
        return None
    last, distances = minutes(start), []
    for moment in islice(CronSim(expression, local), FIRINGS):
        distances.append(minutes(moment) - last)
        last = minutes(moment)
    # Beyond, the zone tables of the two sides end at different years.
    if len(distances) < FIRINGS or last > minutes(datetime(2090, 1, 1)):
        return None
    return f"F\t{name}\t{minutes(start)}\t{' '.join(map(str, distances))}\t{expression}"


def main():
    rng = random.Random(SEED)
    changes = {name: list(transitions(zone or ZONES["Europe/Copenhagen"])) for name, zone in ZONES.items()}
    written = TABLE + MALFORMED + ODD
    verdicts = {expression: verdict(expression) for expression in written}
    lines = []
    for expression in TABLE:
        for name in ZONES:
            for _ in range(2):
                lines.append(firings(name, start_near(rng, changes[name]), expression))
    count = 0
    while count < RANDOM_CASES:
        expression = random_expression(rng)
        known = verdict(expression)
        broken = mutated(rng, expression)
        if rng.random() < 0.4 and len(broken.strip()) > 0:
            verdicts[broken] = verdict(broken)
        if known != "A":
            verdicts[expression] = known
            continue
        name = rng.choice(list(ZONES))
        line = firings(name, start_near(rng, changes[name]), expression)
        if line is not None:
            lines.append(line)
            count += 1
    text = [f"{known}\t{expression}" for expression, known in verdicts.items()] + [line for line in lines if line]
    Path(__file__).with_name("cron.tsv").write_text("\n".join(text) + "\n", encoding="utf-8", newline="\n")
    print(len(verdicts), "verdicts,", len(text) - len(verdicts), "cases")


if __name__ == "__main__":
    main()
