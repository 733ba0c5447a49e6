"""What happens on the way: lost answers, servers that are away, connections that are kept."""

import copy
import json
import multiprocessing
import os
import signal
import socket
import sys
import threading
import unittest

from OpenOrchestrator._http import Address
from OpenOrchestrator.errors import (
    JobEndedError,
    NotAllowedError,
    NotConfiguredError,
    ServerError,
    TooLargeError,
    UnavailableError,
)
from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection, QueueStatus

from tests.fake import USER_TOKEN, Fake, Refusal, RobotTest, lose_answer, lose_call, refuse

AWAY = Refusal(503, "unavailable", "SERVER_AWAY", "the server is away", headers=(("Retry-After", "1"),))


class LostAnswers(RobotTest):
    def setUp(self):
        super().setUp()
        self.without_pauses()

    def test_a_line_whose_answer_was_lost_is_written_once(self):
        for fault in (lose_answer, lose_call):
            self.fake.faults += [fault, fault]
            self.robot.log_info("once")
        self.assertEqual([line["logMessage"] for line in self.fake.logs], ["once", "once"])

    def test_an_element_whose_answer_was_lost_is_created_once(self):
        self.fake.faults.append(lose_answer)
        element = self.robot.create_queue_element("q", "a")
        self.fake.faults.append(lose_answer)
        self.robot.bulk_create_queue_elements("q", ["b", "c"], [None, None])
        self.assertEqual([each["reference"] for each in self.fake.elements.values()], ["a", "b", "c"])
        self.assertEqual([call.get("repeat") for call in self.called("CreateQueueElement")], [None, True])
        self.assertIn(str(element.id), self.fake.elements)

    def test_a_claim_whose_answer_was_lost_gives_the_same_element(self):
        self.robot.bulk_create_queue_elements("q", ["a", "b"], [None, None])
        self.fake.faults.append(lose_answer)
        self.assertEqual(self.robot.get_next_queue_element("q").reference, "a")
        calls = [call["call"] for call in self.called("ClaimQueueElement")]
        self.assertEqual(calls[0]["requestId"], calls[1]["requestId"])
        self.assertEqual([call.get("repeat") for call in calls], [None, True])
        self.assertEqual(self.robot.get_next_queue_element("q").reference, "b")

    def test_a_status_and_a_deletion_whose_answers_were_lost_are_no_errors(self):
        element = self.robot.create_queue_element("q")
        self.fake.faults.append(lose_answer)
        self.robot.set_queue_element_status(element.id, QueueStatus.DONE)
        self.fake.faults.append(lose_answer)
        self.robot.delete_queue_element(element.id)
        self.assertEqual(self.fake.elements, {})


class Away(RobotTest):
    def test_a_server_that_comes_back_is_waited_for(self):
        waited = self.without_pauses()
        self.fake.faults += [refuse(AWAY)] * 3
        self.robot.log_info("at last")
        self.assertEqual(len(self.fake.logs), 1)
        self.assertEqual(len(waited), 3)
        self.assertGreaterEqual(sum(waited), 3, "it waited as long as it was told")

    def test_a_server_that_is_gone_for_good_is_an_error_after_a_minute(self):
        waited = self.without_pauses()
        self.fake.faults += [refuse(AWAY)] * 200
        with self.assertRaisesRegex(UnavailableError, "the server is away") as caught:
            self.robot.get_next_queue_element("q")
        self.assertEqual(caught.exception.reason, "SERVER_AWAY")
        self.assertTrue(55 < sum(waited) <= 60, sum(waited))

    def test_a_worker_that_is_gone_is_an_error_that_says_so(self):
        waited = self.without_pauses()
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        robot = OrchestratorConnection("p", url, "not-a-key", "")
        with self.assertRaisesRegex(UnavailableError, f"the worker at {url} does not answer .*refused.*Is it running"):
            robot.log_info("nobody hears")
        self.assertTrue(55 < sum(waited) <= 60, sum(waited))

    def test_a_busy_server_is_tried_again_and_a_full_one_is_not(self):
        waited = self.without_pauses()
        self.fake.faults.append(refuse(Refusal(429, "resource_exhausted", "OVERLOADED", "too much waits")))
        self.robot.log_info("later")
        self.assertEqual((len(self.fake.logs), len(waited)), (1, 1))
        self.fake.faults.append(refuse(Refusal(429, "resource_exhausted", "DATABASE_FULL", "the disk is full")))
        with self.assertRaisesRegex(ServerError, "the disk is full"):
            self.robot.log_info("never")
        self.assertEqual(len(waited), 1)


