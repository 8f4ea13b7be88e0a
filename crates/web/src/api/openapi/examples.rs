//! Examples of answers, by the name of the operation. A test holds each against its schema.

use serde_json::{Value, json};

/// The example of an operation's answer.
pub(super) fn of(operation: &str) -> Option<Value> {
    match operation {
        "listBoards" => Some(json!({"boards": [{
            "release": "demo", "version": "1", "title": "Demo", "manifest_sha256": "5f".repeat(32),
            "hardware_classes": ["cpu-2core"], "href": "/api/v1/boards/demo@1",
        }]})),
        "getBoard" => Some(board()),
        "getQueue" => Some(json!({
            "states": [{
                "state": "queued", "count": 2, "late": 0, "oldest": "2026-11-24T18:00:00Z",
                "limit_seconds": 86400,
            }],
            "late": [],
        })),
        "getSubmission" => Some(json!({
            "id": "0193a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b", "model": "Kite small", "release": "demo",
            "hardware_class": "cpu-2core", "state": "queued", "state_entered_at": "2026-11-24T18:00:00Z",
            "failure_class": null, "reason": "accepted", "hidden_since": null, "queue_position": 2,
            "deadline": "2026-11-25T18:00:00Z", "expected_seconds": 340, "revision_of": null,
            "findings": [], "attempts": [], "href": "/submissions/0193a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b",
        })),
        "beginUpload" | "getUpload" => Some(json!({
            "id": "0193a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b", "name": "model.tar.gz", "bytes": 100_000_000,
            "part_bytes": 67_108_864, "parts": 2, "state": "open", "stored": [1], "problem": null,
        })),
        "addressParts" => {
            Some(json!({"parts": [{"number": 2, "url": "https://storage.example/upload/part-2"}]}))
        }
        _ => None,
    }
}

fn board() -> Value {
    let track = json!({
        "wer": 0.25, "interval": [0.2, 0.31], "substitutions": 20, "deletions": 4, "insertions": 1,
        "ref_words": 100, "rtfx": 12.5,
    });
    json!({
        "release": "demo", "release_version": "1", "manifest_sha256": "5f".repeat(32),
        "hardware_class": "cpu-2core", "profile": "ffasr", "scorer": "ffasr@1/whisper-en@1",
        "generated_at": "2026-11-24T18:00:00Z",
        "rows": [{
            "rank": 1, "rank_interval": [1, 2], "model": "Kite small", "organisation": "Example",
            "submission": "0193a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b",
            "attempt": "0193a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1c",
            "avg_wer": 0.25, "avg_wer_interval": [0.2, 0.31], "tracks": {"near": track},
            "rtfx": 12.5, "rtfx_interval": [12.3, 12.7], "latency_p50_s": 0.2, "latency_p95_s": 0.4,
            "num_params": 39_000_000, "pareto": true, "pareto_probability": 0.93, "status": "published",
        }],
    })
}
