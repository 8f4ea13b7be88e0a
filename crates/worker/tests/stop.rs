//! A worker that is told to stop; alone in its process, since a signal is for all of it.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up panics")]
#![expect(dead_code, reason = "shares its surroundings with the other tests")]

mod common;

use std::process::Command;

use common::{Told, World};
use protocol::FailureClass;

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_worker_kills_the_model_and_hands_the_attempt_back() {
    let world = World::new().await;
    let service = world.service.clone();
    // The stop comes once the model is at work.
    tokio::spawn(async move {
        let at_work =
            |it: &Told| matches!(it, Told::Heartbeat(beat) if beat.stage == protocol::Stage::WarmingUp);
        while !service.told().iter().any(at_work) {
            tokio::task::yield_now().await;
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        Command::new("kill").arg(std::process::id().to_string()).status().unwrap();
    });
    let jobs = vec![world.job("never"), world.job("none")];
    world.work(jobs, 600).await.unwrap();
    let fails = world.service.fails();
    assert_eq!(fails.len(), 1);
    assert_eq!(fails[0].class, FailureClass::WorkerLost);
    assert!(world.service.completes().is_empty());
}
