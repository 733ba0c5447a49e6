"""Robots on an orchestrator server, through the interface of the OpenOrchestrator package.

``from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection`` is where robots begin. Nothing is
imported here, so that a robot pays only for what it uses.
"""

__version__ = "0.1.0"
