//! A worker as the service sees it: the worker protocol, spoken by the test.

use protocol::{
    AttemptResults, Claim, ClaimReply, Complete, EvaluateJob, Heartbeat, HeartbeatReply, ItemResult, Job,
    NodeFingerprint, Outcome, PROTOCOL_VERSION, Progress, RunReport, Stage, Work,
};
use reqwest::{Client, Response};
use serde::Serialize;
use store::accounts;

use crate::{Site, base::HARDWARE};

/// A node with a token of its own.
pub struct Node {
    client: Client,
    url: String,
    token: String,
}

/// What the tests' node is made of.
pub fn fingerprint() -> NodeFingerprint {
    NodeFingerprint {
        cpu: "test".to_owned(),
        cores: 2,
        memory_bytes: 1 << 30,
        kernel: "6".to_owned(),
        accelerators: Vec::new(),
        worker_version: "0".to_owned(),
    }
}

impl Node {
    /// A node known to the service.
    pub async fn known(site: &Site, name: &str) -> Self {
        let token = accounts::issue_worker_token(&site.pool, name, &[HARDWARE.to_owned()]).await.unwrap();
        Self { client: crate::client(), url: site.url.clone(), token: token.expose().to_owned() }
    }

    /// A node with a made-up token.
    pub fn unknown(site: &Site) -> Self {
        Self { client: crate::client(), url: site.url.clone(), token: "ffw_made-up".to_owned() }
    }

    /// `POST /worker/v1/{call}`.
    pub async fn post(&self, call: &str, body: &impl Serialize) -> Response {
        let request = self.client.post(format!("{}/worker/v1/{call}", self.url)).bearer_auth(&self.token);
        request.json(body).send().await.unwrap()
    }

    /// A claim that does not wait.
    pub fn claim_now() -> Claim {
        Claim {
            protocol: PROTOCOL_VERSION,
            hardware_class: HARDWARE.to_owned(),
            runtimes: vec!["pocketsphinx".to_owned()],
            fingerprint: fingerprint(),
            wait_seconds: 0,
            evaluates: true,
            renderer: None,
        }
    }

    /// Claims a job.
    pub async fn claim(&self, claim: &Claim) -> Option<Job> {
        let answer = self.post("claim", claim).await;
        assert_eq!(answer.status(), 200);
        answer.json::<ClaimReply>().await.unwrap().job
    }

    /// The heartbeat of a job that transcribes.
    pub fn beat(job: &Job) -> Heartbeat {
        Heartbeat {
            attempt: job.attempt,
            fencing_token: job.fencing_token,
            stage: Stage::Transcribing,
            progress: Progress { done: 1, total: 8 },
        }
    }

    /// Results in which every item is answered with `text` in half a second.
    pub fn results(job: &EvaluateJob, text: &str) -> AttemptResults {
        let answer = |item: &protocol::AudioItem| ItemResult {
            id: item.id,
            outcome: Outcome::Text(text.to_owned()),
            seconds: 0.5,
        };
        AttemptResults {
            report: RunReport {
                runtime: "pocketsphinx".to_owned(),
                runtime_digest: "0".repeat(64),
                isolation: "none: a test".to_owned(),
                ready_seconds: 0.1,
                num_params: Some(1000),
                peak_memory_bytes: None,
                fingerprint: fingerprint(),
                seed: job.seed,
            },
            items: job.items.iter().map(answer).collect(),
            repeats: job.repeats.iter().map(|pass| pass.iter().map(answer).collect()).collect(),
        }
    }

    /// Hands in `results` and completes the job.
    pub async fn complete(&self, job: &Job, results: &AttemptResults, sha256: &str) -> Response {
        let reply: HeartbeatReply = self.post("heartbeat", &Self::beat(job)).await.json().await.unwrap();
        let content = serde_json::to_vec(results).unwrap();
        let stored = self.client.put(reply.upload_url).body(content).send().await.unwrap();
        assert!(stored.status().is_success(), "handing in the results: {}", stored.status());
        let done = Complete {
            attempt: job.attempt,
            fencing_token: job.fencing_token,
            results_sha256: sha256.to_owned(),
        };
        self.post("complete", &done).await
    }

    /// The work of an evaluation.
    pub fn evaluation(job: &Job) -> &EvaluateJob {
        let Work::Evaluate(evaluation) = &job.work else { panic!("it is not a model to run") };
        evaluation
    }
}
