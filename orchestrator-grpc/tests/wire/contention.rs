//! Transactions that lose against another one are run again: whoever calls does not notice.

use orchestrator_core::identity::Role;
use serde_json::{Value, json};

use crate::http::post;
use crate::world::{Presents, World, postgres_world};

/// Has the database refuse the first two writes after each rewind, as it does when a transaction lost.
const LOSE: &str = "
    CREATE SEQUENCE tries;
    CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('tries') <= 2 THEN RAISE EXCEPTION 'lost' USING ERRCODE = '40001'; END IF;
        RETURN NULL;
    END $$;
    DO $$ DECLARE name text; BEGIN
        FOREACH name IN ARRAY ARRAY['audit', 'constants', 'credentials', 'logs', 'queue_settings', 'queues', 'tokens', 'workers'] LOOP
            EXECUTE format('CREATE TRIGGER lose BEFORE INSERT OR UPDATE OR DELETE ON %I EXECUTE FUNCTION lose()', name);
        END LOOP;
    END $$";

/// Makes a call that loses twice.
async fn losing(world: &World, presents: &Presents, method: &str, body: Value) -> Value {
    orchestrator_test_postgres::execute(&world.url, "ALTER SEQUENCE tries RESTART");
    let answer = post(world, &format!("/rpc/orchestrator.v1.{method}"), presents, &body.to_string()).await;
    assert_eq!(answer.status, 200, "{method}: {}", answer.body);
    answer.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_handler_with_a_transaction_of_its_own_runs_it_again() {
    let world = postgres_world().await;
    let worker = world.worker().await;
    let job = world.running_job(&worker).await;
    let (admin, robot) = (world.user(Role::Admin).await, worker.with_job(&job.token));
    orchestrator_test_postgres::execute(&world.url, LOSE);

    let constant = json!({"name": "url", "value": "a"});
    let credential = json!({"name": "payroll", "username": "u", "password": "p"});
    let element = json!({"queue_name": "Invoices", "element": {"reference": "7"}});
    for (presents, method, body) in [
        (&admin, "ConstantService/Set", constant.clone()),
        (&robot, "RobotService/GetConstant", json!({"name": "url"})),
        (&robot, "RobotService/UpdateConstant", constant),
        (&admin, "ConstantService/Delete", json!({"name": "url"})),
        (&admin, "CredentialService/Set", credential.clone()),
        (&admin, "CredentialService/Reveal", json!({"name": "payroll"})),
        (&robot, "RobotService/GetCredential", json!({"name": "payroll"})),
        (&robot, "RobotService/UpdateCredential", credential),
        (&admin, "CredentialService/Delete", json!({"name": "payroll"})),
        (&robot, "RobotService/Log", json!({"logs": [{"log_level": "INFO", "log_message": "hello"}]})),
        (&admin, "QueueService/UpdateSettings", json!({"queue_name": "Invoices", "max_attempts": 2})),
        (&robot, "RobotService/BulkCreateQueueElements", json!({"queue_name": "Letters", "elements": [{}, {}]})),
        (&admin, "AdminService/DrainWorker", json!({"name": "robot-1"})),
    ] {
        losing(&world, presents, method, body).await;
    }

    let created = losing(&world, &admin, "QueueService/Create", element).await;
    let id = created["element"]["id"].clone();
    let claimed = losing(&world, &admin, "QueueService/Claim", json!({"queue_name": "Invoices"})).await;
    assert_eq!((&claimed["elements"][0]["id"], claimed["elements"][0]["attempt"].clone()), (&id, json!(1)));
    losing(&world, &admin, "QueueService/SetStatus", json!({"element": id, "status": "FAILED"})).await;
    losing(&world, &admin, "QueueService/Retry", json!({"elements": [id]})).await;
    losing(&world, &admin, "QueueService/Update", json!({"element": id, "data": "d"})).await;
    losing(&world, &admin, "QueueService/Delete", json!({"element": id})).await;

    let token = json!({"kind": "WORKER", "name": "robot-2"});
    let token = losing(&world, &admin, "AdminService/CreateToken", token).await["token"]["id"].clone();
    losing(&world, &admin, "AdminService/RevokeToken", json!({"token": token})).await;
}
