"""The sample robot of the queue trigger "invoices": is started when 25 elements wait in the queue "demo"."""

import sys

print(f"{sys.argv[1]} was started because enough elements wait.")