class Refusals(RobotTest):
    def test_an_ended_job_is_told_to_end(self):
        self.fake.tokens.clear()
        with self.assertRaisesRegex(JobEndedError, "has ended"):
            self.robot.log_info("too late")
        self.fake.tokens.add("orc_job_secret")
        self.fake.faults.append(refuse(Refusal(400, "failed_precondition", "JOB_ENDED", "job 7 does not run any more")))
        with self.assertRaisesRegex(JobEndedError, "job 7 does not run any more .*so end"):
            self.robot.get_next_queue_element("q")

    def test_each_other_refusal_keeps_its_words_and_its_code(self):
        for http, code, kind in (
            (403, "permission_denied", NotAllowedError),
            (413, "resource_exhausted", TooLargeError),
            (500, "internal", ServerError),
            (418, "unheard_of", ServerError),
        ):
            self.fake.faults.append(refuse(Refusal(http, code, "SOME_CODE", "some words", {"limit": "7"})))
            with self.assertRaisesRegex(kind, "some words") as caught:
                self.robot.is_trigger_pausing()
            self.assertEqual((caught.exception.reason, caught.exception.metadata), ("SOME_CODE", {"limit": "7"}))

    def test_a_program_that_is_no_orchestrator_is_named(self):
        def page(http):
            def fault(handler, _body):
                handler.reply(http, b"<html>nothing here</html>", kind="text/html")
                return True

            return fault

        for http in (200, 404):
            self.fake.faults.append(page(http))
            with self.assertRaisesRegex(ServerError, "another program at this address"):
                self.robot.is_trigger_pausing()

    def test_a_large_body_is_refused_although_nobody_reads_it(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def serve():
            connection, _ = listener.accept()
            connection.recv(1000)
            body = b'{"code":"resource_exhausted","message":"50000000 bytes; the limit is 4194304","details":[]}'
            connection.sendall(b"HTTP/1.1 413 X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(body), body))
            # Read on for a while: a close at once would throw away the answer.
            connection.settimeout(5)
            try:
                while connection.recv(1 << 20):
                    pass
            except OSError:
                pass
            connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        robot = OrchestratorConnection("p", f"http://127.0.0.1:{listener.getsockname()[1]}", "not-a-key", "")
        with self.assertRaisesRegex(TooLargeError, "the limit is 4194304"):
            robot.create_queue_element("q", data="x" * 50_000_000)


class Connections(RobotTest):
    def test_one_connection_is_kept_for_each_thread(self):
        for _ in range(20):
            self.robot.log_info("here")
        self.assertEqual(self.fake.connections, 1)
        threads = [threading.Thread(target=self._write, args=(50,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((len(self.fake.logs), self.fake.connections), (220, 5))
        ids = [line["id"] for line in self.fake.logs]
        self.assertEqual(len(set(ids)), 220)

    def _write(self, count):
        for _ in range(count):
            self.robot.log_info("there")

    def test_a_connection_that_was_closed_while_idle_is_opened_again_at_once(self):
        waited = self.without_pauses()

        def close_afterwards(handler, _body):
            handler.close_connection = True

        self.robot.log_info("one")
        self.fake.faults.append(close_afterwards)
        self.robot.log_info("two")
        self.robot.log_info("three")
        self.assertEqual([line["logMessage"] for line in self.fake.logs], ["one", "two", "three"])
        self.assertEqual(sum(waited), 0)

    @unittest.skipUnless(hasattr(os, "fork"), "only where processes fork")
    def test_a_forked_child_opens_its_own(self):
        self.robot.log_info("parent")
        context = multiprocessing.get_context("fork")
        child = context.Process(target=self.robot.log_info, args=("child",))
        child.start()
        child.join()
        self.robot.log_info("parent again")
        self.assertEqual(child.exitcode, 0)
        self.assertEqual([line["logMessage"] for line in self.fake.logs], ["parent", "child", "parent again"])
        self.assertEqual(self.fake.connections, 2)

    @unittest.skipUnless(hasattr(signal, "SIGUSR1"), "this system has no signals that a program may send itself")
    def test_what_a_handler_of_signals_raises_ends_the_call(self):
        self.fake.constants["a"] = "1"
        ended = threading.Event()

        def watchdog(*_):
            raise TimeoutError("the robot takes too long")

        def interrupt(handler, _body):
            os.kill(os.getpid(), signal.SIGUSR1)
            ended.wait(30)
            handler.drop()
            return True

        before = signal.signal(signal.SIGUSR1, watchdog)
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        self.addCleanup(ended.set)
        self.fake.faults.append(interrupt)
        with self.assertRaisesRegex(TimeoutError, "the robot takes too long"):
            self.robot.get_constant("a")
        ended.set()
        self.assertEqual(self.fake.calls, [], "it is not tried again")
        self.assertEqual(self.robot.get_constant("a").value, "1")

    def test_an_interrupted_call_leaves_no_answer_to_the_next(self):
        self.fake.constants.update(a="1", b="2")

        session = self.robot._session
        self.robot.get_constant("a")
        connection = session._threads.connection
        original = connection._read_head

        def interrupted():
            connection._read_head = original
            raise KeyboardInterrupt

        connection._read_head = interrupted
        with self.assertRaises(KeyboardInterrupt):
            self.robot.get_constant("a")
        self.assertEqual(self.robot.get_constant("b").value, "2")

    def test_chunks_and_hints_are_understood(self):
        def chunked(handler, _body):
            handler.wfile.write(
                b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                b'5;x=y\r\n{"pau\r\na\r\nsing":true\r\n1\r\n}\r\n0\r\nTrailer: x\r\n\r\n'
            )
            return True

        self.fake.faults.append(chunked)
        self.assertIs(self.robot.is_trigger_pausing(), True)
        self.assertIs(self.robot.is_trigger_pausing(), False)
        self.assertEqual(self.fake.connections, 1)

    def test_what_is_no_http_is_an_error(self):
        for words in (b"SSH-2.0-OpenSSH\r\n", b"x" * 70000, b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n"):

            def fault(handler, _body, words=words):
                handler.wfile.write(words)
                handler.close_connection = True
                return True

            self.fake.faults.append(fault)
            with self.assertRaisesRegex(ServerError, "no HTTP"):
                self.robot.is_trigger_pausing()


class Callers(RobotTest):
    def test_a_robot_shows_the_token_of_its_job_and_the_placeholder_is_none(self):
        self.robot.log_info("x")
        self.assertEqual(self.fake.headers[0]["Authorization"], "Bearer orc_job_secret")

    def test_a_robot_with_an_old_connection_string_of_its_own_reaches_its_worker(self):
        self.environment(ORCHESTRATOR_ENDPOINT=self.fake.url)
        OrchestratorConnection("p", "mssql+pyodbc://user:pw@host/db", "old key", "").log_info("x")
        self.assertEqual(len(self.fake.logs), 1)

    def test_a_developer_works_with_a_user_token_in_a_development_job(self):
        self.environment(ORCHESTRATOR_JOB_TOKEN=None)
        self.fake.tokens.add(USER_TOKEN)
        robot = OrchestratorConnection("name", self.fake.url + "/", USER_TOKEN, "args")
        robot.log_info("one")
        robot.log_info("two")
        methods = [path.partition("/")[2] for path, _ in self.fake.calls]
        self.assertEqual(methods, ["GetContext", "Log", "Log"])
        self.assertEqual(self.called("GetContext"), [{"processName": "name", "processArgs": "args"}])
        self.assertEqual(self.fake.headers[0]["Authorization"], f"Bearer {USER_TOKEN}")

    def test_a_development_job_may_be_given_by_the_environment_and_has_a_name(self):
        self.environment(ORCHESTRATOR_JOB_TOKEN=USER_TOKEN, ORCHESTRATOR_ENDPOINT=self.fake.url)
        self.fake.tokens = {USER_TOKEN}
        before = sys.argv
        self.addCleanup(setattr, sys, "argv", before)
        sys.argv = ["/somewhere/my robot.py"]
        robot = OrchestratorConnection("", "mssql://old", "old key", "")
        threads = [threading.Thread(target=robot.log_info, args=("x",)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(self.fake.logs), 4)
        self.assertEqual(self.called("GetContext"), [{"processName": "my robot.py", "processArgs": ""}], "it is begun once")

    def test_all_connections_of_a_program_are_one_development_job(self):
        self.environment(ORCHESTRATOR_JOB_TOKEN=None)
        self.fake.tokens.add(USER_TOKEN)
        for name in ("one", "another"):
            OrchestratorConnection(name, self.fake.url, USER_TOKEN, "").log_info(name)
        robot = OrchestratorConnection("name", self.fake.url, USER_TOKEN, "")
        copy.deepcopy(robot).log_info("copied")
        # A child that knows nothing of this process, as on Windows.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            pool.apply(robot.log_info, ("from a child",))
        written = [line["logMessage"] for line in self.fake.logs]
        self.assertEqual(written, ["one", "[another] another", "[name] copied", "[name] from a child"])
        self.assertEqual(self.called("GetContext"), [{"processName": "one", "processArgs": ""}])

    def test_a_new_connection_begins_another_development_job_when_the_last_is_over(self):
        self.environment(ORCHESTRATOR_JOB_TOKEN=None)
        self.fake.tokens.add(USER_TOKEN)
        over = Refusal(400, "failed_precondition", "NO_DEVELOPMENT_JOB", "this token has no such development job")
        first = OrchestratorConnection("name", self.fake.url, USER_TOKEN, "")
        first.log_info("one")
        self.fake.faults.append(refuse(over))
        OrchestratorConnection("name", self.fake.url, USER_TOKEN, "").log_info("two")
        self.assertEqual([line["logMessage"] for line in self.fake.logs], ["one", "two"])
        self.assertEqual(len(self.called("GetContext")), 2)
        # One that has worked in the job that is over is told so.
        self.fake.faults.append(refuse(over))
        with self.assertRaises(JobEndedError):
            first.log_info("three")
        OrchestratorConnection("name", self.fake.url, USER_TOKEN, "").log_info("four")
        self.assertEqual(len(self.called("GetContext")), 3)

    def test_a_development_job_that_has_ended_says_how_to_begin_another(self):
        self.fake.tokens.add(USER_TOKEN)
        robot = OrchestratorConnection("name", self.fake.url, USER_TOKEN, "")
        robot.log_info("one")
        words = "this token has no development job"
        self.fake.faults.append(refuse(Refusal(400, "failed_precondition", "NO_DEVELOPMENT_JOB", words)))
        with self.assertRaisesRegex(JobEndedError, f"{words} .make a new OrchestratorConnection"):
            robot.log_info("an hour later")

    def test_a_token_that_is_refused_says_how_to_get_another(self):
        self.fake.tokens.add(USER_TOKEN)
        robot = OrchestratorConnection("name", self.fake.url, USER_TOKEN, "")
        robot.log_info("one")
        low = Refusal(403, "permission_denied", "ROLE_TOO_LOW", "not for you", {"needed": "ADMIN", "role": "OPERATOR"})
        expired = Refusal(401, "unauthenticated", "TOKEN_EXPIRED", "the token has expired")
        worker = Refusal(403, "permission_denied", "WRONG_CALLER", "this is for users", {"kind": "WORKER"})
        for refusal, words in (
            (worker, "this is for users .*token create user NAME --role operator"),
            (low, "not for you .*token create user NAME --role admin"),
            (expired, "expired .*token create user NAME --role operator"),
        ):
            self.fake.faults.append(refuse(refusal))
            with self.assertRaisesRegex(NotAllowedError, words):
                robot.update_constant("Limit", "2")
        # The robot of a worker has no token of its own that anybody could replace.
        self.fake.faults.append(refuse(expired))
        with self.assertRaises(NotAllowedError) as caught:
            self.robot.is_trigger_pausing()
        self.assertEqual(str(caught.exception), "the token has expired")

    def test_what_is_missing_is_told_by_the_first_call(self):
        self.environment(ORCHESTRATOR_JOB_TOKEN=None)
        for connection_string, key, words in (
            (self.fake.url, "not-a-key", "there is no token.*ORCHESTRATOR_JOB_TOKEN.*token create user"),
            (self.fake.url, "", "there is no token"),
            (self.fake.url, "orc_user_a b", "characters that no token has"),
            ("", USER_TOKEN, "no address.*sys.argv"),
            ("none", USER_TOKEN, "no address"),
            (None, USER_TOKEN, "no address"),
            ("sqlite:///file.db", USER_TOKEN, "begins with 'sqlite'.*never to a database"),
            ("Driver={SQL Server};PWD=hunter2", USER_TOKEN, "never to a database"),
            ("localhost:8420", USER_TOKEN, "'localhost:8420', is no whole address: write http:// before it"),
            ("Server=db:1433", USER_TOKEN, "never to a database"),
            ("http://host:port", USER_TOKEN, "is no address; it looks like"),
            ("http://", USER_TOKEN, "is no address"),
            ("http://a..b:80", USER_TOKEN, "a..b:80 has no valid name of a host"),
        ):
            robot = OrchestratorConnection("p", connection_string, key, "")
            with self.assertRaisesRegex(NotConfiguredError, words) as caught:
                robot.log_info("x")
            self.assertNotIn("hunter2", str(caught.exception))

    def test_who_takes_http_for_https_or_the_other_way_around_is_told_at_once(self):
        self.environment(ORCHESTRATOR_JOB_TOKEN=None)
        robot = OrchestratorConnection("p", self.fake.url.replace("http:", "https:"), USER_TOKEN, "")
        with self.assertRaisesRegex(NotConfiguredError, "https://.* does not speak https: write http://"):
            robot.log_info("x")

        # What a server that speaks TLS answers to what is none: an alert, and the end.
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)

        def refuse():
            caller, _ = server.accept()
            with caller:
                caller.recv(65536)
                caller.sendall(b"\x15\x03\x03\x00\x02\x022")

        answering = threading.Thread(target=refuse)
        answering.start()
        robot = OrchestratorConnection("p", f"http://127.0.0.1:{server.getsockname()[1]}", USER_TOKEN, "")
        with self.assertRaisesRegex(NotConfiguredError, "speaks https: write https://"):
            robot.log_info("x")
        answering.join()

    def test_addresses(self):
        for url, host, port, tls, prefix in (
            ("http://localhost:8420", "localhost", 8420, False, ""),
            ("HTTPS://robots.example.org/", "robots.example.org", 443, True, ""),
            ("http://[::1]:8420/behind/a/proxy/", "::1", 8420, False, "/behind/a/proxy"),
        ):
            address = Address(url)
            self.assertEqual((address.host, address.port, address.tls, address.prefix), (host, port, tls, prefix))
        for url in ("http://user:pw@host", "ftp://host", "http://a b", "http://host:８"):
            with self.assertRaises(NotConfiguredError) as caught:
                Address(url)
            self.assertNotIn("pw", str(caught.exception))


class Arguments(RobotTest):
    def start(self, *arguments):
        before = sys.argv
        self.addCleanup(setattr, sys, "argv", before)
        sys.argv = ["robot.py", *arguments]
        return OrchestratorConnection.create_connection_from_args()

    def test_four_to_six_arguments_and_more_make_a_connection(self):
        self.environment(ORCHESTRATOR_JOB_ID="from the environment")
        given = ("name", self.fake.url, "not-a-key", "{'a': \"b\"}\n", "trigger", "job", "seven")
        for count, trigger, job in ((4, None, "from the environment"), (5, "trigger", "from the environment"),
                                    (6, "trigger", "job"), (7, "trigger", "job")):
            robot = self.start(*given[:count])
            self.assertEqual((robot.process_name, robot.process_arguments), ("name", "{'a': \"b\"}\n"))
            self.assertEqual((robot.trigger_id, robot.job_id), (trigger, job))
            robot.log_info("x")
        self.assertEqual(len(self.fake.logs), 4)

    def test_a_class_of_the_robots_own_may_be_made_otherwise(self):
        class Old(OrchestratorConnection):
            def __init__(self, name, connection_string, key, arguments):
                super().__init__(name, connection_string, key, arguments)

        before = sys.argv
        self.addCleanup(setattr, sys, "argv", before)
        sys.argv = ["robot.py", "name", self.fake.url, "not-a-key", "", "trigger", "job"]
        self.assertEqual(Old.create_connection_from_args().trigger_id, "trigger")

    def test_fewer_say_what_a_robot_is_started_with(self):
        for given in ((), ("name", "url", "key")):
            with self.assertRaisesRegex(IndexError, f"4 to 6 arguments .*got {len(given)}.*sys.argv") as caught:
                self.start(*given)
            self.assertNotIn("Traceback", json.dumps(str(caught.exception)))


class Development(unittest.TestCase):
    def test_two_servers_are_told_apart(self):
        first, second = Fake([USER_TOKEN]), Fake([USER_TOKEN])
        self.addCleanup(first.close)
        self.addCleanup(second.close)
        self.addCleanup(os.environ.pop, "ORCHESTRATOR_DEVELOPMENT_JOB", None)
        one = OrchestratorConnection("a", first.url, USER_TOKEN, "")
        two = OrchestratorConnection("b", second.url, USER_TOKEN, "")
        one.log_info("one")
        two.log_info("two")
        self.assertEqual([line["logMessage"] for line in first.logs + second.logs], ["one", "two"])
