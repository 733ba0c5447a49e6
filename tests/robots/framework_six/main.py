"""The entry point of a robot with a framework: it goes to its own folder and hands its arguments on."""

import os
import subprocess
import sys

os.chdir(os.path.dirname(os.path.abspath(__file__)))
sys.exit(subprocess.run([sys.executable, "-m", "robot_framework", *sys.argv[1:]], check=False).returncode)
