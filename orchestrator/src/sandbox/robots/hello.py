"""The sample robot "hello": says who it is and what it was given."""

import sys
import time

# A robot is called as OpenOrchestrator calls it: process name, endpoint, placeholder, arguments, trigger, job.
names = ["process name", "endpoint", "placeholder", "arguments", "trigger id", "job id"]
given = dict(zip(names, sys.argv[1:]))

print("Hello! I am a robot.")
for name, value in given.items():
    print(f"  {name}: {value or '(none)'}")
for step in range(1, 4):
    print(f"step {step} of 3")
    time.sleep(0.1)
print("Done.")
