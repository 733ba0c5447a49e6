"""Runs the queue framework, and tells at the end what was imported."""

import importlib.metadata
import json
import os

import OpenOrchestrator

from robot_framework import queue_framework


def installed():
    try:
        return importlib.metadata.version("OpenOrchestrator")
    except importlib.metadata.PackageNotFoundError:
        return None


queue_framework.main()
print(json.dumps({"installed": installed(), "imported": OpenOrchestrator.__file__, "cwd": os.getcwd()}))
