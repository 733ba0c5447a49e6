"""The sample robot "morning-report": would write a report on every working day at six."""

import datetime

print(f"Report of {datetime.date.today():%A, %d %B %Y}: all is well.")
