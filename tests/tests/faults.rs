//! Faults with real kills and real cuts: worker, service, database, object storage, the line between worker and service,
//! and a database whose clock jumps. After each, everything comes to its end: nothing lost, doubled or stuck.
//!
//! The service and the workers are processes of the built program; database and object storage are servers of the test,
//! so that each can be struck by itself. Lines are TCP proxies that are cut (`end_to_end::Line`), and once the virtual cable
//! of a network namespace that is pulled (`end_to_end::Wire`), which needs rights that not every machine gives.
#![expect(clippy::unwrap_used, reason = "a test's failure is a panic with a place")]

use std::net::Ipv4Addr;

use end_to_end::{Base, Line, Operator, Program, Wire, until};
use serde_json::Value;

/// A service over lines that can be cut, with one worker.
struct Field {
    base: Base,
    storage: Line,
    network: Line,
    operator: Operator,
    service: Option<Program>,
    worker: Option<Program>,
    /// What an undisturbed run gives.
    undisturbed: Value,
}

impl Field {
    async fn set_up() -> Self {
        Self::set_up_at(Ipv4Addr::LOCALHOST, None).await
    }

    /// The same, with this machine at an address and the worker behind a wire.
    async fn set_up_at(here: Ipv4Addr, wire: Option<&Wire>) -> Self {
        let base = Base::start().await;
        let storage = Line::at(here, base.object_config.endpoint.strip_prefix("http://").unwrap()).await;
        let database = base.database_url();
        let environment = [
            ("DATABASE_URL", database.as_str()),
            ("S3_ENDPOINT", &storage.url),
            ("S3_ACCESS_KEY", &base.object_config.access_key),
            ("S3_SECRET_KEY", &base.object_config.secret_key),
        ];
        let (operator, service) = Operator::set_up_over(&[], &environment);
        let network = Line::at(here, operator.url("").strip_prefix("http://").unwrap()).await;
        let worker = match wire {
            Some(wire) => operator.worker_behind(wire, "node-0", &network.url),
            None => operator.worker_of("node-0", &network.url),
        };
        let first = operator.submit("Undisturbed").await;
        let (undisturbed, _) = operator.result(&first).await;
        Self { base, storage, network, operator, service: Some(service), worker: Some(worker), undisturbed }
    }

    /// Submits a model and waits until it transcribes.
    async fn running(&self, model: &str) -> String {
        let id = self.operator.submit(model).await;
        self.operator.caught_transcribing(&id).await;
        id
    }

    /// Waits for the result, which must be that of an undisturbed run; the number of attempts.
    async fn ends_well(&self, submission: &str) -> usize {
        let (result, attempts) = self.operator.result(submission).await;
        assert_eq!(result, self.undisturbed, "the same result whatever happened on the way");
        attempts
    }

    /// Waits until the service has kept something of the running attempt: how many items.
    async fn some_items_are_kept(&self, submission: &str) -> i64 {
        until("items are kept", || async {
            let kept: i64 =
                sqlx::query_scalar("SELECT count(*) FROM kept_items WHERE submission_id = $1::uuid")
                    .bind(submission)
                    .fetch_one(&self.base.pool)
                    .await
                    .ok()?;
            (kept > 0).then_some(kept)
        })
        .await
    }

    /// How many items of a result were not run again.
    async fn continued(&self, submission: &str) -> i64 {
        sqlx::query_scalar(
            "SELECT COALESCE((m.measurements -> 'continued' ->> 'items')::bigint, 0)
             FROM measurements m JOIN jobs j ON j.id = m.attempt_id WHERE j.submission_id = $1::uuid",
        )
        .bind(submission)
        .fetch_one(&self.base.pool)
        .await
        .unwrap()
    }

    /// Waits until the lease of the running attempt has run out in the eyes of the service.
    async fn lease_runs_out(&self, submission: &str) {
        until("the lease runs out", || async {
            let lost: bool = sqlx::query_scalar(
                "SELECT EXISTS (SELECT 1 FROM jobs WHERE submission_id = $1::uuid AND failure_class = 'worker_lost')",
            )
            .bind(submission)
            .fetch_one(&self.base.pool)
            .await
            .ok()?;
            lost.then_some(())
        })
        .await;
    }

