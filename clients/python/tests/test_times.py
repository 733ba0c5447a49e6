"""Local times where clocks change twice a year."""

import os
import time
import unittest
from datetime import date, datetime, timedelta, timezone

from OpenOrchestrator._values import instant_from_wire, instant_to_wire
from OpenOrchestrator.errors import DataError


@unittest.skipUnless(hasattr(time, "tzset"), "the zone of a running program cannot be changed on this system")
class Copenhagen(unittest.TestCase):
    def setUp(self):
        before = os.environ.get("TZ")
        self.addCleanup(self.use, before)
        self.use("Europe/Copenhagen")

    @staticmethod
    def use(zone):
        os.environ.pop("TZ", None)
        if zone is not None:
            os.environ["TZ"] = zone
        time.tzset()

    def test_a_time_that_spring_leaves_out_is_the_first_after_it(self):
        for minute in (0, 1, 30, 59):
            self.assertEqual(instant_to_wire("t", datetime(2027, 3, 28, 2, minute)), "2027-03-28T01:00:00.000000Z")
        self.assertEqual(instant_to_wire("t", datetime(2027, 3, 28, 1, 59)), "2027-03-28T00:59:00.000000Z")
        self.assertEqual(instant_to_wire("t", datetime(2027, 3, 28, 3, 0)), "2027-03-28T01:00:00.000000Z")

    def test_every_instant_comes_back_as_it_went(self):
        for day in ((2027, 3, 28), (2027, 10, 31), (2027, 7, 1), (1965, 5, 5)):
            start = datetime(*day, tzinfo=timezone.utc) - timedelta(hours=2)
            for minutes in range(0, 6 * 60, 7):
                wire = (start + timedelta(minutes=minutes, microseconds=250001)).replace(tzinfo=None).isoformat() + "Z"
                local = instant_from_wire(wire)
                self.assertIsNone(local.tzinfo)
                self.assertEqual(instant_to_wire("t", local), wire)

    def test_the_hour_that_autumn_shows_twice_has_two_passes(self):
        first, second = (instant_from_wire(f"2027-10-31T0{hour}:30:00Z") for hour in (0, 1))
        self.assertEqual((first, second), (datetime(2027, 10, 31, 2, 30), datetime(2027, 10, 31, 2, 30)))
        self.assertEqual((first.fold, second.fold), (0, 1))

    def test_days_texts_and_zones_are_taken(self):
        for given, expected in (
            (date(2027, 7, 1), "2027-06-30T22:00:00.000000Z"),
            ("2027-07-01", "2027-06-30T22:00:00.000000Z"),
            ("2027-07-01 12:30:00", "2027-07-01T10:30:00.000000Z"),
            (datetime(2027, 7, 1, 12, tzinfo=timezone.utc), "2027-07-01T12:00:00.000000Z"),
            (datetime.min, "0001-01-01T00:00:00.000000Z"),
        ):
            self.assertEqual(instant_to_wire("t", given), expected)
        for given in ("tomorrow", 5):
            with self.assertRaisesRegex(DataError, "from_date"):
                instant_to_wire("from_date", given)
