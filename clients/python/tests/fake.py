"""A small orchestrator in memory: a worker's robot endpoint, or a server, with faults to order."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import unittest
import uuid
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from OpenOrchestrator import _session
from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection

TOKEN = "orc_job_secret"
USER_TOKEN = "orc_user_secret"


class Refusal(Exception):
    """An answer that refuses."""

    def __init__(self, http, code, reason, message, metadata=None, headers=()):
        super().__init__(message)
        self.http, self.code, self.reason, self.metadata, self.headers = http, code, reason, metadata or {}, headers


def missing(what, key):
    reason = what.upper().replace(" ", "_") + "_NOT_FOUND"
    return Refusal(404, "not_found", reason, f"{what} '{key}' does not exist", {"what": what, "key": key})


def now():
    return datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        # Robots that go away in the middle of a call are what some tests are about.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Fake:
    """The state, and what was called."""

    def __init__(self, tokens=(TOKEN,)):
        self.tokens = set(tokens)
        self.constants, self.credentials, self.elements, self.logs = {}, {}, {}, []
        self.claims, self.paused, self.pausing = {}, 0, False
        #: Of the job; empty for one that no trigger fired.
        self.trigger_type = ""
        self.calls, self.connections, self.bodies, self.headers = [], 0, [], []
        #: What the next calls meet, first in first out; each is a function of the handler, or None.
        self.faults = []
        #: Answers of other services, by `Service/Method`.
        self.answers = {}
        self.limits = {"reference": 100, "data": 2000, "created_by": 100, "value": 1000}
        self.lock = threading.Lock()
        self.server = _Server(("127.0.0.1", 0), self._handler())
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def _handler(fake):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def setup(self):
                super().setup()
                self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                fake.connections += 1

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                fault = fake.faults.pop(0) if fake.faults else None
                if fault and fault(self, body):
                    return
                try:
                    answer, http, headers = fake.answer(self, body), 200, ()
                except Refusal as refusal:
                    details = [{"reason": refusal.reason, "domain": "orchestrator", "metadata": refusal.metadata}]
                    answer = {"code": refusal.code, "message": str(refusal), "details": details}
                    http, headers = refusal.http, refusal.headers
                if getattr(self, "drop_answer", False):
                    self.drop()
                    return
                self.reply(http, json.dumps(answer).encode(), headers)

            def reply(self, http, body, headers=(), kind="application/json"):
                self.send_response(http)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                for name, value in headers:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def drop(self):
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

        return Handler

    # -- what a server does ------------------------------------------------------------------------------------------

    def answer(self, handler, body):
        if handler.headers.get("Content-Type") != "application/json":
            raise Refusal(415, "invalid_argument", "UNSUPPORTED_CONTENT_TYPE", "send application/json")
        token = handler.headers.get("Authorization", "")[len("Bearer ") :]
        if token not in self.tokens:
            raise Refusal(401, "unauthenticated", "JOB_TOKEN_UNKNOWN", "this worker holds no job with this token")
        path = handler.path[len("/rpc/orchestrator.v1.") :]
        message = json.loads(body)
        with self.lock:
            self.calls.append((path, message))
            self.bodies.append(body)
            self.headers.append(dict(handler.headers))
            if path in self.answers:
                answer = self.answers[path]
                return answer(message) if callable(answer) else answer
            service, _, method = path.partition("/")
            if service != "RobotService":
                raise Refusal(404, "unimplemented", "METHOD_UNKNOWN", f"there is no method {path}")
            return getattr(self, method)(message)

    def _check(self, **texts):
        for field, text in texts.items():
            limit = self.limits[field]
            if text is not None and len(text) > limit:
                words = f"{field} is {len(text)} characters long; the limit is {limit}"
                metadata = {"field": field, "limit": str(limit), "length": str(len(text))}
                raise Refusal(400, "invalid_argument", "INVALID_FIELD", words, metadata)

    def GetContext(self, message):
        return {
            "jobId": str(uuid.UUID(int=7)), "triggerId": str(uuid.UUID(int=8)), "triggerName": "night",
            "triggerType": self.trigger_type,
            "processName": message.get("processName") or "process", "processArgs": "", "workerName": "w",
        }

    def Log(self, message):
        known = {line["id"] for line in self.logs}
        self.logs += [line for line in message["logs"] if line["id"] not in known]
        return {}

    def GetConstant(self, message):
        if message["name"] not in self.constants:
            raise missing("constant", message["name"])
        value = self.constants[message["name"]]
        return {"constant": {"name": message["name"], "value": value, "changedAt": now(), "changedBy": ""}}

    def UpdateConstant(self, message):
        self.GetConstant(message)
        self._check(value=message["value"])
        self.constants[message["name"]] = message["value"]
        return self.GetConstant(message)

    def GetCredential(self, message):
        if message["name"] not in self.credentials:
            raise missing("credential", message["name"])
        username, password = self.credentials[message["name"]]
        return {"name": message["name"], "username": username, "password": password, "changedAt": now()}

    def UpdateCredential(self, message):
        self.GetCredential(message)
        self.credentials[message["name"]] = (message["username"], message["password"])
        return {}

    def _create(self, queue, new, repeat):
        self._check(reference=new.get("reference"), data=new.get("data"), created_by=new.get("createdBy"))
        if new["id"] in self.elements:
            if repeat:
                return self.elements[new["id"]]
            raise Refusal(409, "already_exists", "CONFLICT", "an element with one of these ids exists")
        self.elements[new["id"]] = {
            "id": new["id"], "queueName": queue, "status": "NEW", "createdDate": now(), "startDate": None,
            "endDate": None, "jobId": "", "leaseToken": "0", "leaseExpiresAt": None, "attempt": 0,
            **{key: new.get(key) for key in ("data", "reference", "createdBy", "message")},
        }
        return self.elements[new["id"]]

    def CreateQueueElement(self, message):
        return {"element": self._create(message["queueName"], message["element"], message.get("repeat"))}

    def BulkCreateQueueElements(self, message):
        for new in message["elements"]:
            self._check(reference=new.get("reference"), data=new.get("data"), created_by=new.get("createdBy"))
        for new in message["elements"]:
            self._create(message["queueName"], new, message.get("repeat"))
        return {"createdCount": str(len(message["elements"]))}

    def ClaimQueueElement(self, message):
        call = message.get("call", {})
        if call.get("repeat") and call["requestId"] in self.claims:
            return {"element": self.elements[self.claims[call["requestId"]]]}
        for element in self.elements.values():
            fits = element["queueName"] == message["queueName"] and element["status"] == "NEW"
            if fits and message.get("reference") in (None, element["reference"]):
                if not message.get("peek"):
                    element.update(status="IN_PROGRESS", startDate=now())
                    self.claims[call["requestId"]] = element["id"]
                return {"element": element}
        return {}

    def ListQueueElements(self, message):
        page = message.get("page", {})
        found = [
            element for element in self.elements.values()
            if element["queueName"] == message["queueName"]
            and message.get("reference") in (None, element["reference"])
            and element["status"] in (message.get("statuses") or [element["status"]])
            and message.get("createdFrom", "") <= element["createdDate"] <= message.get("createdTo", "9")
        ]
        start, limit = int(page.get("cursor") or 0), page.get("limit") or 100
        rest = start + limit < len(found)
        return {"elements": found[start : start + limit], "nextCursor": str(start + limit) if rest else ""}

    def _element(self, id_):
        if id_ not in self.elements:
            raise missing("queue element", id_)
        return self.elements[id_]

    def SetQueueElementStatus(self, message):
        element = self._element(message["element"])
        if element.get("held"):
            words = f"queue element '{element['id']}' is held by job 9"
            raise Refusal(400, "failed_precondition", "ELEMENT_HELD", words, {"job": "9"})
        element["status"] = message["status"]
        if "message" in message:
            element["message"] = message["message"]
        return {"element": element}

    def DeleteQueueElement(self, message):
        self._element(message["element"])
        del self.elements[message["element"]]
        return {}

    def IsPausing(self, _):
        return {"pausing": self.pausing}

    def Pause(self, _):
        self.paused += 1
        self.pausing = True
        return {}


def lose_answer(handler, _body):
    """The call is carried out, and its answer lost."""
    handler.drop_answer = True


def lose_call(handler, _body):
    """The call is not carried out, and the connection breaks."""
    handler.drop()
    return True


def refuse(refusal):
    """The call is refused."""

    def fault(handler, _body):
        details = [{"reason": refusal.reason, "domain": "orchestrator", "metadata": refusal.metadata}]
        answer = {"code": refusal.code, "message": str(refusal), "details": details}
        handler.reply(refusal.http, json.dumps(answer).encode(), refusal.headers)
        return True

    return fault


class RobotTest(unittest.TestCase):
    """A robot, and the worker that started it."""

    def setUp(self):
        self.fake = Fake()
        self.addCleanup(self.fake.close)
        self.environment(ORCHESTRATOR_JOB_TOKEN=TOKEN, ORCHESTRATOR_JOB_ID="j")
        self.environment(ORCHESTRATOR_ENDPOINT=None, ORCHESTRATOR_DEVELOPMENT_JOB=None)
        self.addCleanup(_session.use, None)
        self.addCleanup(setattr, _session, "key", None)
        arguments = ("process", self.fake.url, "not-a-key", "arguments", "t", "j")
        self.addCleanup(setattr, sys, "argv", sys.argv)
        sys.argv = ["robot.py", *arguments]
        self.robot = OrchestratorConnection(*arguments)

    def environment(self, **variables):
        """Sets variables for this test; ``None`` removes one."""
        for name, value in variables.items():
            before = os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
            self.addCleanup(self._restore, name, before)

    @staticmethod
    def _restore(name, before):
        os.environ.pop(name, None)
        if before is not None:
            os.environ[name] = before

    def called(self, method):
        """The messages with which a method was called."""
        return [message for path, message in self.fake.calls if path.partition("/")[2] == method]

    def without_pauses(self):
        """Makes the pauses between tries pass at once; what was waited for is returned as it grows."""
        waited = []
        before = _session.time
        self.addCleanup(setattr, _session, "time", before)
        _session.time = _Clock(before, waited)
        return waited


class _Clock:
    """The real clock, on which pauses have passed."""

    def __init__(self, real, waited):
        self._real, self._waited = real, waited

    def monotonic(self):
        return self._real.monotonic() + sum(self._waited)

    def perf_counter_ns(self):
        return self._real.perf_counter_ns()

    def sleep(self, seconds):
        self._waited.append(seconds)