    /// What must hold in the end, and the longest that anything stayed in a state on its way.
    async fn check(&self, submissions: i64) {
        let count = async |what: &str| -> i64 {
            sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {what}")))
                .fetch_one(&self.base.pool)
                .await
                .unwrap()
        };
        assert_eq!(count("submissions WHERE state = 'published'").await, submissions, "nothing is lost");
        assert_eq!(
            count("jobs WHERE state IN ('queued', 'leased') AND kind <> 'webhook'").await,
            0,
            "or stuck"
        );
        for kind in ["evaluate", "score"] {
            assert_eq!(
                count(&format!("jobs WHERE kind = '{kind}' AND state = 'succeeded'")).await,
                submissions
            );
        }
        assert_eq!(
            count("(SELECT DISTINCT attempt_id FROM scores) AS scored").await,
            submissions,
            "or doubled"
        );
        let (state, seconds): (String, f64) = sqlx::query_as(
            "SELECT to_state, extract(epoch FROM lead(at) OVER (PARTITION BY submission_id ORDER BY id) - at)::float8 AS stay
             FROM submission_events ORDER BY stay DESC NULLS LAST LIMIT 1",
        )
        .fetch_one(&self.base.pool)
        .await
        .unwrap();
        println!("the longest state of {submissions} submissions: {state}, {seconds:.1} s");
        let unfinished = count("submissions WHERE state NOT IN ('published', 'failed', 'cancelled')").await;
        assert_eq!(unfinished, 0, "nothing waits in a state that is not an end");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_part_may_be_killed_or_cut_off_and_nothing_is_lost_doubled_or_stuck() {
    let mut field = Field::set_up().await;

    // The worker is killed: its lease runs out, another of the same kind goes on from the items that were done.
    let id = field.running("Worker killed").await;
    let kept = field.some_items_are_kept(&id).await;
    field.worker.take().unwrap().kill();
    field.worker = Some(field.operator.worker_of("node-1", &field.network.url));
    assert!(field.ends_well(&id).await >= 2);
    assert!(field.continued(&id).await >= kept, "what was done is not repeated");

    // The service is killed: the worker goes on, and finds it again.
    let id = field.running("Service killed").await;
    field.service.take().unwrap().kill();
    field.service = Some(field.operator.serve());
    field.ends_well(&id).await;

    // The database is killed and recovers from its log.
    let id = field.running("Database killed").await;
    field.base.kill_and_restart_database().await;
    field.ends_well(&id).await;

    // Object storage is away while the results are to be handed in.
    let id = field.running("Storage away").await;
    field.storage.cut();
    field.worker.as_ref().unwrap().mentions("trying again");
    field.storage.mend();
    field.ends_well(&id).await;

    // The line between worker and service is cut for longer than the lease: the worker stops by itself.
    let id = field.running("Line cut").await;
    field.network.cut();
    field.lease_runs_out(&id).await;
    field.worker.as_ref().unwrap().mentions("the attempt is over");
    field.network.mend();
    assert!(field.ends_well(&id).await >= 2);

    field.check(6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cable_that_is_pulled_for_longer_than_a_lease_costs_a_repetition_and_nothing_else() {
    let wire = match Wire::lay() {
        Ok(wire) => wire,
        Err(reason) => {
            // The other tests cut proxies, which any machine can.
            println!("this machine gives no network namespace: {reason}");
            return;
        }
    };
    let field = Field::set_up_at(wire.here, Some(&wire)).await;

    // For less than a lease: the next heartbeat goes through, the attempt goes on.
    let id = field.running("Cable loose").await;
    wire.cut();
    wire.mend();
    field.ends_well(&id).await;

    // For longer: nobody is told anything. The worker stops the model by its own clock, the service ends the lease by its.
    let id = field.running("Cable pulled").await;
    wire.cut();
    field.lease_runs_out(&id).await;
    field.worker.as_ref().unwrap().mentions("the attempt is over");
    wire.mend();
    assert!(field.ends_well(&id).await >= 2);

    field.check(3).await;
}

/// Gives the database a clock of its own: `now()` in every query of the service is then that clock, set by the test.
async fn own_clock(base: &Base) {
    for statement in [
        "CREATE SCHEMA clock",
        "CREATE TABLE clock.ahead (hours double precision NOT NULL)",
        "INSERT INTO clock.ahead VALUES (0)",
        "CREATE FUNCTION clock.now() RETURNS timestamptz LANGUAGE sql STABLE AS
           'SELECT pg_catalog.now() + make_interval(secs => 3600 * (SELECT hours FROM clock.ahead))'",
        // Found before the system's own, after everything of the program.
        "ALTER DATABASE postgres SET search_path = public, clock, pg_catalog",
    ] {
        sqlx::query(statement).execute(&base.pool).await.unwrap();
    }
}

async fn set_clock(base: &Base, hours: f64) {
    sqlx::query("UPDATE clock.ahead SET hours = $1").bind(hours).execute(&base.pool).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_follow_the_clock_of_the_database_alone() {
    let mut field = Field::set_up().await;
    own_clock(&field.base).await;
    // Sessions that are open keep the old path.
    field.service.take().unwrap().kill();
    field.service = Some(field.operator.serve());

    // Five hours behind the clocks of worker and service: if any of these mattered, every lease would be over at once.
    set_clock(&field.base, -5.0).await;
    let id = field.running("Behind").await;
    field.ends_well(&id).await;

    // It jumps six hours ahead: the lease is over, the worker is told so and stops, the attempt is repeated.
    let id = field.running("Jump ahead").await;
    set_clock(&field.base, 1.0).await;
    assert!(field.ends_well(&id).await >= 2);

    // It jumps back: the next heartbeat sets the lease anew.
    let id = field.running("Jump back").await;
    set_clock(&field.base, 0.0).await;
    field.ends_well(&id).await;

    field.check(4).await;
}
