//! Real robots: scripts in the world's folder.

use std::path::PathBuf;

use crate::gate::{Gate, Ledger};
use crate::world::World;

/// What every Python robot begins with: its arguments, calls of its worker (`ask`, which gives the HTTP status and what
/// was said), and calls of the server as an operator (`call`), with the standard library alone.
const PYTHON: &str = r#"import http.client, json, os, subprocess, sys, threading, time, urllib.error, urllib.request
process_name, endpoint, placeholder, process_args, trigger_id, job_id = sys.argv[1:7]

def call(method, **body):
    request = urllib.request.Request(
        f"{os.environ['SCENARIO_URL']}/rpc/orchestrator.v1.{method}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": "Bearer " + os.environ["SCENARIO_TOKEN"]},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)

local = threading.local()

def ask(method, **body):
    if not hasattr(local, "worker"):
        local.worker = http.client.HTTPConnection(endpoint.removeprefix("http://"), timeout=300)
    local.worker.request("POST", "/rpc/orchestrator.v1.RobotService/" + method, json.dumps(body), {
        "Content-Type": "application/json", "Authorization": "Bearer " + os.environ["ORCHESTRATOR_JOB_TOKEN"]})
    answer = local.worker.getresponse()
    return answer.status, json.loads(answer.read())

def get(method, **body):
    status, said = ask(method, **body)
    assert status == 200, (method, status, said)
    return said

"#;

/// The same for shell robots.
const SHELL: &str = "process_name=$1 endpoint=$2 placeholder=$3 process_args=$4 trigger_id=$5 job_id=$6\n";

impl World {
    /// A Python robot.
    pub fn python(&self, name: &str, body: &str) -> PathBuf {
        self.stage().file(format!("{name}.py"), format!("{PYTHON}{body}\n"))
    }

    /// A shell robot: starts faster than Python does.
    pub fn shell(&self, name: &str, body: &str) -> PathBuf {
        self.stage().file(format!("{name}.sh"), format!("{SHELL}{body}\n"))
    }

    /// A robot that writes its job into the ledger and ends well.
    pub fn quick_robot(&self, ledger: &Ledger) -> PathBuf {
        self.shell("quick", &ledger.add("$job_id"))
    }

    /// A robot that writes its job into the ledger and then waits at the gate.
    pub fn patient_robot(&self, ledger: &Ledger, gate: &Gate) -> PathBuf {
        self.shell("patient", &format!("{}\n{}", ledger.add("$job_id"), gate.wait()))
    }

    /// Something that robots wait in front of.
    pub fn gate(&self, name: &str) -> Gate {
        Gate::new(self.stage(), name)
    }

    /// Where robots write what they did.
    pub fn ledger(&self, name: &str) -> Ledger {
        Ledger::new(self.stage(), name)
    }

    /// The text of a Python program that a repository may have as its `main.py`.
    pub fn python_text(body: &str) -> String {
        format!("{PYTHON}{body}\n")
    }
}
